"""All faces of a part of a clip (MTCNN's boxes and five points, the mesh): work that can be spread."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, islice
from pathlib import Path

import numpy as np
import pandas as pd

from models.face_follow import FaceFollower, Sighting
from models.mtcnn import Detection, FaceDetector
from models.mtcnn_package import PackageDetector
from vision.ahead import FRAMES_AHEAD, PIXELS_AHEAD, read_ahead
from vision.clip import Frame, Part
from vision.hashing import check_clip
from vision.mesh import share_mesh
from vision.planes import shrink_to_rgb
from vision.profiles import share_profiles
from vision.tables import DETECTIONS, make_table
from vision.view import take_view

SEARCHED_FACE_PX = 48  # of the smallest face where it is searched for: what the last of the nets sees
PROFILE_LINES = 360  # of the picture in which profiles are looked for; their detector shrinks it to 192 px
PROFILE_HEIGHT = 0.8  # of its boxes / of MTCNN's: they begin at the brows

Row = dict[str, object]


@dataclass(frozen=True)
class Search:
    """How faces are looked for: the params of `detect`."""

    engine: str
    landmarks: str
    min_face_ratio: float
    thresholds: tuple[float, float, float]
    search_s: float
    profiles: bool


@dataclass(frozen=True)
class Stretch:
    """A part of a clip in which faces are to be found: from search to search `every` frames, anew at `starts`.

    A view is kept of every face in each `view_every`-th frame, and of each where it is first found; 0: of none.
    """

    clip: Path
    clip_sha256: str
    part: Part
    search: Search
    every: int
    starts: frozenset[int]
    view_every: int = 0

    def __str__(self) -> str:
        return f"{self.clip}, {self.part}"


def find_faces(stretch: Stretch) -> pd.DataFrame:
    """The rows of DETECTIONS of a stretch: frame after frame, face after face. Raises ClipError."""
    check_clip(stretch.clip, stretch.clip_sha256)
    frames = read_ahead(stretch.clip, stretch.part)
    rows: list[Row] = []
    if stretch.search.landmarks == "mesh":
        follower = FaceFollower(lambda frame: search_frame(stretch.search, frame), share_mesh(), stretch.every)
        for frame, sightings in follower.follow(frames, stretch.starts):
            rows.extend(_describe_faces(frame, sightings, stretch))
    else:
        for batch in _split(frames):
            for frame, faces in zip(batch, _find(stretch.search, batch), strict=True):
                is_first = frame.index in stretch.starts
                sightings = [Sighting(face, None, is_searched=True, is_first=is_first) for face in faces]
                rows.extend(_describe_faces(frame, sightings, stretch))
    return make_table(rows, DETECTIONS)


def search_frame(search: Search, frame: Frame) -> list[Detection]:
    """The detector's faces in a frame, and those that only the other detector sees, as large as the smallest."""
    found = _find(search, [frame])[0]
    if not search.profiles:
        return found
    picture = shrink_to_rgb(frame.planes, frame.layout, PROFILE_LINES)
    others = (_enlarge(Detection(*face), picture, frame) for face in share_profiles().find(picture))
    least = PROFILE_HEIGHT * search.min_face_ratio * frame.planes[0].shape[0]
    large = [face for face in others if face.box[3] - face.box[1] >= least]
    return found + [face for face in large if not _is_among(face, found)]


def _is_among(face: Detection, found: list[Detection]) -> bool:
    """Whether a face is one of those found: they share a third of the smaller box."""
    for other in found:
        low, high = np.maximum(face.box[:2], other.box[:2]), np.minimum(face.box[2:], other.box[2:])
        smaller = min((box[2:] - box[:2]).prod() for box in (face.box, other.box))
        if (high > low).all() and (high - low).prod() > smaller / 3:
            return True
    return False


def _find(search: Search, frames: list[Frame]) -> list[list[Detection]]:
    """The detector's faces in each frame, in its pixels, found where the smallest has the size of a net's input."""
    lines = round(SEARCHED_FACE_PX / search.min_face_ratio)
    pictures = [shrink_to_rgb(frame.planes, frame.layout, lines) for frame in frames]
    found = _make_detector(search).find(pictures)
    return [
        [_enlarge(face, picture, frame) for face in faces]
        for frame, picture, faces in zip(frames, pictures, found, strict=True)
    ]


def _enlarge(face: Detection, picture: np.ndarray, frame: Frame) -> Detection:
    """A face of a frame's small picture in the frame's own pixels."""
    height, width = frame.planes[0].shape
    zoom = np.array([width / picture.shape[1], height / picture.shape[0]], np.float32)
    box, five = ((points.reshape(-1, 2) + 0.5) * zoom - 0.5 for points in (face.box, face.five))
    return Detection(box.ravel().astype(np.float32), face.confidence, five.astype(np.float32))


@lru_cache(1)
def _make_detector(search: Search) -> FaceDetector | PackageDetector:
    engine = FaceDetector if search.engine == "torch" else PackageDetector
    return engine(search.min_face_ratio, list(search.thresholds))


def _split(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    """The frames in batches, each of one size: stills may differ, and be large."""
    for (height, width), alike in groupby(frames, key=lambda frame: frame.planes[0].shape):
        n_batch = min(max(PIXELS_AHEAD // (height * width), 1), FRAMES_AHEAD)
        while batch := list(islice(alike, n_batch)):
            yield batch


def _describe_faces(frame: Frame, sightings: list[Sighting], stretch: Stretch) -> list[Row]:
    return [
        {
            "clip": stretch.clip.name,
            "clip_sha256": stretch.clip_sha256,
            "frame": frame.index,
            "pts": frame.pts,
            "face": face,
            "is_searched": sighting.is_searched,
            **dict(zip(("x1", "y1", "x2", "y2"), sighting.face.box, strict=True)),
            "confidence": sighting.face.confidence,
            "five": sighting.face.five.ravel(),
            "mesh": None if sighting.mesh is None else sighting.mesh.ravel(),
            "view": take_view(frame, sighting.face.five) if _has_view(frame, sighting, stretch) else None,
        }
        for face, sighting in enumerate(sightings)
    ]


def _has_view(frame: Frame, sighting: Sighting, stretch: Stretch) -> bool:
    return stretch.view_every > 0 and (sighting.is_first or frame.index % stretch.view_every == 0)
