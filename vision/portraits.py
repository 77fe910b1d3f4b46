"""How the faces of tracks look: some views of each track, evenly over those that were taken."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from vision.crops import Picture
from vision.evenly import pick_evenly
from vision.look import NO_LOOK, Look, describe_face
from vision.tables import DETECTIONS, points, read_batches
from vision.view import read_view

LOOKS = 24  # of a track's faces at most, which its look is the sum over
THUMBS = 3

Key = tuple[str, int]  # clip and track
_COLUMNS = ["clip", "frame", "face", "five", "view"]


class Wanted(NamedTuple):
    """A face that is to be looked at."""

    clip: str
    frame: int
    face: int
    track: int


class Portrait:
    """How a track looks: the sum of `n_faces` faces' looks, and up to THUMBS of their views, evenly over the track.

    Of no face the look is like nobody's.
    """

    def __init__(self, n_faces: int) -> None:
        self.look: Look = NO_LOOK
        self.thumbs: list[Picture] = []
        self._shown = set(pick_evenly(n_faces, THUMBS).tolist())
        self._n_seen = 0

    def add(self, view: Picture) -> None:
        """Take the view of the track's next face."""
        self.look = self.look + describe_face(view)
        if self._n_seen in self._shown:
            self.thumbs.append(view)
        self._n_seen += 1


Portraits = dict[Key, Portrait]


def choose_faces(faces: pd.DataFrame) -> list[Wanted]:
    """The faces to look at of each track, evenly, of those with a view (column `has_view`)."""
    return [
        Wanted(row.clip, row.frame, row.face, row.track)
        for _, rows in faces[faces["has_view"]].groupby(["clip", "track"], sort=True)
        for row in rows.iloc[pick_evenly(len(rows), LOOKS)].itertuples()
    ]


def portray_tracks(detections: Path, faces: pd.DataFrame) -> Portraits:
    """How every track looks. `faces`: the rows of `detections` with their `track`, and whether each `has_view`."""
    wanted = choose_faces(faces)
    n_faces = Counter((face.clip, face.track) for face in wanted)
    tracks = faces[["clip", "track"]].drop_duplicates().itertuples(index=False)
    portraits = {(str(clip), int(track)): Portrait(n_faces[clip, track]) for clip, track in tracks}
    by_place = {(face.clip, face.frame, face.face): face for face in wanted}
    for batch in read_batches(detections, DETECTIONS, _COLUMNS):
        for row in batch.itertuples():
            face = by_place.get((row.clip, row.frame, row.face))
            if face is not None:
                portraits[face.clip, face.track].add(read_view(row.view, points(row.five)).picture)
    return portraits
