"""Color in CIE Lab: how it is spread over faces, and moving a picture from one spread to another."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.crops import Picture

Spread = NDArray[np.float32]  # (2, 3): mean and deviation of L, a, b


def to_lab(picture: Picture) -> NDArray[np.float32]:
    """RGB uint8 (H, W, 3) -> Lab float32: L in 0..100."""
    lab: NDArray[np.float32] = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return lab


def to_rgb(lab: NDArray[np.float32]) -> Picture:
    """Lab float32 (H, W, 3) -> RGB uint8, clipped."""
    rgb: NDArray[np.float32] = cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB)
    return np.round(rgb.clip(0, 1) * 255).astype(np.uint8)


def measure_spread(picture: Picture, mask: NDArray[np.float32]) -> Spread:
    """Mean and deviation of a picture's Lab inside a mask (H, W): (2, 3)."""
    lab = to_lab(picture)
    weights = mask[..., None] / max(float(mask.sum()), 1e-6)
    mean = (lab * weights).sum((0, 1))
    return np.stack([mean, np.sqrt(((lab - mean) ** 2 * weights).sum((0, 1)))]).astype(np.float32)


def move_color(picture: Picture, spread: Spread, wanted: Spread) -> Picture:
    """Move a picture from one spread to another (Reinhard et al. 2001).

    The deviation's ratio is kept within 0.6 to 1.7, so that a flat picture is not blown up.
    """
    ratio = np.clip(wanted[1] / np.maximum(spread[1], 1e-6), 0.6, 1.7)
    return to_rgb((to_lab(picture) - spread[0]) * ratio + wanted[0])
