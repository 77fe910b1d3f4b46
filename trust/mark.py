"""The invisible mark: a number of 64 bits, embedded in a video's luma and read back without the original.

A spread spectrum mark (Cox, Kilian, Leighton and Shamoon 1997, "Secure spread spectrum watermarking for multimedia"):
the same faint pattern of chips (trust/mark_tile.py) is added to all pictures of a video, stronger where they are
textured and hide it. trust/mark_read.py finds it again after compression, scaling and cropping.

It answers carelessness, not malice: it tells where a video that lost its label and its credentials came from. The key
is public, and whoever wants to remove the mark, or to put it on another video, can. What it does not survive: turning,
mirroring, stretching of one side, cuts of more than an eighth, added borders, and a video too small or too coarse.
"""

import cv2
import numpy as np

from trust.mark_code import encode_id
from trust.mark_tile import CHIPS_PER_SHORT_SIDE, SIDE, make_tile
from vision.planes import Array, Planes
from vision.video_format import VideoFormat

# Amplitude at strength 1, in grey levels of 8 bits: on flat ground, at most, and what it gains by a level of activity.
FLAT, HIGHEST, BASE, GAIN = 1.2, 2.4, 0.8, 1.0
# Root mean square of what is added to a picture, at most, at strength 1, before rounding: a PSNR of 42.5 dB.
MAX_RMS = 1.9
MAX_STRENGTH = 2.0
ACTIVITY_LINES = 180  # the short side of the small picture that activity is measured in
MAX_DETAIL = 3.0  # grey levels by which a place is lively: an edge alone is not texture
RAMP = 0.25  # chips turn into each other over twice this share of a chip: no hard edges
# Amplitude is kept in 32nds of a level, the pattern in 64ths: their product fits 15 bits.
AMPLITUDE_BITS, PATTERN_BITS = 5, 6
STRIPE_LINES = 60  # that are marked at once: what lies between fits the cache


class Marker:
    """Embeds one id into the pictures of a video of one format.

    `strength` multiplies the amplitude, in (0, MAX_STRENGTH]; at 1 a marked picture has at least 41 dB PSNR.
    Raises ValueError for another strength (a video without a mark has no Marker) and for an id beyond 64 bits.
    """

    def __init__(self, mark_id: int, form: VideoFormat, strength: float) -> None:
        if not 0 < strength <= MAX_STRENGTH:
            raise ValueError(f"a mark's strength lies above 0 and at most at {MAX_STRENGTH}, it cannot be {strength}")
        self._layout = form.layout
        self._strength = strength
        pattern = _lay_tile(make_tile(encode_id(mark_id)), (form.height, form.width))
        self._rms = float(np.sqrt(np.mean(pattern**2)))
        self._pattern = np.rint(pattern * (1 << PATTERN_BITS)).astype(np.int16)

    def embed(self, planes: Planes) -> Planes:
        """The picture with the mark in its luma, cut at the samples' range; chroma planes are copied as they are."""
        luma, cb, cr = planes
        amplitude = self._amplify(luma)
        marked = np.empty_like(luma)
        for top in range(0, luma.shape[0], STRIPE_LINES):
            lines = slice(top, top + STRIPE_LINES)
            self._add(luma[lines], amplitude[lines], self._pattern[lines], marked[lines])
        return marked, cb.copy(), cr.copy()

    def _add(self, luma: Array, amplitude: Array, pattern: Array, marked: Array) -> None:
        """Write luma plus amplitude times pattern to `marked`; whole numbers of 16 bits all the way."""
        drop = AMPLITUDE_BITS + PATTERN_BITS - (self._layout.bits - 8)
        added = amplitude.astype(np.int16)
        added *= pattern
        added += 1 << (drop - 1)
        added >>= drop
        cv2.add(luma, added, marked, dtype=cv2.CV_8U if self._layout.bits == 8 else cv2.CV_16U)
        if self._layout.bits > 8:
            np.minimum(marked, self._layout.peak, out=marked)

    def _amplify(self, luma: Array) -> Array:
        """The mark's amplitude in each pixel, uint8 (H, W) in 32nds of a level of 8 bits."""
        amplitude = np.clip(BASE + GAIN * self._measure(luma), FLAT, HIGHEST)
        rms = float(np.sqrt(np.mean(amplitude**2))) * self._rms
        amplitude *= self._strength * min(1.0, MAX_RMS / rms)
        small = np.rint(amplitude * (1 << AMPLITUDE_BITS)).astype(np.uint8)
        size = (luma.shape[1], luma.shape[0])
        large: Array = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
        return large

    def _measure(self, luma: Array) -> Array:
        """How lively a small copy of the picture is around each place, float32 (h, w) in levels of 8 bits.

        Where flat ground meets an edge the flat side counts.
        """
        ratio = min(1.0, ACTIVITY_LINES / min(luma.shape))
        size = (max(1, round(luma.shape[1] * ratio)), max(1, round(luma.shape[0] * ratio)))
        small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        detail = np.abs(small - cv2.GaussianBlur(small, (0, 0), 2.0)) / (1 << (self._layout.bits - 8))
        lively = cv2.GaussianBlur(np.minimum(detail, MAX_DETAIL), (0, 0), 1.5)
        around = cv2.erode(lively, np.ones((7, 7), np.uint8))
        smooth: Array = cv2.GaussianBlur(around, (0, 0), 1.5)
        return smooth


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
