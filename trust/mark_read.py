"""Reading the invisible mark (trust/mark.py) out of a video: its id, how sure that is, and where the mark is missing.

Pictures are scaled to a short side of 360 pixels, freed of their coarse content and averaged over time: the mark is
the same in all of them, what moves is not. Then, for each scale that a crop may have led to: the average is folded to
one tile, whitened, and correlated with the pilot at all places at once by FFT. The best places' chips are decoded.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import scipy.fft

from trust.mark_code import decode_id, encode_id
from trust.mark_missing import find_missing
from trust.mark_tile import SIDE, hear_code, make_pilot, make_tile
from trust.mark_view import SAMPLES, gather, resample, whiten
from vision.planes import Array, Box

MAX_FRAMES = 100
STRENGTHEN = "lower convert.crf or raise convert.mark_strength"  # what helps where a mark was lost in encoding
# How much larger chips may be than in a picture that is not cropped, and the steps in which that is searched. Smaller
# ones, from 0.97 on, are those of a video with borders of up to 2 %.
SCALES = np.exp(np.arange(np.log(0.97), np.log(1.16), 0.006))
# Places that are decoded. Of 106 hard readings (half size at CRF 28, crops at CRF 33) 69 gave the id with eight,
# 68 with four, 66 with the best alone. Finer steps of scale for four gave 71, in almost twice the time.
N_CANDIDATES = 8
# Below this no mark is believed even where the checksum fits. Unmarked footage came to 11.6, what repeats itself to
# 16.7: there the checksum alone decides.
MIN_CERTAINTY = 12.0


@dataclass(frozen=True)
class Reading:
    """What was read.

    `mark_id` is None where no mark was found. `certainty`: how well the picture agrees with the mark of the likeliest
    id, in standard deviations of its agreement with that mark at all other places. That compares readings and is no
    probability, as the id was fitted to the picture first. A mark is believed from MIN_CERTAINTY on, and where its
    checksum fits. `missing`: regions of the pictures, in their pixels, that lack a mark found elsewhere.
    """

    mark_id: int | None
    certainty: float
    missing: tuple[Box, ...]


@dataclass(frozen=True)
class _Place:
    """Where the tile may lie: scale of its chips, offset (row, column) in samples, the whitened fold's spectrum there.

    `peak`: the pilot's agreement, in standard deviations over all offsets.
    """

    peak: float
    scale: float
    offset: tuple[int, int]
    spectrum: Array


@dataclass(frozen=True)
class _Candidate:
    certainty: float
    is_sound: bool
    mark_id: int
    place: _Place


NOTHING = Reading(None, 0.0, ())


def read_mark(lumas: Iterable[Array]) -> Reading:
    """Read the mark from a video's luma pictures, uint8, or uint16 of 10 bits, (H, W), all of one size.

    At most MAX_FRAMES are taken, one at a time. Constant pictures hold no mark.
    """
    view = gather(islice(lumas, MAX_FRAMES))
    if view is None:
        return NOTHING
    candidates = [_decode(place) for place in _find_places(view.detail)]
    best = max(candidates, key=lambda candidate: (candidate.is_sound, candidate.certainty))
    if not best.is_sound or best.certainty < MIN_CERTAINTY:
        return Reading(None, best.certainty, ())
    tile = make_tile(encode_id(best.mark_id))
    return Reading(best.mark_id, best.certainty, find_missing(view, tile, best.place.scale, best.place.offset))


def _find_places(detail: Array) -> list[_Place]:
    """The likeliest places of the tile, by the pilot: one for each of the best of SCALES."""
    pilot = _transform(make_pilot())
    places = (_find_offset(detail, float(scale), pilot) for scale in SCALES)
    return sorted(places, key=lambda place: place.peak)[-N_CANDIDATES:]


def _find_offset(detail: Array, scale: float, pilot: Array) -> _Place:
    """Where the pilot is likeliest to lie if chips have this scale."""
    spectrum = whiten(_fold(resample(detail, scale)))
    agreement = _correlate(spectrum, pilot)
    row, column = np.unravel_index(int(agreement.argmax()), agreement.shape)
    return _Place(float(agreement.max()), scale, (int(row), int(column)), spectrum)


def _decode(place: _Place) -> _Candidate:
    """The id that the chips at a place tell, and how well the whole tile agrees with it."""
    samples = np.roll(scipy.fft.ifft2(place.spectrum).real, (-place.offset[0], -place.offset[1]), (0, 1))
    chips = samples.reshape(SIDE, SAMPLES, SIDE, SAMPLES).sum(axis=(1, 3))
    mark_id, is_sound = decode_id(hear_code(chips))
    agreement = _correlate(place.spectrum, _transform(make_tile(encode_id(mark_id))))
    return _Candidate(float(agreement[place.offset]), is_sound, mark_id, place)


def _fold(samples: Array) -> Array:
    """Add up all repetitions of the tile in samples (h, w): (T, T), T the tile's side in samples."""
    side = SIDE * SAMPLES
    padded = np.pad(samples, ((0, -samples.shape[0] % side), (0, -samples.shape[1] % side)))
    folded: Array = padded.reshape(-1, side, padded.shape[1] // side, side).sum(axis=(0, 2))
    return folded


def _transform(chips: Array) -> Array:
    """The spectrum (T, T) of chips (SIDE, SIDE), complex64."""
    spectrum: Array = scipy.fft.fft2(chips.repeat(SAMPLES, axis=0).repeat(SAMPLES, axis=1))
    return spectrum


def _correlate(spectrum: Array, other: Array) -> Array:
    """The correlation of two tiles at each offset (T, T), in its standard deviations over all offsets."""
    values: Array = scipy.fft.ifft2(spectrum * other.conj()).real
    deviation = float(values.std())
    return values / deviation if deviation > 0 else values
