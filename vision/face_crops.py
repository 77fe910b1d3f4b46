"""The face set's records of a part of a clip, with their crops as PNG: work that can be spread."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vision.alignment import transform
from vision.crops import crop_frame, encode_png, measure_sharpness
from vision.hashing import check_clip
from vision.masks import draw_mask, face_outline
from vision.tables import FACESET, matrix, points
from vision.video_read import Frame, Part, read_frames

Row = dict[str, Any]
_SHARED = [c.name for c in FACESET.columns if c.name not in ("picture", "landmarks", "sharpness", "reason")]


@dataclass(frozen=True)
class Cutting:
    """A part of a clip and its faces for the face set: rows of TRACKS, in order of frames."""

    clip: Path
    clip_sha256: str
    part: Part
    faces: tuple[Row, ...]
    crop_px: int

    def __str__(self) -> str:
        return f"{self.clip}, frames {self.part.first_frame} to {self.part.end_frame - 1}"


def cut_faces(cutting: Cutting) -> list[Row]:
    """The records (dicts of FACESET's columns) of a part's faces, in order. Raises ClipError."""
    if not cutting.faces:
        return []
    check_clip(cutting.clip, cutting.clip_sha256)
    of_frame: dict[int, list[Row]] = {}
    for face in cutting.faces:
        of_frame.setdefault(face["frame"], []).append(face)
    return [
        _make_record(frame, face, cutting.crop_px)
        for frame in read_frames(cutting.clip, cutting.part)
        for face in of_frame.get(frame.index, ())
    ]


def _make_record(frame: Frame, track: Row, crop_px: int) -> Row:
    """A tracked face's record: its crop, and its landmarks in the crop's pixels."""
    to_crop, kind = matrix(track["frame_to_crop"]), str(track["kind"])
    crop = crop_frame(frame, to_crop, crop_px)
    outline = face_outline(points(track["landmarks"]), kind, to_crop, crop_px)
    mask = draw_mask(transform(to_crop, outline), (crop_px, crop_px))
    return {name: track[name] for name in _SHARED} | {
        "picture": encode_png(crop),
        "landmarks": transform(to_crop, points(track["landmarks"])).ravel(),
        "sharpness": measure_sharpness(crop, mask),
        "reason": "",
    }
