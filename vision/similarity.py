"""The similarity transform between two sets of points."""

import numpy as np
from numpy.typing import NDArray


def estimate_similarity(points: NDArray[np.floating], targets: NDArray[np.floating]) -> NDArray[np.float64]:
    """The similarity (D, D + 1) that brings `points` (N, D) closest to `targets` (N, D); Umeyama 1991, eq. 40-42."""
    mean, target_mean = points.mean(0), targets.mean(0)
    centered = points - mean
    covariance = (targets - target_mean).T @ centered / len(points)
    variance = float((centered**2).sum()) / len(points)
    linear = _fit_plane(covariance, variance) if len(mean) == 2 else _fit_space(covariance, variance)
    return np.column_stack([linear, target_mean - linear @ mean]).astype(np.float64)


def _fit_plane(covariance: NDArray[np.floating], variance: float) -> NDArray[np.floating]:
    """Of two dimensions the decomposition is known: a rotation is two numbers."""
    along, across = covariance[0, 0] + covariance[1, 1], covariance[1, 0] - covariance[0, 1]
    return np.array([[along, -across], [across, along]]) / variance


def _fit_space(covariance: NDArray[np.floating], variance: float) -> NDArray[np.floating]:
    u, singular, vt = np.linalg.svd(covariance)
    signs = np.ones(len(singular))
    signs[-1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    linear: NDArray[np.floating] = (singular * signs).sum() / variance * u @ np.diag(signs) @ vt
    return linear
