"""The default: a small residual autoencoder, for quality per minute on two CPU cores.

Input (N, 3, S, S) in [0, 1], S a multiple of 16; output (N, 4, S, S), RGB and the face's mask. Encoder: four strided
convolutions with a residual block, then a dense code that carries no place of its own; inter: a dense layer back to a
map, from the code and what was measured of the expression, and two upscales by pixel shuffle with residual blocks;
decoder: one more, and a last one for picture and mask at once.

That both identities share the coarse upscales lets codes mean the same by both: the same layers draw a face's shape
from them (docs/swap_quality.md).

The finest layers work on a map of the picture's side / 2, 3 or 4, of 64 pixels or more where the picture is large
(`find_stride`): so one of 192 pixels costs little more than one of 128, and is drawn more finely than that enlarged.
"""

from itertools import pairwise

from torch import nn

from models.blocks import SLOPE, OwnDecoders, Residual, Sigmoid, Up, downs, initialize
from models.expression import N_FEATURES
from models.sizes import Size, scale_channels

CHANNELS = (32, 64, 128, 192)  # at the size base, from the finest level to the coarsest
N_CODE = 256
IS_TOLD = True
_N_SHARED = 2  # upscales, from the coarsest on, that both identities share
_FINEST_PX = 64  # the least side of the finest map where the picture is cut by more than 2


def n_code(size: Size) -> int:
    """Length of a code, whatever the size."""
    del size
    return N_CODE


def build_encoder(size_px: int, size: Size) -> nn.Module:
    """(N, 3, S, S) -> codes (N, N_CODE)."""
    c, stride = scale_channels(CHANNELS, size), find_stride(size_px)
    last = size_px // (8 * stride)
    dense = nn.Linear(c[3] * last * last, N_CODE)
    return initialize(nn.Sequential(*downs(c, stride), Residual(c[3]), nn.Flatten(), dense))


def build_decoder(size_px: int, size: Size) -> nn.Module:
    """Codes and features of the expression (N, N_CODE + N_FEATURES) by role -> (N, 4, S, S) by role."""
    c, stride = scale_channels(CHANNELS, size)[::-1], find_stride(size_px)
    last = size_px // (8 * stride)
    back = nn.Linear(N_CODE + N_FEATURES, c[0] * last * last)
    unfolded = [back, nn.Unflatten(1, (c[0], last, last)), nn.LeakyReLU(SLOPE, inplace=True)]
    inter = nn.Sequential(*unfolded, *_build_ups(c[: _N_SHARED + 1]))
    return OwnDecoders(initialize(inter), lambda: _build_own(c[_N_SHARED:], stride))


def find_stride(size_px: int) -> int:
    """The picture's side over that of the finest map: 2, or 3 or 4 where the map still has 64 pixels a side."""
    return next((n for n in (4, 3) if size_px % (8 * n) == 0 and size_px >= n * _FINEST_PX), 2)


def _build_ups(channels: list[int]) -> list[nn.Module]:
    """Twice the size again and again, from the first of the channels to the last."""
    ups: list[nn.Module] = []
    for n_in, n_out in pairwise(channels):
        ups += [Up(n_in, n_out), Residual(n_out)]
    return ups


def _build_own(channels: list[int], stride: int) -> nn.Module:
    """(N, c, side, side), c the first of the channels -> (N, 4, S, S), S `stride` times the side of the last's maps."""
    last = nn.Conv2d(channels[-1], 4 * stride**2, 3, padding=1)
    return initialize(nn.Sequential(*_build_ups(channels), last, nn.PixelShuffle(stride), Sigmoid()))
