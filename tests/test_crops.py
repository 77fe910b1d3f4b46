"""Crops: the right place, no aliasing, lossless PNG."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

import vision.planes
from errors import TableError
from vision.crops import crop_frame, crop_picture, decode_png, encode_png, measure_sharpness
from vision.planes import Layout, Matrix, Planes, planes_to_rgb, region_to_rgb, rgb_to_planes


def test_the_identity_cuts_out_the_picture_itself(rng: np.random.Generator) -> None:
    picture = rng.integers(0, 256, (40, 40, 3), np.uint8)
    assert np.array_equal(crop_picture(picture, np.eye(2, 3), 40), picture)


def test_a_shift_by_whole_pixels_moves_without_blur(rng: np.random.Generator) -> None:
    picture = rng.integers(0, 256, (40, 60, 3), np.uint8)
    crop = crop_picture(picture, np.array([[1.0, 0, -7], [0, 1, -3]]), 20)
    assert np.array_equal(crop, picture[3:23, 7:27])


def test_shrinking_fine_stripes_gives_gray_not_a_pattern() -> None:
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[:, ::2] = 255
    crop = crop_picture(picture, np.array([[0.22, 0, 0], [0, 0.22, 0]]), 50)
    assert np.abs(crop[4:-4, 4:-4].astype(float) - 127.5).max() < 12


@dataclass(frozen=True)
class InPlanes:
    planes: Planes
    layout: Layout


@pytest.mark.parametrize("scale", [0.3, 0.8, 1.0, 2.5])
@pytest.mark.parametrize("center", [(60, 45), (2, 88), (119, 3), (300, 300)])
@pytest.mark.parametrize("steps", [(2, 2), (1, 1)])
def test_a_crop_of_planes_is_that_of_the_whole_picture_s_rgb(
    rng: np.random.Generator, scale: float, center: tuple[int, int], steps: tuple[int, int]
) -> None:
    layout = Layout(*steps, 8, Matrix.BT709, is_full_range=False)
    smooth = cv2.GaussianBlur(rng.integers(0, 256, (91, 121, 3), np.uint8), (0, 0), 1.5)
    frame = InPlanes(rgb_to_planes(smooth, layout), layout)
    turn = cv2.getRotationMatrix2D(center, 25, scale)
    turn[:, 2] += 16 - np.array(center)
    found = crop_frame(frame, turn, 32).astype(int)
    wanted = crop_picture(planes_to_rgb(frame.planes, layout), turn, 32).astype(int)
    assert np.abs(found - wanted).max() <= 2
    assert np.abs(found - wanted).mean() < 0.02


@pytest.mark.parametrize("scale", [0.24, 0.12, 0.08])
@pytest.mark.parametrize("center", [(450, 300), (5, 595)])
def test_a_crop_that_shrinks_a_lot_lies_where_the_whole_picture_s_does(
    rng: np.random.Generator, scale: float, center: tuple[int, int]
) -> None:
    layout = Layout(2, 2, 8, Matrix.BT709, is_full_range=False)
    smooth = cv2.GaussianBlur(rng.integers(0, 256, (601, 903, 3), np.uint8), (0, 0), 6)
    stretched = cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)
    frame = InPlanes(rgb_to_planes(stretched, layout), layout)
    turn = cv2.getRotationMatrix2D(center, 25, scale)
    turn[:, 2] += 16 - np.array(center)
    found = crop_frame(frame, turn, 32).astype(int)
    wanted = crop_picture(planes_to_rgb(frame.planes, layout), turn, 32).astype(int)
    # Beyond the picture, what the border's filter saw counts.
    inside = cv2.warpAffine(np.ones(smooth.shape[:2]), turn, (32, 32)) > 0
    inside = cv2.erode(inside.astype(np.uint8), np.ones((5, 5)), borderValue=0) > 0
    assert inside.sum() > 100
    assert np.abs(found - wanted)[inside].mean() < 0.04 * wanted.std()


def test_of_a_large_picture_only_the_crop_becomes_rgb(rng: np.random.Generator) -> None:
    layout = Layout(2, 2, 8, Matrix.BT709, is_full_range=False)
    luma = rng.integers(16, 235, (2000, 3000), np.uint8)
    chroma = np.full((1000, 1500), 128, np.uint8)
    converted = []

    def convert(planes: Planes, layout: Layout, box: tuple[int, int, int, int]) -> np.ndarray:
        converted.append((box[2] - box[0]) * (box[3] - box[1]))
        return region_to_rgb(planes, layout, box)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vision.planes, "region_to_rgb", convert)
        crop_frame(InPlanes((luma, chroma, chroma), layout), np.array([[0.5, 0, -500], [0, 0.5, -300]]), 100)
    assert len(converted) == 1
    assert converted[0] < 1.3 * 200 * 200


def test_png_keeps_every_value(rng: np.random.Generator) -> None:
    for shape in ((9, 7, 3), (9, 7)):
        picture = rng.integers(0, 256, shape, np.uint8)
        assert np.array_equal(decode_png(encode_png(picture)), picture)


def test_damaged_png_is_named() -> None:
    with pytest.raises(TableError, match="damaged"):
        decode_png(b"no picture")


def test_blur_lowers_sharpness_inside_the_mask_only(rng: np.random.Generator) -> None:
    picture = rng.integers(0, 256, (64, 64, 3), np.uint8)
    flat = picture.copy()
    flat[:, :32] = 128
    left = np.zeros((64, 64), np.float32)
    left[2:-2, 4:28] = 1
    assert measure_sharpness(flat, left) == 0
    assert measure_sharpness(picture, left) > 1000
    assert measure_sharpness(flat, 1 - left) > 1000
