"""Figures that say how like two pictures, or two curves, are; each over the pixels of a mask, pooled over frames.

Pictures are RGB uint8 (H, W, 3), masks bool (H, W). Pooling sums over all frames first and divides once, so that a
frame with a large face weighs more than one with a small face, and no frame's figure is averaged.
"""

import math
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

WINDOW_PX = 11
SIGMA_PX = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_MIN_PAIRS = 3


@dataclass
class Pool:
    """A sum over frames, and over how many values it runs."""

    total: float = 0.0
    n_values: int = 0

    def add(self, total: float, n_values: int) -> None:
        self.total += total
        self.n_values += n_values

    def join(self, later: Self) -> None:
        """Add what another pool has."""
        self.add(later.total, later.n_values)

    @property
    def mean(self) -> float:
        """NaN where nothing was added."""
        return self.total / self.n_values if self.n_values else math.nan


def squared_error(picture: np.ndarray, reference: np.ndarray, mask: np.ndarray) -> tuple[float, int]:
    """The sum of squared differences over the mask's pixels and the three channels, and their number."""
    part = surround(mask)
    inside = mask[part]
    difference = picture[part][inside].astype(np.int32) - reference[part][inside]
    return float(np.sum(difference * difference, dtype=np.int64)), difference.size


def psnr_db(mean_squared_error: float) -> float:
    """Peak signal to noise ratio of 8-bit values, decibels; infinite for equal pictures, NaN for NaN."""
    if mean_squared_error == 0:
        return math.inf
    return 10 * math.log10(255**2 / mean_squared_error)


def structural_similarity(picture: np.ndarray, reference: np.ndarray, mask: np.ndarray) -> tuple[float, int]:
    """The sum of SSIM over the mask's pixels (mean of the three channels at each), and the number of pixels.

    Wang, Bovik, Sheikh, Simoncelli 2004, eq. 13, with their Gaussian window of 11x11, sigma 1.5.
    """
    part = surround(mask, WINDOW_PX // 2)
    similarity = similarity_map(picture[part], reference[part])[mask[part]]
    return float(similarity.sum(dtype=np.float64)), similarity.size


def similarity_map(picture: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """SSIM at each pixel, mean of the channels: float32 (H, W); beyond the edge the picture is mirrored."""
    # About middle grey, since the variance is a difference of squares that single precision must hold.
    x, y = picture.astype(np.float32) - 128, reference.astype(np.float32) - 128
    mean_x, mean_y = _smooth(x), _smooth(y)
    variance_x = _smooth(x * x) - mean_x**2
    variance_y = _smooth(y * y) - mean_y**2
    covariance = _smooth(x * y) - mean_x * mean_y
    mean_x, mean_y = mean_x + 128, mean_y + 128
    above = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    below = (mean_x**2 + mean_y**2 + _C1) * (variance_x + variance_y + _C2)
    return np.asarray((above / below).mean(axis=2))


def gradient_energy(picture: np.ndarray, mask: np.ndarray) -> tuple[float, int]:
    """The sum of the luma's squared gradient (central differences) over the mask less its rim, and their number.

    The rim, one pixel wide, is left out: its gradient looks across the mask's edge.
    """
    part = surround(mask, 1)
    inner = cv2.erode(mask[part].astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    if not inner.any():
        return 0.0, 0
    luma = cv2.cvtColor(picture[part], cv2.COLOR_RGB2GRAY).astype(np.float64)
    down, right = np.gradient(luma)
    return float(np.sum((down**2 + right**2)[inner])), int(inner.sum())


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's correlation of two curves over the places where both are finite.

    NaN where fewer than three are, or where a curve is constant.
    """
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < _MIN_PAIRS:
        return math.nan
    a, b = first[both].astype(np.float64), second[both].astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float(np.sum(a * a)) * float(np.sum(b * b)))
    return float(np.sum(a * b)) / scale if scale > 0 else math.nan


def surround(mask: np.ndarray, margin: int = 0) -> tuple[slice, slice]:
    """The mask's bounding box with a margin, cut to the picture; the whole picture for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return slice(None), slice(None)
    top, left = max(0, rows[0] - margin), max(0, columns[0] - margin)
    return slice(top, rows[-1] + margin + 1), slice(left, columns[-1] + margin + 1)


def _smooth(values: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(values, (WINDOW_PX, WINDOW_PX), SIGMA_PX, borderType=cv2.BORDER_REFLECT_101))
