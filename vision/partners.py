"""Which faces of the target do what a face of the source does: nearly the pairs that a swap is made of.

Expressions are (N, 9), NaN where unknown (vision/expression.py).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from vision.expression import EXPRESSION, Expressions, Habit, is_known

_MOST = 8  # partners of a face
_WEIGHTS = np.array([1.5 if name in ("yaw", "pitch", "mouth_open") else 1.0 for name in EXPRESSION], np.float32)
_LIKE = 0.6  # root mean square distance in a measure, in the source's deviations, up to which faces do the same


@dataclass(frozen=True)
class Partners:
    """For each face of the source the nearest of the target, rows (N, 8), and whether they do the same, (N,)."""

    rows: NDArray[np.int64]
    are_like: NDArray[np.bool_]


def find_partners(source: Expressions, target: Expressions) -> Partners:
    """The target's faces whose expressions, as the source would show them, are nearest to each of the source's."""
    is_source, is_target = is_known(source), is_known(target)
    rows, are_like = np.zeros((len(source), _MOST), np.int64), np.zeros(len(source), bool)
    if not (is_source.any() and is_target.any()):
        return Partners(rows, are_like)
    adopted = Habit.of(source).adopt(target, Habit.of(target))
    scale = _WEIGHTS / np.maximum(source[is_source].std(0), 1e-3)
    ranks = np.minimum(np.arange(1, _MOST + 1), is_target.sum())  # where there are fewer, the last of them again
    distances, nearest = KDTree(adopted[is_target] * scale).query(source[is_source] * scale, ranks)
    rows[is_source] = np.flatnonzero(is_target)[nearest]
    are_like[is_source] = np.sqrt((distances**2).mean(1) / len(EXPRESSION)) < _LIKE
    return Partners(rows, are_like)
