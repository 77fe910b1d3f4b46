"""How a stored picture is turned or mirrored to stand upright: quarter turns, without loss."""

import struct
from dataclasses import dataclass

import numpy as np

from vision.planes import Array


@dataclass(frozen=True)
class Orientation:
    """Stored -> upright: first swap rows and columns, then mirror left-right and top-bottom."""

    is_transposed: bool = False
    flips_x: bool = False
    flips_y: bool = False

    @property
    def is_mirrored(self) -> bool:
        return (self.is_transposed + self.flips_x + self.flips_y) % 2 == 1

    @property
    def degrees(self) -> int:
        """The clockwise turn (0, 90, 180, 270); of a mirrored picture the turn that follows a left-right mirror."""
        if self.is_transposed:
            return 90 if self.flips_x else 270
        return 180 if self.flips_y else 0

    def turn(self, picture: Array) -> Array:
        """Turn an array (H, W, ...) upright; a contiguous array, the same samples."""
        if self.is_transposed:
            picture = picture.swapaxes(0, 1)
        if self.flips_x:
            picture = picture[:, ::-1]
        if self.flips_y:
            picture = picture[::-1]
        return np.ascontiguousarray(picture)


UPRIGHT = Orientation()


def read_display_matrix(data: bytes) -> Orientation:
    """The orientation of a display matrix: nine int32 a, b, u, c, d, v, x, y, w; x' = ax + cy, y' = bx + dy.

    Source: ISO/IEC 14496-12, 8.3.2. Raises ValueError for what is no quarter turn or mirror.
    """
    a, b, _, c, d = struct.unpack("<5i", data[:20])
    if a and d and not b and not c:
        return Orientation(False, a < 0, d < 0)
    if b and c and not a and not d:
        return Orientation(True, c < 0, b < 0)
    raise ValueError(f"matrix ({a}, {b}, {c}, {d}) is no quarter turn")
