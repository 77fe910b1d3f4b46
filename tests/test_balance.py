"""Balance: what the target does is drawn more often where faces that show it are few, within the limit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vision.balance import count_source_draws, count_target_draws
from vision.expression import EXPRESSION, Expressions

NEUTRAL = dict.fromkeys(EXPRESSION, 0.0) | {"left_eye_open": 0.3, "right_eye_open": 0.3, "mouth_width": 1.0}
RATIO = st.floats(0, 1, width=32) | st.just(np.nan)
EXPRESSIONS = st.integers(1, 40).flatmap(
    lambda n: arrays(np.float32, (n, len(EXPRESSION)), elements=RATIO | st.floats(-90, 90, width=32))
)


def faces(*groups: tuple[int, dict[str, float]]) -> Expressions:
    """Groups of faces: how many, and in what they differ from a neutral one."""
    rows = [[(NEUTRAL | change)[name] for name in EXPRESSION] for n, change in groups for _ in range(n)]
    return np.array(rows, np.float32)


def draw_source(source: Expressions, target: Expressions, most: int = 20) -> list[float]:
    """Draws of the source's faces beside those of its first one."""
    draws = count_source_draws(source, target, count_target_draws(target, most), most)
    found: list[float] = (draws / draws[0]).tolist()
    return found


@pytest.mark.parametrize("name", EXPRESSION)
def test_a_rare_face_of_the_target_is_drawn_by_the_root_of_its_rarity_in_any_measure(name: str) -> None:
    far = 60.0 if name in ("yaw", "pitch") else 0.1
    draws = count_target_draws(faces((900, {}), (100, {name: far})), most=8)
    assert set(draws[:900]) == {1}
    assert set(draws[900:]) == {3}


def test_the_measure_in_which_a_face_is_rarest_decides() -> None:
    draws = count_target_draws(faces((1, {"mouth_open": 0.6}), (99, {}), (4, {"left_eye_open": 0.0})), most=50)
    assert (draws[0], draws[50], draws[-1]) == (10, 1, 5)


@pytest.mark.parametrize("name", EXPRESSION)
def test_what_the_target_shows_often_and_the_source_rarely_is_drawn_by_how_much_more(name: str) -> None:
    far = 60.0 if name in ("yaw", "pitch") else 0.1
    target = faces((120, {}), (100, {name: far}))
    source = faces((120, {}), (10, {name: far}))
    assert draw_source(source, target) == [1] * 120 + [10] * 10


def test_what_the_source_alone_does_is_drawn_as_rarely_as_may_be() -> None:
    target = faces((100, {}), (100, {"mouth_open": 0.5}))
    source = faces((100, {}), (100, {"mouth_open": 0.5}), (2, {"yaw": 40.0}))
    assert draw_source(source, target) == [1] * 200 + [1 / 20] * 2


def test_a_blink_that_is_rare_in_both_is_drawn_as_often_of_either() -> None:
    both = faces((900, {}), (100, {"left_eye_open": 0.05, "right_eye_open": 0.05}))
    assert count_target_draws(both, 20)[-1] == 3
    assert draw_source(both, both)[-1] == pytest.approx(3, abs=0.05)


def test_where_the_target_asks_for_two_rare_things_at_once_each_gets_its_share() -> None:
    target = faces((50, {}), (25, {"yaw": 40.0}), (25, {"mouth_open": 0.5}))
    source = faces((90, {}), (6, {"yaw": 40.0}), (4, {"mouth_open": 0.5}))
    draws = count_source_draws(source, target, np.ones(100, np.int64), 20)
    shares = [draws[part].sum() / draws.sum() for part in (slice(0, 90), slice(90, 96), slice(96, 100))]
    assert shares == pytest.approx([0.5, 0.25, 0.25], abs=0.02)


def test_eyes_are_compared_by_how_far_each_person_s_are_usually_open() -> None:
    # Wide eyes, half shut, are open as far as narrow ones at rest, but ask for narrow ones half shut.
    target = faces((100, {"left_eye_open": 0.4}), (50, {"left_eye_open": 0.2}))
    source = faces((100, {"left_eye_open": 0.2}), (5, {"left_eye_open": 0.1}))
    assert draw_source(source, target) == [1] * 100 + [10] * 5  # a third of the draws for 5 of 105 faces


def test_what_the_target_does_beyond_the_source_falls_to_the_furthest_of_the_source_s_faces() -> None:
    target = faces((100, {}), (100, {"yaw": 60.0}))
    source = faces((190, {}), (10, {"yaw": 25.0}))
    assert draw_source(source, target) == [1] * 190 + [19] * 10


def test_a_source_that_hardly_turns_is_not_told_apart_by_degrees_for_a_target_that_turns_far() -> None:
    target = faces(*((10, {"yaw": float(yaw)}) for yaw in range(-60, 61)))
    source = faces(*((10, {"yaw": yaw / 10}) for yaw in range(-30, 31)))
    assert set(draw_source(source, target)) == {1}


def test_differences_that_are_but_noise_are_not_told_apart() -> None:
    still = faces((100, {}), (1, {"yaw": 1.5, "mouth_open": 0.005, "mouth_width": float(np.nextafter(1, 2))}))
    assert set(count_target_draws(still, 50)) == {1}
    assert set(draw_source(still, faces((50, {}), (50, {"yaw": 1.5})))) == {1}


@pytest.mark.parametrize("value", [np.nan, 0.4])
def test_what_is_unknown_or_always_the_same_is_drawn_once(value: float) -> None:
    same = np.full((5, len(EXPRESSION)), value, np.float32)
    assert count_target_draws(same, most=8).tolist() == [1] * 5
    assert draw_source(same, same) == [1] * 5
    others = faces((10, {}), (10, {"mouth_open": 0.5}))
    assert draw_source(np.full_like(same, np.nan), others) == [1] * 5
    assert draw_source(others, np.full_like(same, np.nan)) == [1] * 20


def test_of_faces_without_a_mesh_the_pose_still_counts() -> None:
    openings = dict.fromkeys(EXPRESSION[2:], np.nan)
    target = faces((60, openings), (60, openings | {"yaw": 30.0}))
    source = faces((60, openings), (6, openings | {"yaw": 30.0}))
    assert draw_source(source, target) == [1] * 60 + [10] * 6


@given(EXPRESSIONS, EXPRESSIONS, st.integers(1, 20))
def test_every_face_is_drawn_once_at_least_and_none_beyond_the_limit(
    source: Expressions, target: Expressions, most: int
) -> None:
    of_target = count_target_draws(target, most)
    of_source = count_source_draws(source, target, of_target, most)
    for draws, expressions, highest in ((of_source, source, most**2), (of_target, target, most)):
        assert draws.shape == expressions.shape[:1]
        assert draws.min() >= 1
        assert draws.max() <= highest
    assert most > 1 or set(of_source) | set(of_target) == {1}


@given(EXPRESSIONS, EXPRESSIONS, st.integers(1, 4))
def test_all_variants_of_a_face_are_drawn_alike(source: Expressions, target: Expressions, variants: int) -> None:
    of_source, of_target = (np.repeat(expressions, variants, axis=0) for expressions in (source, target))
    draws = count_target_draws(of_target, 8)
    assert np.array_equal(draws, np.repeat(count_target_draws(target, 8), variants))
    by_face = count_source_draws(of_source, of_target, draws, 8).reshape(-1, variants)
    assert (by_face == by_face[:, :1]).all()
