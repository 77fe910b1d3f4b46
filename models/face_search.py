"""All faces of a part of a clip (MTCNN's boxes and five points, the mesh): work that can be spread."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from models.mtcnn import Detection, FaceDetector
from models.mtcnn_package import PackageDetector
from vision.hashing import check_clip
from vision.mesh import FaceMesh
from vision.tables import DETECTIONS, make_table
from vision.video_read import Part, read_frames

Row = dict[str, object]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Search:
    """How faces are looked for: the params of `detect`."""

    engine: str
    landmarks: str
    min_face_ratio: float
    thresholds: tuple[float, float, float]
    batch_frames: int


@dataclass(frozen=True)
class Stretch:
    """A part of a clip in which faces are to be found."""

    clip: Path
    clip_sha256: str
    part: Part
    search: Search

    def __str__(self) -> str:
        return f"{self.clip}, frames {self.part.first_frame} to {self.part.end_frame - 1}"


@dataclass(frozen=True)
class _Looked:
    """A frame after the detector."""

    index: int
    pts: int
    picture: np.ndarray
    faces: list[Detection]


def find_faces(stretch: Stretch) -> pd.DataFrame:
    """The rows of DETECTIONS of a stretch: frame after frame, face after face. Raises ClipError."""
    check_clip(stretch.clip, stretch.clip_sha256)
    rows: list[Row] = []
    with FaceMesh() if stretch.search.landmarks == "mesh" else nullcontext() as mesh:
        for batch in _make_ahead(_look(stretch)):
            for frame in batch:
                rows.extend(_describe_faces(frame, stretch, mesh))
    return make_table(rows, DETECTIONS)


def _look(stretch: Stretch) -> Iterator[list[_Looked]]:
    """The frames of a stretch with their faces, a batch at a time; no batch reaches into another stretch."""
    detector = _make_detector(stretch.search)
    frames = read_frames(stretch.clip, stretch.part)
    while batch := list(islice(frames, stretch.search.batch_frames)):
        pictures = [frame.to_rgb() for frame in batch]
        found = detector.find(pictures)
        yield [
            _Looked(frame.index, frame.pts, picture, faces)
            for frame, picture, faces in zip(batch, pictures, found, strict=True)
        ]


@lru_cache(1)
def _make_detector(search: Search) -> FaceDetector | PackageDetector:
    engine = FaceDetector if search.engine == "torch" else PackageDetector
    return engine(search.min_face_ratio, list(search.thresholds))


def _make_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made in a thread while the one before it is in use."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def _describe_faces(frame: _Looked, stretch: Stretch, mesh: FaceMesh | None) -> list[Row]:
    return [
        {
            "clip": stretch.clip.name,
            "clip_sha256": stretch.clip_sha256,
            "frame": frame.index,
            "pts": frame.pts,
            "face": face,
            **dict(zip(("x1", "y1", "x2", "y2"), found.box, strict=True)),
            "confidence": found.confidence,
            "five": found.five.ravel(),
            "mesh": _fit_mesh(mesh, frame.picture, found),
        }
        for face, found in enumerate(frame.faces)
    ]


def _fit_mesh(mesh: FaceMesh | None, picture: np.ndarray, face: Detection) -> np.ndarray | None:
    points = mesh.fit(picture, face.box, face.five) if mesh else None
    return None if points is None else points.ravel()
