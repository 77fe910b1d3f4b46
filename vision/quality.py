"""Why training should not use a face of a face set: cut off, covered, ill fitting, blurred, or there already."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.alignment import Matrix, Points, transform
from vision.crops import Picture
from vision.masks import draw_mask
from vision.person_face import FaceShape

REMEMBERED = 500  # faces with which one is compared
_SMALL_PX = 16

Small = NDArray[np.float32]


@dataclass(frozen=True)
class Limits:
    """What a face may be at most; `min_sharpness_ratio` at least, of the median of the person's."""

    max_cut_ratio: float
    max_covered_ratio: float
    max_misfit_cm: float
    min_sharpness_ratio: float


def find_flaw(shape: FaceShape, cut_ratio: float, limits: Limits) -> str:
    """The first reason against a face, in words; empty: there is none. What is not known (NaN) is none."""
    if cut_ratio > limits.max_cut_ratio:
        return f"cut off by the border ({100 * cut_ratio:.0f} %)"
    if shape.misfit_cm > limits.max_misfit_cm:
        return f"landmarks fit badly ({shape.misfit_cm:.1f} cm)"
    if shape.covered_ratio > limits.max_covered_ratio:
        return f"covered ({100 * shape.covered_ratio:.0f} %)"
    if shape.sharpness_ratio < limits.min_sharpness_ratio:
        return f"blurred ({100 * shape.sharpness_ratio:.0f} % of the usual sharpness)"
    return ""


def measure_cut(outline: Points, frame_to_crop: Matrix, crop_px: int, size: tuple[int, int]) -> float:
    """The share of a face that lies outside of the picture. `outline`: (N, 2), frame pixels; `size`: the frame's."""
    height, width = size
    if (outline >= -0.5).all() and (outline <= np.array([width, height]) - 0.5).all():
        return 0.0
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5
    face = draw_mask(transform(frame_to_crop, outline), (crop_px, crop_px))
    inside = np.minimum(face, draw_mask(transform(frame_to_crop, corners), (crop_px, crop_px)))
    return float(1 - inside.sum() / max(float(face.sum()), 1.0))


def shrink_face(crop: Picture) -> Small:
    """The middle of a crop, where the face is, as a small picture of its gray levels."""
    side = len(crop)
    middle = cv2.cvtColor(crop[side // 4 : -side // 4, side // 4 : -side // 4], cv2.COLOR_RGB2GRAY)
    small: Small = cv2.resize(middle.astype(np.float32), (_SMALL_PX, _SMALL_PX), interpolation=cv2.INTER_AREA)
    return small


class Duplicates:
    """Remembers the last faces taken; shown in order, it tells which are much like one of them."""

    def __init__(self, min_levels: float) -> None:
        self._min_levels = min_levels
        self._taken = np.empty((REMEMBERED, _SMALL_PX, _SMALL_PX), np.float32)
        self._n_taken = 0

    def find_duplicate(self, small: Small) -> str:
        """The reason against a face; empty: it is taken."""
        if self._n_taken:
            difference = float(np.abs(self._taken[: self._n_taken] - small).mean(axis=(1, 2)).min())
            if difference < self._min_levels:
                return f"duplicate (differs by {difference:.2f} grey levels)"
        self._taken[self._n_taken % REMEMBERED] = small
        self._n_taken += 1
        return ""
