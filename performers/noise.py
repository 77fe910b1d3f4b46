"""Noise without seams: one small random volume, sampled at any scale."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

VOLUME = 48


@cache
def volume(seed: int) -> Tensor:
    """Random values in [-1, 1] that repeat every `VOLUME` cells: (1, 2, V + 1, V + 1, V + 1)."""
    generator = torch.Generator().manual_seed(seed)
    cells = torch.rand((1, 2, VOLUME, VOLUME, VOLUME), generator=generator) * 2 - 1
    for axis in (2, 3, 4):
        cells = torch.cat([cells, cells.narrow(axis, 0, 1)], dim=axis)
    return cells


def sample(x: Tensor, y: Tensor, z: Tensor, cells_per_unit: float, seed: int = 7) -> Tensor:
    """Trilinear noise in [-1, 1] at flat points (N,): (2, N), two independent values."""
    grid = torch.stack([x, y, z], dim=-1) * (cells_per_unit / VOLUME)
    grid = (grid - grid.floor()) * 2 - 1
    picked = functional.grid_sample(volume(seed), grid.view(1, -1, 1, 1, 3), align_corners=True)
    return picked.view(2, -1)


def fractal(x: Tensor, y: Tensor, z: Tensor, cells_per_unit: float, octaves: int, seed: int = 7) -> Tensor:
    """Sum of `octaves` samples, each of twice the frequency and half the height: (N,), about [-1, 1]."""
    total = torch.zeros_like(x)
    for octave in range(octaves):
        total += sample(x, y, z, cells_per_unit * 2**octave, seed + octave)[0] * 0.5**octave
    return total
