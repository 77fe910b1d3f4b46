"""The figures against their formulas, computed the slow way, and against what they must and must not react to."""

import math

import cv2
import numpy as np
import pytest

from vision.metrics import (
    Pool,
    correlation,
    gradient_energy,
    psnr_db,
    similarity_map,
    squared_error,
    structural_similarity,
)


@pytest.fixture
def picture() -> np.ndarray:
    rough = np.random.default_rng(1).integers(0, 256, (12, 14, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(rough, (70, 60), interpolation=cv2.INTER_CUBIC))


@pytest.fixture
def disc() -> np.ndarray:
    rows, columns = np.mgrid[:60, :70]
    return np.asarray((rows - 30) ** 2 + (columns - 35) ** 2 < 20**2)


def test_a_difference_of_one_grey_level_is_48_db(picture: np.ndarray, disc: np.ndarray) -> None:
    darker = np.clip(picture, 1, 255) - 1
    pool = Pool()
    pool.add(*squared_error(darker.astype(np.uint8), np.clip(picture, 1, 255), disc))
    assert pool.mean == 1
    assert psnr_db(pool.mean) == pytest.approx(48.1308, abs=1e-4)


def test_the_squared_error_does_not_wrap_at_eight_bits(disc: np.ndarray) -> None:
    black, white = np.zeros((60, 70, 3), np.uint8), np.full((60, 70, 3), 255, np.uint8)
    total, n_values = squared_error(black, white, disc)
    assert (total, n_values) == (255**2 * 3 * disc.sum(), 3 * disc.sum())
    assert psnr_db(total / n_values) == 0


def test_only_the_masks_pixels_are_compared(picture: np.ndarray, disc: np.ndarray) -> None:
    other = picture.copy()
    other[~disc] = 255 - other[~disc]
    assert squared_error(other, picture, disc)[0] == 0
    assert psnr_db(0.0) == math.inf
    assert squared_error(other, picture, ~disc)[0] > 0


def test_pooling_weighs_frames_by_their_pixels(picture: np.ndarray) -> None:
    small, large = np.zeros((60, 70), bool), np.zeros((60, 70), bool)
    small[:1, :10], large[:3, :10] = True, True
    low, high = np.zeros_like(picture), np.full_like(picture, 4)
    pool = Pool()
    pool.add(*squared_error(low, high, small))
    pool.add(*squared_error(low, low, large))
    assert pool.mean == 16 * 10 / 40
    assert math.isnan(Pool().mean)
    assert math.isnan(psnr_db(Pool().mean))


def test_ssim_at_a_pixel_is_the_papers_formula(picture: np.ndarray) -> None:
    noise = np.random.default_rng(2).normal(0, 12, picture.shape)
    other = np.clip(picture + noise, 0, 255).astype(np.uint8)
    assert similarity_map(other, picture)[25, 31] == pytest.approx(_slow_ssim(other, picture, 25, 31), abs=1e-5)


def _slow_ssim(first: np.ndarray, second: np.ndarray, row: int, column: int) -> float:
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    values = []
    for channel in range(3):
        x = first[row - 5 : row + 6, column - 5 : column + 6, channel].astype(float)
        y = second[row - 5 : row + 6, column - 5 : column + 6, channel].astype(float)
        mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
        variance_x, variance_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
        covariance = (weights * (x - mean_x) * (y - mean_y)).sum()
        c1, c2 = 2.55**2, 7.65**2
        values.append(
            (2 * mean_x * mean_y + c1)
            * (2 * covariance + c2)
            / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))
        )
    return float(np.mean(values))


def test_ssim_is_one_for_equal_pictures_and_falls_with_blur(picture: np.ndarray, disc: np.ndarray) -> None:
    def mean_similarity(other: np.ndarray) -> float:
        total, n_pixels = structural_similarity(other, picture, disc)
        assert n_pixels == disc.sum()
        return total / n_pixels

    blurred = [cv2.GaussianBlur(picture, (0, 0), sigma) for sigma in (1.0, 3.0)]
    assert mean_similarity(picture) == pytest.approx(1)
    assert 1 > mean_similarity(blurred[0]) > mean_similarity(blurred[1])


def test_ssim_of_a_part_equals_ssim_of_the_whole_inside_the_mask(picture: np.ndarray, disc: np.ndarray) -> None:
    other = cv2.GaussianBlur(picture, (0, 0), 2.0)
    whole = similarity_map(other, picture)[disc].sum()
    assert structural_similarity(other, picture, disc)[0] == pytest.approx(whole, rel=1e-6)


def test_ssim_of_flat_pictures_is_the_same_up_to_the_edge() -> None:
    similarity = similarity_map(np.full((20, 30, 3), 100, np.uint8), np.full((20, 30, 3), 120, np.uint8))
    assert similarity == pytest.approx(float(similarity[10, 15]))


def test_gradient_energy_of_a_slope_is_its_steepness_squared() -> None:
    slope = np.repeat((3 * np.arange(60))[None, :, None], 50, axis=0).repeat(3, axis=2).astype(np.uint8)
    mask = np.zeros((50, 60), bool)
    mask[10:30, 10:40] = True
    energy, n_pixels = gradient_energy(slope, mask)
    assert n_pixels == 18 * 28
    assert energy / n_pixels == 9


def test_gradient_energy_does_not_look_past_the_mask(picture: np.ndarray, disc: np.ndarray) -> None:
    other = picture.copy()
    other[~disc] = 0
    assert gradient_energy(other, disc) == gradient_energy(picture, disc)
    assert gradient_energy(cv2.GaussianBlur(picture, (0, 0), 2.0), disc)[0] < 0.5 * gradient_energy(picture, disc)[0]


def test_an_empty_or_thin_mask_adds_nothing(picture: np.ndarray) -> None:
    empty, line = np.zeros((60, 70), bool), np.zeros((60, 70), bool)
    line[:, 69] = True
    assert squared_error(picture, picture, empty) == (0, 0)
    assert structural_similarity(picture, picture, empty) == (0, 0)
    assert gradient_energy(picture, empty) == gradient_energy(picture, line) == (0, 0)


def test_correlation_ignores_scale_and_offset_and_gaps() -> None:
    curve = np.sin(np.arange(40) / 3)
    other = 5 - 2 * curve
    other[[3, 17]] = math.nan
    assert correlation(curve, other) == pytest.approx(-1)
    noisy = curve + np.random.default_rng(3).normal(0, 0.4, 40)
    assert correlation(curve, noisy) == pytest.approx(np.corrcoef(curve, noisy)[0, 1])


def test_correlation_of_a_constant_or_of_two_points_is_unknown() -> None:
    assert math.isnan(correlation(np.ones(9), np.arange(9.0)))
    assert math.isnan(correlation(np.array([1.0, 2.0, math.nan]), np.array([1.0, 2.0, 3.0])))
