"""How the faces of tracks look: one reading of each clip, a few faces of each track."""

from pathlib import Path

import numpy as np
import pandas as pd

from vision.alignment import align_view
from vision.clip_read import read_frames
from vision.crops import Picture, crop_frame
from vision.evenly import pick_evenly
from vision.look import COVERAGE, VIEW_PX, Look, describe_face
from vision.tables import points

LOOKS = 12  # a track's look: the sum over so many faces
THUMBS = 3


class Portrait:
    """How a track looks: the sum of `n_faces` faces' looks, and up to THUMBS of their views, evenly over the track."""

    def __init__(self, n_faces: int) -> None:
        self.look: Look = np.zeros(1, np.float32)
        self.thumbs: list[Picture] = []
        self._kept = set(pick_evenly(n_faces, THUMBS).tolist())
        self._n_seen = 0

    def add(self, view: Picture) -> None:
        """Take the aligned view of the track's next face."""
        self.look = self.look + describe_face(view)
        if self._n_seen in self._kept:
            self.thumbs.append(view)
        self._n_seen += 1


Portraits = dict[tuple[str, int], Portrait]  # by clip and track


def portray_tracks(clips: Path, faces: pd.DataFrame) -> Portraits:
    """How every track looks, from a few of its faces; each clip is decoded once."""
    portraits: Portraits = {}
    for clip, of_clip in faces.groupby("clip", sort=True):
        wanted = pd.concat([rows.iloc[pick_evenly(len(rows), LOOKS)] for _, rows in of_clip.groupby("track")])
        portraits |= {(str(clip), track): Portrait(len(rows)) for track, rows in wanted.groupby("track")}
        by_frame = {frame: list(rows.itertuples()) for frame, rows in wanted.groupby("frame")}
        for frame in read_frames(clips / str(clip)):
            for row in by_frame.get(frame.index, ()):
                to_view = align_view(points(row.five), "five", VIEW_PX, COVERAGE)
                view = crop_frame(frame, to_view, VIEW_PX)
                portraits[str(clip), row.track].add(view)
    return portraits
