"""What MTCNN's networks are shown: a pyramid of the picture, and square patches of it.

Sampled as the `mtcnn` package does (TensorFlow's area resize and crop_and_resize), so that its weights see what they
see there. Pictures are RGB uint8 (H, W, 3); results float32, (value - 127.5) / 128, channels last.
"""

import cv2
import numpy as np


def build_pyramid(picture: np.ndarray, scales: list[float]) -> list[np.ndarray]:
    """The picture at each scale, (int(H * scale), int(W * scale), 3): exact means over each new pixel's area."""
    # The mean over any rectangle is four look-ups in the table of running sums; float64 holds it without error.
    sums = cv2.integral(picture, sdepth=cv2.CV_64F)
    return [_shrink(sums, _scaled(picture.shape, scale)) for scale in scales]


def cut_patches(pictures: np.ndarray, index: np.ndarray, boxes: np.ndarray, side: int) -> np.ndarray:
    """Patches (K, side, side, 3) of `pictures` (N, H, W, 3) inside `boxes` (K, 4) of the pictures `index` (K,).

    Bilinear, the box's edges on the centres of the outer samples; gray outside the picture.
    """
    height, width = pictures.shape[1:3]
    x, y = (_positions(boxes[:, [i, i + 2]], side, length) for i, length in ((0, width), (1, height)))
    is_inside = _within(y, height)[:, :, None] & _within(x, width)[:, None, :]
    left, top = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    column, row = np.minimum(left.astype(np.int64), width - 2), np.minimum(top.astype(np.int64), height - 2)
    right_share = (left - column).astype(np.float32)[:, None, :, None]
    lower_share = (top - row).astype(np.float32)[:, :, None, None]
    first = (index[:, None] * height + row)[:, :, None] * width + column[:, None, :]
    flat = pictures.reshape(-1, 3)
    upper = _blend(flat, first, first + 1, right_share)
    lower = _blend(flat, first + width, first + width + 1, right_share)
    patches = upper + lower_share * (lower - upper)
    return np.where(is_inside[..., None], _normalize(patches), np.float32(0))


def _scaled(shape: tuple[int, ...], scale: float) -> tuple[int, int]:
    return int(shape[0] * scale), int(shape[1] * scale)


def _shrink(sums: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows, columns = size
    height, width = sums.shape[0] - 1, sums.shape[1] - 1
    part = np.diff(_interpolate(sums, height / rows, rows), axis=0).transpose(1, 0, 2)
    whole = np.diff(_interpolate(part, width / columns, columns), axis=0).transpose(1, 0, 2)
    return _normalize(whole * (rows * columns / (height * width))).astype(np.float32)


def _interpolate(sums: np.ndarray, step: float, n: int) -> np.ndarray:
    """Running sums at the fractional edges 0, step, ... n * step along the first axis."""
    edges = np.minimum(np.arange(n + 1) * step, len(sums) - 1)
    before = np.minimum(edges.astype(np.int64), len(sums) - 2)
    share = (edges - before)[:, None, None]
    result: np.ndarray = sums[before] * (1 - share) + sums[before + 1] * share
    return result


def _positions(edges: np.ndarray, side: int, length: int) -> np.ndarray:
    """Where samples lie, (K, side): the package divides by the length and multiplies by the length less one."""
    first, last = (edges * ((length - 1) / length)).T
    result: np.ndarray = np.linspace(first, last, side, axis=1)
    return result


def _within(position: np.ndarray, length: int) -> np.ndarray:
    result: np.ndarray = (position >= 0) & (position <= length - 1)
    return result


def _blend(flat: np.ndarray, here: np.ndarray, there: np.ndarray, share: np.ndarray) -> np.ndarray:
    first, second = flat[here].astype(np.float32), flat[there].astype(np.float32)
    result: np.ndarray = first + share * (second - first)
    return result


def _normalize(values: np.ndarray) -> np.ndarray:
    result: np.ndarray = (values - values.dtype.type(127.5)) / values.dtype.type(128)
    return result
