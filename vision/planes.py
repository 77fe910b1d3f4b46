"""A picture's own planes: the region of a face to RGB and back, everything outside untouched bit for bit.

Planes are a tuple (Y, Cb, Cr) of uint8 or, above 8 bits, uint16 (H, W) arrays as decoded. Each chroma sample belongs to
`step_x` by `step_y` luma samples, and is repeated for them on the way to RGB, averaged over them on the way back: so a
pixel's color never depends on which region it was converted with. Boxes here are whole pixels, x2 and y2 exclusive.
Matrices and ranges: ITU-T H.273 (08/2021), equations 38 to 43 and table 4.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Protocol, TypeAlias

import cv2
import numpy as np

_STRIPE_PX = 65536  # pixels that are converted at once: what lies between fits the cache

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Planes: TypeAlias = tuple[Array, Array, Array]
Box: TypeAlias = tuple[int, int, int, int]


class Matrix(Enum):
    """What red and blue weigh in luma."""

    BT601 = (0.299, 0.114)
    BT709 = (0.2126, 0.0722)
    BT2020 = (0.2627, 0.0593)
    FCC = (0.30, 0.11)
    SMPTE240M = (0.212, 0.087)


@dataclass(frozen=True)
class Layout:
    """How three planes hold a picture: luma samples to a chroma sample, bits a sample, color matrix and range."""

    step_x: int
    step_y: int
    bits: int
    matrix: Matrix
    is_full_range: bool

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        return np.uint8 if self.bits == 8 else np.uint16

    @property
    def peak(self) -> int:
        return (1 << self.bits) - 1

    @property
    def middle(self) -> int:
        """The chroma sample of grey."""
        return 128 << (self.bits - 8)

    @property
    def black(self) -> int:
        """The luma sample of black."""
        return 0 if self.is_full_range else 16 << (self.bits - 8)

    @property
    def luma_span(self) -> int:
        """White minus black, in luma samples."""
        return self.peak if self.is_full_range else 219 << (self.bits - 8)

    @property
    def chroma_span(self) -> int:
        return self.peak if self.is_full_range else 224 << (self.bits - 8)


class HasPlanes(Protocol):
    """A picture that is still in its planes, such as a frame of a video: its RGB is made where it is looked at."""

    @property
    def planes(self) -> Planes: ...
    @property
    def layout(self) -> Layout: ...


def align_box(box: tuple[float, float, float, float], layout: Layout, size: tuple[int, int]) -> Box:
    """The smallest box on the chroma grid that holds `box`, cut at the picture of `size` (height, width)."""
    height, width = size
    x1, y1, x2, y2 = box
    left, right = _round_out(x1, x2, layout.step_x, width)
    top, bottom = _round_out(y1, y2, layout.step_y, height)
    return left, top, right, bottom


def region_to_rgb(planes: Planes, layout: Layout, box: Box) -> Array:
    """The box of a picture as RGB uint8 (H, W, 3). The box must lie on the chroma grid (`align_box`)."""
    x1, y1, x2, y2 = box
    rgb = np.empty((y2 - y1, x2 - x1, 3), np.uint8)
    n_rows = layout.step_y * max(1, _STRIPE_PX // (max(1, x2 - x1) * layout.step_y))
    for top in range(y1, y2, n_rows):
        end = min(top + n_rows, y2)
        _fill_rgb(rgb[top - y1 : end - y1], _cut(planes, layout, (x1, top, x2, end)), layout)
    return rgb


def _fill_rgb(rgb: Array, planes: Planes, layout: Layout) -> None:
    """Write planes of one size to RGB (H, W, 3)."""
    luma, cb, cr = planes
    red, blue = layout.matrix.value
    green = 1 - red - blue
    chroma_gain = 255 / layout.chroma_span
    blue_part = (cb.astype(np.float32) - layout.middle) * np.float32(chroma_gain * 2 * (1 - blue))
    red_part = (cr.astype(np.float32) - layout.middle) * np.float32(chroma_gain * 2 * (1 - red))
    green_part = blue_part * np.float32(-blue / green) + red_part * np.float32(-red / green)
    grey = (luma.astype(np.float32) - layout.black) * np.float32(255 / layout.luma_span)
    parts = (_repeat(part, layout, luma.shape) for part in (red_part, green_part, blue_part))
    cv2.merge([cv2.add(grey, part, dtype=cv2.CV_8U) for part in parts], rgb)  # rounded to even, cut at 0 and 255


def planes_to_rgb(planes: Planes, layout: Layout) -> Array:
    """A whole picture as RGB uint8 (H, W, 3)."""
    height, width = planes[0].shape
    return region_to_rgb(planes, layout, (0, 0, width, height))


def shrink_to_rgb(planes: Planes, layout: Layout, lines: int) -> Array:
    """A whole picture as RGB uint8 of at most so many lines: means over each new pixel's area."""
    height, width = planes[0].shape
    if height <= lines:
        return planes_to_rgb(planes, layout)
    size = (max(1, round(width * lines / height)), lines)
    luma, cb, cr = (_average_to(plane, size) for plane in planes)
    return planes_to_rgb((luma, cb, cr), replace(layout, step_x=1, step_y=1))


def rgb_to_planes(rgb: Array, layout: Layout) -> Planes:
    """RGB uint8 (H, W, 3) as planes of `layout`."""
    luma, cb, cr = _to_samples(rgb, layout)
    return _quantize(luma, layout), _quantize(cb, layout), _quantize(cr, layout)


def paste_rgb(planes: Planes, layout: Layout, box: Box, rgb: Array, mask: Array) -> Planes:
    """Blend RGB uint8 (h, w, 3) into the box of a picture by `mask`, float32 (h, w) in [0, 1]; gives new planes.

    The blend is between old and new samples of each plane: where the mask is 0 a sample keeps its value exactly (a
    chroma sample: where it is 0 on all of its pixels), where it is 1 the sample is the new one.
    """
    news = _to_samples(rgb, layout)
    chroma_mask = _average(mask.astype(np.float32), layout)
    results = tuple(plane.copy() for plane in planes)
    for old, new, weight in zip(_cut(results, layout, box), news, (mask, chroma_mask, chroma_mask), strict=True):
        old[...] = _quantize(old + weight * (new - old), layout)
    luma, cb, cr = results
    return luma, cb, cr


def to_444(planes: Planes, layout: Layout) -> tuple[Planes, Layout]:
    """The same picture with a chroma sample for each pixel: samples are repeated, so nothing is lost."""
    luma, cb, cr = planes
    size = luma.shape
    return (luma, _repeat(cb, layout, size), _repeat(cr, layout, size)), replace(layout, step_x=1, step_y=1)


def _round_out(first: float, end: float, step: int, length: int) -> tuple[int, int]:
    low = int(np.floor(max(first, 0) / step)) * step
    high = int(np.ceil(min(end, length) / step)) * step
    return min(low, length), max(min(high, length), min(low, length))


def _cut(planes: tuple[Array, ...], layout: Layout, box: Box) -> Planes:
    x1, y1, x2, y2 = box
    height, width = planes[0].shape
    if (
        x1 % layout.step_x
        or y1 % layout.step_y
        or (x2 % layout.step_x and x2 != width)
        or (y2 % layout.step_y and y2 != height)
    ):
        raise ValueError(f"box {box} does not lie on the chroma grid, steps {layout.step_x} x {layout.step_y}")
    rows = slice(y1 // layout.step_y, -(-y2 // layout.step_y))
    columns = slice(x1 // layout.step_x, -(-x2 // layout.step_x))
    return planes[0][y1:y2, x1:x2], planes[1][rows, columns], planes[2][rows, columns]


def _average_to(plane: Array, size: tuple[int, int]) -> Array:
    """A plane at a smaller size (width, height): means over each new pixel's area.

    A whole factor comes first where there is one, which costs least; the middle of less than two is near the mean.
    """
    height, width = plane.shape
    factor = min(width // size[0], height // size[1])
    if factor > 1 and not (width % factor or height % factor):
        plane = cv2.resize(plane, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    is_near = plane.shape[0] < 2 * size[1] and plane.shape[1] < 2 * size[0]
    averaged: Array = cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR_EXACT if is_near else cv2.INTER_AREA)
    return averaged


def _repeat(chroma: Array, layout: Layout, size: tuple[int, ...]) -> Array:
    """Chroma samples -> one for each pixel of `size` (height, width)."""
    if layout.step_x == layout.step_y == 1:
        return chroma
    height, width = size
    n_rows, n_columns = chroma.shape
    whole = (n_columns * layout.step_x, n_rows * layout.step_y)
    repeated: Array = cv2.resize(chroma, whole, interpolation=cv2.INTER_NEAREST)
    return repeated[:height, :width]


def _average(values: Array, layout: Layout) -> Array:
    """One value for each pixel -> one for each chroma sample; at an odd edge the last pixels count twice."""
    height, width = values.shape
    if layout.step_x == layout.step_y == 1:
        return values
    rows, columns = -height % layout.step_y, -width % layout.step_x
    padded = cv2.copyMakeBorder(values, 0, rows, 0, columns, cv2.BORDER_REPLICATE)
    blocks = padded.reshape(
        padded.shape[0] // layout.step_y, layout.step_y, padded.shape[1] // layout.step_x, layout.step_x
    )
    means: Array = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means


def _to_samples(rgb: Array, layout: Layout) -> tuple[Array, Array, Array]:
    """RGB uint8 -> samples of the three planes as float32, not yet rounded."""
    red, green, blue = (rgb[..., channel].astype(np.float32) for channel in range(3))
    red_weight, blue_weight = (np.float32(weight) for weight in layout.matrix.value)
    luma = red * red_weight + green * (1 - red_weight - blue_weight) + blue * blue_weight
    chroma_gain = np.float32(layout.chroma_span / 255)
    cb = _average((blue - luma) / (2 * (1 - blue_weight)), layout) * chroma_gain + layout.middle
    cr = _average((red - luma) / (2 * (1 - red_weight)), layout) * chroma_gain + layout.middle
    return luma * np.float32(layout.luma_span / 255) + layout.black, cb, cr


def _quantize(samples: Array, layout: Layout) -> Array:
    return np.clip(np.rint(samples), 0, layout.peak).astype(layout.dtype)
