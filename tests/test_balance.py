"""Balance: rare faces are drawn more often, within the limit; unknown ones as often as common ones."""

import numpy as np
import pytest

from vision.balance import count_draws


def measured(*groups: tuple[float, int]) -> np.ndarray:
    """A column of values, each so many times."""
    return np.concatenate([np.full(n, value) for value, n in groups])[:, None]


def test_a_blink_among_open_eyes_is_drawn_by_the_root_of_its_rarity() -> None:
    draws = count_draws(measured((0.3, 900), (0.05, 100)), most=8)
    assert set(draws[:900]) == {1}
    assert set(draws[900:]) == {3}


def test_no_face_is_drawn_more_often_than_the_limit() -> None:
    values = measured((0.3, 900), (0.05, 1))
    assert count_draws(values, most=8)[-1] == 8
    assert count_draws(values, most=1).max() == 1


def test_the_measure_in_which_a_face_is_rarest_decides() -> None:
    eyes = measured((0.3, 100), (0.0, 4))
    mouth = measured((0.6, 1), (0.0, 103))
    draws = count_draws(np.hstack([eyes, mouth]), most=50)
    assert draws[0] == 10
    assert draws[-1] == 5
    assert draws[50] == 1


@pytest.mark.parametrize("value", [np.nan, 0.4])
def test_what_is_unknown_or_always_the_same_is_drawn_once(value: float) -> None:
    assert count_draws(measured((value, 5)), most=8).tolist() == [1] * 5
