"""How a face looks: a vector by which people are told apart, from classical measurements alone.

Light and color at a coarse grid tell hair, brows and skin; local binary patterns (Ojala, Pietikäinen, Mäenpää 2002; as
Ahonen, Hadid, Pietikäinen 2006 use them on faces) tell the texture between. `benchmarks/likeness.py` compares them with
what else needs no download.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.color import to_lab
from vision.crops import Picture
from vision.view import VIEW_PX

# Measured on tracks of 18 people in eight clips and three stills: one person from 0.78 up, two people up to 0.64, the
# performers 0.72. Small, hidden and cut faces and profiles of one come to 0.33 to 0.64 only: those are named by hand.
MIN_LIKENESS = 0.75

_GRID, _COLOR_GRID, _COLOR_SHARE = 24, 6, 0.5
_CELLS, _RADIUS_PX, _N_NEIGHBORS = 8, 3.0, 8
_HEAD = (0.42, 0.5)  # half axes of the ellipse whose texture counts, shares of the view

Look = NDArray[np.float32]
NO_LOOK: Look = np.zeros(4424, np.float32)  # like nobody's


def describe_face(view: Picture) -> Look:
    """A unit vector (4424,) of a face's look from its view (`vision.view`; RGB, VIEW_PX square)."""
    coarse = np.concatenate([_unit(_measure_light(view)), _COLOR_SHARE * _unit(_measure_color(view))])
    return _unit(np.concatenate([_unit(coarse), _unit(_measure_texture(view))]))


def likeness(first: Look, second: Look) -> float:
    """Cosine of two looks (or sums of them): 1 for the same, around 0.36 for strangers."""
    return float(_unit(first) @ _unit(second))


def compare_looks(looks: list[Look]) -> NDArray[np.float32]:
    """The likeness of each to each: (N, N)."""
    units = np.stack([_unit(look) for look in looks])
    return units @ units.T


def _measure_light(view: Picture) -> NDArray[np.float32]:
    """Local contrast of the luma."""
    light = to_lab(cv2.resize(view, (_GRID, _GRID), interpolation=cv2.INTER_AREA))[..., 0]
    contrast: NDArray[np.float32] = light - cv2.GaussianBlur(light, (0, 0), _GRID / 6)
    return contrast.ravel()


def _measure_color(view: Picture) -> NDArray[np.float32]:
    """Each part's color beside the mean of all, so that the light's own color does not count."""
    color = to_lab(cv2.resize(view, (_COLOR_GRID, _COLOR_GRID), interpolation=cv2.INTER_AREA))[..., 1:]
    beside_mean: NDArray[np.float32] = color - color.mean((0, 1))
    return beside_mean.ravel()


def _measure_texture(view: Picture) -> NDArray[np.float32]:
    """Root of each cell's histogram of uniform patterns, beside the even one's, weighed by the head's ellipse."""
    patterns = _UNIFORM[_find_patterns(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY).astype(np.float32))]
    n_kinds = int(_UNIFORM.max()) + 1
    counts = np.bincount((_CELL_OF * n_kinds + patterns).ravel(), minlength=_CELLS**2 * n_kinds)
    histograms = np.sqrt(counts.reshape(-1, n_kinds) * (_CELLS / VIEW_PX) ** 2)
    beside_even: NDArray[np.float32] = ((histograms - n_kinds**-0.5) * _CELL_WEIGHT).astype(np.float32)
    return beside_even.ravel()


def _find_patterns(luma: NDArray[np.float32]) -> NDArray[np.uint8]:
    """For each pixel, a bit for each neighbor on a circle around it: whether that is as light or lighter."""
    patterns = np.zeros(luma.shape, np.uint8)
    for bit in range(_N_NEIGHBORS):
        angle = 2 * np.pi * bit / _N_NEIGHBORS
        shift = np.array([[1, 0, _RADIUS_PX * np.cos(angle)], [0, 1, _RADIUS_PX * np.sin(angle)]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        neighbor = cv2.warpAffine(luma, shift, luma.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
        patterns |= (neighbor >= luma).astype(np.uint8) << np.uint8(bit)
    return patterns


def _number_uniform() -> NDArray[np.int64]:
    """The kind of each pattern (256,): its own where its circle changes at most twice, else one for all others."""
    turned = [pattern ^ (pattern >> 1 | (pattern & 1) << 7) for pattern in range(2**_N_NEIGHBORS)]
    is_uniform = np.array([changes.bit_count() <= 2 for changes in turned])
    return np.where(is_uniform, np.cumsum(is_uniform) - 1, is_uniform.sum())


def _weigh_cells() -> NDArray[np.float64]:
    """The share of each cell that lies in the head's ellipse, roughly: (CELLS * CELLS, 1)."""
    middle = (np.arange(_CELLS) + 0.5) / _CELLS - 0.5
    radius = np.hypot(middle[None] / _HEAD[0], middle[:, None] / _HEAD[1])
    return np.clip((1 - radius) * _CELLS + 0.5, 0, 1).reshape(-1, 1)


def _unit(vector: NDArray[np.float32]) -> Look:
    return (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32)


_UNIFORM = _number_uniform()
_CELL_WEIGHT = _weigh_cells()
_CELL_OF = np.add.outer(np.arange(VIEW_PX) * _CELLS // VIEW_PX * _CELLS, np.arange(VIEW_PX) * _CELLS // VIEW_PX)
