"""Cutting a crop out of a picture with the right filter, measuring it, and its PNG."""

import cv2
import numpy as np
from numpy.typing import NDArray

from errors import TableError
from vision.alignment import Matrix, invert, scale_of, transform
from vision.planes import HasPlanes, align_box, region_to_rgb

Picture = NDArray[np.uint8]

_MARGIN_PX = 3  # what bicubic filters look at beyond a crop


def crop_picture(picture: Picture, matrix: Matrix, size_px: int) -> Picture:
    """The square of `size_px` that `matrix` (picture to crop, 2x3) cuts out; the border is repeated outside.

    Enlarging is bicubic; before shrinking, the picture is blurred as much as the smaller grid cannot hold.
    """
    return warp_picture(picture, matrix, (size_px, size_px))


def crop_frame(frame: HasPlanes, matrix: Matrix, size_px: int) -> Picture:
    """The same of a picture in planes, of which no more becomes RGB than the crop needs."""
    height, width = frame.planes[0].shape
    margin = _MARGIN_PX + 3 * _sigma_for(scale_of(matrix))
    edge = np.array([-0.5, size_px - 0.5])
    around = transform(invert(matrix), np.array([[x, y] for x in edge for y in edge]))
    low, high = around.min(axis=0) - margin, around.max(axis=0) + margin + 1
    box = align_box((*low, *high), frame.layout, (height, width))
    if box[0] >= box[2] or box[1] >= box[3]:  # the crop lies outside of the picture
        box = (0, 0, width, height)
    to_crop = matrix.copy()
    to_crop[:, 2] += matrix[:, :2] @ box[:2]
    return crop_picture(region_to_rgb(frame.planes, frame.layout, box), to_crop, size_px)


def warp_picture(picture: Picture, matrix: Matrix, size: tuple[int, int]) -> Picture:
    """The part of `size` (height, width) that `matrix` maps a picture to; filter and border as in `crop_picture`."""
    scale = scale_of(matrix)
    source = picture if scale >= 1 else _blur_for(picture, scale)
    warped: Picture = cv2.warpAffine(source, matrix, size[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return warped


def _blur_for(picture: Picture, scale: float) -> Picture:
    """Blur with the Gaussian that takes a pixel of width 1 to one of width 1 / scale."""
    sigma = _sigma_for(scale)
    return cv2.GaussianBlur(picture, (0, 0), sigma) if sigma > 0.2 else picture


def _sigma_for(scale: float) -> float:
    return 0.5 * float(np.sqrt(max(1 / scale**2 - 1, 0)))


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
