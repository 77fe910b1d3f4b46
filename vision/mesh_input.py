"""What the mesh's model is shown of a picture: a square region, upright with the eyes, where a face is.

Regions are given as `frame_to_region` (2x3): from pixels of the picture to those of the model's input.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.alignment import scale_of
from vision.planes import HasPlanes
from vision.region import cut_square

INPUT_PX = 192  # side of the model's input

_EYE_CORNERS = [33, 263]  # the outer ones, left first
_MESH_RATIO = 1.5  # side of the region / longer side of the mesh: what the model was trained on
_BOX_RATIO = 1.5  # side of the region / longer side of a detector's box
_FIVE_RATIO = 3.6  # side of the region / longer of the distances between the eyes and from eyes to mouth
_MAX_MOVE = 0.08  # of a region's middle or side, as a share of its side, up to which one run of the model is enough

Points = NDArray[np.floating]
Picture = NDArray[np.uint8]
Matrix = NDArray[np.float64]


def region_of_box(box: Points) -> Matrix:
    """The region of a detector's box (4,)."""
    low, high = _rounded(box).reshape(2, 2)
    return _region((low + high) / 2, (high - low).max() * _BOX_RATIO, np.array([1.0, 0.0]))


def region_of_five(five: Points) -> Matrix:
    """The region of a detector's landmarks (5, 2)."""
    left, right, _, *corners = _rounded(five)
    eyes, mouth = (left + right) / 2, np.mean(corners, axis=0)
    side = max(np.hypot(*(right - left)), np.hypot(*(mouth - eyes))) * _FIVE_RATIO
    return _region((eyes + mouth) / 2, float(side), right - left)


def _rounded(points: Points) -> NDArray[np.float64]:
    """To quarters of a pixel, so that the detector's last bits, which its batches may change, do not show."""
    return np.round(points.astype(np.float64) * 4) / 4


def region_of_mesh(mesh: Points) -> Matrix:
    """The region of a mesh (478, 2 or more)."""
    left, right = mesh[_EYE_CORNERS, :2].astype(np.float64)
    turn = _rotation(right - left)
    upright = mesh[:, :2] @ turn.T
    low, high = upright.min(axis=0), upright.max(axis=0)
    return _region(turn.T @ ((low + high) / 2), (high - low).max() * _MESH_RATIO, right - left)


def _region(center: NDArray[np.float64], side: float, across: NDArray[np.float64]) -> Matrix:
    """`frame_to_region` (2x3) of the square about `center` whose upper edge runs along `across`."""
    linear = _rotation(across) * (INPUT_PX / side)
    return np.column_stack([linear, (INPUT_PX - 1) / 2 - linear @ center])


def _rotation(across: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation that brings the direction `across` to the x axis."""
    x, y = across / np.linalg.norm(across)
    return np.array([[x, y], [-y, x]])


def cut_region(picture: Picture | HasPlanes, frame_to_region: Matrix) -> Picture:
    """What the model is shown: RGB uint8 (INPUT_PX, INPUT_PX, 3); beyond the picture its border is repeated."""
    if isinstance(picture, np.ndarray):
        return _cut_rgb(picture, frame_to_region)
    return cut_square(picture, frame_to_region, INPUT_PX, is_fine=False)


def _cut_rgb(picture: Picture, frame_to_region: Matrix) -> Picture:
    """The region as a picture of INPUT_PX; large ones are sampled at a multiple first, then averaged."""
    factor = _factor_of(frame_to_region)
    fine = frame_to_region * factor
    fine[:, 2] += (factor - 1) / 2  # the middle of the pixels that become one
    side = INPUT_PX * factor
    region: Picture = cv2.warpAffine(picture, fine, (side, side), borderMode=cv2.BORDER_REPLICATE)
    if factor > 1:
        region = cv2.resize(region, (INPUT_PX, INPUT_PX), interpolation=cv2.INTER_AREA)
    return region


def _factor_of(frame_to_region: Matrix) -> int:
    """How many of the picture's pixels in a row become one before the region is cut."""
    return max(1, int(1 / scale_of(frame_to_region)))


def size_of(picture: Picture | HasPlanes) -> tuple[int, int]:
    """Height and width."""
    height, width = picture.shape[:2] if isinstance(picture, np.ndarray) else picture.planes[0].shape
    return height, width


def has_moved(region: Matrix, new: Matrix) -> bool:
    """Whether a face's own region is another one than that in which it was found."""
    middle = np.full(2, (INPUT_PX - 1) / 2)
    shift = new[:, :2] @ (cv2.invertAffineTransform(region) @ [*middle, 1]) + new[:, 2] - middle
    zoom = np.hypot(*new[0, :2]) / np.hypot(*region[0, :2])
    return bool(np.hypot(*shift) > _MAX_MOVE * INPUT_PX or abs(np.log(zoom)) > _MAX_MOVE)
