"""Expression: measures that pass from one person to another, and the part of a code that follows from them."""

import numpy as np
import pytest
import torch

from models.autoencoder import build_autoencoder
from models.expression import N_FEATURES, ExpressionCoder
from tests.turned_mesh import turned_mesh
from vision.expression import EXPRESSION, Habit, is_known, measure_expression, mirror_expressions

N = len(EXPRESSION)


def habit(neutral: list[float], reach: float) -> Habit:
    middle = np.array(neutral, np.float32)
    return Habit(middle, middle - np.float32(reach), middle + np.float32(reach))


def draw_expressions(rng: np.random.Generator, n: int = 200) -> np.ndarray:
    spread, middle = (10, 5, 0.1, 0.1, 0.1, 0.05, 0.1, 0.1, 0.03), (0, 0, 0.3, 0.3, 0.1, 0.5, 0.1, 1, 0)
    return (rng.normal(0, 1, (n, len(EXPRESSION))) * spread + middle).astype(np.float32)


def test_one_person_s_usual_face_becomes_the_other_s_and_half_closed_eyes_stay_half_closed() -> None:
    ada, ben = habit([0, -10, 0.4, 0.4, 0.1, 0.5, 0, 1, 0], 5), habit([0, 3, 0.2, 0.2, 0.1, 0.6, 0.1, 2, 0.1], 5)
    usual, half = ada.neutral.copy(), ada.neutral.copy()
    half[2:4] /= 2
    adopted = ben.adopt(np.stack([usual, half]), ada)
    others = [index for index in range(2, N) if EXPRESSION[index] != "mouth_open"]
    np.testing.assert_allclose(adopted[0, others], ben.neutral[others], rtol=1e-6)
    np.testing.assert_allclose(adopted[1, 2:4], 0.1, rtol=1e-6)


def test_lips_are_as_far_apart_in_a_wider_mouth() -> None:
    ada, ben = habit([0, 0, 0.3, 0.3, 0.1, 0.5, 0, 1, 0], 5), habit([0, 0, 0.3, 0.3, 0.4, 0.6, 0, 1, 0], 5)
    shown = np.array([[0, 0, 0.3, 0.3, 0.3, 0.55, 0, 1, 0]], np.float32)
    (adopted,) = ben.adopt(shown, ada)
    assert adopted[5] == pytest.approx(0.65)
    assert adopted[4] * adopted[5] == pytest.approx(0.3 * 0.55)
    ben.high[5] = 0.6  # and where the mouth is wider than this person ever showed
    ben.low[5] = 0.5
    (limited,) = ben.adopt(shown, ada)
    assert limited[5] == pytest.approx(0.615)
    assert limited[4] * limited[5] == pytest.approx(0.3 * 0.55)


def test_nobody_is_led_far_beyond_what_they_have_shown() -> None:
    ada, ben = habit([1] * N, 50), habit([1] * N, 1)
    np.testing.assert_allclose(ben.adopt(np.full((1, N), 40, np.float32), ada), np.full((1, N), 2.3))


def test_five_landmarks_tell_no_expression() -> None:
    measured = measure_expression(np.zeros((5, 3), np.float32), "five", 0.0)
    row = np.array([[0.0, 0.0, *(measured[name] for name in EXPRESSION[2:])]], np.float32)
    assert not is_known(row).any()


def test_of_a_turned_head_the_near_eye_counts_for_both(rng: np.random.Generator) -> None:
    mesh = rng.normal(0, 20, (478, 3)).astype(np.float32)
    frontal, to_left, to_right, between = (measure_expression(mesh, "mesh", yaw) for yaw in (15, -40, 40, -27.5))
    left, right = frontal["left_eye_open"], frontal["right_eye_open"]
    assert (to_left["left_eye_open"], to_left["right_eye_open"]) == (right, right)
    assert (to_right["left_eye_open"], to_right["right_eye_open"]) == (left, left)
    np.testing.assert_allclose(between["left_eye_open"], (left + right) / 2)
    assert between["right_eye_open"] == right
    assert to_left["eye_open"] == right
    assert frontal["mouth_open"] == to_left["mouth_open"]


@pytest.mark.parametrize(
    ("points", "shift", "name", "change"),
    [
        ((55, 107, 285, 336), (0, -0.4), "brow_height", 0.4),
        ((61, 291), (0, -0.3), "mouth_lift", 0.3),
        ((468, 473), (0.26, 0), "gaze", 0.1),
    ],
)
def test_what_moves_in_the_face_is_told_by_its_own_measure(
    points: tuple[int, ...], shift: tuple[float, float], name: str, change: float
) -> None:
    """Of a face straight ahead, 12 pixels a centimetre; its eyes are 2.59 cm wide."""
    lids = {159: (-3.1, 2.9, 4.0), 145: (-3.1, 2.3, 4.0), 386: (3.1, 2.9, 4.0), 374: (3.1, 2.3, 4.0)}
    mesh = turned_mesh(0, 0, 0, further=lids | {61: (-2.5, -4.3, 4.3), 291: (2.5, -4.3, 4.3)})
    moved = mesh.copy()
    moved[list(points), :2] += 12 * np.array(shift, np.float32)
    before, after = measure_expression(mesh, "mesh", 0.0), measure_expression(moved, "mesh", 0.0)
    assert after[name] - before[name] == pytest.approx(change, abs=0.01)
    others = [other for other in EXPRESSION[2:] if other != name]
    np.testing.assert_allclose([after[other] for other in others], [before[other] for other in others], atol=0.02)


def test_a_pose_far_beyond_what_was_shown_gives_no_monstrous_code(rng: np.random.Generator) -> None:
    expressions = draw_expressions(rng)
    expressions[:, 1] = rng.normal(0, 0.2, len(expressions))  # a person who hardly nods
    codes = (expressions[:, :1] / 10 + 0.05 * rng.normal(0, 1, (len(expressions), 1))).astype(np.float32)
    coder = ExpressionCoder(1)
    coder.learn_habit(expressions)
    coder.fit(expressions, torch.from_numpy(codes))
    shown = expressions[:1].copy()
    shown[0, 1] = 30.0  # 60 times as far as this person ever does
    assert float(coder(shown)[0, 0].abs()) < 3 * np.abs(codes).max()


def test_a_coder_learns_what_codes_owe_to_expression(rng: np.random.Generator) -> None:
    expressions = draw_expressions(rng)
    codes = np.stack([expressions[:, 0] / 10, (expressions[:, 2] - 0.3) ** 2 * 100], 1).astype(np.float32)
    expressions[7] = np.nan  # left out, with its code
    codes[7] = 1e6
    coder = ExpressionCoder(2)
    assert not coder.is_fitted
    coder.learn_habit(expressions)
    coder.fit(expressions, torch.from_numpy(codes))
    known = is_known(expressions)
    error = coder(expressions[known]).numpy() - codes[known]
    assert (error**2).mean() < 0.05 * codes[known].var()


def test_a_swap_exchanges_expressed_codes_and_carries_the_rest_over(rng: np.random.Generator) -> None:
    model = build_autoencoder("compact", 32, "tiny", seed=1).eval()
    faces = torch.rand((4, 3, 32, 32), generator=torch.Generator().manual_seed(2))
    expressions = draw_expressions(rng, 4)
    with torch.inference_mode():
        plain = model.decode(model.encoder(faces), torch.zeros(4, N_FEATURES), "source")
        unknown = np.full((4, N), np.nan, np.float32)
        assert torch.equal(model.swap(faces, unknown, "source", 0.5), plain)  # nothing was fitted
        for role in ("source", "target"):
            sample = draw_expressions(rng)
            model.coder(role).learn_habit(sample)
            model.coder(role).fit(sample, torch.from_numpy(sample[:, :1].repeat(256, 1)) / 10)
        expressions[1] = np.nan
        own, others = model.coder("source"), model.coder("target")
        adopted = own.habit.adopt(expressions, others.habit).clip(own.habit.low, own.habit.high)
        for ratio in (0.0, 0.5, 1.0):
            swapped = model.swap(faces, expressions, "source", ratio)
            assert torch.equal(swapped[1], plain[1])
            code = model.encoder(faces)[:1] + ratio * (own(adopted[:1]) - others(expressions[:1]))
            torch.testing.assert_close(swapped[:1], model.decode(code, own.describe(adopted[:1]), "source"))
        assert not torch.allclose(own(adopted[:1]), others(expressions[:1]))
        model.coder("source").load_state_dict(model.coder("target").state_dict())
        expressions[0] = model.coder("target").habit.neutral
        carried = model.swap(faces, expressions, "source", 1.0)
        told = model.coder("source").describe(expressions)
        same = model.decode(model.encoder(faces), told, "source")
        torch.testing.assert_close(carried[0], same[0], atol=1e-4, rtol=0)


def test_a_decoder_is_told_the_same_of_two_people_s_half_closed_eyes_and_nothing_of_unknown_ones() -> None:
    coders = [ExpressionCoder(8), ExpressionCoder(8)]
    for coder, usual in zip(coders, (0.4, 0.2), strict=True):
        shown = np.tile(np.array([0, 0, usual, usual, 0.1, 0.5, 0, 1, 0], np.float32), (21, 1))
        shown[:, 2:4] *= np.linspace(0, 2, 21, dtype=np.float32)[:, None]
        coder.learn_habit(shown)
    wide, narrow = (np.array([[0, 0, eye, eye, 0.1, 0.5, 0, 1, 0], [np.nan] * N], np.float32) for eye in (0.2, 0.1))
    told = [coder.describe(face) for coder, face in zip(coders, (wide, narrow), strict=True)]
    torch.testing.assert_close(told[0], told[1], atol=1e-3, rtol=0)
    assert told[0][0].abs().max() <= 5
    assert (told[0][1] == 0).all()
    assert not torch.allclose(coders[0].describe(wide)[0], coders[0].describe(2 * wide)[0])


def test_a_mirrored_face_looks_the_other_way_with_its_eyes_exchanged() -> None:
    face = np.array([[20, -5, 0.1, 0.3, 0.2, 0.5, 0.1, 1.0, 0.2]], np.float32)
    np.testing.assert_array_equal(
        mirror_expressions(face), np.array([[-20, -5, 0.3, 0.1, 0.2, 0.5, 0.1, 1.0, -0.2]], np.float32)
    )
    np.testing.assert_array_equal(mirror_expressions(mirror_expressions(face)), face)


def test_a_swap_tells_the_decoder_of_nothing_that_its_person_never_showed(rng: np.random.Generator) -> None:
    model = build_autoencoder("compact", 32, "tiny", seed=1).eval()
    for role in ("source", "target"):
        model.coder(role).learn_habit(draw_expressions(rng))
    furthest = np.stack([model.coder("source").habit.high] * 2)
    beyond = furthest + np.array([[0] * N, [30, 15, 0.3, 0.3, 0.3, 0.1, 0.5, 0.5, 0.2]], np.float32)
    model.coder("target").load_state_dict(model.coder("source").state_dict())
    face = torch.rand((1, 3, 32, 32), generator=torch.Generator().manual_seed(2)).expand(2, -1, -1, -1)
    with torch.inference_mode():
        swapped = model.swap(face, beyond, "source", 1.0)
        usual = model.swap(face, np.stack([model.coder("source").habit.neutral] * 2), "source", 1.0)
    torch.testing.assert_close(swapped[0], swapped[1])
    with torch.inference_mode():
        restored = model.restore(face, beyond, "source")
    torch.testing.assert_close(restored[0], restored[1])
    assert not torch.allclose(swapped[0], usual[0])
