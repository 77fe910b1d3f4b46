"""Cutting a crop out of a picture with the right filter, measuring it, and its PNG."""

import cv2
import numpy as np
from numpy.typing import NDArray

from errors import TableError
from vision.alignment import Matrix, scale_of
from vision.planes import HasPlanes
from vision.region import cut_around

Picture = NDArray[np.uint8]

_MARGIN_PX = 3  # what bicubic filters look at beyond a crop
_FINE = 2  # pixels to one of the crop's, down to which whole ones are averaged before the rest is blurred


def crop_picture(picture: Picture, matrix: Matrix, size_px: int) -> Picture:
    """The square of `size_px` that `matrix` (picture to crop, 2x3) cuts out; the border is repeated outside.

    Enlarging is bicubic; before shrinking, the picture is blurred as much as the smaller grid cannot hold.
    """
    return warp_picture(picture, matrix, (size_px, size_px))


def crop_frame(frame: HasPlanes, matrix: Matrix, size_px: int) -> Picture:
    """The same of a picture in planes, of which no more becomes RGB than the crop needs.

    Where it shrinks a lot, means over whole pixels are the first part of the blur.
    """
    scale = scale_of(matrix)
    factor = max(1, int(1 / (_FINE * scale)))
    region, to_crop = cut_around(frame, matrix, size_px, _MARGIN_PX * factor + 3 * _sigma_for(scale), factor)
    return _warp(region, to_crop, (size_px, size_px), _sigma_for(scale, factor))


def warp_picture(picture: Picture, matrix: Matrix, size: tuple[int, int]) -> Picture:
    """The part of `size` (height, width) that `matrix` maps a picture to; filter and border as in `crop_picture`."""
    return _warp(picture, matrix, size, _sigma_for(scale_of(matrix)))


def _warp(picture: Picture, matrix: Matrix, size: tuple[int, int], sigma: float) -> Picture:
    source = cv2.GaussianBlur(picture, (0, 0), sigma) if sigma > 0.2 else picture
    warped: Picture = cv2.warpAffine(source, matrix, size[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return warped


def _sigma_for(scale: float, factor: int = 1) -> float:
    """The Gaussian's that takes a pixel of width 1 to one of width 1 / scale.

    In pixels of a picture whose pixels are the means of `factor` in a row, which are a part of that width.
    """
    variance = (1 / scale**2 - 1) / 4 - (factor**2 - 1) / 12
    return float(np.sqrt(max(variance, 0))) / factor


def measure_sharpness(picture: Picture, mask: NDArray[np.float32]) -> float:
    """Variance of the Laplacian of the luma where `mask` is at least one half."""
    laplacian = cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F)
    inside = laplacian[mask >= 0.5]
    return float(inside.var()) if inside.size else 0.0


def encode_png(picture: Picture) -> bytes:
    """RGB uint8 (H, W, 3) or one channel (H, W) -> PNG bytes."""
    stored = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    is_done, data = cv2.imencode(".png", stored)
    assert is_done
    return data.tobytes()


def decode_png(data: bytes) -> Picture:
    """PNG bytes -> RGB uint8 (H, W, 3), or (H, W) where it has one channel. Raises TableError."""
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None:
        raise TableError("a stored picture is damaged; rerun the stage that wrote it")
    picture: Picture = cv2.cvtColor(stored, cv2.COLOR_BGR2RGB) if stored.ndim == 3 else stored
    return picture
