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
_CLOSED_TEXELS = 3  # what is narrower in the skin's map, at its border (the end of a brow), is face
_OPENED_TEXELS = 9  # what is narrower of the face (a lit strand of hair beside the forehead) is none
_BEYOND_TEXELS = 5  # the face goes on over the surface's border, so that it does not soften there
_SOFT_TEXELS = 1.0


def find_extent(charts: Sequence[Chart]) -> Extent:
    """The extent of the face that the charts, of one person and surface, show."""
    core = _find_core(charts[0].facing.shape)
    telling = [chart for chart in charts if (core & chart.is_seen).any()]
    votes, n_seen = np.zeros(core.shape), np.zeros(core.shape)
    for chart in telling:
        votes += _find_skin(chart, core & chart.is_seen) & chart.is_seen
        n_seen += chart.is_seen
    is_known = n_seen >= min(_MIN_FACES, len(telling) / 2)
    is_there = np.any([chart.facing > -1 for chart in charts], axis=0)
    return _round_off(is_known & (2 * votes > n_seen), is_there)


def _find_core(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    core = np.zeros(shape, bool)
    rows, columns = (
        slice(round(low * n), round(high * n))
        for n, (low, high) in zip(shape, (_CORE_ROWS, _CORE_COLUMNS), strict=True)
    )
    core[rows, columns] = True
    return core


def _find_skin(chart: Chart, inner: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where the color is that of most inside, as it changes across the face: (H, W).

    A light from the side leaves the far cheek darker and of another hue: a first skin, near to one color, tells how.
    """
    lab = cv2.cvtColor(chart.colors.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    first = _is_near(lab - np.median(lab[inner], axis=0), inner)
    if not (first & inner).any():
        return first
    return _is_near(lab - _fit_across(lab, first & chart.is_seen), first & inner)


def _is_near(rest: NDArray[np.float32], inner: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a color's rest is small, in robust deviations of those inside."""
    deviation = np.maximum(1.4826 * np.median(np.abs(rest[inner]), axis=0), _LEAST_DEVIATION)
    is_near: NDArray[np.bool_] = ((rest / deviation) ** 2).sum(axis=2) <= _SKIN_DEVIATIONS**2
    return is_near


def _fit_across(lab: NDArray[np.float32], is_skin: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The skin's color in each column (1, W, 3): a line through the skin's texels."""
    columns = np.arange(lab.shape[1])
    slope, start = np.polyfit(np.nonzero(is_skin)[1], lab[is_skin], 1)
    return np.asarray(start + columns[:, None] * slope, np.float32)[None]


def _round_off(is_face: NDArray[np.bool_], is_there: NDArray[np.bool_]) -> Extent:
    """The largest piece, with eyes and mouth, without what is narrow, with a soft border but for the surface's own."""
    closed = _morph(is_face, cv2.MORPH_CLOSE, _CLOSED_TEXELS)
    borders, _ = cv2.findContours(closed.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(is_face.shape, np.uint8)
    if borders:
        cv2.drawContours(filled, [max(borders, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    whole = filled > 0
    opened = whole & _morph(whole | ~is_there, cv2.MORPH_OPEN, _OPENED_TEXELS)
    carried_on = opened | (~is_there & _morph(opened, cv2.MORPH_DILATE, _BEYOND_TEXELS))
    extent: Extent = cv2.GaussianBlur(carried_on.astype(np.float32), (0, 0), _SOFT_TEXELS)
    return extent


def _morph(bits: NDArray[np.bool_], operation: int, texels: int) -> NDArray[np.bool_]:
    """The grid opened, closed or dilated by a disk; beyond its edges it goes on as it ends there."""
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (texels, texels))
    morphed = cv2.morphologyEx(np.pad(bits.astype(np.uint8), texels, mode="edge"), operation, disk)
    return np.asarray(morphed[texels:-texels, texels:-texels] > 0)
