"""What the 478 points of the face mesh are: eyes, lips, and the points that expression moves least.

Indices are those of MediaPipe's face mesh (Apache-2.0); left is as seen in the picture.
"""

import numpy as np
from numpy.typing import NDArray

from vision.similarity import estimate_similarity

# (outer corner, inner corner, three points of the upper lid, the three of the lower lid below them)
LEFT_EYE = (33, 133, (160, 159, 158), (144, 145, 153))
RIGHT_EYE = (263, 362, (387, 386, 385), (373, 374, 380))
LEFT_IRIS, RIGHT_IRIS = 468, 473  # their middles
_ACROSS_IRISES = ((469, 470, 474, 475), (471, 472, 476, 477))  # ends of their diameters
# Rings around what expression shows in: each eye and brow, left first, and the lips.
_EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
_BROWS = (
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
)
_MOUTH = ((61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),)
REGIONS = {"eyes": _EYES, "brows": _BROWS, "mouth": _MOUTH}
_INNER_BROWS, _BRIDGE = (55, 107, 285, 336), (168, 6)
MOUTH_CORNERS = (61, 291)
UPPER_INNER_LIP = (82, 13, 312)
LOWER_INNER_LIP = (87, 14, 317)
_CORNERS_DOWN = 0.25  # the share of the gap that the corners of an opening mouth go down, on the demo's performers

# Point -> (x, y, z) in centimetres of MediaPipe's canonical face: x to the right, y up, z to the viewer.
STABLE_POINTS = {
    10: (0.0, 8.262, 4.482),
    151: (0.0, 6.545, 5.027),
    9: (0.0, 4.886, 5.385),
    168: (0.0, 3.271, 5.236),
    6: (0.0, 2.473, 5.789),
    197: (0.0, 1.728, 6.317),
    195: (0.0, 1.059, 6.775),
    5: (0.0, 0.366, 7.243),
    4: (0.0, -0.463, 7.587),
    2: (0.0, -2.089, 6.058),
    98: (-1.406, -1.714, 5.241),
    327: (1.406, -1.714, 5.241),
    33: (-4.446, 2.664, 3.173),
    133: (-1.856, 2.585, 3.758),
    362: (1.856, 2.585, 3.758),
    263: (4.446, 2.664, 3.173),
    127: (-7.743, 2.365, -2.005),
    356: (7.743, 2.365, -2.005),
    234: (-7.664, 0.673, -2.436),
    454: (7.664, 0.673, -2.436),
}
_CANONICAL = np.array(list(STABLE_POINTS.values())) * (1, -1, -1)  # y down and z away, as in pictures


def mouth_open(mesh: NDArray[np.float32]) -> float:
    """Gap of the inner lips over the mouth's width. `mesh`: (478, 3) pixels; depth makes it hold for turned heads."""
    gap = _distance(mesh, UPPER_INNER_LIP, LOWER_INNER_LIP)
    return gap / _distance(mesh, MOUTH_CORNERS[:1], MOUTH_CORNERS[1:])


def eyes_open(mesh: NDArray[np.float32]) -> tuple[float, float]:
    """Gap of the lids over the eye's width, of the left and the right eye. `mesh`: (478, 3) pixels."""
    left, right = (
        _distance(mesh, upper, lower) / _distance(mesh, (outer,), (inner,))
        for outer, inner, upper, lower in (LEFT_EYE, RIGHT_EYE)
    )
    return left, right


def eye_open(mesh: NDArray[np.float32]) -> float:
    """The mean of both eyes' openings. `mesh`: (478, 3) pixels."""
    return sum(eyes_open(mesh)) / 2


def mouth_width(mesh: NDArray[np.float32]) -> float:
    """Distance of the mouth's corners over that of the eyes' outer corners. `mesh`: (478, 3) pixels."""
    return _distance(mesh, MOUTH_CORNERS[:1], MOUTH_CORNERS[1:]) / _distance(mesh, LEFT_EYE[:1], RIGHT_EYE[:1])


def iris_diameter(mesh: NDArray[np.float32]) -> float:
    """The mean diameter of both irises in the picture, pixels. `mesh`: (478, 3) pixels."""
    return _distance(mesh[:, :2], *_ACROSS_IRISES)


def irises_apart(mesh: NDArray[np.float32]) -> float:
    """The distance of the irises' middles, also in depth, pixels. `mesh`: (478, 3) pixels."""
    return _distance(mesh, (LEFT_IRIS,), (RIGHT_IRIS,))


def gaze(mesh: NDArray[np.float32]) -> float:
    """How far the irises lie to the picture's right of their eyes' middles, over the eyes' width. `mesh`: (478, 3)."""
    left = _place_between(mesh, LEFT_EYE[0], LEFT_EYE[1], LEFT_IRIS)
    right = _place_between(mesh, RIGHT_EYE[1], RIGHT_EYE[0], RIGHT_IRIS)
    return (left + right) / 2 - 0.5


def straighten(mesh: NDArray[np.float32]) -> NDArray[np.float64]:
    """The mesh (478, 3) as it looks straight ahead, as large as the canonical face: cm, y down, z towards the back."""
    turn = estimate_similarity(mesh[list(STABLE_POINTS)].astype(np.float64), _CANONICAL)
    straight: NDArray[np.float64] = mesh @ turn[:, :3].T + turn[:, 3]
    return straight


def brow_height(straight: NDArray[np.float64]) -> float:
    """How high the inner ends of the brows stand above the nose's bridge, cm. `straight`: of `straighten`."""
    return float(straight[list(_BRIDGE), 1].mean() - straight[list(_INNER_BROWS), 1].mean())


def mouth_lift(straight: NDArray[np.float64]) -> float:
    """How high the mouth's corners stand, cm. `straight`: of `straighten`.

    Above the point between the inner lips from which they move the least as the mouth opens: a quarter of the way down.
    """
    upper, lower = (straight[list(lip), 1].mean() for lip in (UPPER_INNER_LIP, LOWER_INNER_LIP))
    return float(upper + _CORNERS_DOWN * (lower - upper) - straight[list(MOUTH_CORNERS), 1].mean())


def _place_between(mesh: NDArray[np.float32], first: int, second: int, point: int) -> float:
    """Where a point lies along the way from one to another: 0 at the first, 1 at the second."""
    way = mesh[second] - mesh[first]
    return float((mesh[point] - mesh[first]) @ way / max(float(way @ way), 1e-9))


def _distance(mesh: NDArray[np.float32], first: tuple[int, ...], second: tuple[int, ...]) -> float:
    """Mean distance between points and their partners."""
    return float(np.linalg.norm(mesh[list(first)] - mesh[list(second)], axis=1).mean())
