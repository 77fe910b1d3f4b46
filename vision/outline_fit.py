"""A face's outline moved to where the picture shows its border; the mesh and what was learnt know it only nearly.

Along each point's normal the skin's color ends somewhere (the search along profiles of active shape models, Cootes et
al. 1995): there the outline goes, in two steps, wide and then narrow, and smoothly. Where nothing ends (chin and neck
in one light, a hand in front), it stays and follows its neighbors.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from vision.alignment import Matrix, Points, compose, invert, transform, view_matrix
from vision.color import to_lab
from vision.crops import Picture

_LEAST_PX = 24.0  # side of a face in its frame (the root of its area) below which its border cannot be told
_FINE_PX = 100.0  # side of a face in its crop from twice which on it is looked at in a smaller picture
_N_POINTS = 160
# How far the outline may move in a step, about, as a share of the face's side; over how many points that is smoothed.
_STEPS = ((0.06, 5.0), (0.03, 2.5))
_APART = 0.006  # share of the face's side between two places that are looked at along a normal; half a pixel at least
_ACROSS = 2  # places from where a border may be to what counts as inside and outside of it
_SKIN_FROM, _SKIN_TO = 3.0, 1.3  # how far inside the skin's color is read, in units of the step's reach
_SKIN_POINTS = 5.0  # points over which the skin's color is smoothed
_DEVIATION = 16.0  # of the skin's color, in CIELAB
_LIGHTNESS = 0.7  # weight of the lightness's difference, that of a and b being 1
_STAY = 0.15  # how surely the outline stays where the picture says nothing, a clear border being 1

Floats = NDArray[np.float32]


def fit_outline(crop: Picture, frame_to_crop: Matrix, outline: Points) -> Points:
    """The outline (N, 2) of a face in frame pixels, moved to its border in its crop: (160, 2).

    As given where it is too small. Beyond the picture nothing moves it.
    """
    if len(outline) < 3 or _measure_side(outline) < _LEAST_PX:
        return outline
    factor = max(1, int(_measure_side(transform(frame_to_crop, outline)) / _FINE_PX))
    side_px = len(crop) // factor
    to_region = compose(view_matrix(len(crop), 1, side_px), frame_to_crop)
    points = _space_evenly(transform(to_region, outline))
    side = _measure_side(points)
    region = cv2.resize(crop, (side_px, side_px), interpolation=cv2.INTER_AREA)
    region = cv2.GaussianBlur(region, (0, 0), 0.3 + _APART * side)
    for reach, smoothness in _STEPS:
        points = _move(points, region, reach * side, max(_APART * side, 0.5), smoothness)
    return transform(invert(to_region), points)


def _measure_side(outline: Points) -> float:
    return float(np.sqrt(cv2.contourArea(outline)))


def _space_evenly(outline: Points) -> Points:
    """The polygon's border by points in even distances: (160, 2)."""
    closed = np.concatenate([outline, outline[:1]])
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    wanted = np.linspace(0, lengths[-1], _N_POINTS, endpoint=False)
    return np.stack([np.interp(wanted, lengths, closed[:, axis]) for axis in (0, 1)], axis=1).astype(np.float32)


def _move(points: Points, region: Picture, reach: float, apart: float, smoothness: float) -> Points:
    """The points moved along their normals, by about `reach` at most; pixels of the region."""
    normals = _find_normals(points)
    n_out = round(reach / apart)
    tried = np.arange(-n_out, n_out + 1, dtype=np.float32) * apart
    likeness = _read_likeness(points, normals, region, reach, apart)
    inside, outside = likeness[:, : -2 * _ACROSS], likeness[:, 2 * _ACROSS :]
    weights = np.clip(inside - outside, 0, 1) * inside * np.exp(-0.5 * (tried / reach) ** 2)
    sureness, mean = weights.max(axis=1), (weights * tried).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-6)
    told, sure = (gaussian_filter1d(x, smoothness, mode="wrap") for x in (sureness * mean, sureness))
    moved: Points = points + normals * (told / (sure + _STAY))[:, None]
    return moved


def _read_likeness(points: Points, normals: Points, region: Picture, reach: float, apart: float) -> Floats:
    """How like the skin further inside the picture is along each normal: (N, places), reach and _ACROSS each way."""
    n_out, n_deep = round(reach / apart), round(_SKIN_FROM * reach / apart)
    colors = _sample(region, points, normals, np.arange(-n_deep, n_out + _ACROSS + 1, dtype=np.float32) * apart)
    skin = np.median(colors[:, : n_deep - round(_SKIN_TO * reach / apart) : 2], axis=1)
    smooth_skin = gaussian_filter1d(skin, _SKIN_POINTS, axis=0, mode="wrap")[:, None]
    return _compare(colors[:, n_deep - n_out - _ACROSS :], smooth_skin)


def _find_normals(points: Points) -> Points:
    """The directions (N, 2) out of the polygon, each by those around it."""
    smooth = gaussian_filter1d(points, 3.0, axis=0, mode="wrap")
    along = np.roll(smooth, -1, axis=0) - np.roll(smooth, 1, axis=0)
    normals = np.stack([along[:, 1], -along[:, 0]], axis=1) * (1 if cv2.contourArea(points, oriented=True) > 0 else -1)
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6), np.float32)


def _sample(region: Picture, points: Points, normals: Points, places: Floats) -> Floats:
    """The colors (N, places, 3) along each point's normal, in CIELAB."""
    spots = points[:, None] + normals[:, None] * places[None, :, None]
    return to_lab(cv2.remap(region, spots[..., 0], spots[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _compare(colors: Floats, skin: Floats) -> Floats:
    """How near colors (N, places, 3) are to the skin's (N, 1, 3): from 0 to 1."""
    rest = (colors - skin) * np.array([_LIGHTNESS, 1, 1], np.float32)
    return np.asarray(np.exp(-(rest**2).sum(axis=2) / (2 * _DEVIATION**2)), np.float32)
