"""The shapes of a part's faces, and their records for the face set with crops as PNG: work that can be spread."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.alignment import transform
from vision.clip import Frame, Part
from vision.clip_read import read_frames
from vision.crops import Picture, crop_frame, encode_png, measure_sharpness
from vision.hashing import check_clip
from vision.masks import draw_face, face_outline
from vision.person_face import FaceShape, PersonFace
from vision.quality import Limits, Small, find_flaw, measure_cut, shrink_face
from vision.tables import FACESET, TRACKS, matrix

Row = dict[str, Any]
SHAPE = ("outline", "covers", "covered_ratio")
_SHARED = [c.name for c in FACESET.columns if c.name in {d.name for d in TRACKS.columns} - {"reason", "landmarks"}]


@dataclass(frozen=True)
class Located:
    """A face of a frame: its row of TRACKS, as yet without SHAPE, and its landmarks (N, 2 or 3).

    `is_taken`: the face set takes it.
    """

    row: Row
    landmarks: NDArray[np.float32]
    is_taken: bool


@dataclass(frozen=True)
class Cutting:
    """A part of a clip and all its faces, in order of frames; `person`: None where no mesh is known."""

    clip: Path
    clip_sha256: str
    part: Part
    faces: tuple[Located, ...]
    crop_px: int
    person: PersonFace | None
    limits: Limits

    def __str__(self) -> str:
        return f"{self.clip}, frames {self.part.first_frame} to {self.part.end_frame - 1}"


@dataclass(frozen=True)
class CutFace:
    """A face's row of TRACKS; where the face set takes it, its record (a dict of FACESET's columns), a small view."""

    row: Row
    record: Row | None = None
    small: Small | None = None


def cut_faces(cutting: Cutting) -> list[CutFace]:
    """All faces of a part, in order. Raises ClipError."""
    of_frame: dict[int, list[Located]] = {}
    for face in cutting.faces:
        of_frame.setdefault(face.row["frame"], []).append(face)
    if not any(face.row["is_used"] for face in cutting.faces):
        return [CutFace(face.row | _to_columns(FaceShape(_NOTHING))) for face in cutting.faces]
    check_clip(cutting.clip, cutting.clip_sha256)
    return [
        _cut_face(frame, face, cutting)
        for frame in read_frames(cutting.clip, cutting.part)
        for face in of_frame.get(frame.index, ())
    ]


_NOTHING = np.empty((0, 2), np.float32)


def _cut_face(frame: Frame, face: Located, cutting: Cutting) -> CutFace:
    if not face.row["is_used"]:
        return CutFace(face.row | _to_columns(FaceShape(_NOTHING)))
    shape = _find_shape(frame, face, cutting)
    row = face.row | _to_columns(shape)
    if not face.is_taken:
        return CutFace(row)
    crop = crop_frame(frame, matrix(row["frame_to_crop"]), cutting.crop_px)
    return CutFace(row, _make_record(frame, row, crop, shape, cutting.limits), shrink_face(crop))


def _find_shape(frame: Frame, face: Located, cutting: Cutting) -> FaceShape:
    if cutting.person is not None and face.row["kind"] == "mesh":
        shape = cutting.person.find_shape(frame, face.landmarks)
        if len(shape.outline):
            return shape
    to_crop = matrix(face.row["frame_to_crop"])
    return FaceShape(face_outline(face.landmarks, face.row["kind"], to_crop, cutting.crop_px))


def _to_columns(shape: FaceShape) -> Row:
    covers = [cover.ravel() for cover in shape.covers]
    return {"outline": shape.outline.ravel(), "covers": covers, "covered_ratio": shape.covered_ratio}


def _make_record(frame: Frame, row: Row, crop: Picture, shape: FaceShape, limits: Limits) -> Row:
    """A face's record: its crop, and what the row says in the crop's pixels."""
    to_crop, crop_px = matrix(row["frame_to_crop"]), len(crop)
    landmarks, outline, *covers = (
        transform(to_crop, np.reshape(flat, (-1, 2))) for flat in (row["landmarks"], row["outline"], *row["covers"])
    )
    cut_ratio = measure_cut(outline, to_crop, crop_px, frame.planes[0].shape)
    mask = draw_face(outline, covers, (crop_px, crop_px))
    return {name: row[name] for name in _SHARED} | {
        "picture": encode_png(crop),
        "landmarks": landmarks.ravel(),
        "outline": outline.ravel(),
        "covers": [cover.ravel() for cover in covers],
        "sharpness": measure_sharpness(crop, mask),
        "reason": find_flaw(shape, cut_ratio, limits),
    }
