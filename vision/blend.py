"""Putting a face into a picture: color transfer, detail, and the paste into the picture's own planes."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.alignment import Matrix, Points, compose, invert, scale_of, transform
from vision.color import measure_spread, move_color
from vision.crops import Picture, warp_picture
from vision.masks import draw_face, draw_mask, soften_mask
from vision.planes import Layout, Planes, align_box, paste_rgb, region_to_rgb

VIEW_RIM = 0.02  # share of the view's side next to its border that is never pasted
# How far past its own mask a picture is pasted, share of its side: masks are learnt without a rim
# (RIM_RATIO), over which the skin goes on. As far as the outline grows it goes on as well.
BEYOND = 0.03


@dataclass(frozen=True)
class Face:
    """A face to put into a picture: RGB uint8 (S, S, 3), where it lies, the outline (N, 2) to fill in frame pixels.

    `covers` are outlines of what stays in front of it; `own_mask`, uint8 (S, S), is how far the picture itself is a
    face, None where nothing is known of it.
    """

    picture: Picture
    frame_to_view: Matrix
    outline: Points
    covers: tuple[Points, ...] = ()
    own_mask: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Blending:
    """How a face is put in: the mask's shrink and its edge's blur in frame pixels, color transfer, detail in [0, 1].

    A shrink below 0 lets the outline grow, where nothing covers the face's rim.
    """

    erosion_px: float
    feather_px: float
    has_color_transfer: bool
    detail: float

    @property
    def grown_px(self) -> float:
        """How far the outline grows."""
        return max(-self.erosion_px, 0.0)


def paste_face(planes: Planes, layout: Layout, face: Face, blending: Blending) -> Planes:
    """New planes with the face blended in; outside its softened (grown) outline every sample keeps its value."""
    height, width = planes[0].shape
    low, high = face.outline.min(0) - blending.grown_px, face.outline.max(0) + 1 + blending.grown_px
    box = align_box((*low, *high), layout, (height, width))
    size = (box[3] - box[1], box[2] - box[0])
    if min(size) <= 0:  # the outline lies outside the picture
        return planes
    to_region = compose(np.array([[1, 0, -box[0]], [0, 1, -box[1]]], np.float64), invert(face.frame_to_view))
    mask = _make_mask(face, to_region, box, size, blending)
    reference = region_to_rgb(planes, layout, box)
    picture = warp_picture(face.picture, to_region, size)
    if blending.has_color_transfer:
        picture = transfer_color(picture, reference, mask)
    picture = match_detail(picture, reference, mask, scale_of(to_region), blending.detail)
    return paste_rgb(planes, layout, box, picture, mask)


def match_detail(
    picture: Picture, reference: Picture, mask: NDArray[np.float32], scale: float, strength: float
) -> Picture:
    """Raise the fine detail of an enlarged picture towards the amount that `reference` has inside the mask.

    Detail is what a Gaussian of the enlarged pixel's size (`scale`) takes away; it is multiplied by at most 3, never
    lowered. `strength`: 0 leaves the picture as it is, 1 reaches the reference's amount.
    """
    if strength == 0:
        return picture
    sigma = max(scale, 0.7)
    smooth = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), sigma)
    detail = picture - smooth
    wanted = reference - cv2.GaussianBlur(reference.astype(np.float32), (0, 0), sigma)
    have, want = (float(((d**2).mean(2) * mask).sum()) for d in (detail, wanted))
    gain = 1 + strength * (np.clip(np.sqrt(want / max(have, 1e-6)), 1, 3) - 1)
    sharper: Picture = np.round(np.clip(smooth + gain * detail, 0, 255)).astype(np.uint8)
    return sharper


def transfer_color(picture: Picture, reference: Picture, mask: NDArray[np.float32]) -> Picture:
    """Give `picture` the mean and deviation of color that `reference` has inside the mask; all (H, W)."""
    return move_color(picture, measure_spread(picture, mask), measure_spread(reference, mask))


def _make_mask(
    face: Face,
    to_region: Matrix,
    box: tuple[int, int, int, int],
    size: tuple[int, int],
    blending: Blending,
) -> NDArray[np.float32]:
    """The outline's soft mask in the region, cut to where the view has a picture, and to the picture's own mask."""
    corner = np.array(box[:2], np.float32)
    covers = [cover - corner for cover in face.covers]
    inside = draw_face(face.outline - corner, covers, size, blending.grown_px)
    side = len(face.picture)
    rim = side * VIEW_RIM
    corners = np.array([[rim, rim], [side - rim, rim], [side - rim, side - rim], [rim, side - rim]]) - 0.5
    mask = np.minimum(inside, draw_mask(transform(to_region, corners), size))
    if face.own_mask is not None:
        wider = _widen(face.own_mask, BEYOND * side + blending.grown_px / scale_of(to_region))
        own_mask = warp_picture(wider, to_region, size)
        mask = np.minimum(mask, own_mask.astype(np.float32) / 255)
    return soften_mask(mask, max(blending.erosion_px, 0.0), blending.feather_px)


def _widen(own_mask: NDArray[np.uint8], radius_px: float) -> NDArray[np.uint8]:
    """A picture's own mask (S, S) grown by a radius in its pixels."""
    width = 2 * round(radius_px) + 1
    return np.asarray(cv2.dilate(own_mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))), np.uint8)
