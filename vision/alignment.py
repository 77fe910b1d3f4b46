"""Alignment: where a face lies, as the similarity transform from frame to crop, and how the head is turned.

A crop is a head-wide square of 28 cm on a face of MediaPipe's canonical size; `vision.proportions` then scales each
person's by size and distance of their irises. The model's *view* is the square in its middle whose side is
`coverage_ratio` times the crop's.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from vision.mesh_regions import LEFT_EYE, RIGHT_EYE, STABLE_POINTS
from vision.similarity import estimate_similarity

CROP_CM = 28.0
CENTER_Y_CM = -0.6  # the middle of the face, an open mouth included

# Eyes, nose, mouth corners, left first: (x, y, z) in centimetres of the same canonical face.
_FIVE_CM = (
    (-3.151, 2.624, 3.9),
    (3.151, 2.624, 3.9),
    (0.0, -1.127, 7.476),
    (-2.456, -4.343, 4.284),
    (2.456, -4.343, 4.284),
)

_PROFILE_SHARE = 0.01  # weight of the face's own vertical in its roll, beside the eyes' line, which a profile lacks

_STABLE = np.array(list(STABLE_POINTS))
_EYES = [list(STABLE_POINTS).index(point) for eye in (LEFT_EYE, RIGHT_EYE) for point in eye[:2]]  # their corners

Points = NDArray[np.float32]
Matrix = NDArray[np.float64]


def canonical_landmarks(kind: str) -> NDArray[np.float64]:
    """Where the points used for alignment lie in a perfect crop: (N, 2) in the unit square. `kind`: mesh or five."""
    x, y, _ = _canonical_cm(kind).T
    return np.stack([0.5 + x / CROP_CM, 0.5 - (y - CENTER_Y_CM) / CROP_CM], axis=1)


def align_face(landmarks: Points, kind: str, crop_px: int) -> Matrix:
    """`frame_to_crop` (2x3) of a face from its landmarks in frame pixels: mesh (478, 2 or more) or five (5, 2)."""
    points, targets = _stable(landmarks, kind), canonical_landmarks(kind) * crop_px - 0.5
    if kind == "five":
        return estimate_similarity(points, targets)
    return _align_upright(points, targets[_EYES].mean(0), crop_px / CROP_CM)


def align_view(landmarks: Points, kind: str, size_px: int, coverage_ratio: float) -> Matrix:
    """`frame_to_view` (2x3) of a face: its alignment, then the view of `size_px` in the crop's middle."""
    return compose(view_matrix(size_px, coverage_ratio, size_px), align_face(landmarks, kind, size_px))


def estimate_pose(landmarks: Points, kind: str) -> tuple[float, float, float]:
    """Yaw, pitch, roll in degrees: scaled orthographic fit of the canonical face (DeMenthon and Davis 1995, POS)."""
    rotation = _find_rotation(_stable(landmarks, kind), kind)
    nose = rotation @ (0, 0, -1)
    yaw = np.arctan2(nose[0], -nose[2])
    pitch = np.arctan2(-nose[1], np.hypot(nose[0], nose[2]))
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(_find_roll(rotation)))


def view_matrix(crop_px: int, coverage_ratio: float, size_px: int) -> Matrix:
    """`crop_to_view` (2x3): from pixels of the crop to those of the model's view of `size_px`."""
    scale = size_px / (coverage_ratio * crop_px)
    shift = (scale - 1) * 0.5 + (1 - 1 / coverage_ratio) * 0.5 * size_px
    return np.array([[scale, 0, shift], [0, scale, shift]], np.float64)


def invert(matrix: Matrix) -> Matrix:
    """The inverse of a 2x3 matrix."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def compose(second: Matrix, first: Matrix) -> Matrix:
    """The 2x3 matrix that applies `first`, then `second`."""
    return np.column_stack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]])


def transform(matrix: Matrix, points: NDArray[np.floating]) -> Points:
    """Points (N, 2) through a 2x3 matrix."""
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def scale_of(matrix: Matrix) -> float:
    """Length of a unit step after a similarity transform."""
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def _align_upright(points: NDArray[np.float64], eyes: NDArray[np.float64], cm_px: float) -> Matrix:
    """The alignment that undoes the roll, makes a mesh as high as its pose asks for, and puts its eyes at `eyes` (2,).

    A head that turns becomes narrow and not low, and how low a nod makes it is known of the canonical face: by all
    distances a head came out the larger the further it turned, and a wide face more than a narrow one (9 % between the
    performers at 35 degrees).
    """
    rotation = _find_rotation(points, "mesh")
    roll = _find_roll(rotation)
    upright = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    heights = _model("mesh") @ (upright[1] @ rotation[:2]) * cm_px
    linear = upright * (heights @ heights) / (points @ upright[1] @ heights)
    return np.column_stack([linear, eyes - linear @ points[_EYES].mean(0)])


def _find_rotation(points: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """The rotation (3x3) from the canonical face to the picture: x to the right, y down, z away."""
    affine = _to_affine(kind) @ (points - points.mean(0))
    first, second = affine.T / np.linalg.norm(affine.T, axis=1, keepdims=True)
    u, _, vt = np.linalg.svd(np.stack([first, second, np.cross(first, second)]))
    rotation: NDArray[np.float64] = u @ vt
    return rotation


def _find_roll(rotation: NDArray[np.float64]) -> float:
    """In radians: how the line of the eyes lies in the picture, and of a profile, which has none, how upright it is.

    So the nod of a profile is a roll; at 60 degrees of yaw a thirtieth of it is, at 75 an eighth.
    """
    (across_x, down_x), (across_y, down_y) = rotation[:2, :2]
    facing = max(rotation[2, 2], 0.0)
    return float(np.arctan2(facing * across_y - _PROFILE_SHARE * down_x, facing * across_x + _PROFILE_SHARE * down_y))


@cache
def _canonical_cm(kind: str) -> NDArray[np.float64]:
    return np.array(list(STABLE_POINTS.values()) if kind == "mesh" else _FIVE_CM, np.float64)


@cache
def _model(kind: str) -> NDArray[np.float64]:
    """The canonical points about their middle, as in pictures: (N, 3) in centimetres, y down and z away."""
    points = _canonical_cm(kind) * (1, -1, -1)
    centered: NDArray[np.float64] = points - points.mean(0)
    return centered


@cache
def _to_affine(kind: str) -> NDArray[np.float64]:
    """(3, N): brings centered points to the affine map that takes the canonical face closest to them."""
    to_affine: NDArray[np.float64] = np.linalg.pinv(_model(kind)).astype(np.float64)
    return to_affine


def _stable(landmarks: Points, kind: str) -> NDArray[np.float64]:
    chosen = landmarks[_STABLE] if kind == "mesh" else landmarks
    return chosen[:, :2].astype(np.float64)
