"""Portraits: some views of every track are looked at, evenly, and some are kept to learn from."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vision.crops import encode_png
from vision.look import describe_face, likeness
from vision.portraits import LOOKS, THUMBS, Wanted, choose_faces, portray_tracks
from vision.tables import DETECTIONS, make_table, write_table
from vision.view import LEARNT_VIEWS, VIEW_PX

FIVE = np.array([[30, 40], [60, 40], [45, 60], [35, 75], [55, 75]], np.float32)


def make_faces(clip: str, track: int, frames: range, view_every: int = 1) -> pd.DataFrame:
    rows = [{"clip": clip, "track": track, "frame": n, "face": track, "has_view": n % view_every == 0} for n in frames]
    return pd.DataFrame(rows)


def of_track(wanted: list[Wanted], clip: str, track: int) -> list[tuple[int, bool]]:
    return [(face.frame, face.is_kept) for face in wanted if (face.clip, face.track) == (clip, track)]


def test_long_tracks_are_seen_often_short_ones_wholly_and_only_the_face_set_s_clips_are_kept() -> None:
    faces = [
        make_faces("a.mp4", 0, range(600)),
        make_faces("a.mp4", 1, range(50, 55)),
        make_faces("b.mp4", 0, range(300, 600)),
    ]
    wanted = choose_faces(pd.concat(faces), {"a.mp4"})
    long = of_track(wanted, "a.mp4", 0)
    assert len(long) in (LEARNT_VIEWS - 1, LEARNT_VIEWS)
    assert all(is_kept for _, is_kept in long)
    assert max(np.diff([frame for frame, _ in long])) <= 7
    assert [frame for frame, _ in of_track(wanted, "a.mp4", 1)] == [50, 51, 52, 53, 54]
    assert sum(is_kept for _, is_kept in of_track(wanted, "a.mp4", 1)) == 1
    assert len(of_track(wanted, "b.mp4", 0)) == LOOKS
    assert not any(is_kept for _, is_kept in of_track(wanted, "b.mp4", 0))


def test_only_faces_with_a_view_are_chosen() -> None:
    wanted = choose_faces(make_faces("a.mp4", 0, range(600), view_every=10), {"a.mp4"})
    assert [frame for frame, _ in of_track(wanted, "a.mp4", 0)] == list(range(0, 600, 10))
    assert all(is_kept for _, is_kept in of_track(wanted, "a.mp4", 0))


def test_a_clip_outside_the_face_set_changes_nothing_of_what_is_seen_of_others() -> None:
    alone = make_faces("a.mp4", 0, range(600))
    both = pd.concat([alone, make_faces("b.mp4", 0, range(600))])
    chosen = [of_track(choose_faces(faces, {"a.mp4"}), "a.mp4", 0) for faces in (alone, both)]
    assert chosen[0] == chosen[1]
    shared = choose_faces(both, {"a.mp4", "b.mp4"})
    assert len(of_track(shared, "a.mp4", 0)) == LEARNT_VIEWS // 2


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


def test_a_portrait_sums_its_faces_looks_and_keeps_its_views(tmp_path: Path, pictures: dict[int, np.ndarray]) -> None:
    faces = write_detections(tmp_path / "detections.parquet", pictures)
    portraits = portray_tracks(tmp_path / "detections.parquet", faces, {"a.mp4"})
    portrait = portraits["a.mp4", 3]
    np.testing.assert_allclose(portrait.look, sum(describe_face(view) for view in pictures.values()), atol=1e-4)
    assert len(portrait.thumbs) == THUMBS
    assert np.array_equal(portrait.thumbs[0], pictures[0])
    assert np.array_equal(portrait.thumbs[-1], pictures[8])
    assert list(portrait.views) == list(pictures)
    for frame, view in portrait.views.items():
        assert np.array_equal(view.picture, pictures[frame])
        shift = portrait.views[0].frame_to_view[:, 2] - view.frame_to_view[:, 2]
        np.testing.assert_allclose(shift, view.frame_to_view[:, :2] @ (frame, frame), atol=1e-3)


def test_a_track_without_views_is_like_nobody(tmp_path: Path, pictures: dict[int, np.ndarray]) -> None:
    faces = write_detections(tmp_path / "detections.parquet", pictures)
    portraits = portray_tracks(tmp_path / "detections.parquet", faces, {"a.mp4"})
    assert not portraits["a.mp4", 4].thumbs
    assert likeness(portraits["a.mp4", 4].look, portraits["a.mp4", 3].look) == 0
