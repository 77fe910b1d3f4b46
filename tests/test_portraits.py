"""Portraits: some views of every track are looked at, evenly."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vision.crops import encode_png
from vision.look import describe_face, likeness
from vision.portraits import LOOKS, THUMBS, Wanted, choose_faces, portray_tracks
from vision.tables import DETECTIONS, make_table, write_table
from vision.view import VIEW_PX

FIVE = np.array([[30, 40], [60, 40], [45, 60], [35, 75], [55, 75]], np.float32)


def make_faces(clip: str, track: int, frames: range, view_every: int = 1) -> pd.DataFrame:
    rows = [{"clip": clip, "track": track, "frame": n, "face": track, "has_view": n % view_every == 0} for n in frames]
    return pd.DataFrame(rows)


def of_track(wanted: list[Wanted], clip: str, track: int) -> list[int]:
    return [face.frame for face in wanted if (face.clip, face.track) == (clip, track)]


def test_long_tracks_are_seen_evenly_and_short_ones_wholly() -> None:
    faces = [make_faces("a.mp4", 0, range(600)), make_faces("a.mp4", 1, range(50, 55))]
    wanted = choose_faces(pd.concat(faces))
    long = of_track(wanted, "a.mp4", 0)
    assert len(long) == LOOKS
    assert max(np.diff(long)) <= 600 / LOOKS + 3
    assert of_track(wanted, "a.mp4", 1) == [50, 51, 52, 53, 54]


def test_only_faces_with_a_view_are_chosen() -> None:
    wanted = choose_faces(make_faces("a.mp4", 0, range(200), view_every=10))
    assert of_track(wanted, "a.mp4", 0) == list(range(0, 200, 10))


def test_another_track_or_clip_changes_nothing_of_what_is_seen_of_one() -> None:
    alone = make_faces("a.mp4", 0, range(600))
    both = pd.concat([alone, make_faces("b.mp4", 0, range(600)), make_faces("a.mp4", 1, range(300))])
    assert of_track(choose_faces(both), "a.mp4", 0) == of_track(choose_faces(alone), "a.mp4", 0)


@pytest.fixture
def pictures(rng: np.random.Generator) -> dict[int, np.ndarray]:
    """A view for every second of ten frames."""
    return {frame: rng.integers(0, 255, (VIEW_PX, VIEW_PX, 3), dtype=np.uint8) for frame in range(0, 10, 2)}


def write_detections(path: Path, pictures: dict[int, np.ndarray]) -> pd.DataFrame:
    """The faces of two tracks, of which the first has views; the detections are written to `path`."""
    place = {"clip": "a.mp4", "clip_sha256": "00", "is_searched": True, "confidence": 0.9, "mesh": None}
    box = dict.fromkeys(("x1", "y1", "x2", "y2"), 0.0)
    rows = [
        {**place, **box, "frame": frame, "pts": frame, "face": face, "five": (FIVE + frame).ravel()}
        | {"view": encode_png(pictures[frame]) if face == 0 and frame in pictures else None}
        for frame in range(10)
        for face in range(2)
    ]
    table = make_table(rows, DETECTIONS)
    write_table(table, path, DETECTIONS)
    return table.assign(track=3 + table["face"], has_view=table["view"].notna())


def test_a_portrait_sums_its_faces_looks_and_shows_some(tmp_path: Path, pictures: dict[int, np.ndarray]) -> None:
    faces = write_detections(tmp_path / "detections.parquet", pictures)
    portraits = portray_tracks(tmp_path / "detections.parquet", faces)
    portrait = portraits["a.mp4", 3]
    np.testing.assert_allclose(portrait.look, sum(describe_face(view) for view in pictures.values()), atol=1e-4)
    assert len(portrait.thumbs) == THUMBS
    assert np.array_equal(portrait.thumbs[0], pictures[0])
    assert np.array_equal(portrait.thumbs[-1], pictures[8])


def test_a_track_without_views_is_like_nobody(tmp_path: Path, pictures: dict[int, np.ndarray]) -> None:
    faces = write_detections(tmp_path / "detections.parquet", pictures)
    portraits = portray_tracks(tmp_path / "detections.parquet", faces)
    assert not portraits["a.mp4", 4].thumbs
    assert likeness(portraits["a.mp4", 4].look, portraits["a.mp4", 3].look) == 0
