"""Which frames of a take are shown."""

import math

import numpy as np

from vision.take_faces import TakeFace, choose_frames

NOWHERE = np.zeros((2, 3)), np.zeros(4, np.float32), np.zeros((5, 2), np.float32)


def _face(yaw: float = 0.0, mouth: float = 0.1, eye: float = 0.3) -> TakeFace:
    return TakeFace(*NOWHERE, yaw, mouth, eye, {})


def test_frames_are_spread_over_the_swapped_ones() -> None:
    is_swapped = np.arange(100) >= 60
    chosen = choose_frames({}, is_swapped, 4)
    assert list(chosen) == [65, 75, 85, 95]
    assert set(chosen.values()) == {""}


def test_the_extremes_are_found_and_named() -> None:
    faces = {frame: _face() for frame in range(100)}
    faces |= {7: _face(mouth=0.9), 31: _face(eye=0.01), 64: _face(yaw=-40), 80: _face(yaw=35)}
    chosen = choose_frames(faces, np.ones(100, bool), 1)
    assert chosen == {7: "widest mouth", 31: "eyes most closed", 50: "", 64: "largest turn"}


def test_a_frame_that_is_extreme_twice_stands_once() -> None:
    faces = {0: _face(), 1: _face(mouth=0.9, yaw=-40), 2: _face(eye=0.0)}
    chosen = choose_frames(faces, np.ones(3, bool), 1)
    assert chosen == {1: "widest mouth, largest turn", 2: "eyes most closed"}


def test_extremes_are_looked_for_in_swapped_frames_alone() -> None:
    faces = {0: _face(mouth=0.9), 1: _face(mouth=0.2), 2: _face(yaw=1), 3: _face(eye=0.1)}
    chosen = choose_frames(faces, np.array([False, True, True, True]), 1)
    assert chosen == {1: "widest mouth", 2: "largest turn", 3: "eyes most closed"}


def test_openings_that_are_unknown_choose_nothing() -> None:
    faces = {frame: _face(yaw=frame, mouth=math.nan, eye=math.nan) for frame in range(10)}
    assert choose_frames(faces, np.ones(10, bool), 2) == {2: "", 7: "", 9: "largest turn"}


def test_fewer_frames_than_rows_are_each_shown_once() -> None:
    assert list(choose_frames({}, np.ones(3, bool), 8)) == [0, 1, 2]


def test_without_a_swapped_frame_any_is_shown() -> None:
    assert list(choose_frames({}, np.zeros(4, bool), 2)) == [1, 3]
