"""Crops: the right place, no aliasing, lossless PNG."""

import numpy as np
import pytest

from errors import TableError
from vision.crops import crop_picture, decode_png, encode_png, measure_sharpness


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
