"""The region of a picture in planes that a transform looks at: it alone becomes RGB, shrunk by a whole factor."""

import numpy as np

from vision.alignment import Matrix, invert, transform
from vision.planes import Array, Box, HasPlanes, shrink_region


def cut_around(picture: HasPlanes, matrix: Matrix, side: int, margin: float, factor: int) -> tuple[Array, Matrix]:
    """The region of a picture that `matrix` (2x3) maps to a square of `side` pixels, and what maps the region there.

    RGB uint8 (H, W, 3), each pixel the mean of `factor` by `factor`. `margin`: what filters look at beyond the square,
    in the picture's pixels. Of a square beyond the picture the region is the picture's border.
    """
    box = _surround(picture, matrix, side, margin, factor)
    region = shrink_region(picture.planes, picture.layout, box, factor)
    middle = (factor - 1) / 2
    to_square = matrix.copy()
    to_square[:, 2] += matrix[:, :2] @ (box[0] + middle, box[1] + middle)
    to_square[:, :2] *= factor
    return region, to_square


def _surround(picture: HasPlanes, matrix: Matrix, side: int, margin: float, factor: int) -> Box:
    """The box of pixels that a square looks at, on the grid of chroma samples and of the factor."""
    height, width = picture.planes[0].shape
    edges = (-0.5, side - 0.5)
    around = transform(invert(matrix), np.array([[x, y] for x in edges for y in edges]))
    (x_low, y_low), (x_high, y_high) = around.min(axis=0) - margin, around.max(axis=0) + margin + 1
    x1, x2 = _span(x_low, x_high, width, picture.layout.step_x * factor, margin)
    y1, y2 = _span(y_low, y_high, height, picture.layout.step_y * factor, margin)
    return x1, y1, x2, y2


def _span(low: float, high: float, length: int, grid: int, least: float) -> tuple[int, int]:
    """The pixels from `low` to `high`, of 0 to `length`, in whole cells of a grid: so many at least, if there are."""
    end = -(-length // grid) * grid
    least = min(end, grid * max(1, -int(-least // grid)))
    first = min(max(int(low // grid) * grid, 0), end - least)
    return first, min(max(-int(-high // grid) * grid, first + least), end)
