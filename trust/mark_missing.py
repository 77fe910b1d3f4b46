"""Where a video lacks the mark that it carries elsewhere: what was pasted over, or altered, after marking.

The view's detail is correlated with the known mark in a window around each place. What the correlation is worth there
is told by the same with the mark moved to places where it is not: where neither differs, the mark is missing.

Strong edges that stand still, as in titles, hide the mark as well as a change does, so this is a hint, not a proof. As
measured by benchmarks/mark.py after CRF 23: a square of a third of the short side is found in 19 of 20 pieces, of a
fourth in 17, of a sixth in 4; one untouched piece in 50 shows a false region, after CRF 28 one in 25. Where the mark
is heard too faintly nothing is said.
"""

from collections.abc import Iterator

import cv2
import numpy as np
import scipy.fft

from trust.mark_tile import SIDE
from trust.mark_view import CHIP_PX, SAMPLES, View, resample, whiten
from vision.planes import Array, Box

WINDOW = 12 * SAMPLES  # a fifth of the picture's short side
# In deviations of chance: the mark is missing below, and only judged where half of the picture has so much.
MISSING_BELOW, MIN_MEDIAN = 0.6, 5.0
MIN_CORE = (5 * SAMPLES) ** 2  # samples, side by side, whose windows all lack the mark
# From the middle of an outermost window to the border of what it lacks, which covers three quarters of it.
REACH = WINDOW // 4
# How the mark is moved for chance: steps of a third to two thirds of the tile, in samples.
MOVES = [(64 + 16 * (i % 4), 64 + 24 * (i // 4)) for i in range(12)]


def find_missing(view: View, tile: Array, scale: float, offset: tuple[int, int]) -> tuple[Box, ...]:
    """The regions without the mark, in the video's pixels.

    The mark's tile (SIDE, SIDE) lies at `offset` (row, column) in samples, its chips have `scale` (trust/mark_read.py).
    """
    presence = _measure_presence(view, tile, scale, offset)
    if np.median(presence) < MIN_MEDIAN:
        return ()
    height, width = presence.shape
    boxes = []
    for left, top, n_columns, n_rows in _find_cores(presence):
        right, bottom = min(left + n_columns + REACH, width), min(top + n_rows + REACH, height)
        boxes.append(_to_pixels((max(left - REACH, 0), max(top - REACH, 0), right, bottom), view, scale))
    return tuple(boxes)


def _measure_presence(view: View, tile: Array, scale: float, offset: tuple[int, int]) -> Array:
    """How much of the mark is in the window around each sample, in standard deviations of chance."""
    samples = scipy.fft.ifft2(whiten(resample(view.detail, scale))).real.astype(np.float32)
    large = tile.repeat(SAMPLES, axis=0).repeat(SAMPLES, axis=1)

    def correlate(move: tuple[int, int]) -> Array:
        rows = (np.arange(samples.shape[0]) - offset[0] - move[0]) % (SIDE * SAMPLES)
        columns = (np.arange(samples.shape[1]) - offset[1] - move[1]) % (SIDE * SAMPLES)
        return _average(samples * large[np.ix_(rows, columns)])

    chance = np.sqrt(np.mean([correlate(move) ** 2 for move in MOVES], axis=0))
    presence: Array = correlate((0, 0)) / np.maximum(_average(chance), np.float32(1e-12))
    return presence


def _average(values: Array) -> Array:
    averages: Array = cv2.blur(values, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)
    return averages


def _find_cores(presence: Array) -> Iterator[tuple[int, int, int, int]]:
    """Left, top, width and height of each patch of samples without the mark that is not tiny."""
    lacks = (presence < MISSING_BELOW).astype(np.uint8)
    _, _, patches, _ = cv2.connectedComponentsWithStats(lacks)
    for left, top, n_columns, n_rows, n_samples in patches[1:].tolist():
        if n_samples >= MIN_CORE:
            yield left, top, n_columns, n_rows


def _to_pixels(box: tuple[int, int, int, int], view: View, scale: float) -> Box:
    """A box in samples as one in the video's pixels."""
    size = CHIP_PX * scale / SAMPLES / view.zoom
    left, top = view.corner
    x1, y1, x2, y2 = (round(value * size) for value in box)
    return left + x1, top + y1, left + x2, top + y2
