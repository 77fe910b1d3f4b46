"""Losses: zero for equal pictures, blind outside the mask, growing with the difference."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from models.critic import Critic
from models.losses import (
    continue_faces,
    dssim,
    face_mask,
    gradient,
    l1,
    mask_error,
    multi_scale_dssim,
    weigh_features,
)
from models.objective import Comparison
from models.roles import ROLES
from vision.packed import FACE, FEATURE


def pictures(n: int = 3) -> torch.Tensor:
    return torch.rand((n, 3, 32, 32), generator=torch.Generator().manual_seed(1))


def half_mask(n: int = 3) -> torch.Tensor:
    mask = torch.zeros(n, 1, 32, 32)
    mask[..., :16] = 1
    return mask


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def make_face() -> torch.Tensor:
    """A smooth picture (1, 3, 32, 32) in [0, 1]."""
    y, x = torch.meshgrid(torch.linspace(0, 3, 32), torch.linspace(0, 3, 32), indexing="ij")
    return 0.4 + 0.2 * torch.stack([torch.sin(2 * x + y), torch.cos(x * y), torch.sin(3 * y)])[None]


@pytest.mark.parametrize("loss", [dssim, l1])
def test_equal_pictures_cost_nothing(loss: object) -> None:
    assert callable(loss)
    torch.testing.assert_close(loss(pictures(), pictures(), half_mask()), torch.zeros(3), atol=1e-6, rtol=0)


@pytest.mark.parametrize("loss", [dssim, l1])
def test_what_lies_outside_the_mask_has_no_part(loss: object) -> None:
    assert callable(loss)
    changed = pictures()
    changed[..., 16:] = 1 - changed[..., 16:]
    torch.testing.assert_close(loss(changed, pictures(), half_mask()), torch.zeros(3), atol=1e-6, rtol=0)


def test_l1_is_the_mean_difference_inside_the_mask() -> None:
    faces = pictures().clamp(max=0.7)
    torch.testing.assert_close(l1(faces + 0.25, faces, half_mask()), torch.full((3,), 0.25))


def test_dssim_grows_with_noise_and_stays_within_one() -> None:
    noise = pictures().flip(0) - 0.5
    scores = [
        float(dssim((pictures() + k * noise).clamp(0, 1), pictures(), half_mask()).mean()) for k in (0, 0.1, 0.5, 2)
    ]
    assert scores == sorted(scores)
    assert scores[-1] <= 1


def test_dssim_sees_blur_that_l1_forgives() -> None:
    flat = pictures().mean((2, 3), keepdim=True).expand(-1, -1, 32, 32)
    assert float(dssim(flat, pictures(), half_mask()).mean()) > 0.3


@pytest.mark.parametrize(("every", "off"), [(2, 0.02), (3, 0.1)])
def test_windows_around_some_pixels_see_what_all_windows_see(every: int, off: float) -> None:
    noise = 0.1 * torch.randn((3, 3, 32, 32), generator=generator())
    all_of_it = dssim(pictures() + noise, pictures(), half_mask())
    some_of_it = dssim(pictures() + noise, pictures(), half_mask(), every)
    torch.testing.assert_close(some_of_it, all_of_it, rtol=0.05, atol=0)
    assert not torch.equal(some_of_it, all_of_it)
    for first in range(every):  # lines that windows stand on, and lines between
        changed = pictures()
        changed[:, :, first::every] += 0.1
        expected = float(dssim(changed, pictures(), half_mask()).mean())
        assert float(dssim(changed, pictures(), half_mask(), every).mean()) == pytest.approx(expected, rel=off)


def test_autocast_does_not_change_dssim() -> None:
    noisy = (pictures() * 0.1 + 0.5).clamp(0, 1)  # low contrast: variances are differences of nearly equal numbers
    expected = dssim(noisy, noisy.flip(0), half_mask())
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(dssim(noisy, noisy.flip(0), half_mask()), expected)


def test_packed_masks_give_the_face_and_weights_for_its_features() -> None:
    packed = torch.tensor([0, FACE / 2, FACE, FEATURE]) / 255
    torch.testing.assert_close(face_mask(packed), torch.tensor([0, 0.5, 1, 1]))
    torch.testing.assert_close(weigh_features(packed, 3.0), torch.tensor([0, 0.5, 1, 3]))


@pytest.mark.parametrize("loss", [dssim, l1])
def test_a_difference_in_a_feature_weighs_more(loss: object) -> None:
    assert callable(loss)
    changed = pictures()
    changed[..., 8:16, 8:16] = 1 - changed[..., 8:16, 8:16]
    weights = half_mask()
    plain = loss(changed, pictures(), weights)
    weights[..., 8:16, 8:16] = 3
    assert (loss(changed, pictures(), weights) > 1.5 * plain).all()


def test_a_face_goes_on_past_its_mask_in_its_own_colors_not_the_background_s() -> None:
    faces = torch.zeros(1, 3, 32, 32)
    faces[:, 0, :, :16], faces[:, 2, :, 16:] = 0.8, 1.0  # red skin beside a blue background
    continued, weights = continue_faces(faces, half_mask(1))
    assert torch.equal(continued[..., :16], faces[..., :16])
    torch.testing.assert_close(continued[0, :, 8, 18], torch.tensor([0.8, 0.0, 0.0]))
    assert float(weights[..., :16].max()) == 0
    assert float(weights[0, 0, 8, 17]) > 0.1
    assert float(weights[0, 0, 8, 31]) < 1e-3


@pytest.mark.parametrize("size", [96, 192])
def test_a_large_face_goes_on_as_a_small_one_enlarged(size: int) -> None:
    faces = torch.zeros(1, 3, 48, 48)
    faces[:, 0], faces[:, 1] = torch.linspace(0.2, 0.9, 48)[:, None], 0.4
    mask = torch.zeros(1, 1, 48, 48)
    mask[..., 12:36, 16:32] = 1
    small = torch.cat(continue_faces(faces, mask), 1)
    enlarged = (functional.interpolate(part, (size, size), mode="nearest") for part in (faces, mask))
    large = functional.interpolate(torch.cat(continue_faces(*enlarged), 1), (48, 48), mode="area")
    is_near = small[:, 3:] > 0.01
    torch.testing.assert_close(large * is_near, small * is_near, atol=0.02, rtol=0)


def test_scales_below_the_first_tell_pictures_apart_that_fine_detail_alone_does_not() -> None:
    face, mask = make_face(), torch.ones(1, 1, 32, 32)
    assert float(multi_scale_dssim(face, face, mask)) == pytest.approx(0, abs=1e-6)
    moved, noisy = face.roll(3, 3), (face + 0.1 * torch.randn(face.shape, generator=generator())).clamp(0, 1)
    fine = float(dssim(noisy, face, mask) / dssim(moved, face, mask))
    coarse = float(multi_scale_dssim(noisy, face, mask) / multi_scale_dssim(moved, face, mask))
    assert coarse < 0.8 * fine


def test_scales_seen_through_fewer_windows_score_nearly_as_through_all() -> None:
    noise = 0.1 * torch.randn((3, 3, 32, 32), generator=generator())
    every_window = multi_scale_dssim(pictures() + noise, pictures(), half_mask())
    for every in (2, 3):
        some = multi_scale_dssim(pictures() + noise, pictures(), half_mask(), every)
        torch.testing.assert_close(some, every_window, rtol=0.05, atol=0)
        assert not torch.equal(some, every_window)


def test_slopes_count_inside_the_mask_and_a_change_of_light_does_not() -> None:
    face, mask = make_face(), torch.zeros(1, 1, 32, 32)
    mask[..., :16] = 1
    assert float(gradient(face + 0.3, face, mask)) == pytest.approx(0, abs=1e-6)
    step = face.clone()
    step[..., 8:] += 0.5
    assert float(gradient(step, face, mask)) == pytest.approx(0.5 / 15 / 2, rel=1e-4)
    outside = face.clone()
    outside[..., 24:] += 0.5
    assert float(gradient(outside, face, mask)) == pytest.approx(0, abs=1e-6)


def test_a_mask_is_scored_over_the_whole_picture() -> None:
    mask = torch.zeros(2, 1, 8, 8)
    mask[..., :4] = 1
    assert mask_error(mask, mask).tolist() == [0, 0]
    assert mask_error(1 - mask, mask).tolist() == [1, 1]
    assert mask_error(torch.full_like(mask, 0.5), mask).tolist() == [0.25, 0.25]


def test_a_term_of_weight_0_is_not_worked_out_and_the_others_add_up() -> None:
    face = torch.cat([make_face(), torch.ones(1, 1, 32, 32)], 1)
    restored = (face * 0.8).clamp(0, 1)
    comparison = Comparison(restored, face, "source", emphasis=2.0)
    alone = {name: float(comparison.weigh({name: 1.0}, None)) for name in ("dssim", "l1", "gradient", "mask")}
    together = comparison.weigh({"dssim": 2.0, "l1": 0.5, "gradient": 1.0, "mask": 3.0, "adversarial": 0.0}, None)
    wanted = 2 * alone["dssim"] + 0.5 * alone["l1"] + alone["gradient"] + 3 * alone["mask"]
    assert float(together) == pytest.approx(wanted, rel=1e-5)
    assert min(alone.values()) > 0


@pytest.mark.parametrize(("name", "loss"), [("dssim", dssim), ("ms_dssim", multi_scale_dssim)])
@pytest.mark.parametrize(("size_px", "every"), [(176, 2), (192, 3)])
def test_windows_stand_wider_where_the_picture_is_large(
    size_px: int, every: int, name: str, loss: Callable[..., torch.Tensor]
) -> None:
    true, restored = torch.rand(2, 1, 3, size_px, size_px, generator=generator())
    whole = torch.full((1, 1, size_px, size_px), FACE / 255)
    found = Comparison(restored, torch.cat([true, whole], 1), "source", emphasis=1.0).weigh({name: 1.0}, None)
    by_every = {n: float(loss(restored, true, torch.ones_like(whole), n)) for n in (1, 2, 3)}
    assert min(by_every, key=lambda n: abs(by_every[n] - float(found))) == every
    assert float(found) == pytest.approx(by_every[every], rel=1e-6)


def test_a_critic_learns_what_is_restored_and_changes_in_learning_alone() -> None:
    critic = Critic(seed=1)
    true = torch.rand(8, 3, 32, 32, generator=generator())
    restored = torch.nn.functional.avg_pool2d(true, 5, 1, 2).requires_grad_()
    before = [parameter.clone() for parameter in critic.parameters()]
    doubt = critic.doubt(restored, "target")
    doubt.sum().backward()  # type: ignore[no-untyped-call]
    assert restored.grad is not None
    assert restored.grad.abs().max() > 0
    assert all(torch.equal(a, b) for a, b in zip(before, critic.parameters(), strict=True))
    for _ in range(60):
        critic.learn({role: (restored.detach(), true) for role in ROLES}, rate=0.002)
    assert (critic.doubt(restored.detach(), "target") > 2 * critic.doubt(true, "target")).all()
