"""Layers of DeepFaceLab's SAEHD, which the architectures df and liae share.

The size base has SAEHD's usual dimensions: 64 of encoder and decoder, 22 of the mask, 256 of an inter's code.
"""

from itertools import pairwise

from torch import nn

from models.blocks import Residual, SideBySide, Sigmoid, Up, downs, initialize
from models.sizes import Size, scale_channels

_ENCODER = (64, 128, 256, 512)
_DECODER = (512, 256, 128)
_MASK = (176, 88, 44)
_CODE = 256


def inter_code(size: Size) -> int:
    """Length of the code that an inter reads."""
    return scale_channels((_CODE,), size)[0]


def build_encoder(size_px: int, size: Size, n_code: int) -> nn.Module:
    """(N, 3, S, S) -> codes (N, n_code): four 5x5 convolutions with stride 2 and a dense bottleneck."""
    c = scale_channels(_ENCODER, size)
    last = size_px // 16
    return initialize(nn.Sequential(*downs(c), nn.Flatten(), nn.Linear(c[-1] * last * last, n_code)))


def build_inter(size_px: int, size: Size) -> nn.Module:
    """Codes (N, n) -> (N, n, S / 8, S / 8): a dense layer and one upscale."""
    n, last = inter_code(size), size_px // 16
    return initialize(nn.Sequential(nn.Linear(n, n * last * last), nn.Unflatten(1, (n, last, last)), Up(n, n)))


def build_pictures(n: int, size: Size) -> nn.Module:
    """(N, n, S / 8, S / 8) -> (N, 4, S, S): three upscales with residual blocks, and beside them those of the mask."""
    c, m = scale_channels(_DECODER, size), scale_channels(_MASK, size)
    colors: list[nn.Module] = []
    for n_in, n_out in pairwise((n, *c)):
        colors += [Up(n_in, n_out), Residual(n_out)]
    masks = [Up(n_in, n_out) for n_in, n_out in pairwise((n, *m))]
    branches = SideBySide(nn.Sequential(*colors, nn.Conv2d(c[-1], 3, 1)), nn.Sequential(*masks, nn.Conv2d(m[-1], 1, 1)))
    return initialize(nn.Sequential(branches, Sigmoid()))
