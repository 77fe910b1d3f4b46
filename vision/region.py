"""A square of a picture in planes, cut out by a transform plane by plane: no more than the square becomes RGB."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.alignment import Matrix, invert, scale_of, transform
from vision.planes import Array, Box, HasPlanes, planes_to_rgb

_FINE = 2  # pixels to one of the square's, down to which whole ones are averaged before the rest is blurred
_TAPS = 3  # what a filter looks at around a sample, in samples, or in deviations of a Gaussian
_NO_BLUR = 0.01  # a Gaussian's deviation, in samples, that leaves all as it is

Steps = tuple[int, int]  # pixels of a picture to a sample of one of its planes, right and down


def cut_square(picture: HasPlanes, matrix: Matrix, side: int, *, is_fine: bool) -> NDArray[np.uint8]:
    """The square of `side` that a similarity (picture to square, 2x3) cuts out, RGB uint8; the border is repeated.

    Fine: enlarged bicubically, and blurred before it shrinks as much as the smaller grid cannot hold. Else means over
    whole pixels, and between them linear: good enough to look at, and fast.
    """
    layout = picture.layout
    luma, *chroma = picture.planes
    steps = layout.step_x, layout.step_y
    luma = _cut_plane(luma, (1, 1), matrix, side, is_fine)
    cb, cr = (_cut_plane(plane, steps, matrix, side, is_fine) for plane in chroma)
    return planes_to_rgb((luma, cb, cr), replace(layout, step_x=1, step_y=1))


def sigma_for(scale: float, n_averaged: int = 1, *, is_linear: bool = False) -> float:
    """The Gaussian's that takes a pixel of width 1 to one of width 1 / scale, in samples that are means of some pixels.

    These means are a part of that width, and so is what linear sampling spreads.
    """
    variance = (1 / scale**2 - 1) / 4 - (n_averaged**2 - 1) / 12 - is_linear * n_averaged**2 / 6
    return float(np.sqrt(max(variance, 0))) / n_averaged


def blur(picture: Array, sigma_x: float, sigma_y: float) -> Array:
    """A picture blurred, where that is worth it."""
    if max(sigma_x, sigma_y) <= 0.2:
        return picture
    # To OpenCV a deviation of 0 is none given.
    blurred: Array = cv2.GaussianBlur(picture, (0, 0), max(sigma_x, _NO_BLUR), sigmaY=max(sigma_y, _NO_BLUR))
    return blurred


def _cut_plane(plane: Array, steps: Steps, matrix: Matrix, side: int, is_fine: bool) -> Array:
    """The square of a plane whose samples have `steps`."""
    scale = scale_of(matrix)
    is_linear = not is_fine or scale <= 1 / _FINE
    factors = [max(1, int(1 / ((_FINE if is_fine else 1) * scale * step))) for step in steps]
    averaged = [step * factor for step, factor in zip(steps, factors, strict=True)]
    sigmas = [sigma_for(scale, n, is_linear=is_linear) if is_fine else 0.0 for n in averaged]
    margins = [_TAPS * factor * (1 + sigma) for factor, sigma in zip(factors, sigmas, strict=True)]
    to_square = _refine(matrix, steps, (0, 0))
    x1, y1, x2, y2 = box = _surround(plane, to_square, side, margins, factors)
    region = _average(_cut_out(plane, box), ((x2 - x1) // factors[0], (y2 - y1) // factors[1]))
    from_region = _refine(to_square, (factors[0], factors[1]), (x1, y1))
    filter_ = cv2.INTER_LINEAR if is_linear else cv2.INTER_CUBIC
    cut: Array = cv2.warpAffine(
        blur(region, *sigmas), from_region, (side, side), flags=filter_, borderMode=cv2.BORDER_REPLICATE
    )
    return cut


def _refine(matrix: Matrix, steps: Steps, origin: tuple[int, int]) -> Matrix:
    """A transform of pixels as one of samples, each the mean of `steps` pixels, the first of them from `origin` on."""
    refined = matrix.copy()
    refined[:, 2] += matrix[:, :2] @ [first + (step - 1) / 2 for first, step in zip(origin, steps, strict=True)]
    refined[:, :2] *= steps
    return refined


def _surround(plane: Array, to_square: Matrix, side: int, margins: Sequence[float], factors: Sequence[int]) -> Box:
    """The box of samples that a square looks at, in whole cells of `factors`; it may reach beyond a plane's end."""
    edges = (-0.5, side - 0.5)
    around = transform(invert(to_square), np.array([[x, y] for x in edges for y in edges]))
    lows, highs = around.min(axis=0) - margins, around.max(axis=0) + margins + 1
    (x1, x2), (y1, y2) = map(_span, lows, highs, plane.shape[::-1], factors, margins)
    return x1, y1, x2, y2


def _span(low: float, high: float, length: int, grid: int, least: float) -> tuple[int, int]:
    """The samples from `low` to `high`, of 0 to `length`, in whole cells: so many at least, if there are."""
    end = -(-length // grid) * grid
    least = min(end, grid * max(1, -int(-least // grid)))
    first = min(max(int(low // grid) * grid, 0), end - least)
    return first, min(max(-int(-high // grid) * grid, first + least), end)


def _cut_out(plane: Array, box: Box) -> Array:
    """The box of a plane; beyond the plane's end its last samples are repeated."""
    x1, y1, x2, y2 = box
    inside = plane[y1:y2, x1:x2]
    n_rows, n_columns = y2 - y1 - inside.shape[0], x2 - x1 - inside.shape[1]
    if not n_rows and not n_columns:
        return inside
    extended: Array = cv2.copyMakeBorder(inside, 0, n_rows, 0, n_columns, cv2.BORDER_REPLICATE)
    return extended


def _average(samples: Array, size: tuple[int, int]) -> Array:
    """Means over whole cells of samples, so many (across, down)."""
    if samples.shape[::-1] == size:
        return samples
    averaged: Array = cv2.resize(samples, size, interpolation=cv2.INTER_AREA)
    return averaged
