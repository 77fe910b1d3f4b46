"""How the faces of tracks look: some views of each track, evenly over those that were taken."""

from collections import Counter
from math import ceil
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from vision.crops import Picture
from vision.evenly import pick_evenly
from vision.look import NO_LOOK, Look, describe_face
from vision.tables import DETECTIONS, points, read_batches
from vision.view import LEARNT_VIEWS, View, read_view

LOOKS = 12  # a track's look: the sum over so many faces at least
THUMBS = 3

Key = tuple[str, int]  # clip and track
_COLUMNS = ["clip", "frame", "face", "five", "view"]


class Wanted(NamedTuple):
    """A face that is to be looked at; `is_kept`: its view is kept to learn from it."""

    clip: str
    frame: int
    face: int
    track: int
    is_kept: bool


class Portrait:
    """How a track looks: the sum of `n_faces` faces' looks, and up to THUMBS of their views, evenly over the track.

    `views` are those kept, by frame. Of no face the look is like nobody's.
    """

    def __init__(self, n_faces: int) -> None:
        self.look: Look = NO_LOOK
        self.thumbs: list[Picture] = []
        self.views: dict[int, View] = {}
        self._shown = set(pick_evenly(n_faces, THUMBS).tolist())
        self._n_seen = 0

    def add(self, face: Wanted, view: View) -> None:
        """Take the track's next face."""
        self.look = self.look + describe_face(view.picture)
        if self._n_seen in self._shown:
            self.thumbs.append(view.picture)
        if face.is_kept:
            self.views[face.frame] = view
        self._n_seen += 1


Portraits = dict[Key, Portrait]


def choose_faces(faces: pd.DataFrame, faceset: set[str]) -> list[Wanted]:
    """The faces to look at of each track, of those with a view (column `has_view`).

    `faceset`: the clips that the face set takes from.
    """
    wanted = []
    for clip, of_clip in faces[faces["has_view"]].groupby("clip", sort=True):
        n_kept = LEARNT_VIEWS / len(faceset) if clip in faceset else 0
        for _, rows in of_clip.groupby("track"):
            wanted.extend(_choose(rows, n_kept / len(of_clip)))
    return wanted


def portray_tracks(detections: Path, faces: pd.DataFrame, faceset: set[str]) -> Portraits:
    """How every track looks. `faces`: the rows of `detections` with their `track`, and whether each `has_view`."""
    wanted = choose_faces(faces, faceset)
    n_faces = Counter((face.clip, face.track) for face in wanted)
    tracks = faces[["clip", "track"]].drop_duplicates().itertuples(index=False)
    portraits = {(str(clip), int(track)): Portrait(n_faces[clip, track]) for clip, track in tracks}
    by_place = {(face.clip, face.frame, face.face): face for face in wanted}
    for batch in read_batches(detections, DETECTIONS, _COLUMNS):
        for row in batch.itertuples():
            face = by_place.get((row.clip, row.frame, row.face))
            if face is not None:
                portraits[face.clip, face.track].add(face, read_view(row.view, points(row.five)))
    return portraits


def _choose(rows: pd.DataFrame, kept_share: float) -> list[Wanted]:
    """Some of a track's faces, evenly; as many as the share of its faces says are kept."""
    n_kept = min(len(rows), ceil(kept_share * len(rows)))
    seen = rows.iloc[pick_evenly(len(rows), max(LOOKS, n_kept))]
    kept = set(pick_evenly(len(seen), n_kept).tolist()) if n_kept else set()
    return [Wanted(row.clip, row.frame, row.face, row.track, n in kept) for n, row in enumerate(seen.itertuples())]
