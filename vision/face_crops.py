"""The shapes of a part's faces, and their records for the face set with crops as PNG: work that can be spread."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.ahead import read_ahead
from vision.alignment import Matrix, Points, transform
from vision.clip import Frame, Part
from vision.covers import Sight, keep_lasting
from vision.crops import Picture, crop_frame, encode_png, measure_sharpness
from vision.face_rows import fill_row
from vision.hashing import check_clip
from vision.masks import draw_mask, face_outline
from vision.person_face import FaceShape, PersonFace
from vision.quality import Limits, Small, find_flaw, measure_cut, shrink_face
from vision.tables import FACESET, TRACKS, matrix

Row = dict[str, Any]
_SHARED = [c.name for c in FACESET.columns if c.name in {d.name for d in TRACKS.columns} - {"reason", "landmarks"}]


@dataclass(frozen=True)
class Located:
    """A face of a frame: its landmarks (N, 2 or 3), frame pixels; its row of TRACKS without what they and pixels tell.

    `is_taken`: the face set takes it.
    """

    row: Row
    landmarks: NDArray[np.float32]
    is_taken: bool


@dataclass(frozen=True)
class Rules:
    """What every face is cut by: the person's proportions and face (None where no mesh is known), and limits."""

    crop_px: int
    proportions: Matrix
    person: PersonFace | None
    limits: Limits


@dataclass(frozen=True)
class Cutting:
    """A part of a clip and all its faces, in order of frames."""

    clip: Path
    clip_sha256: str
    part: Part
    faces: tuple[Located, ...]
    rules: Rules

    def __str__(self) -> str:
        return f"{self.clip}, {self.part}"


@dataclass(frozen=True)
class CutFace:
    """A face's row of TRACKS; where the face set takes it, its record (a dict of FACESET's columns), a small view."""

    row: Row
    record: Row | None = None
    small: Small | None = None


@dataclass(frozen=True)
class _Crop:
    """A face's crop as PNG, its sharpness, how much of the face the picture's border cuts off, and a small view."""

    picture: bytes
    sharpness: float
    cut_ratio: float
    small: Small


@dataclass(frozen=True)
class _Seen:
    """A face as its frame was read: its shape without covers, what is seen of it, the crop where one is taken."""

    face: Located
    shape: FaceShape
    sight: Sight | None = None
    crop: _Crop | None = None


def cut_faces(cutting: Cutting) -> list[CutFace]:
    """All faces of a part, in order. Raises ClipError."""
    faces = [_fill_row(face, cutting.rules) for face in cutting.faces]
    if not any(face.row["is_used"] for face in faces):
        return [_finish_face(_Seen(face, _NO_SHAPE), cutting.rules) for face in faces]
    of_frame: dict[int, list[Located]] = {}
    for face in faces:
        of_frame.setdefault(face.row["frame"], []).append(face)
    check_clip(cutting.clip, cutting.clip_sha256)
    seen = [
        _see_face(frame, face, cutting.rules)
        for frame in read_ahead(cutting.clip, cutting.part)
        for face in of_frame.get(frame.index, ())
    ]
    return [_finish_face(one, cutting.rules) for one in _keep_lasting(seen)]


_NO_SHAPE = FaceShape(np.empty((0, 2), np.float32))


def _fill_row(face: Located, rules: Rules) -> Located:
    """The face with the columns of its row that follow from its landmarks."""
    own = rules.proportions if face.row["is_used"] else None
    return replace(face, row=face.row | fill_row(face.landmarks, face.row["kind"], own, rules.crop_px))


def _see_face(frame: Frame, face: Located, rules: Rules) -> _Seen:
    if not face.row["is_used"]:
        return _Seen(face, _NO_SHAPE)
    shape, sight, kind = _NO_SHAPE, None, face.row["kind"]
    to_crop = matrix(face.row["frame_to_crop"])
    person = rules.person if kind == "mesh" else None
    crop = crop_frame(frame, to_crop, rules.crop_px) if person or face.is_taken else None
    if person is not None and crop is not None:
        shape, sight = person.see(crop, to_crop, face.landmarks)
    if not len(shape.outline):
        shape = replace(shape, outline=face_outline(face.landmarks, kind, to_crop, rules.crop_px))
    if crop is None or not face.is_taken:
        return _Seen(face, shape, sight)
    return _Seen(face, shape, sight, _keep_crop(crop, shape.outline, to_crop, frame.planes[0].shape))


def _keep_crop(crop: Picture, outline: Points, to_crop: Matrix, size: tuple[int, int]) -> _Crop:
    """A crop of a frame of `size` (height, width)."""
    sharpness = measure_sharpness(crop, draw_mask(transform(to_crop, outline), crop.shape[:2]))
    cut_ratio = measure_cut(outline, to_crop, len(crop), size)
    return _Crop(encode_png(crop), sharpness, cut_ratio, shrink_face(crop))


def _keep_lasting(seen: list[_Seen]) -> list[_Seen]:
    """The faces, each seen with the covers that last, track by track."""
    lasting = list(seen)
    of_track: dict[int, list[int]] = {}
    for n, one in enumerate(seen):
        if one.sight is not None:
            of_track.setdefault(one.face.row["track"], []).append(n)
    for places in of_track.values():
        sights = [sight for n in places if (sight := seen[n].sight)]
        kept = keep_lasting(sights, [seen[n].face.row["frame"] for n in places])
        for n, sight in zip(places, kept, strict=True):
            lasting[n] = replace(seen[n], sight=sight)
    return lasting


def _finish_face(seen: _Seen, rules: Rules) -> CutFace:
    shape = seen.shape
    if rules.person is not None and seen.sight is not None:
        shape = rules.person.add_sight(shape, seen.face.landmarks, seen.sight)
    row = seen.face.row | {
        "outline": shape.outline.ravel(),
        "covers": [cover.ravel() for cover in shape.covers],
        "covered_ratio": shape.covered_ratio,
    }
    if seen.crop is None:
        return CutFace(row)
    return CutFace(row, _make_record(row, shape, seen.crop, rules.limits), seen.crop.small)


def _make_record(row: Row, shape: FaceShape, crop: _Crop, limits: Limits) -> Row:
    """A face's record: its crop, and what the row says in the crop's pixels."""
    to_crop = matrix(row["frame_to_crop"])
    landmarks = np.reshape(row["landmarks"], (-1, 2))
    return {name: row[name] for name in _SHARED} | {
        "picture": crop.picture,
        "landmarks": transform(to_crop, landmarks).ravel(),
        "outline": transform(to_crop, shape.outline).ravel(),
        "covers": [transform(to_crop, cover).ravel() for cover in shape.covers],
        "sharpness": crop.sharpness,
        "reason": find_flaw(shape, crop.cut_ratio, limits),
    }
