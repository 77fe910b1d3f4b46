"""Color: moved to where it is wanted, and back."""

import numpy as np
import pytest

from vision.color import measure_spread, move_color

MASK = np.ones((40, 40), np.float32)


def test_a_moved_picture_has_the_wanted_mean_and_deviation(rng: np.random.Generator) -> None:
    picture = rng.normal((90, 110, 140), 12, (40, 40, 3)).clip(0, 255).astype(np.uint8)
    wanted = np.array([[60, 10, 20], [6, 4, 4]], np.float32)
    moved = measure_spread(move_color(picture, measure_spread(picture, MASK), wanted), MASK)
    assert moved[0] == pytest.approx(wanted[0], abs=0.5)


def test_moving_there_and_back_gives_the_picture(rng: np.random.Generator) -> None:
    picture = rng.normal((120, 110, 100), 10, (40, 40, 3)).clip(0, 255).astype(np.uint8)
    spread = measure_spread(picture, MASK)
    other = spread + np.array([[5, 3, -4], [0, 0, 0]], np.float32)
    back = move_color(move_color(picture, spread, other), other, spread)
    assert np.abs(back.astype(int) - picture).max() <= 3


def test_what_lies_outside_the_mask_does_not_count(rng: np.random.Generator) -> None:
    picture = rng.integers(80, 120, (40, 40, 3), np.uint8)
    changed = picture.copy()
    changed[:, 20:] = 255
    left = MASK.copy()
    left[:, 20:] = 0
    np.testing.assert_allclose(measure_spread(changed, left), measure_spread(picture, left))
