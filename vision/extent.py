"""How far a person's face reaches on its surface: what has the skin's color, seen over many faces."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.chart import Chart

Extent = NDArray[np.float32]  # (H, W), from 0 (hair, background) to 1 (face); its border runs where it is one half

# Within these shares of the grid's rows and columns lies skin, whatever hair and beard.
_CORE_ROWS, _CORE_COLUMNS = (0.3, 0.8), (0.28, 0.72)
_LEAST_DEVIATION = (8.0, 2.5, 2.5)  # of the skin's color, in CIELAB: light differs over a face
_SKIN_DEVIATIONS = 3.0  # from the skin's color up to which a texel is skin
_MIN_FACES = 6  # that must show a texel; a share of the faces where there are few
_CLOSED_TEXELS = 7  # what is narrower in the skin's map (eyes, brows, lips) is face
_SOFT_TEXELS = 1.0


def find_extent(charts: Sequence[Chart]) -> Extent:
    """The extent of the face that the charts, of one person and surface, show."""
    votes = np.zeros(charts[0].facing.shape)
    n_seen = np.zeros(charts[0].facing.shape)
    core = _find_core(votes.shape)
    for chart in charts:
        votes += _find_skin(chart, core) & chart.is_seen
        n_seen += chart.is_seen
    is_known = n_seen >= min(_MIN_FACES, len(charts) / 2)
    return _round_off(is_known & (2 * votes > n_seen))


def _find_core(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    core = np.zeros(shape, bool)
    rows, columns = (
        slice(round(low * n), round(high * n))
        for n, (low, high) in zip(shape, (_CORE_ROWS, _CORE_COLUMNS), strict=True)
    )
    core[rows, columns] = True
    return core


def _find_skin(chart: Chart, core: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where the color is that of the core's most, in robust deviations: (H, W)."""
    lab = cv2.cvtColor(chart.colors.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    inner = lab[core & chart.is_seen] if (core & chart.is_seen).any() else lab[core]
    middle = np.median(inner, axis=0)
    deviation = np.maximum(1.4826 * np.median(np.abs(inner - middle), axis=0), _LEAST_DEVIATION)
    is_skin: NDArray[np.bool_] = (((lab - middle) / deviation) ** 2).sum(axis=2) <= _SKIN_DEVIATIONS**2
    return is_skin


def _round_off(is_face: NDArray[np.bool_]) -> Extent:
    """The largest piece, closed over eyes and mouth, with a soft border."""
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_CLOSED_TEXELS, _CLOSED_TEXELS))
    closed = cv2.morphologyEx(is_face.astype(np.uint8), cv2.MORPH_CLOSE, brush)
    borders, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(is_face.shape, np.uint8)
    if borders:
        cv2.drawContours(filled, [max(borders, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    extent: Extent = cv2.GaussianBlur(filled.astype(np.float32), (0, 0), _SOFT_TEXELS)
    return extent
