"""The faces of a take's clip, at most one a frame, as measuring needs them; and which frames to look at."""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.alignment import Matrix, Points, canonical_landmarks, invert, transform
from vision.masks import Regions, surround_regions
from vision.tables import TRACKS, matrix, points, read_batches


@dataclass(frozen=True)
class TakeFace:
    """Where a frame's face lies and how it looks; NaN where unknown.

    `regions` are where eyes, brows and mouth are, in frame pixels; without a mesh there are none.

    `box` (4,) is x1, y1, x2, y2, `five` (5, 2) the five landmarks that its alignment implies, both in frame pixels.
    """

    frame_to_crop: Matrix
    box: Points
    five: Points
    yaw: float
    mouth_open: float
    eye_open: float
    regions: Regions


def read_take_faces(tracks: Path, clip: str, crop_px: int) -> dict[int, TakeFace]:
    """The used faces of a clip by frame; a few numbers each, so that an hour of them is small. Raises TableError."""
    faces: dict[int, TakeFace] = {}
    for batch in read_batches(tracks, TRACKS):
        for row in batch[(batch["clip"] == clip) & batch["is_used"]].to_dict("records"):
            faces[row["frame"]] = _read_face(row, crop_px)
    return faces


def _read_face(row: Mapping[Hashable, Any], crop_px: int) -> TakeFace:
    frame_to_crop = matrix(row["frame_to_crop"])
    outline = points(row["outline"])
    regions = surround_regions(points(row["landmarks"]), row["kind"])
    box = np.concatenate([outline.min(axis=0), outline.max(axis=0)])
    five = transform(invert(frame_to_crop), canonical_landmarks("five") * crop_px - 0.5)
    return TakeFace(frame_to_crop, box, five, row["yaw"], row["mouth_open"], row["eye_open"], regions)


def choose_frames(faces: Mapping[int, TakeFace], is_swapped: NDArray[np.bool_], n_spread: int) -> dict[int, str]:
    """Frames to look at, in order, each with why: `n_spread` evenly over the swapped ones, and the extremes.

    `is_swapped` has a value a frame; where nothing was swapped, the choice is among all frames.
    """
    frames = (np.flatnonzero(is_swapped) if is_swapped.any() else np.arange(len(is_swapped))).tolist()
    spread = (np.arange(n_spread) + 0.5) / n_spread * len(frames)
    chosen = {frames[position]: "" for position in sorted(set(spread.astype(int).tolist()))}
    extremes: dict[str, Callable[[TakeFace], float]] = {
        "widest mouth": lambda face: face.mouth_open,
        "eyes most closed": lambda face: -face.eye_open,
        "largest turn": lambda face: abs(face.yaw),
    }
    for why, measure in extremes.items():
        values = {frame: measure(faces[frame]) for frame in frames if frame in faces}
        known = {frame: value for frame, value in values.items() if not math.isnan(value)}
        if known:
            extreme = max(known, key=lambda frame: known[frame])
            chosen[extreme] = ", ".join(filter(None, (chosen.get(extreme), why)))
    return dict(sorted(chosen.items()))
