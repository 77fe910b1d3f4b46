"""Flicker reacts to trembling, not to even motion or a slow change of light."""

import math

import numpy as np
import pytest

from vision.crops import Picture
from vision.flicker import Flicker


def _level_of(levels: list[float], frames: list[int] | None = None) -> float:
    flicker = Flicker()
    for frame, level in zip(frames or range(len(levels)), levels, strict=True):
        flicker.add(frame, _gray(level))
    return flicker.level


def _gray(level: float) -> Picture:
    return np.full((8, 8, 3), level, np.uint8)


def test_an_even_change_of_light_is_calm() -> None:
    assert _level_of([10, 20, 30, 40, 50]) == 0


def test_trembling_is_its_height_in_grey_levels() -> None:
    assert _level_of([100, 106, 100, 106, 100]) == 6


def test_runs_across_a_gap_are_left_out() -> None:
    assert _level_of([100, 100, 200, 200, 200], [0, 1, 5, 6, 7]) == 0
    assert math.isnan(_level_of([100, 200, 100], [0, 2, 4]))


def test_even_motion_counts_less_than_jumping() -> None:
    scene = np.linspace(0, 255, 64)[None, :].repeat(16, axis=0)

    def measure(shifts: list[int]) -> float:
        flicker = Flicker()
        for frame, shift in enumerate(shifts):
            flicker.add(frame, np.repeat(np.roll(scene, shift, axis=1)[:, 16:48, None], 3, axis=2).astype(np.uint8))
        return flicker.level

    assert measure([0, 1, 2, 3, 4, 5]) < 0.3 * measure([0, 1, 0, 1, 0, 1])
    assert measure([0, 0, 0]) == pytest.approx(0)
