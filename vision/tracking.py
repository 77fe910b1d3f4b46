"""Tracks: which detections are one face followed through one shot."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vision.boxes import Boxes, overlap


@dataclass
class _Live:
    """The end of a track, as far as it has been followed."""

    track: int
    frame: int
    box: Boxes


def assign_tracks(detections: pd.DataFrame, shots: pd.DataFrame, min_overlap: float, max_gap: int) -> NDArray[np.int64]:
    """The track of each of one clip's detections (rows in order of frames): (N,), numbered from 0.

    A track ends with its shot, or when its face is lost for more than `max_gap` frames. In each frame the pairs of a
    live track and a face are joined greedily by falling overlap of their boxes, down to `min_overlap`.
    """
    boxes = detections[["x1", "y1", "x2", "y2"]].to_numpy(np.float64)
    frames = detections["frame"].to_numpy()
    tracks = np.full(len(detections), -1, np.int64)
    for shot in shots.itertuples():
        first, end = np.searchsorted(frames, [shot.first_frame, shot.end_frame])
        live: list[_Live] = []  # no state crosses a cut
        for frame, rows in _group_by_frame(frames, int(first), int(end)):
            live = [end for end in live if frame - end.frame <= max_gap + 1]
            _follow(live, frame, rows, boxes, tracks, min_overlap)
    return tracks


def _group_by_frame(frames: NDArray[np.int64], first: int, end: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    values, starts = np.unique(frames[first:end], return_index=True)
    bounds = [*(starts + first), end]
    for value, start, stop in zip(values, bounds, bounds[1:], strict=False):
        yield int(value), np.arange(start, stop)


def _follow(
    live: list[_Live], frame: int, rows: NDArray[np.int64], boxes: Boxes, tracks: NDArray[np.int64], min_overlap: float
) -> None:
    """Give each face of a frame to a live track, or to a new one; `live` and `tracks` are brought up to date."""
    for end, row in _match(live, rows, boxes, min_overlap):
        tracks[row], end.frame, end.box = end.track, frame, boxes[row]
    for row in rows[tracks[rows] < 0]:
        tracks[row] = tracks.max() + 1
        live.append(_Live(int(tracks[row]), frame, boxes[row]))


def _match(live: list[_Live], rows: NDArray[np.int64], boxes: Boxes, min_overlap: float) -> list[tuple[_Live, int]]:
    if not live:
        return []
    overlaps = overlap(np.stack([end.box for end in live]), boxes[rows])
    pairs = []
    while overlaps.max() >= max(min_overlap, 1e-9):
        i, j = np.unravel_index(int(overlaps.argmax()), overlaps.shape)
        pairs.append((live[i], int(rows[j])))
        overlaps[i, :] = overlaps[:, j] = -1
    return pairs
