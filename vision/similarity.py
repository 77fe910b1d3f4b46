"""The similarity transform between two sets of points."""

import numpy as np
from numpy.typing import NDArray


def estimate_similarity(points: NDArray[np.floating], targets: NDArray[np.floating]) -> NDArray[np.float64]:
    """The similarity (2x3) that brings `points` (N, 2) closest to `targets` (N, 2); Umeyama 1991, eq. 40-42."""
    mean, target_mean = points.mean(0), targets.mean(0)
    centered = points - mean
    covariance = (targets - target_mean).T @ centered / len(points)
    u, singular, vt = np.linalg.svd(covariance)
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    scale = (singular * signs).sum() / centered.var(0).sum()
    linear = scale * u @ np.diag(signs) @ vt
    return np.column_stack([linear, target_mean - linear @ mean]).astype(np.float64)
