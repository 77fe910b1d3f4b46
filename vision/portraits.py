"""How the faces of tracks look: a few faces of each track, seen part by part of a clip."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from vision.alignment import Matrix, Points, align_view
from vision.clip import Part
from vision.clip_read import read_frames
from vision.crops import Picture, crop_frame
from vision.evenly import pick_evenly
from vision.hashing import check_clip
from vision.look import COVERAGE, VIEW_PX, Look, describe_face
from vision.tables import points

LOOKS = 12  # a track's look: the sum over so many faces at least
LEARNT_FACES = 96  # of the face set's clips together, whose views are kept to learn from them
THUMBS = 3


class View(NamedTuple):
    """A face's aligned view, RGB uint8 (VIEW_PX, VIEW_PX, 3), and where it lies in its frame."""

    picture: Picture
    frame_to_view: Matrix


class Wanted(NamedTuple):
    """A face that is to be seen; `is_kept`: its view is kept to learn from it."""

    frame: int
    track: int
    five: Points
    is_kept: bool


@dataclass(frozen=True)
class Sitting:
    """A part of a clip and the faces that are wanted of it, in order of frames."""

    clip: Path
    clip_sha256: str
    part: Part
    faces: tuple[Wanted, ...]

    def __str__(self) -> str:
        return f"{self.clip}, {self.part}"


class Portrait:
    """How a track looks: the sum of `n_faces` faces' looks, and up to THUMBS of their views, evenly over the track.

    `views` are those kept, by frame.
    """

    def __init__(self, n_faces: int) -> None:
        self.look: Look = np.zeros(1, np.float32)
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


Portraits = dict[tuple[str, int], Portrait]  # by clip and track


def plan_sittings(clips: Path, parts: pd.DataFrame, faces: pd.DataFrame, faceset: set[str]) -> list[Sitting]:
    """The faces to see of each track, by parts of clips. `faceset`: the clips that the face set takes from."""
    plan = []
    for clip, of_clip in faces.groupby("clip", sort=True):
        n_kept = LEARNT_FACES / len(faceset) if clip in faceset else 0
        wanted = [face for _, rows in of_clip.groupby("track") for face in _choose(rows, n_kept / len(of_clip))]
        wanted.sort(key=lambda face: (face.frame, face.track))
        for part in parts[parts["clip"] == clip].itertuples():
            of_part = tuple(face for face in wanted if part.first_frame <= face.frame < part.end_frame)
            if of_part:
                where = Part(part.first_frame, part.end_frame, part.first_pts)
                plan.append(Sitting(clips / str(clip), part.clip_sha256, where, of_part))
    return plan


def take_views(sitting: Sitting) -> list[View]:
    """The views of a part's faces, in their order: work that can be spread. Raises ClipError."""
    check_clip(sitting.clip, sitting.clip_sha256)
    of_frame: dict[int, list[Wanted]] = {}
    for face in sitting.faces:
        of_frame.setdefault(face.frame, []).append(face)
    seen = Part(sitting.part.first_frame, max(of_frame) + 1, sitting.part.first_pts)
    views = []
    for frame in read_frames(sitting.clip, seen):
        for face in of_frame.get(frame.index, ()):
            to_view = align_view(face.five, "five", VIEW_PX, COVERAGE)
            views.append(View(crop_frame(frame, to_view, VIEW_PX), to_view))
    return views


def portray_tracks(plan: list[Sitting], views: Iterable[list[View]]) -> Portraits:
    """How every track looks, from the views of each sitting."""
    n_faces = Counter((sitting.clip.name, face.track) for sitting in plan for face in sitting.faces)
    portraits = {key: Portrait(n) for key, n in n_faces.items()}
    for sitting, taken in zip(plan, views, strict=True):
        for face, view in zip(sitting.faces, taken, strict=True):
            portraits[sitting.clip.name, face.track].add(face, view)
    return portraits


def _choose(rows: pd.DataFrame, kept_share: float) -> list[Wanted]:
    """A track's faces to see, evenly; as many as the share of its faces says are kept."""
    n_kept = -int(-kept_share * len(rows) // 1)
    seen = rows.iloc[pick_evenly(len(rows), max(LOOKS, n_kept))]
    kept = set(pick_evenly(len(seen), n_kept).tolist()) if n_kept else set()
    return [Wanted(row.frame, row.track, points(row.five), n in kept) for n, row in enumerate(seen.itertuples())]
