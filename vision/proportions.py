"""A person's own proportions: what brings their eyes to the canonical place, the same for all of their faces.

The alignment fits a whole face to the canonical one, so that a long face comes out small. Two people whose eyes lie in
the same place keep their sizes relative to each other: adults' eyes differ in distance by a few percent only.
"""

from collections.abc import Iterable

import numpy as np

from vision.alignment import Matrix, Points, align_face, canonical_landmarks, estimate_pose, transform
from vision.mesh_regions import LEFT_EYE, RIGHT_EYE

_FRONTAL_SHARE = 0.5  # of the faces, those turned least, are measured


def fit_proportions(faces: Iterable[tuple[Points, str]], crop_px: int) -> Matrix:
    """The scale and shift (2x3), in pixels of the crop, to be applied after each face's alignment.

    `faces`: landmarks in frame pixels with their kind; where there is none, nothing is changed. Distance and middle of
    the eyes are medians over the half of the faces that are turned least.
    """
    turned, distances, middles = [], [], []
    for landmarks, kind in faces:
        left, right = transform(align_face(landmarks, kind, crop_px), eye_middles(landmarks, kind))
        yaw, pitch, _ = estimate_pose(landmarks, kind)
        turned.append(abs(yaw) + abs(pitch))
        distances.append(np.linalg.norm(right - left))
        middles.append((left + right) / 2)
    if not turned:
        return np.eye(2, 3)
    frontal = np.argsort(turned, kind="stable")[: max(1, round(_FRONTAL_SHARE * len(turned)))]
    wanted_left, wanted_right = canonical_landmarks("five")[:2] * crop_px - 0.5
    scale = np.linalg.norm(wanted_right - wanted_left) / np.median(np.array(distances)[frontal])
    shift = (wanted_left + wanted_right) / 2 - scale * np.median(np.array(middles)[frontal], axis=0)
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float64)


def eye_middles(landmarks: Points, kind: str) -> Points:
    """The middles of both eyes, left first: (2, 2), in the landmarks' pixels."""
    if kind == "five":
        return landmarks[:2, :2]
    corners = [list(eye[:2]) for eye in (LEFT_EYE, RIGHT_EYE)]
    middles: Points = np.stack([landmarks[pair, :2].mean(0) for pair in corners])
    return middles
