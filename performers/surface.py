"""What a painter returns and what it is given: surfaces, and the spots to paint.

Colors are linear RGB (3, N) or (3, 1).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from performers.figure import Figure
from performers.head import Rest
from performers.identity import Color


class Surface(NamedTuple):
    """What light meets: color and bump (3, N); gloss and its sharpness, spread of light below, strands' sheen (N,)."""

    color: Tensor
    gloss: Tensor
    sharpness: Tensor
    spread: Tensor
    strand: Tensor
    bump: Tensor


class Spots(NamedTuple):
    """Points of one part of a figure: at rest, and as they are in head space and in the world (3, N)."""

    figure: Figure
    rest: Rest
    local: Tensor
    world: Tensor


def find_spots(figure: Figure, world: Tensor) -> Spots:
    """Spots of a figure at world points (N, 3)."""
    local = figure.to_head(world).T.contiguous()
    rest = figure.head.relax((local[0], local[1], local[2]))
    return Spots(figure, rest, local, world.T.contiguous())


def make_plain(color: Tensor, gloss: float, sharpness: float, spread: float) -> Surface:
    """A smooth surface of even gloss."""
    even = torch.ones(color.shape[1])
    return Surface(color, even * gloss, even * sharpness, even * spread, even * 0, torch.zeros_like(color))


def tint(color: Color) -> Tensor:
    """A color as (3, 1)."""
    return torch.tensor(color)[:, None]


def mix(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """From `first` (share 0) to `second` (share 1)."""
    return first + (second - first) * share
