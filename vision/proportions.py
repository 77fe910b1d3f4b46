"""A person's own proportions: what brings their irises to the canonical size, the same for all of their faces.

The alignment fits a whole face to the canonical one, so that a long face comes out small. Of all that a face shows the
irises differ least among adults: 11.7 mm across, with a deviation of 0.4 (Rüfer, Schröder, Erb 2005), and 63 mm apart,
with one of 4 (Dodgson 2004). So two people keep their sizes relative to each other; the geometric mean of both measures
is surer than either. Where only five points are known of all faces, the distance of the eyes stands in for it.
"""

from collections.abc import Iterable

import numpy as np

from vision.alignment import (
    CROP_CM,
    Matrix,
    Points,
    align_face,
    canonical_landmarks,
    estimate_pose,
    scale_of,
    transform,
)
from vision.mesh_regions import LEFT_EYE, RIGHT_EYE, iris_diameter, irises_apart

IRIS_CM, IRISES_APART_CM = 1.17, 6.3
_FRONTAL_SHARE, _FRONTAL_LEAST = 0.1, 12  # of the faces, those turned least, are measured


def fit_proportions(faces: Iterable[tuple[Points, str]], crop_px: int) -> Matrix:
    """The scale and shift (2x3), in pixels of the crop, to be applied after each face's alignment.

    `faces`: landmarks in frame pixels with their kind; where there is none, nothing is changed. Sizes and the middle of
    the eyes are medians over the tenth of the faces (of the meshes if there are any), twelve at least, that are turned
    least.
    """
    known = list(faces)
    meshes = [face for face in known if face[1] == "mesh"]
    turned, scales, middles = [], [], []
    for landmarks, kind in meshes or known:
        to_crop = align_face(landmarks, kind, crop_px)
        yaw, pitch, _ = estimate_pose(landmarks, kind)
        turned.append(abs(yaw) + abs(pitch))
        scales.append(_find_scale(landmarks, kind, to_crop, crop_px))
        middles.append(transform(to_crop, eye_middles(landmarks, kind)).mean(axis=0))
    if not turned:
        return np.eye(2, 3)
    frontal = np.argsort(turned, kind="stable")[: max(_FRONTAL_LEAST, round(_FRONTAL_SHARE * len(turned)))]
    scale = np.median(np.array(scales)[frontal])
    wanted = _find_eyes(crop_px).mean(axis=0)
    shift = wanted - scale * np.median(np.array(middles)[frontal], axis=0)
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float64)


def eye_middles(landmarks: Points, kind: str) -> Points:
    """The middles of both eyes, left first: (2, 2), in the landmarks' pixels."""
    if kind == "five":
        return landmarks[:2, :2]
    corners = [list(eye[:2]) for eye in (LEFT_EYE, RIGHT_EYE)]
    middles: Points = np.stack([landmarks[pair, :2].mean(0) for pair in corners])
    return middles


def _find_scale(landmarks: Points, kind: str, to_crop: Matrix, crop_px: int) -> float:
    """How many times as large as it is in its crop a face should be there."""
    if kind == "mesh":
        size_px = np.sqrt(iris_diameter(landmarks) * irises_apart(landmarks))
        return float(np.sqrt(IRIS_CM * IRISES_APART_CM) / CROP_CM * crop_px / (scale_of(to_crop) * size_px))
    (left, right), (wanted_left, wanted_right) = transform(to_crop, landmarks[:2, :2]), _find_eyes(crop_px)
    return float(np.linalg.norm(wanted_right - wanted_left) / np.linalg.norm(right - left))


def _find_eyes(crop_px: int) -> Points:
    """Where the middles of the eyes belong in a crop: (2, 2)."""
    eyes: Points = (canonical_landmarks("five")[:2] * crop_px - 0.5).astype(np.float32)
    return eyes
