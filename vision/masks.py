"""Masks of a face from its landmarks: the outline as a polygon, drawn, shrunk and feathered."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.alignment import CENTER_Y_CM, CROP_CM, Matrix, Points, invert, transform
from vision.mesh_regions import REGIONS

# Half axes of the ellipse that stands in for the outline where only five points are known, and its middle, centimetres.
_ELLIPSE_CM = (7.2, 8.8)
_ELLIPSE_Y_CM = -0.6
RIM_RATIO = 0.025  # width of the outline's rim that training leaves out (hair, shade), share of the view's side
_SUBPIXEL_BITS = 4
_FINE = 4  # a mask is drawn on a grid so much finer: OpenCV's own antialiasing makes it half a pixel larger


Regions = dict[str, NDArray[np.float32]]  # ellipses (N, 4) by name: middle x, y, half axes x, y


def face_outline(landmarks: Points, kind: str, frame_to_crop: Matrix, crop_px: int) -> Points:
    """The face's outline as a convex polygon (N, 2) in frame pixels; for `five`, an ellipse of the canonical face.

    Of a mesh it is the hull of all points: on a turned head the nose and the far eye reach beyond the face's oval.
    """
    if kind == "mesh":
        points = landmarks[:, :2].astype(np.float32)
    else:
        points = transform(invert(frame_to_crop), _canonical_ellipse() * crop_px - 0.5)
    hull: Points = cv2.convexHull(points)[:, 0, :]
    return hull


def surround_regions(landmarks: Points, kind: str) -> Regions:
    """Ellipses around eyes, brows and mouth of an upright face, with a rim of a third; none for `five`.

    A closed eye is a line: an ellipse is at least 0.45 times as high as wide.
    """
    if kind != "mesh":
        return {}
    return {name: np.stack([_surround(landmarks[list(ring), :2]) for ring in rings]) for name, rings in REGIONS.items()}


def _surround(points: Points) -> NDArray[np.float32]:
    low, high = points.min(0), points.max(0)
    half = (high - low) / 2
    axes = np.maximum(half * 4 / 3, half.max() * 0.45)
    return np.concatenate([(low + high) / 2, axes]).astype(np.float32)


def outline_ellipse(ellipse: NDArray[np.float32]) -> Points:
    """An ellipse (4,) of `surround_regions` as a polygon (N, 2)."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    outline: Points = (circle * ellipse[2:] + ellipse[:2]).astype(np.float32)
    return outline


def fill_ellipses(ellipses: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels (H, W) whose middles lie in any of the ellipses (N, 4)."""
    filled = np.zeros(size, bool)
    y, x = np.ogrid[: size[0], : size[1]]
    for middle_x, middle_y, axis_x, axis_y in ellipses:
        filled |= ((x - middle_x) / axis_x) ** 2 + ((y - middle_y) / axis_y) ** 2 <= 1
    return filled


def draw_mask(outline: Points, size: tuple[int, int]) -> NDArray[np.float32]:
    """The polygon filled: float32 (H, W), 1 inside, antialiased. `size`: (height, width)."""
    height, width = size
    fine = np.zeros((height * _FINE, width * _FINE), np.uint8)
    fixed = np.round(((outline + 0.5) * _FINE - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(fine, [fixed], 255, cv2.LINE_8, _SUBPIXEL_BITS)
    mask: NDArray[np.uint8] = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    return mask.astype(np.float32) / np.float32(255)


def draw_face(
    outline: Points, covers: Sequence[Points], size: tuple[int, int], grown_px: float = 0
) -> NDArray[np.float32]:
    """The mask of what is seen of a face: its outline without what covers it. `size`: (height, width).

    It grows by `grown_px` past the outline where the face is seen up to it: what covers a rim goes on outside.
    """
    inside = draw_mask(outline, size)
    free = np.ones_like(inside)
    for cover in covers:
        free = np.minimum(free, 1 - draw_mask(cover, size))
    seen = np.minimum(inside, free)
    if grown_px <= 0:
        return seen
    around = np.minimum(1 - inside, free)
    return seen + np.minimum(_grow(seen, grown_px), around)


def draw_inner_face(
    outline: Points, covers: Sequence[Points], size: tuple[int, int], view_px: int
) -> NDArray[np.float32]:
    """What is surely seen of a face: without the outline's rim. `view_px`: side of the model's view in such pixels."""
    return soften_mask(draw_face(outline, covers, size), RIM_RATIO * view_px, 0)


def soften_mask(mask: NDArray[np.float32], erosion_px: float, feather_px: float) -> NDArray[np.float32]:
    """Shrink a mask by `erosion_px` and blur its edge over about `feather_px`; it never grows past where it was.

    The edge's blur is as wide inward as outward; the mask is shrunk by half of it more, and cut to its old support.
    """
    inward = erosion_px + feather_px / 2
    soft = _erode(mask, inward)
    if feather_px > 0:
        soft = cv2.GaussianBlur(soft, (0, 0), max(feather_px / 4, 0.1), borderType=cv2.BORDER_CONSTANT)
    return np.minimum(soft, mask).astype(np.float32)


def _grow(mask: NDArray[np.float32], radius_px: float) -> NDArray[np.float32]:
    """Grow by a radius that need not be whole, as `_erode` shrinks."""
    distance = _measure_depth(mask < 0.5)
    grown: NDArray[np.float32] = np.maximum(mask, np.clip(radius_px + 1 - distance, 0, 1)).astype(np.float32)
    return grown


def _erode(mask: NDArray[np.float32], radius_px: float) -> NDArray[np.float32]:
    """Shrink by a radius that need not be whole: the distance to the outside, clipped to one pixel's ramp."""
    distance = _measure_depth(np.pad(mask >= 0.5, 1))[1:-1, 1:-1]
    return np.clip(distance - radius_px, 0, 1).astype(np.float32) if radius_px > 0 else mask


def _measure_depth(is_in: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How many pixels away the nearest pixel is that is not in: (H, W), 0 outside."""
    with _without_ipp():
        depth = cv2.distanceTransform(is_in.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(depth, np.float32)


@contextmanager
def _without_ipp() -> Iterator[None]:
    """OpenCV's own code for a block: Intel's distances of one and the same mask differ in a last digit at times."""
    was_used = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    try:
        yield
    finally:
        cv2.ipp.setUseIPP(was_used)


def _canonical_ellipse() -> Points:
    """48 points in the unit square of the crop."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x = 0.5 + _ELLIPSE_CM[0] * np.cos(angles) / CROP_CM
    y = 0.5 - (_ELLIPSE_Y_CM - CENTER_Y_CM + _ELLIPSE_CM[1] * np.sin(angles)) / CROP_CM
    return np.stack([x, y], axis=1).astype(np.float32)
