"""Which registered videos look like a given one: the pictures' hashes of both, whichever frames they were taken of.

Each hash asked for is held against the nearest one of an entry: a cut video's fifth frames are not the registered ones.
What counts as near was measured on 12 clips of faces, cut at frame 37, each frame against every fifth registered one:
re-encoded at CRF 35, at half size, and at a quarter of the size with CRF 40, 99, 98 and 94 % of the frames are within 8
bits, and of the worst clip 87, 84 and 31 %. Of other clips none is: of another take of the same man in the same room
the nearest is 9 bits away (median 12), of other scenes 13 (median 19 and more).
"""

from dataclasses import dataclass

import numpy as np

from trust.register_entry import Entry
from vision.picture_hash import EVERY, tells_apart, unpack_hashes
from vision.planes import Array

NEAR_BITS = 8
# At least this share of the hashes asked for must be near: a video may hold more than what is registered.
MIN_SHARE = 0.25
# Farther apart than this, pictures have nothing in common: what is farther counts as this far.
FAR_BITS = 16
MAX_ASKED = 500  # of a longer list, so many hashes, evenly
N_SKETCHED, N_CANDIDATES = 64, 16  # hashes that the candidates are picked by, and how many are looked at closely
_BLOCK = 4096  # registered hashes compared at once: what lies between fits the cache


@dataclass(frozen=True)
class Match:
    """A registered video that looks like the one asked for.

    `median_bits` is the median distance of its hashes to the entry's nearest; `mean_bits` the mean, of at most FAR_BITS
    each, which tells equal medians apart; `share` how many of them are near, in [0, 1]; `offset` which of the entry's
    samples (every fifth frame) shows the first hash asked for, negative where that lies before its start, None where
    the order is another one.
    """

    entry: Entry
    median_bits: float
    mean_bits: float
    share: float
    offset: int | None


@dataclass(frozen=True)
class Asked:
    """Hashes that are evidence, uint64 (N,), and where each stands, in samples of every fifth frame, float64 (N,)."""

    hashes: Array
    places: Array


def prepare(hashes: list[int], step: int) -> Asked:
    """The hashes of every `step`-th frame of a video, less those of flat pictures, at most MAX_ASKED evenly."""
    values = np.array(hashes, np.uint64)
    places = np.flatnonzero(tells_apart(values))
    places = pick_evenly(places, MAX_ASKED)
    return Asked(values[places], places * step / EVERY)


def pick_evenly(values: Array, n: int) -> Array:
    """At most `n` of the values."""
    return values if len(values) <= n else values[np.linspace(0, len(values) - 1, n).round().astype(int)]


def find_candidates(asked: Asked, hashes: Array, starts: Array) -> Array:
    """Which entries may be near, the nearest first: at most N_CANDIDATES.

    `hashes`: those of all entries in a row, uint64 (N,), all evidence; `starts`: where each entry's begin, rising.
    """
    sketch = pick_evenly(asked.hashes, N_SKETCHED)
    nearest = np.full((len(sketch), len(starts)), FAR_BITS, np.uint8)
    ends = np.append(starts[1:], len(hashes))
    for low in range(0, len(hashes), _BLOCK):
        high = min(low + _BLOCK, len(hashes))
        touched = slice(np.searchsorted(ends, low, "right"), np.searchsorted(starts, high, "left"))
        cuts = np.maximum(starts[touched] - low, 0)
        bits = np.bitwise_count(sketch[:, None] ^ hashes[None, low:high])
        nearest[:, touched] = np.minimum(nearest[:, touched], np.minimum.reduceat(bits, cuts, axis=1))
    return np.argsort(nearest.mean(axis=0), kind="stable")[:N_CANDIDATES]


def compare(asked: Asked, entry: Entry) -> Match | None:
    """How near the hashes of an entry are; None where too few are near."""
    registered = unpack_hashes(entry.hashes)
    bits = np.bitwise_count(asked.hashes[:, None] ^ registered[None])
    bits[:, ~tells_apart(registered)] = 64
    nearest = bits.min(axis=1)
    share = float(np.mean(nearest <= NEAR_BITS))
    if share < MIN_SHARE:
        return None
    mean = float(np.minimum(nearest, FAR_BITS).mean())
    return Match(entry, float(np.median(nearest)), mean, share, _find_offset(bits, asked.places))


def _find_offset(bits: Array, places: Array) -> int | None:
    """The sample that shows place 0, where distances (asked, registered) are smallest in order.

    None where fewer than half of the hashes that are near anywhere are near in that order.
    """
    n_registered = bits.shape[1]
    shifts = np.rint(places).astype(int)
    first = -int(shifts.max())
    closeness, n_near = np.zeros((2, n_registered - first), int)
    for shift, row in zip(shifts, bits, strict=True):
        offsets = slice(-first - shift, -first - shift + n_registered)
        closeness[offsets] += FAR_BITS - np.minimum(row, FAR_BITS)
        n_near[offsets] += row <= NEAR_BITS
    best = int(closeness.argmax())
    return best + first if 2 * n_near[best] >= (bits.min(axis=1) <= NEAR_BITS).sum() else None
