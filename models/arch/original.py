"""The classic 64 px model of the first face swaps (2017): its layer list, for comparison.

Input and output (N, 3, 64, 64) in [0, 1]; it has no mask. Encoder: four 5x5 convolutions with stride 2 and a dense
layer; inter: a dense layer and one upscale; decoder: three upscales and a 5x5 convolution with sigmoid. At the size
base, which is the classic one: 82.1 million parameters with both decoders. Weights start as torch has them.
"""

from torch import nn

from models.blocks import SLOPE, OwnDecoders, Sigmoid, downs
from models.sizes import Size, scale_channels

IS_TOLD = False


def n_code(size: Size) -> int:
    """Length of a code."""
    return scale_channels((1024,), size)[0]


def build_encoder(size_px: int, size: Size) -> nn.Module:
    """(N, 3, 64, 64) -> codes (N, n_code)."""
    c = scale_channels((128, 256, 512, 1024), size)
    last = size_px // 16
    return nn.Sequential(*downs(c), nn.Flatten(), nn.Linear(c[3] * last * last, n_code(size)))


def build_decoder(size_px: int, size: Size) -> nn.Module:
    """Codes (N, n_code) by role -> (N, 3, 64, 64) by role."""
    c = scale_channels((1024, 512, 256, 128, 64), size)
    n, last = c[0], size_px // 16
    dense = nn.Linear(n_code(size), n * last * last)
    inter = nn.Sequential(dense, nn.Unflatten(1, (n, last, last)), *_up(n, c[1]))
    return OwnDecoders(
        inter,
        lambda: nn.Sequential(
            *_up(c[1], c[2]), *_up(c[2], c[3]), *_up(c[3], c[4]), nn.Conv2d(c[4], 3, 5, padding=2), Sigmoid()
        ),
    )


def _up(n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(n_in, 4 * n_out, 3, padding=1), nn.LeakyReLU(SLOPE, inplace=True), nn.PixelShuffle(2)
