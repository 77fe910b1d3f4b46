"""The id in a mark, protected: 64 bits and a checksum of 24 as 384 coded bits, and back from what was heard of them.

A convolutional code of rate 1/4 and memory 8 (polynomials 765, 671, 513, 473, octal: 3GPP2 C.S0002, 3.1.3.1.4.1),
ended with eight zeros, decoded softly (Viterbi 1967). The checksum is the lower 24 bits of CRC-32 (ITU-T V.42): what
chance makes up fits it once in 17 million times.
"""

import binascii

import numpy as np

from vision.planes import Array

ID_BITS = 64
_ID_BYTES = ID_BITS // 8
_CHECK_BYTES = 3
_POLYNOMIALS = (0o765, 0o671, 0o513, 0o473)
_MEMORY = 8
_N_STATES = 1 << _MEMORY
_N_STEPS = 8 * (_ID_BYTES + _CHECK_BYTES) + _MEMORY
N_CODE_BITS = _N_STEPS * len(_POLYNOMIALS)


def encode_id(mark_id: int) -> Array:
    """The coded bits of an id as signs, float32 (N_CODE_BITS,): -1 is a one. Raises ValueError beyond 64 bits."""
    if not 0 <= mark_id < 1 << ID_BITS:
        raise ValueError(f"a mark's id has {ID_BITS} bits, it cannot be {mark_id}")
    data = mark_id.to_bytes(_ID_BYTES)
    checked = data + _sum_up(data)
    register, signs = 0, []
    for bit in np.unpackbits(np.frombuffer(checked + bytes(_MEMORY // 8), np.uint8)):
        register = (register << 1 | int(bit)) % (2 * _N_STATES)
        signs.append(_send(register))
    return np.concatenate(signs)


def decode_id(heard: Array) -> tuple[int, bool]:
    """The likeliest id for what was heard of the coded bits (N_CODE_BITS,), and whether its checksum fits.

    Viterbi's algorithm: of the two ways into each state the likelier one is kept, step by step.
    """
    states = np.arange(_N_STATES)
    before = np.stack([states >> 1, states >> 1 | _N_STATES >> 1])
    sent = np.array([[_send(register) for register in row] for row in before << 1 | states & 1])
    scores = np.where(states == 0, 0.0, -np.inf)
    choices = []
    for values in heard.reshape(_N_STEPS, len(_POLYNOMIALS)):
        ways = scores[before] + sent @ values
        best = ways.argmax(axis=0)
        choices.append(before[best, states])
        scores = ways[best, states]
    return _check(_trace(choices))


def _send(register: int) -> Array:
    """The coded bits, as signs, of a register of the latest nine bits, the newest lowest."""
    return np.array([1 - 2 * ((int(register) & taps).bit_count() & 1) for taps in _POLYNOMIALS], np.float32)


def _trace(choices: list[Array]) -> Array:
    """The bits on the way that ends in state 0: `choices` tells for each step and state the state before."""
    state, bits = 0, []
    for before in reversed(choices):
        bits.append(state & 1)
        state = int(before[state])
    return np.array(bits[::-1], np.uint8)


def _check(bits: Array) -> tuple[int, bool]:
    data = np.packbits(bits[:-_MEMORY]).tobytes()
    number = data[:_ID_BYTES]
    return int.from_bytes(number), data[_ID_BYTES:] == _sum_up(number)


def _sum_up(data: bytes) -> bytes:
    """The checksum."""
    return binascii.crc32(data).to_bytes(4)[-_CHECK_BYTES:]
