"""What a reader of marks makes of a video's pictures: their fine detail averaged over time, flattened and whitened."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import scipy.fft

from trust.mark_tile import CHIPS_PER_SHORT_SIDE
from vision.planes import Array

SHORT_SIDE = 360
CHIP_PX = SHORT_SIDE / CHIPS_PER_SHORT_SIDE
SAMPLES = 4  # along a chip
MAX_RATIO = 4  # of the long side to the short one: of longer pictures the middle is read
# Coarser than this many pixels (sigma) is no detail, and stronger than so many grey levels no mark.
COARSE_PX, MAX_DETAIL = 4.0, 8.0
MIN_DETAIL = 0.02  # grey levels; constant pictures have rounding errors
# Detail is divided by its deviation around it, within so many pixels (sigma), plus a floor, to a power above 1: loud
# places count less. Of the 106 hard readings of trust/mark_read.py the power gave 2.
AROUND_PX, FLOOR, POWER = 4.0, 0.2, 1.5
SPECTRUM_BINS = 2.0  # over which (sigma) a spectrum is smoothed


@dataclass(frozen=True)
class View:
    """A video's averaged detail: float32 (h, w), the short side SHORT_SIDE, of about equal strength everywhere.

    A point (x, y) of it lies at `corner` + (x, y) / `zoom` in the video's pictures, counted from the left upper edge.
    """

    detail: Array
    corner: tuple[int, int]
    zoom: float


def gather(lumas: Iterable[Array]) -> View | None:
    """Average the detail of pictures of one size.

    None where that shows nothing: no pictures, or constant ones.
    """
    total, n_pictures, size = None, 0, (0, 0)
    for luma in lumas:
        size = luma.shape
        detail = _take_detail(luma)
        total = detail if total is None else total + detail
        n_pictures += 1
    if total is None:
        return None
    mean = total / np.float32(n_pictures)
    if float(mean.std()) < MIN_DETAIL:
        return None
    deviation = np.sqrt(cv2.GaussianBlur(mean * mean, (0, 0), AROUND_PX))
    detail = mean / (deviation + np.float32(FLOOR)) ** np.float32(POWER)
    top, left = _cut_corner(size)
    return View(detail, (left, top), SHORT_SIDE / min(size))


def _cut_corner(size: tuple[int, ...]) -> tuple[int, int]:
    """Where the part that is read begins: top and left."""
    longest = MAX_RATIO * min(size)
    return max(0, size[0] - longest) // 2, max(0, size[1] - longest) // 2


def _take_detail(luma: Array) -> Array:
    """A picture's fine detail, float32 (h, w) in levels of 8 bits, cut at MAX_DETAIL; the short side is SHORT_SIDE."""
    top, left = _cut_corner(luma.shape)
    part = luma[top : luma.shape[0] - top, left : luma.shape[1] - left]
    zoom = SHORT_SIDE / min(part.shape)
    size = (round(part.shape[1] * zoom), round(part.shape[0] * zoom))
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(np.ascontiguousarray(part), size, interpolation=method).astype(np.float32)
    if luma.dtype == np.uint16:
        scaled /= 4  # 10 bits, as everything above 8 (vision/video_read.py)
    detail: Array = np.clip(scaled - cv2.GaussianBlur(scaled, (0, 0), COARSE_PX), -MAX_DETAIL, MAX_DETAIL)
    return detail


def resample(values: Array, scale: float) -> Array:
    """A map (h, w) of the view with SAMPLES samples along each chip, where a chip measures CHIP_PX * scale in it."""
    step = CHIP_PX * scale / SAMPLES
    size = (int(values.shape[1] / step), int(values.shape[0] / step))
    matrix = np.array([[step, 0, step / 2 - 0.5], [0, step, step / 2 - 0.5]])
    samples: Array = cv2.warpAffine(
        values, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return samples


def whiten(samples: Array) -> Array:
    """The spectrum of samples (h, w), complex64, each frequency divided by the strength of those around it.

    Pictures are strong where the mark is weak, in coarse structure and in what repeats itself: so each counts alike.
    """
    spectrum = scipy.fft.fft2(samples.astype(np.float32))
    power = np.fft.fftshift(spectrum.real**2 + spectrum.imag**2)
    around = np.fft.ifftshift(cv2.GaussianBlur(power, (0, 0), SPECTRUM_BINS))
    highest = float(around.max())
    if highest == 0:
        return np.zeros_like(spectrum)
    white: Array = spectrum / np.sqrt(around + np.float32(1e-6 * highest))
    return white
