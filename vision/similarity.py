"""The similarity transform between two sets of points."""

import numpy as np
from numpy.typing import NDArray


def estimate_similarity(points: NDArray[np.floating], targets: NDArray[np.floating]) -> NDArray[np.float64]:
    """The similarity (D, D + 1) that brings `points` (N, D) closest to `targets` (N, D); Umeyama 1991, eq. 40-42."""
    mean, target_mean = points.mean(0), targets.mean(0)
    centered = points - mean
    covariance = (targets - target_mean).T @ centered / len(points)
    u, singular, vt = np.linalg.svd(covariance)
    signs = np.ones(len(singular))
    signs[-1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    scale = (singular * signs).sum() / centered.var(0).sum()
    linear = scale * u @ np.diag(signs) @ vt
    return np.column_stack([linear, target_mean - linear @ mean]).astype(np.float64)
