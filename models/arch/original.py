"""The classic 64 px model of the first face swaps (2017): its layer list, for comparison.

Input and output (N, 3, 64, 64) in [0, 1]. Encoder: four 5x5 convolutions with stride 2 and a dense layer; inter: a
dense layer and one upscale; decoder: three upscales and a 5x5 convolution with sigmoid. At width 1: 82.1 million
parameters with both decoders.
"""

import torch
from torch import Tensor, nn

SLOPE = 0.1


def build_encoder(size_px: int, width: float) -> nn.Module:
    """(N, 3, 64, 64) -> codes (N, 1024 w)."""
    c = [round(n * width) for n in (128, 256, 512, 1024)]
    last = size_px // 16
    return nn.Sequential(
        *_down(3, c[0]),
        *_down(c[0], c[1]),
        *_down(c[1], c[2]),
        *_down(c[2], c[3]),
        nn.Flatten(),
        nn.Linear(c[3] * last * last, c[3]),
    )


def build_inter(size_px: int, width: float) -> nn.Module:
    """Codes (N, 1024 w) -> (N, 512 w, 8, 8)."""
    n, last = n_code(width), size_px // 16
    return nn.Sequential(nn.Linear(n, n * last * last), nn.Unflatten(1, (n, last, last)), *_up(n, round(512 * width)))


def n_code(width: float) -> int:
    """Length of a code."""
    return round(1024 * width)


def build_decoder(size_px: int, width: float) -> nn.Module:
    """(N, 512 w, 8, 8) -> (N, 3, 64, 64)."""
    c = [round(n * width) for n in (512, 256, 128, 64)]
    del size_px  # follows from the code's size
    return nn.Sequential(
        *_up(c[0], c[1]), *_up(c[1], c[2]), *_up(c[2], c[3]), nn.Conv2d(c[3], 3, 5, padding=2), _Sigmoid()
    )


def _down(n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(n_in, n_out, 5, stride=2, padding=2), nn.LeakyReLU(SLOPE)


def _up(n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(n_in, 4 * n_out, 3, padding=1), nn.LeakyReLU(SLOPE), nn.PixelShuffle(2)


class _Sigmoid(nn.Module):
    """Sigmoid in float32, whatever autocast does before it."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x.float())
