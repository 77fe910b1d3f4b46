"""A perceptual hash of a picture's look: 64 bits of its coarse structure, near for near pictures.

After Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), section 3.2.1 (the DCT hash).
"""

from collections.abc import Iterable

import cv2
import numpy as np

from vision.planes import Array

EVERY = 5  # a video is registered by the hash of every fifth frame, the first one on
SIDE = 32
# An 8-bit luma's coefficients (orthonormal DCT of 32x32 means) below this are the encoder's noise, not structure.
DEAD_ZONE = 2.0
# Real footage has 24 to 32 set bits, a black or flat picture none (measured on 12 clips).
MIN_BITS = 16


def hash_look(luma: Array) -> int:
    """The hash of a picture's luma, uint8 or (10 bits) uint16 (H, W), of any size and either range.

    A bit stands for one of 64 low frequencies, without those that are constant along rows or columns, and is set where
    the coefficient lies above their median by more than a dead zone. So a flat picture has the hash 0, with any noise.
    """
    small = cv2.resize(luma, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    coefficients = cv2.dct(small if luma.dtype == np.uint8 else small / 4)[1:9, 1:9].ravel()
    is_set = coefficients > np.median(coefficients) + DEAD_ZONE
    return int.from_bytes(np.packbits(is_set).tobytes())


def pack_hashes(hashes: Iterable[int]) -> bytes:
    """Eight bytes a hash, big endian, as the register holds them."""
    return b"".join(value.to_bytes(8) for value in hashes)


def unpack_hashes(packed: bytes) -> Array:
    """The hashes, uint64 (N,)."""
    return np.frombuffer(packed, ">u8").astype(np.uint64)


def tells_apart(hashes: Array) -> Array:
    """Which hashes, uint64 (N,), are evidence, bool (N,): a flat picture's hash is that of every other flat picture."""
    return np.asarray(np.bitwise_count(hashes) >= MIN_BITS)
