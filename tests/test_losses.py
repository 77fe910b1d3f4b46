"""Losses: zero for equal pictures, blind outside the mask, growing with the difference."""

import pytest
import torch

from models.losses import continue_faces, dssim, face_mask, l1, weigh_features
from vision.packed import FACE, FEATURE


def pictures(n: int = 3) -> torch.Tensor:
    return torch.rand((n, 3, 32, 32), generator=torch.Generator().manual_seed(1))


def half_mask(n: int = 3) -> torch.Tensor:
    mask = torch.zeros(n, 1, 32, 32)
    mask[..., :16] = 1
    return mask


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
