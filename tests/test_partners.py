"""Partners: the target's faces that do what a face of the source does, each in its own person's terms."""

import numpy as np
import pytest

from vision.expression import EXPRESSION, Expressions
from vision.partners import find_partners

NEUTRAL, DEVIATION = 1.0, 0.1  # of every measure


def draw_faces(n: int, seed: int) -> Expressions:
    """Faces around a neutral one, which is the first; every measure varies."""
    faces = np.random.default_rng(seed).normal(NEUTRAL, DEVIATION, (n, len(EXPRESSION))).astype(np.float32)
    faces[0] = NEUTRAL
    return faces


def test_partners_are_the_nearest_faces_the_nearest_first() -> None:
    source = draw_faces(300, seed=1)
    partners = find_partners(source, source)
    assert partners.rows.shape == (300, 8)
    assert partners.rows[:, 0].tolist() == list(range(300))
    assert all(len(set(rows)) == 8 for rows in partners.rows.tolist())


def test_a_face_that_the_other_person_never_shows_has_none_that_does_the_same() -> None:
    source, target = draw_faces(300, seed=1), draw_faces(3000, seed=2)
    target[:50] = source[0] + 0.1 * DEVIATION
    source[1] = source[0]
    source[1, EXPRESSION.index("mouth_open")] = 2.0
    are_like = find_partners(source, target).are_like
    assert are_like[0]
    assert not are_like[1]


@pytest.mark.parametrize(("name", "change"), [("left_eye_open", 2.0), ("brow_height", None)])
def test_a_habit_of_the_other_person_is_no_difference(name: str, change: float | None) -> None:
    """Wider eyes, brows that sit higher: what follows from the person, not from what the face does."""
    source, target = draw_faces(300, seed=1), draw_faces(300, seed=1)
    column = EXPRESSION.index(name)
    target[:, column] = target[:, column] * change if change else target[:, column] + 0.5
    assert find_partners(source, target).rows[:, 0].tolist() == list(range(300))


def test_faces_of_unknown_expression_neither_have_partners_nor_are_any() -> None:
    source, target = draw_faces(40, seed=1), draw_faces(40, seed=1)
    source[3], target[5] = np.nan, np.nan
    partners = find_partners(source, target)
    assert not partners.are_like[3]
    assert 5 not in partners.rows[np.arange(40) != 3]
    assert not find_partners(np.full_like(source, np.nan), target).are_like.any()
    assert not find_partners(source, np.full_like(target, np.nan)).are_like.any()


def test_a_target_of_few_faces_gives_some_of_them_repeatedly() -> None:
    rows = find_partners(draw_faces(40, seed=1), draw_faces(3, seed=1)).rows
    assert rows.shape == (40, 8)
    assert {len(set(row)) for row in rows.tolist()} == {3}
