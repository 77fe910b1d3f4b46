"""Smoothing: a still face does not tremble, motion does not lag, a blink stays one, and the truth comes nearer."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.face_search import Search, Stretch, find_faces
from performers.landmarks import LANDMARKS
from vision.bridge import TrackedFace
from vision.clip import Part
from vision.hashing import hash_file
from vision.smoothing import BLOCK, smooth_faces, smooth_track
from vision.tables import TRUTH, read_table

ROOT = Path(__file__).resolve().parent.parent
# The points of the mesh for the performers' landmarks, in their order.
MESH = (468, 473, 1, 61, 291, 159, 145, 386, 374, 0, 13, 14, 17, 152, 172, 397)
# The lower jaw is left out: on these performers the mesh follows it by half, which no filter mends.
ABOVE_JAW = [
    LANDMARKS.index(name) for name in LANDMARKS if not name.startswith(("lip_lower", "lip_bottom", "chin", "jaw"))
]


def _still(rng: np.random.Generator, n_frames: int = 80, noise: float = 0.5) -> NDArray[np.float32]:
    points = rng.uniform(0, 100, (1, 20, 3)) + rng.normal(0, noise, (n_frames, 20, 3))
    return points.astype(np.float32)


def _jitter(points: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.diff(points, 2, axis=0) ** 2)))


def test_a_still_face_trembles_a_fifth_as_much(rng: np.random.Generator) -> None:
    raw = _still(rng)
    assert _jitter(smooth_track(raw)[..., :2]) < 0.2 * _jitter(raw[..., :2])


def test_even_and_accelerated_motion_stay_where_they_are() -> None:
    time = np.arange(60)[:, None, None]
    for path in (3.0 * time, 0.2 * time**2 - 4 * time):
        track = np.broadcast_to(path, (60, 5, 3)).astype(np.float32)
        np.testing.assert_allclose(smooth_track(track), track, atol=0.02)


def test_past_and_future_count_alike(rng: np.random.Generator) -> None:
    raw = _still(rng) + np.cumsum(rng.normal(0, 1, (80, 1, 3)), axis=0).astype(np.float32)
    np.testing.assert_allclose(smooth_track(raw[::-1])[::-1], smooth_track(raw), atol=1e-3)


def test_a_blink_keeps_its_depth_and_its_time(rng: np.random.Generator) -> None:
    raw = _still(rng, noise=0.2)
    blink = np.array([0, 3, 6, 6, 6, 3, 0], np.float32)
    raw[40:47, :5, 1] += blink[:, None]
    smoothed = smooth_track(raw)
    depth = smoothed[30:57, :5, 1].mean(axis=1) - smoothed[:30, :5, 1].mean()
    assert depth.max() > 5.5
    assert 12 <= depth.argmax() <= 14
    beside = smoothed[:, 5:, :2]
    assert _jitter(beside) < 0.2 * _jitter(raw[:, 5:, :2]), "what does not move with it stays calm"


def test_a_short_track_stays_as_it_is(rng: np.random.Generator) -> None:
    for n in range(1, 5):
        raw = _still(rng, n)
        np.testing.assert_array_equal(smooth_track(raw), raw)
    for n in range(5, 14):
        assert _jitter(smooth_track(_still(rng, n))) < 1


def _faces(track: int, landmarks: NDArray[np.float32], first: int = 0, kind: str = "mesh") -> list[TrackedFace]:
    return [TrackedFace(first + n, track, kind, points) for n, points in enumerate(landmarks)]


def test_tracks_are_smoothed_apart_and_come_in_their_order(rng: np.random.Generator) -> None:
    a, b = _still(rng, 40), _still(rng, 30) + np.float32(50)
    faces = sorted(_faces(0, a) + _faces(1, b, first=5), key=lambda face: (face.frame, face.track))
    smoothed = list(smooth_faces(faces))
    assert [(face.frame, face.track) for face in smoothed] == [(face.frame, face.track) for face in faces]
    for track, raw in ((0, a), (1, b)):
        found = np.stack([face.landmarks for face in smoothed if face.track == track])
        np.testing.assert_array_equal(found, smooth_track(raw))


@pytest.mark.parametrize("cut", ["gap", "kind"])
def test_nothing_is_smoothed_over_a_gap_or_a_change_of_kind(rng: np.random.Generator, cut: str) -> None:
    a, b = _still(rng, 20), _still(rng, 20) + np.float32(30)
    later = _faces(0, b, first=21 if cut == "gap" else 20, kind="mesh" if cut == "gap" else "five")
    smoothed = list(smooth_faces(_faces(0, a) + later))
    found = np.stack([face.landmarks for face in smoothed])
    np.testing.assert_array_equal(found, np.concatenate([smooth_track(a), smooth_track(b)]))


def test_a_long_track_has_no_seams_and_is_never_held_whole(rng: np.random.Generator) -> None:
    n = 3 * BLOCK + 7
    raw = _still(rng, n) + np.sin(np.arange(n) / 9).astype(np.float32)[:, None, None]
    n_taken = most = 0

    def come() -> Iterator[TrackedFace]:
        nonlocal n_taken
        for face in _faces(0, raw):
            n_taken += 1
            yield face

    out: list[NDArray[np.float32]] = []
    for face in smooth_faces(come()):
        most = max(most, n_taken - len(out))
        out.append(face.landmarks)
    assert len(out) == n
    assert most < 2 * BLOCK
    smoothed, whole = np.stack(out), smooth_track(raw)
    assert np.abs(smoothed - whole).max() < 0.1
    at_seam = np.abs(np.diff(smoothed - whole, axis=0))[BLOCK - 1 :: BLOCK].mean()
    assert at_seam < 0.02


@pytest.mark.heavy
def test_against_the_performers_truth_it_halves_the_jitter_and_errs_less_in_fast_motion() -> None:
    clip = ROOT / "clips/ada/take1.mp4"
    truth = read_table(ROOT / "performers/truth/demo.parquet", TRUTH, ["target_landmarks"])["target_landmarks"]
    known = np.stack(list(truth)).reshape(len(truth), -1, 2)
    search = Search("torch", "mesh", 0.12, (0.6, 0.7, 0.8), 0.5, profiles=True)
    found = find_faces(Stretch(clip, hash_file(clip), Part(0, len(truth), 0), search, 12, frozenset({0})))
    raw = np.stack(list(found["mesh"])).reshape(len(truth), -1, 3)
    errors = [points[:, MESH, :2] - known for points in (raw, smooth_track(raw))]
    jitters = [np.sqrt(np.mean(np.diff(error[:, ABOVE_JAW], 2, axis=0) ** 2)) for error in errors]
    assert jitters[1] < 0.5 * jitters[0]
    bias = np.median(errors[0], axis=0)  # the mesh's own idea of where a corner is
    apart = [np.hypot(*np.moveaxis(error - bias, 2, 0)) for error in errors]
    speed = np.hypot(*np.gradient(known, axis=0).mean(axis=1).T)
    for frames in (speed >= 0, speed > np.quantile(speed, 0.9)):
        assert apart[1][frames].mean() <= apart[0][frames].mean()
