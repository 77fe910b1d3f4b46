"""The mark's tile: 48 x 48 chips of plus or minus one, the same in all marks but for what the id's bits turn.

The picture's short side measures 60 chips, so that a mark shrinks with its picture; the tile is repeated from the left
upper corner on. A fifth of the chips, the pilot, are known to the reader, which finds scale and place by them; the rest
are shared out among the coded bits. Which chip is what, and its sign, come from SHAKE-256 of a constant: the key is
in this file, it tells marks apart from chance and keeps nobody from removing or forging one.
"""

import hashlib

import numpy as np

from trust.mark_code import N_CODE_BITS
from vision.planes import Array

SIDE = 48
CHIPS_PER_SHORT_SIDE = 60
PILOT_RATIO = 0.2
_KEY = b"understudy mark 1"
_N_CHIPS = SIDE * SIDE
_N_PILOT = round(PILOT_RATIO * _N_CHIPS)
_NO_BIT = -1


def _draw(purpose: bytes) -> Array:
    """A number of 32 bits for each chip, the same with any version of numpy."""
    return np.frombuffer(hashlib.shake_256(_KEY + purpose).digest(4 * _N_CHIPS), "<u4")


def _share_out() -> Array:
    """Of each chip (SIDE * SIDE,) which coded bit turns it; _NO_BIT for the pilot."""
    bits = np.full(_N_CHIPS, _NO_BIT)
    order = np.argsort(_draw(b"order"), kind="stable")
    bits[order[_N_PILOT:]] = np.arange(_N_CHIPS - _N_PILOT) % N_CODE_BITS
    return bits


_SIGNS = np.where(_draw(b"signs") & 1, np.float32(1), np.float32(-1))
_BITS = _share_out()
_CARRIES = _BITS != _NO_BIT


def make_pilot() -> Array:
    """The chips that all marks have in common, float32 (SIDE, SIDE), 0 elsewhere."""
    return np.where(_CARRIES, np.float32(0), _SIGNS).reshape(SIDE, SIDE)


def make_tile(code: Array) -> Array:
    """All chips of the mark with these coded bits, signs (N_CODE_BITS,); float32 (SIDE, SIDE)."""
    chips = _SIGNS.copy()
    chips[_CARRIES] *= code[_BITS[_CARRIES]]
    return chips.reshape(SIDE, SIDE)


def hear_code(chips: Array) -> Array:
    """What chips (SIDE, SIDE), as they were found, say of each coded bit: (N_CODE_BITS,), its sign with noise."""
    values = (chips.ravel() * _SIGNS)[_CARRIES]
    return np.bincount(_BITS[_CARRIES], values, N_CODE_BITS)
