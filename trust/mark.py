"""The invisible mark: a number of 64 bits, embedded in a video's luma and read back without the original.

A spread spectrum mark (Cox, Kilian, Leighton and Shamoon 1997, "Secure spread spectrum watermarking for multimedia"):
the same faint pattern of chips (trust/mark_tile.py) is added to all pictures of a video, stronger where they are
textured and hide it. trust/mark_read.py finds it again after compression, scaling and cropping.

Pictures must come out the same on every machine: all of it is whole numbers, and of OpenCV only what is exact in them.

It answers carelessness, not malice: it tells where a video that lost its label and its credentials came from. The key
is public, and whoever wants to remove the mark, or to put it on another video, can. What it does not survive: turning,
mirroring, stretching of one side, cuts of more than an eighth, borders of more than a fiftieth, and a video too small
or too coarse.
"""

import cv2
import numpy as np

from trust.mark_code import encode_id
from trust.mark_tile import CHIPS_PER_SHORT_SIDE, SIDE, make_tile
from vision.planes import Array, Planes
from vision.video_format import VideoFormat

# Amplitude at strength 1, in grey levels of 8 bits: on flat ground, at most, and what it gains by a level of activity.
# With the highest everywhere a picture keeps 41.0 dB PSNR. One louder by half is seen on skin.
FLAT, HIGHEST, BASE, GAIN = 1.2, 2.25, 0.8, 1.2
MARK_LINES = 360  # the short side of the small picture that the mark is laid in, then enlarged
ACTIVITY_LINES = 180  # the short side of the small picture that activity is measured in
MAX_DETAIL = 3.0  # grey levels by which a place is lively: an edge alone is not texture
RAMP = 0.25  # chips turn into each other over twice this share of a chip: no hard edges
LEVEL = 64  # activity and amplitude are whole 64ths of a grey level, chips whole 64ths
ADDED_LEVEL = 16  # what is added is whole 16ths of a grey level


class Marker:
    """Embeds one id into the pictures of a video of one format.

    `strength` multiplies the amplitude; at 1 a marked picture has at least 41 dB PSNR. Raises ValueError for an id
    beyond 64 bits.
    """

    def __init__(self, mark_id: int, form: VideoFormat, strength: float) -> None:
        self._layout = form.layout
        pattern = strength * _lay_tile(make_tile(encode_id(mark_id)), _shrink((form.height, form.width), MARK_LINES))
        self._pattern = np.rint(pattern * LEVEL).astype(np.int32)

    def embed(self, planes: Planes) -> Planes:
        """The picture with the mark in its luma, cut at the samples' range; the chroma planes are the same ones."""
        luma, cb, cr = planes
        marked = cv2.resize(self._scale(luma), luma.shape[::-1], interpolation=cv2.INTER_LINEAR_EXACT)
        marked = marked.astype(luma.dtype, copy=False)
        level = 1 << (self._layout.bits - 8)
        cv2.addWeighted(luma, 1, marked, level / ADDED_LEVEL, -128 * level / ADDED_LEVEL, marked)
        if self._layout.bits > 8:
            np.minimum(marked, self._layout.peak, out=marked)
        return marked, cb, cr

    def _scale(self, luma: Array) -> Array:
        """What is to be added to the small picture, uint8 in 16ths of a grey level, 128 for nothing."""
        amplitude = cv2.resize(self._amplify(luma), self._pattern.shape[::-1], interpolation=cv2.INTER_LINEAR_EXACT)
        added = amplitude * self._pattern // (LEVEL * LEVEL // ADDED_LEVEL)
        scaled: Array = np.clip(added + 128, 0, 255).astype(np.uint8)
        return scaled

    def _amplify(self, luma: Array) -> Array:
        """The mark's amplitude, uint8 (h, w) in 64ths of a grey level, in a small copy of the picture."""
        flat, highest, base, gain = (round(level * LEVEL) for level in (FLAT, HIGHEST, BASE, GAIN))
        amplitude = _measure_activity(luma, self._layout.bits) * gain // LEVEL + base
        cut: Array = np.clip(amplitude, flat, highest).astype(np.uint8)
        return cut


def _measure_activity(luma: Array, bits: int) -> Array:
    """How lively a small copy of a picture is around each place, uint16 (h, w) in 64ths of a level of 8 bits.

    Where flat ground meets an edge the flat side counts.
    """
    small = _halve(luma, ACTIVITY_LINES)
    size = _shrink(small.shape, ACTIVITY_LINES)
    fine = cv2.resize(small, size[::-1], interpolation=cv2.INTER_LINEAR_EXACT).astype(np.uint16) * (LEVEL >> (bits - 8))
    detail = np.minimum(cv2.absdiff(fine, _blur(fine, 2.0)), round(MAX_DETAIL * LEVEL)).astype(np.uint16)
    return _blur(cv2.erode(_blur(detail, 1.5), np.ones((7, 7), np.uint8)), 1.5)


def _halve(luma: Array, n_lines: int) -> Array:
    """The picture halved as often as its short side keeps so many lines; what is left over at an odd side is cut."""
    while min(luma.shape) >= 2 * n_lines:
        size = (luma.shape[1] // 2, luma.shape[0] // 2)
        even = np.ascontiguousarray(luma[: 2 * size[1], : 2 * size[0]])
        luma = cv2.resize(even, size, interpolation=cv2.INTER_AREA)
    return luma


def _blur(values: Array, sigma: float) -> Array:
    """Gaussian blur of uint16, in OpenCV's fixed-point way."""
    blurred: Array = cv2.GaussianBlur(values, (0, 0), sigma, hint=cv2.ALGO_HINT_ACCURATE)
    return blurred


def _shrink(size: tuple[int, ...], n_lines: int) -> tuple[int, int]:
    """The size (height, width) with so many lines on its short side, or as it is where it has fewer."""
    ratio = min(1.0, n_lines / min(size))
    return round(size[0] * ratio), round(size[1] * ratio)


def _lay_tile(tile: Array, size: tuple[int, int]) -> Array:
    """The tile repeated over a picture of `size` (height, width), chips with soft borders: float32 in [-1, 1]."""
    rows, row_neighbors, row_weights = _lay_chips(size[0], min(size))
    columns, column_neighbors, column_weights = _lay_chips(size[1], min(size))
    lines = tile[rows] + row_weights[:, None] * (tile[row_neighbors] - tile[rows])
    pattern: Array = lines[:, columns] + column_weights * (lines[:, column_neighbors] - lines[:, columns])
    return pattern


def _lay_chips(n_pixels: int, short_side: int) -> tuple[Array, Array, Array]:
    """For each pixel of a line its chip, the nearest other one, and that one's weight: at a border half, 0 at RAMP."""
    place = (np.arange(n_pixels) + 0.5) * (CHIPS_PER_SHORT_SIDE / short_side)
    chip = np.floor(place).astype(int)
    inside = place - chip
    neighbor = chip + np.where(inside < 0.5, -1, 1)
    distance = np.minimum(inside, 1 - inside)
    weight = np.clip(0.5 - distance / (2 * RAMP), 0, 0.5).astype(np.float32)
    return chip % SIDE, neighbor % SIDE, weight
