"""The default: a small residual autoencoder, for quality per minute on two CPU cores.

Input and output (N, 3, S, S) in [0, 1], S a multiple of 16. Encoder: four strided convolutions with a residual block,
then a dense code that carries no place of its own; inter: a dense layer back to a map; decoder: four pixel-shuffle
upscales with residual blocks.
"""

import torch
from torch import Tensor, nn

CHANNELS = (16, 32, 64, 96)  # at width 1, from the finest level to the coarsest
N_CODE = 256
SLOPE = 0.1


def build_encoder(size_px: int, width: float) -> nn.Module:
    """(N, 3, S, S) -> codes (N, N_CODE)."""
    c = _channels(width)
    last = size_px // 16
    downs: list[nn.Module] = []
    for n_in, n_out in zip((3, *c), c, strict=False):
        downs += [nn.Conv2d(n_in, n_out, 5, stride=2, padding=2), nn.LeakyReLU(SLOPE)]
    return _initialize(nn.Sequential(*downs, _Residual(c[3]), nn.Flatten(), nn.Linear(c[3] * last * last, N_CODE)))


def n_code(width: float) -> int:
    """Length of a code, whatever the width."""
    del width
    return N_CODE


def build_inter(size_px: int, width: float) -> nn.Module:
    """Codes (N, N_CODE) -> (N, c, S / 16, S / 16)."""
    n, last = _channels(width)[3], size_px // 16
    back = nn.Linear(N_CODE, n * last * last)
    return _initialize(nn.Sequential(back, nn.Unflatten(1, (n, last, last)), nn.LeakyReLU(SLOPE)))


def build_decoder(size_px: int, width: float) -> nn.Module:
    """(N, c, S / 16, S / 16) -> (N, 3, S, S)."""
    del size_px  # follows from the code's size
    c = _channels(width)
    ups: list[nn.Module] = []
    for n_in, n_out in zip(c[::-1], c[-2::-1], strict=False):
        ups += [_Up(n_in, n_out), _Residual(n_out)]
    return _initialize(nn.Sequential(*ups, nn.Conv2d(c[0], 12, 3, padding=1), nn.PixelShuffle(2), _Sigmoid()))


def _initialize(module: nn.Module) -> nn.Module:
    """Weights that keep the signal's size through all layers (He et al. 2015): torch's own let it fade."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, a=SLOPE)
            assert part.bias is not None
            nn.init.zeros_(part.bias)
    for part in module.modules():
        if isinstance(part, _Residual | _Up):
            part.adjust()
    return module


def _channels(width: float) -> list[int]:
    return [max(8, 8 * round(n * width / 8)) for n in CHANNELS]


class _Residual(nn.Module):
    """x + f(x), two 3x3 convolutions; the second starts at a tenth of its scale, so that the block starts near x."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(n, n, 3, padding=1)
        self.second = nn.Conv2d(n, n, 3, padding=1)
        self.act = nn.LeakyReLU(SLOPE)

    @torch.no_grad()
    def adjust(self) -> None:
        self.second.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(x + self.second(self.act(self.first(x))))
        return y


class _Up(nn.Module):
    """Twice the size by pixel shuffle, whose four kernels start alike, so that no checkerboard shows."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, 4 * n_out, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)
        self.act = nn.LeakyReLU(SLOPE)

    @torch.no_grad()
    def adjust(self) -> None:
        self.conv.weight.copy_(self.conv.weight[::4].repeat_interleave(4, 0))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.shuffle(self.conv(x)))
        return y


class _Sigmoid(nn.Module):
    """Sigmoid in float32, whatever autocast does before it."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x.float())
