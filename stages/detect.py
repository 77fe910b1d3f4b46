"""An identity's clips and shots -> detections.parquet: box, landmarks, mesh of every face of every frame, in pixels."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from errors import ClipError, FaceError, one_line_errors
from models.mtcnn import Detection, FaceDetector
from models.mtcnn_package import PackageDetector
from stages.params import Detect, pick, read_key, read_params
from vision.hashing import hash_file
from vision.mesh import FaceMesh
from vision.tables import DETECTIONS, SHOTS, TableWriter, make_table, read_table
from vision.video_read import list_clips, read_frames

PROGRESS_S = 5.0  # wall time between two lines

Row = dict[str, object]
_Detector = FaceDetector | PackageDetector
Item = TypeVar("Item")


@dataclass(frozen=True)
class _Clip:
    """A clip as `sample` saw it."""

    path: Path
    sha256: str
    n_frames: int


@dataclass(frozen=True)
class _Looked:
    """A frame after the detector."""

    index: int
    pts: int
    picture: np.ndarray
    faces: list[Detection]


def detect(clips: Path, shots: Path, detections: Path, params: Detect) -> None:
    """Find every face of every frame and write one row each.

    Raises ClipError where the clips are not those of `shots`, FaceError for a clip without any face.
    """
    known = _read_clips(clips, shots)
    detector = _make_detector(params)
    with _make_mesh(params.landmarks) as mesh, TableWriter(detections, DETECTIONS) as writer:
        for clip in known:
            rows = _find_faces(clip, detector, mesh, params)
            for piece in _batches(rows, DETECTIONS.row_group_size):
                writer.write(make_table(piece, DETECTIONS))


def _read_clips(clips: Path, shots: Path) -> list[_Clip]:
    """The clips of the table of shots, by name, if the folder still holds exactly these."""
    known = [
        _Clip(clips / str(name), str(of_clip["clip_sha256"].iloc[0]), int(of_clip["end_frame"].max()))
        for name, of_clip in read_table(shots, SHOTS).groupby("clip", sort=True)
    ]
    remedy = f"run sample@{shots.parent.name} again"
    if [clip.path for clip in known] != list_clips(clips):
        raise ClipError(f"{clips}: other clips than those that {shots} knows; {remedy}")
    for clip in known:
        if hash_file(clip.path) != clip.sha256:
            raise ClipError(f"{clip.path}: changed since {shots} was written; {remedy}")
    return known


def _make_detector(params: Detect) -> _Detector:
    engine = FaceDetector if params.engine == "torch" else PackageDetector
    return engine(params.min_face_ratio, params.thresholds)


def _make_mesh(landmarks: str) -> AbstractContextManager[FaceMesh | None]:
    return FaceMesh() if landmarks == "mesh" else nullcontext()


def _find_faces(clip: _Clip, detector: _Detector, mesh: FaceMesh | None, params: Detect) -> Iterator[Row]:
    """The rows of a clip: frame after frame, face after face. Raises FaceError at the end where there were none."""
    n_faces = 0
    for looked in _report_progress(_make_ahead(_look(clip.path, detector, params.batch_frames)), clip):
        for frame in looked:
            yield from _describe_faces(frame, clip, mesh)
            n_faces += len(frame.faces)
    if not n_faces:
        raise FaceError(
            f"{clip.path}: no face in any of its {clip.n_frames} frames; lower detect.min_face_ratio "
            f"({params.min_face_ratio}) if the faces are small, or take the clip out of the folder"
        )


def _look(path: Path, detector: _Detector, batch_frames: int) -> Iterator[list[_Looked]]:
    """The frames of a clip with their faces, a batch at a time."""
    for batch in _batches(read_frames(path), batch_frames):
        pictures = [frame.to_rgb() for frame in batch]
        found = detector.find(pictures)
        yield [
            _Looked(frame.index, frame.pts, picture, faces)
            for frame, picture, faces in zip(batch, pictures, found, strict=True)
        ]


def _batches(items: Iterator[Item], n: int) -> Iterator[list[Item]]:
    while batch := list(islice(items, n)):
        yield batch


def _make_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made in a thread while the one before it is in use."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def _report_progress(batches: Iterator[list[_Looked]], clip: _Clip) -> Iterator[list[_Looked]]:
    """The same batches; every few seconds, and at the end, a line says how far the clip is."""
    began = said = time.monotonic()
    for batch in batches:
        yield batch
        n_done, now = batch[-1].index + 1, time.monotonic()
        if now - said >= PROGRESS_S or n_done == clip.n_frames:
            said = now
            rate = n_done / (now - began)
            print(f"detect: {clip.path.name}: {n_done} of {clip.n_frames} frames, {rate:.0f} frames/s", flush=True)


def _describe_faces(frame: _Looked, clip: _Clip, mesh: FaceMesh | None) -> list[Row]:
    return [
        {
            "clip": clip.path.name,
            "clip_sha256": clip.sha256,
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


def main() -> None:
    with one_line_errors():
        key = read_key("detect")
        params = read_params()
        detect(
            clips=Path(pick(params.identities, "identities", key).clips),
            shots=Path(f"data/sample/{key}/shots.parquet"),
            detections=Path(f"data/detect/{key}/detections.parquet"),
            params=params.detect,
        )


if __name__ == "__main__":
    main()
