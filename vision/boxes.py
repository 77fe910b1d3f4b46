"""Boxes: how far they cover each other. float64 (N, 4): x1, y1, x2, y2 in pixels."""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]


def overlap(first: Boxes, second: Boxes) -> Boxes:
    """Intersection over union of every box of `first` (N, 4) with every box of `second` (M, 4): (N, M)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common: Boxes = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None, :] - common
    ratio: Boxes = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return ratio
