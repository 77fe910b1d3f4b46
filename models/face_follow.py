"""Faces through a video: searched for now and then, and followed by the mesh between.

The search (MTCNN) runs on the first frame of a shot, then every few frames, where a face is lost, and where much moves
outside of the faces known. A face that a search finds is followed forward, and backward to the search before. What the
mesh cannot hold is searched for in every frame. No state crosses a cut.
"""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from models.mtcnn import Detection
from vision.boxes import overlap
from vision.clip import Frame
from vision.similarity import estimate_similarity

SAME_FACE = 0.3  # intersection over union of boxes from which on two are one face
KEPT_BYTES = 1 << 27  # of frames since the last search at most
FIVE = [468, 473, 1, 61, 291]  # the mesh's irises, tip of the nose and corners of the mouth, left first
SMALL = (32, 18)
SAMPLED = 8  # lines of a frame that make one of the small picture
MOVED_LEVELS = 12  # grey levels from which on a cell of the small picture has changed
MOVED_RATIO = 0.05  # share of the cells beside the faces that must have changed
REST = 3  # frames at least between two searches for movement's sake

Mesh = NDArray[np.float32]


class FitsFaces(Protocol):
    """What `vision.mesh.FaceMesh` does."""

    def fit(self, picture: Frame, box: NDArray[np.float32], five: NDArray[np.float32]) -> Mesh | None: ...
    def follow(self, picture: Frame, before: Mesh) -> Mesh | None: ...


class Searches(Protocol):
    """Finds the faces of a frame, in its pixels."""

    def __call__(self, frame: Frame) -> list[Detection]: ...


@dataclass(frozen=True)
class Sighting:
    """A face in a frame; `is_searched`: the detector found it there, otherwise it was followed from a frame beside.

    `is_first`: nobody had followed it there.
    """

    face: Detection
    mesh: Mesh | None
    is_searched: bool
    is_first: bool = False


@dataclass
class _Seen:
    """A frame since the last search but one, with its faces so far."""

    frame: Frame
    sightings: list[Sighting]


class FaceFollower:
    """Finds all faces of a stretch of frames. `every`: frames from one search to the next at most."""

    def __init__(self, search: Searches, mesh: FitsFaces, every: int) -> None:
        self._search, self._mesh, self._every = search, mesh, every
        self._since_search = 0
        self._searched: NDArray[np.uint8] | None = None

    def follow(self, frames: Iterable[Frame], starts: Set[int]) -> Iterator[tuple[Frame, list[Sighting]]]:
        """Each frame with its faces, in order of frames; `starts` are the first frames of shots."""
        kept: list[_Seen] = []
        before: list[Sighting] | None = None
        for frame in frames:
            if frame.index in starts:
                yield from _flush(kept)
                before = None
            followed = _thin([moved for one in before or () if (moved := self._step(one, frame))])
            small = _shrink(frame)
            seen = _Seen(frame, followed)
            self._since_search += 1
            if before is None or len(followed) < len(before) or self._is_due(small, frame, followed):
                seen.sightings, new = self._look(frame, followed)
                for sighting in new:
                    self._fill_back(sighting, kept)
                self._since_search, self._searched = 0, small
                yield from _flush(kept)
            elif len(kept) >= max(1, KEPT_BYTES // sum(plane.nbytes for plane in frame.planes)):
                yield from _flush(kept)
            kept.append(seen)
            before = seen.sightings
        yield from _flush(kept)

    def _is_due(self, small: NDArray[np.uint8], frame: Frame, followed: list[Sighting]) -> bool:
        if self._since_search >= self._every:
            return True
        return self._since_search >= REST and _has_movement(self._searched, small, frame, followed)

    def _step(self, one: Sighting, frame: Frame) -> Sighting | None:
        """The face in a frame beside its own; None where it is lost, as is what the mesh could not hold."""
        if one.mesh is None:
            return None
        mesh = self._mesh.follow(frame, one.mesh)
        return None if mesh is None else Sighting(_carry(one.face, one.mesh, mesh), mesh, is_searched=False)

    def _look(self, frame: Frame, followed: list[Sighting]) -> tuple[list[Sighting], list[Sighting]]:
        """(all faces of a frame, those that nobody had followed there)."""
        found = self._search(frame)
        matches = _match([one.face for one in followed], found)
        known = [
            one if i not in matches else replace(one, face=found[matches[i]], is_searched=True)
            for i, one in enumerate(followed)
        ]
        new = [
            Sighting(face, self._mesh.fit(frame, face.box, face.five), is_searched=True, is_first=True)
            for j, face in enumerate(found)
            if j not in matches.values()
        ]
        return known + new, new

    def _fill_back(self, one: Sighting, kept: list[_Seen]) -> None:
        """Follow a new face backward, as far as it goes or until somebody stands there."""
        current: Sighting | None = one
        for seen in reversed(kept):
            current = self._step(current, seen.frame) if current else None
            if current is None or _match([current.face], [other.face for other in seen.sightings]):
                return
            seen.sightings.append(current)


def _flush(kept: list[_Seen]) -> Iterator[tuple[Frame, list[Sighting]]]:
    for seen in kept:
        yield seen.frame, sorted(seen.sightings, key=lambda one: -one.face.confidence)
    kept.clear()


def _carry(face: Detection, mesh: Mesh, new: Mesh) -> Detection:
    """A detection moved as its mesh moved: the box by place and size, the five as the mesh's own five do."""
    turn = estimate_similarity(mesh[:, :2], new[:, :2])
    linear = turn[:, :2]
    middle, half = (face.box[:2] + face.box[2:]) / 2, (face.box[2:] - face.box[:2]) / 2
    middle, half = linear @ middle + turn[:, 2], half * np.hypot(*linear[0])
    five = new[FIVE, :2] + (face.five - mesh[FIVE, :2]) @ linear.T
    box = np.concatenate([middle - half, middle + half]).astype(np.float32)
    return Detection(box, face.confidence, five.astype(np.float32))


def _thin(followed: list[Sighting]) -> list[Sighting]:
    """Where two have come to follow one face, the surer stays."""
    kept: list[Sighting] = []
    for one in sorted(followed, key=lambda sighting: -sighting.face.confidence):
        if not _match([one.face], [other.face for other in kept]):
            kept.append(one)
    return kept


def _match(first: list[Detection], second: list[Detection]) -> dict[int, int]:
    """Pairs of faces that are one, by falling overlap: index in `first` -> index in `second`."""
    if not first or not second:
        return {}
    boxes = [np.stack([face.box for face in faces]).astype(np.float64) for faces in (first, second)]
    overlaps = overlap(*boxes)
    pairs: dict[int, int] = {}
    while overlaps.max() >= SAME_FACE:
        i, j = np.unravel_index(int(overlaps.argmax()), overlaps.shape)
        pairs[int(i)] = int(j)
        overlaps[i, :] = overlaps[:, j] = -1
    return pairs


def _shrink(frame: Frame) -> NDArray[np.uint8]:
    """A small picture of the luma, in grey levels of 8 bits: means of some of the pixels."""
    luma = frame.planes[0]
    step = max(1, luma.shape[0] // (SAMPLED * SMALL[1]))
    small = cv2.resize(np.ascontiguousarray(luma[::step, ::step]), SMALL, interpolation=cv2.INTER_AREA)
    return np.asarray(small >> (frame.layout.bits - 8), np.uint8)


def _has_movement(
    before: NDArray[np.uint8] | None, small: NDArray[np.uint8], frame: Frame, followed: list[Sighting]
) -> bool:
    """Whether much has changed beside the faces since the last search."""
    if before is None:
        return True
    beside = np.ones(small.shape, bool)
    height, width = frame.planes[0].shape
    step = np.array([width / SMALL[0], height / SMALL[1]])
    for one in followed:
        low, high = one.face.box[:2] / step, one.face.box[2:] / step
        margin = (high - low) / 2
        (x1, y1), (x2, y2) = np.floor(low - margin).clip(0).astype(int), np.ceil(high + margin).clip(0).astype(int)
        beside[y1:y2, x1:x2] = False
    moved = cv2.absdiff(before, small) >= MOVED_LEVELS
    return bool(moved[beside].mean() > MOVED_RATIO) if beside.any() else False
