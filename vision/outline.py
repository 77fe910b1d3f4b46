"""Outlines of what lies on a face's surface, as polygons in the picture: the face itself, and what covers it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.alignment import CROP_CM, Points, align_face, invert, transform
from vision.extent import Extent
from vision.surface import Mesh, Placed

_LIMB = 0.1  # facing over which the border fades where the surface turns away
_FINER = 4  # a map of texels is looked at so much finer, between them, where its border is traced
_PX_PER_CM = 18  # of the raster in which pieces are joined
_SMOOTH_PX = 1.0  # of that raster, by which a polygon may leave out points
_MIN_POINTS = 8


def trace_face(extent: Extent, placed: Placed, mesh: Mesh) -> Points:
    """The outline (N, 2) of a face whose texels are placed so, by what of its extent faces the camera; N 0: nothing."""
    facing = np.clip(placed.facing / _LIMB, -1, 1)
    return _join(_trace(np.minimum(2 * extent - 1, facing), placed), mesh)


def trace_region(is_inside: NDArray[np.bool_], placed: Placed) -> list[Points]:
    """The outlines of a region of texels (H, W) where these are placed."""
    return _trace(2 * is_inside.astype(np.float32) - 1, placed)


def _trace(level: NDArray[np.floating], placed: Placed) -> list[Points]:
    """The borders of where a map of texels is above 0, brought into the picture."""
    level = np.where(np.isfinite(placed.texels[..., 0]), level, -1).astype(np.float32)
    wide = cv2.copyMakeBorder(level, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=-1)
    fine = cv2.resize(wide, None, fx=_FINER, fy=_FINER)
    borders, _ = cv2.findContours((fine > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outlines = []
    for border in borders:
        texels = (border[:, 0].astype(np.float32) + 0.5) / _FINER - 1.5
        spots = cv2.remap(placed.texels[..., :2], texels[None, :, 0], texels[None, :, 1], cv2.INTER_LINEAR)[0]
        spots = spots[np.isfinite(spots).all(axis=1)]
        if len(spots) >= _MIN_POINTS:
            outlines.append(spots)
    return outlines


def _join(pieces: list[Points], mesh: Mesh) -> Points:
    """The outer border of all pieces together, the largest where they do not touch."""
    side = round(CROP_CM * _PX_PER_CM)
    to_raster = align_face(mesh[:, :2].astype(np.float32), "mesh", side)
    raster = np.zeros((side, side), np.uint8)
    for piece in pieces:
        cv2.fillPoly(raster, [np.round(transform(to_raster, piece)).astype(np.int32)], 1)
    borders, _ = cv2.findContours(raster, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not borders:
        return np.empty((0, 2), np.float32)
    border = cv2.approxPolyDP(max(borders, key=cv2.contourArea), _SMOOTH_PX, closed=True)
    return transform(invert(to_raster), border[:, 0])
