"""What the architectures are built of."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from models.roles import ROLES, Role

SLOPE = 0.1


def downs(channels: Iterable[int], first_stride: int = 2) -> list[nn.Module]:
    """Half the size again and again by strided 5x5 convolutions, RGB to the last of the channels; at first by more."""
    layers: list[nn.Module] = []
    n_in, stride = 3, first_stride
    for n_out in channels:
        layers += [nn.Conv2d(n_in, n_out, 5, stride=stride, padding=2), nn.LeakyReLU(SLOPE, inplace=True)]
        n_in, stride = n_out, 2
    return layers


class Residual(nn.Module):
    """x + f(x), two 3x3 convolutions; the second starts at a tenth of its scale, so that the block starts near x."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(n, n, 3, padding=1)
        self.second = nn.Conv2d(n, n, 3, padding=1)
        self.act = nn.LeakyReLU(SLOPE, inplace=True)

    @torch.no_grad()
    def adjust(self) -> None:
        self.second.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(x + self.second(self.act(self.first(x))))
        return y


class Up(nn.Module):
    """Twice the size by pixel shuffle, whose four kernels start alike, so that no checkerboard shows."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, 4 * n_out, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)
        self.act = nn.LeakyReLU(SLOPE, inplace=True)

    @torch.no_grad()
    def adjust(self) -> None:
        self.conv.weight.copy_(self.conv.weight[::4].repeat_interleave(4, 0))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.shuffle(self.conv(x)))
        return y


class Sigmoid(nn.Module):
    """Sigmoid in float32, whatever autocast does before it."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x.float())


class SideBySide(nn.Module):
    """Several nets' results of one input, channels after channels."""

    def __init__(self, *nets: nn.Module) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([net(x) for net in self.nets], 1)


class OwnDecoders(nn.Module):
    """Codes by role -> pictures by role: an inter that both share, then the role's own decoder."""

    def __init__(self, inter: nn.Module, build: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.inter = inter
        self.own = nn.ModuleDict({role: build() for role in ROLES})

    def forward(self, codes: Mapping[Role, Tensor]) -> dict[Role, Tensor]:
        between = apply_together(self.inter, codes)
        return {role: self.own[role](part) for role, part in between.items()}


def apply_together(net: nn.Module, inputs: Mapping[Role, Tensor]) -> dict[Role, Tensor]:
    """What a net makes of every role's input (N, ...), in one call: its weights' gradients are worked out once."""
    results = net(torch.cat(list(inputs.values()))).split([len(part) for part in inputs.values()])
    return dict(zip(inputs, results, strict=True))


def initialize(module: nn.Module) -> nn.Module:
    """Weights that keep the signal's size through all layers (He et al. 2015): torch's own let it fade."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, a=SLOPE)
            assert part.bias is not None
            nn.init.zeros_(part.bias)
    for part in module.modules():
        if isinstance(part, Residual | Up):
            part.adjust()
    return module
