"""A small made clip whose "faces" are five colored dots on a gray disk, with the tables of sample and detect."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from stages.align import align
from stages.params import Align, Limits
from vision.alignment import canonical_landmarks
from vision.clip_read import read_frames
from vision.crops import encode_png
from vision.edits import HEADER
from vision.hashing import hash_file
from vision.tables import DETECTIONS, FRAMES, PARTS, SHOTS, make_table, read_table, write_table
from vision.video_write import VideoWriter, footage_format
from vision.view import take_view

SIZE = (144, 192)
COLORS = ((230, 40, 40), (40, 200, 40), (40, 60, 230), (220, 200, 30), (200, 40, 210))


LIMITS = Limits(max_cut_ratio=0.1, max_covered_ratio=0.25, max_misfit_cm=1.0, min_sharpness_ratio=0.7)


@dataclass(frozen=True)
class Dots:
    """A face that is there in `frames`, `side` px of crop, its left upper corner at (x + step * frame, y)."""

    frames: tuple[int, ...]
    x: float
    y: float
    side: float = 90
    step: float = 1.0
    disk: tuple[int, int, int] = (150, 140, 130)

    def five(self, frame: int) -> np.ndarray:
        """(5, 2) in frame pixels."""
        points: np.ndarray = canonical_landmarks("five") * self.side + (self.x + self.step * frame, self.y)
        return points.astype(np.float32)


def make_clip(
    folder: Path, name: str, faces: list[Dots], n_frames: int = 12, size: tuple[int, int] = SIZE, rate: int = 25
) -> None:
    """Write `folder/clips/name`, and in `folder` the tables until detections (faces in their `frames`)."""
    path = folder / "clips" / name
    with VideoWriter(path, footage_format(size, Fraction(rate)), crf=4) as writer:
        for frame in range(n_frames):
            writer.write_rgb(_draw(faces, frame, size), frame)
    _write_tables(folder, path, faces, n_frames, n_frames)


def make_pictures(folder: Path, name: str, faces: list[Dots], n_frames: int = 12, rate: str | None = "25") -> None:
    """The same as a numbered sequence of PNG at `rate`, or, without one, as stills, each a shot."""
    path = folder / "clips" / name
    path.mkdir(parents=True)
    for frame in range(n_frames):
        (path / f"picture_{frame:04d}.png").write_bytes(encode_png(_draw(faces, frame)))
    if rate is not None:
        (path / "rate.txt").write_text(f"{rate}\n")
    _write_tables(folder, path, faces, n_frames, 1 if rate is None else n_frames)


def _write_tables(folder: Path, path: Path, faces: list[Dots], n_frames: int, shot_frames: int) -> None:
    clip = {"clip": path.name, "clip_sha256": hash_file(path)}
    starts = range(0, n_frames, shot_frames)
    shots = [clip | {"shot": i, "first_frame": f, "end_frame": f + shot_frames} for i, f in enumerate(starts)]
    write_table(make_table(shots, SHOTS), folder / "shots.parquet", SHOTS)
    part = clip | {"part": 0, "first_frame": 0, "end_frame": n_frames, "first_pts": 0}
    write_table(make_table([part], PARTS), folder / "parts.parquet", PARTS)
    measured = {"sharpness": 1.0, "difference": 1.0, "look": 0}
    frames = [clip | measured | {"frame": i, "pts": i, "shot": i // shot_frames} for i in range(n_frames)]
    reasons = ["" if i % 2 == 0 else "interval" for i in range(n_frames)]
    rows = [row | {"reason": reason} for row, reason in zip(frames, reasons, strict=True)]
    write_table(make_table(rows, FRAMES), folder / "frames.parquet", FRAMES)
    found = [
        clip | _detect(face, frame.index, index) | {"view": take_view(frame, face.five(frame.index))}
        for frame in read_frames(path)
        for index, face in _seen(faces, frame.index)
    ]
    write_table(make_table(found, DETECTIONS), folder / "detections.parquet", DETECTIONS)


def gather_clips(folder: Path, places: list[Path]) -> None:
    """Put the clips and tables of several places into one."""
    (folder / "clips").mkdir(exist_ok=True)
    for clip in (clip for place in places for clip in (place / "clips").iterdir()):
        (folder / "clips" / clip.name).write_bytes(clip.read_bytes())
    for name, table in (("shots", SHOTS), ("parts", PARTS), ("frames", FRAMES), ("detections", DETECTIONS)):
        joined = pd.concat([read_table(place / f"{name}.parquet", table) for place in places])
        write_table(joined, folder / f"{name}.parquet", table)


def align_clip(
    place: Path, edits: tuple[str, ...] = (), min_track_s: float = 0.1, duplicate_levels: float = 0.1
) -> None:
    """Run align on what `make_clip` wrote in `place`; the tracks and the face set stand beside it."""
    (place / "tracks.csv").write_text("\n".join([HEADER, *edits]) + "\n")
    align(
        clips=place / "clips",
        shots=place / "shots.parquet",
        parts=place / "parts.parquet",
        frames=place / "frames.parquet",
        detections=place / "detections.parquet",
        edits=place / "tracks.csv",
        tracks=place / "tracks.parquet",
        faceset=place / "faceset",
        page=place / "tracks.html",
        params=Align(
            crop_px=128,
            min_track_s=min_track_s,
            min_overlap=0.3,
            smooth=False,
            forehead_cm=2.5,
            find_covers=True,
            limits=LIMITS,
            duplicate_levels=duplicate_levels,
        ),
    )


def _draw(faces: list[Dots], frame: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    picture = np.full((*size, 3), 60, np.uint8)
    for face in faces:
        points = face.five(frame)
        cv2.circle(picture, points.mean(0).round().astype(int).tolist(), round(face.side * 0.4), face.disk, -1)
        for point, color in zip(points, COLORS, strict=True):
            cv2.circle(picture, point.round().astype(int).tolist(), 4, color, -1)
    return picture


def _seen(faces: list[Dots], frame: int) -> list[tuple[int, Dots]]:
    return list(enumerate(face for face in faces if frame in face.frames))


def _detect(face: Dots, frame: int, index: int) -> dict[str, object]:
    five = face.five(frame)
    (x1, y1), (x2, y2) = five.min(0) - 8, five.max(0) + 8
    box = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "confidence": 0.99, "is_searched": True}
    return box | {"frame": frame, "pts": frame, "face": index, "five": five.ravel(), "mesh": None}
