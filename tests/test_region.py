"""Squares cut out of planes: the right place and filter, whatever the planes' steps, depth and size."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import vision.region
from vision.crops import crop_frame, crop_picture
from vision.planes import Array, Layout, Matrix, Planes, planes_to_rgb, rgb_to_planes, to_444
from vision.region import cut_square

SIZE = (91, 121)
STEPS = [(1, 1), (2, 1), (2, 2), (4, 1)]


@dataclass(frozen=True)
class InPlanes:
    planes: Planes
    layout: Layout


def _smooth(rng: np.random.Generator, size: tuple[int, int], sigma: float) -> NDArray[np.uint8]:
    noise = cv2.GaussianBlur(rng.integers(0, 256, (*size, 3), np.uint8), (0, 0), sigma)
    return np.asarray(cv2.normalize(noise, None, 20, 230, cv2.NORM_MINMAX), np.uint8)


def _in_planes(picture: NDArray[np.uint8], steps: tuple[int, int], bits: int = 8) -> InPlanes:
    layout = Layout(*steps, bits, Matrix.BT709, is_full_range=False)
    return InPlanes(rgb_to_planes(picture, layout), layout)


def _turn(center: tuple[int, int], scale: float, degrees: float = 25) -> NDArray[np.float64]:
    turn: NDArray[np.float64] = cv2.getRotationMatrix2D(center, degrees, scale)
    turn[:, 2] += 16 - np.array(center)
    return turn


@pytest.mark.parametrize("scale", [0.3, 0.45, 0.8, 1.0, 2.5])
@pytest.mark.parametrize("center", [(60, 45), (2, 88), (119, 3), (300, 300)])
@pytest.mark.parametrize("bits", [8, 10])
def test_a_crop_of_planes_is_that_of_the_whole_picture(
    rng: np.random.Generator, scale: float, center: tuple[int, int], bits: int
) -> None:
    picture = _smooth(rng, SIZE, 3)
    found = crop_frame(_in_planes(picture, (1, 1), bits), _turn(center, scale), 32).astype(float)
    wanted = crop_picture(picture.astype(np.float32), _turn(center, scale), 32)
    # Of 8 bits, three samples are rounded up to three times; of 10, the result alone.
    assert np.abs(found - wanted).mean() < (1.1 if bits == 8 else 0.7)
    assert np.abs(found - wanted).max() < (4 if bits == 8 else 2)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("scale", [0.25, 0.45, 0.8, 2.5])
@pytest.mark.parametrize("degrees", [0, 25, 180])
def test_coarser_chroma_lies_where_the_luma_does(steps: tuple[int, int], scale: float, degrees: float) -> None:
    y, x = np.mgrid[: SIZE[0] + 1, : SIZE[1] + 3].astype(float)
    ramps = [40 + 1.5 * x, 130 + 0.3 * (x - y), 220 - 1.5 * y]  # a shift by half a pixel is 0.75
    frame = _in_planes(np.round(np.dstack(ramps)).astype(np.uint8), steps, bits=10)
    turn = _turn((60, 45), scale, degrees)
    found = crop_frame(frame, turn, 32).astype(float)
    back = cv2.invertAffineTransform(turn)
    at_x, at_y = np.tensordot(back, np.stack([*np.mgrid[:32, :32][::-1], np.ones((32, 32))]), axes=1)
    wanted = np.dstack([40 + 1.5 * at_x, 130 + 0.3 * (at_x - at_y), 220 - 1.5 * at_y])
    blur = 2 / scale + 4
    inside = (at_x > blur) & (at_x < SIZE[1] - blur) & (at_y > blur) & (at_y < SIZE[0] - blur)
    assert inside.sum() > 30
    rest = (found - wanted)[inside]
    assert np.abs(rest.mean(axis=0)).max() < 0.3
    assert np.abs(rest).max() < 3


@pytest.mark.parametrize("scale", [0.24, 0.12, 0.08])
@pytest.mark.parametrize("center", [(450, 300), (5, 595)])
def test_a_crop_that_shrinks_a_lot_lies_where_the_whole_picture_s_does(
    rng: np.random.Generator, scale: float, center: tuple[int, int]
) -> None:
    smooth = _smooth(rng, (601, 903), 6)
    found = crop_frame(_in_planes(smooth, (2, 2)), _turn(center, scale), 32).astype(int)
    wanted = crop_picture(smooth, _turn(center, scale), 32).astype(int)
    inside = cv2.warpAffine(np.ones(smooth.shape[:2]), _turn(center, scale), (32, 32)) > 0
    inside = cv2.erode(inside.astype(np.uint8), np.ones((5, 5)), borderValue=0) > 0
    assert inside.sum() > 100
    assert np.abs(found - wanted)[inside].mean() < 0.5 + 0.02 * wanted.std()


@pytest.mark.parametrize("scale", [0.46, 0.353, 0.22, 0.11])
def test_noise_shrinks_to_as_much_of_it_as_by_the_blur_alone(rng: np.random.Generator, scale: float) -> None:
    noise = rng.normal(128, 30, (700, 700)).clip(0, 255).astype(np.uint8)
    layout = Layout(1, 1, 8, Matrix.BT709, is_full_range=True)
    gray = np.full_like(noise, 128)
    turn = scale * np.array([[0.99, -0.14, 90], [0.14, 0.99, -10]])
    side = int(500 * scale)
    found = crop_frame(InPlanes((noise, gray, gray), layout), turn, side)[..., 1].astype(float)
    wanted = crop_picture(cv2.merge([noise] * 3), turn, side)[..., 1].astype(float)
    assert found.std() == pytest.approx(wanted.std(), rel=0.05)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("factor", [1, 2, 3, 5])
def test_a_coarse_square_on_whole_cells_is_their_means(
    rng: np.random.Generator, steps: tuple[int, int], factor: int
) -> None:
    frame = _in_planes(_smooth(rng, (63, 84), 12), steps, bits=10)
    to_square = np.array([[1, 0, 0.5], [0, 1, 0.5]]) / factor - [[0, 0, 0.5], [0, 0, 0.5]]
    side = 60 // factor
    found = cut_square(frame, to_square, side, is_fine=False).astype(float)
    planes, layout = to_444(frame.planes, frame.layout)
    whole = planes_to_rgb(planes, layout)[: side * factor, : side * factor].astype(float)
    wanted = whole.reshape(side, factor, side, factor, 3).mean(axis=(1, 3))
    # Where cells do not hold whole samples of chroma, what lies between these is interpolated, not repeated.
    assert np.abs(found - wanted).mean() < (1.6 if factor % max(steps) else 0.6)


def test_of_a_large_picture_only_what_the_crop_looks_at_is_blurred(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(2, 2, 8, Matrix.BT709, is_full_range=False)
    luma = rng.integers(16, 235, (2000, 3000), np.uint8)
    chroma = np.full((1000, 1500), 128, np.uint8)
    blurred = []

    def blur(picture: Array, *_: float) -> Array:
        blurred.append(picture.size)
        return picture

    monkeypatch.setattr(vision.region, "blur", blur)
    crop_frame(InPlanes((luma, chroma, chroma), layout), np.array([[0.5, 0, -500], [0, 0.5, -300]]), 100)
    assert len(blurred) == 3
    assert max(blurred) < 1.2 * 200 * 200
