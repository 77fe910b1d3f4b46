"""Cutting a crop out of a picture with the right filter, measuring it, and its PNG."""

import cv2
import numpy as np
from numpy.typing import NDArray

from errors import TableError
from vision.alignment import Matrix, scale_of
from vision.planes import HasPlanes
from vision.region import blur, cut_square, sigma_for

Picture = NDArray[np.uint8]

# Faces repeat nothing that deflate could find: coding bytes alone takes three quarters of the time, and less room.
_PHOTO = (
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY,
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_AVG,
)


def crop_picture(picture: Picture, matrix: Matrix, size_px: int) -> Picture:
    """The square of `size_px` that `matrix` (picture to crop, 2x3) cuts out; the border is repeated outside.

    Enlarging is bicubic; before shrinking, the picture is blurred as much as the smaller grid cannot hold.
    """
    return warp_picture(picture, matrix, (size_px, size_px))


def crop_frame(frame: HasPlanes, matrix: Matrix, size_px: int) -> Picture:
    """The same of a picture in planes: `vision.region.cut_square`, fine."""
    return cut_square(frame, matrix, size_px, is_fine=True)


def warp_picture(picture: Picture, matrix: Matrix, size: tuple[int, int]) -> Picture:
    """The part of `size` (height, width) that `matrix` maps a picture to; filter and border as in `crop_picture`."""
    sigma = sigma_for(scale_of(matrix))
    source = blur(picture, sigma, sigma)
    warped: Picture = cv2.warpAffine(source, matrix, size[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return warped


def measure_sharpness(picture: Picture, mask: NDArray[np.float32]) -> float:
    """Variance of the Laplacian of the luma where `mask` is at least one half."""
    laplacian = cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F)
    inside = laplacian[mask >= 0.5]
    return float(inside.var()) if inside.size else 0.0


def encode_png(picture: Picture) -> bytes:
    """RGB uint8 (H, W, 3) or one channel (H, W) -> PNG bytes."""
    is_color = picture.ndim == 3
    stored = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if is_color else picture
    is_done, data = cv2.imencode(".png", stored, _PHOTO if is_color else ())
    assert is_done
    return data.tobytes()


def decode_png(data: bytes) -> Picture:
    """PNG bytes -> RGB uint8 (H, W, 3), or (H, W) where it has one channel. Raises TableError."""
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None:
        raise TableError("a stored picture is damaged; rerun the stage that wrote it")
    picture: Picture = cv2.cvtColor(stored, cv2.COLOR_BGR2RGB) if stored.ndim == 3 else stored
    return picture
