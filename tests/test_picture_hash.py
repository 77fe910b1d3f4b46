"""The perceptual hash of a picture: the same for what looks the same, nothing for what shows nothing."""

import cv2
import numpy as np
import pytest

from vision.picture_hash import MIN_BITS, hash_look, pack_hashes, tells_apart, unpack_hashes
from vision.planes import Array

SIZE = (360, 640)


def _draw_picture(rng: np.random.Generator) -> Array:
    """Soft shapes with some grain, luma uint8."""
    coarse = rng.integers(30, 220, (9, 16), np.uint8)
    shapes = cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC).astype(float)
    luma: Array = np.clip(shapes + rng.normal(0, 2, SIZE), 16, 235).astype(np.uint8)
    return luma


def _count_differing(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def test_a_picture_of_another_size_contrast_or_depth_has_nearly_the_same_hash(rng: np.random.Generator) -> None:
    for _ in range(10):
        luma = _draw_picture(rng)
        known = hash_look(luma)
        small = cv2.resize(luma, (160, 90), interpolation=cv2.INTER_AREA)
        full_range = np.clip((luma.astype(float) - 16) * 255 / 219, 0, 255).astype(np.uint8)
        assert _count_differing(known, hash_look(small)) <= 3
        assert _count_differing(known, hash_look(full_range)) <= 3
        assert hash_look(luma.astype(np.uint16) << 2) == known


def test_other_pictures_have_hashes_that_differ_in_about_half_of_their_bits(rng: np.random.Generator) -> None:
    hashes = [hash_look(_draw_picture(rng)) for _ in range(20)]
    distances = [_count_differing(one, other) for number, one in enumerate(hashes) for other in hashes[:number]]
    assert min(distances) > 12
    assert 28 < np.mean(distances) < 34
    assert all(tells_apart(np.array(hashes, np.uint64)))


@pytest.mark.parametrize("level", [16, 128, 235])
def test_flat_pictures_have_one_hash_whatever_their_noise_and_it_is_no_evidence(
    rng: np.random.Generator, level: int
) -> None:
    noisy = np.clip(rng.normal(level, 3, SIZE), 0, 255).astype(np.uint8)
    hashes = {hash_look(np.full(SIZE, level, np.uint8)), hash_look(noisy)}
    assert hashes == {0}
    assert not tells_apart(np.array([0], np.uint64)).any()


def test_a_hash_of_too_few_bits_is_no_evidence() -> None:
    hashes = np.array([(1 << MIN_BITS) - 1, (1 << MIN_BITS - 1) - 1], np.uint64)
    assert tells_apart(hashes).tolist() == [True, False]


def test_packed_hashes_are_eight_bytes_each_and_come_back() -> None:
    hashes = [0, 1, 0x0123456789ABCDEF, 2**64 - 1]
    packed = pack_hashes(hashes)
    assert packed[16:24].hex() == "0123456789abcdef"
    assert unpack_hashes(packed).tolist() == hashes
