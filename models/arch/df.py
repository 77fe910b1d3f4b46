"""The `df` family of DeepFaceLab's SAEHD: one inter, a decoder for each person, the mask by a branch of its own.

Input (N, 3, S, S) in [0, 1], S a multiple of 16; output (N, 4, S, S), RGB and the face's mask. Layers: models/saehd.py.
"""

from torch import nn

from models import saehd
from models.blocks import OwnDecoders
from models.sizes import Size

IS_TOLD = False


def n_code(size: Size) -> int:
    """Length of a code."""
    return saehd.inter_code(size)


def build_encoder(size_px: int, size: Size) -> nn.Module:
    """(N, 3, S, S) -> codes (N, n_code)."""
    return saehd.build_encoder(size_px, size, n_code(size))


def build_decoder(size_px: int, size: Size) -> nn.Module:
    """Codes (N, n_code) by role -> (N, 4, S, S) by role."""
    return OwnDecoders(saehd.build_inter(size_px, size), lambda: saehd.build_pictures(n_code(size), size))
