"""Random geometry of training: an affine move that input and face share, and a smooth warp of the input alone.

Every draw comes from a generator that is keyed by (seed, step), so that resuming changes nothing.
"""

import torch
from torch import Generator, Tensor
from torch.nn import functional

_ROTATION = 0.12  # radians, standard ranges of the affine move at full strength
_SCALE = 0.05
_SHIFT = 0.03
_GRID = 5
_WARP = 0.03  # deviation of the warp's 5x5 knots, as a share of the view's side


def keyed_generator(*key: int) -> Generator:
    """A generator on the CPU whose state depends on the key alone."""
    state = 0
    for part in key:
        state = (state * 0x9E3779B97F4A7C15 + part + 0x7F4A7C15) % 2**63
        state ^= state >> 29
    return Generator().manual_seed(state)


def draw_views(
    stored: Tensor, view_ratio: float, size_px: int, warp: float, flip: bool, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Draw a moved and warped view of each stored face: warped (N, 3, size_px, size_px), face with all channels.

    `stored`: (N, C, S, S), RGB first, the view with a margin around it; `view_ratio`: side of the view / S; `warp`:
    strength of the random warp (5x5 knots, bicubic), 0 for none; `flip`: mirror half of the faces.
    """
    n, device = len(stored), stored.device
    affine = _draw_affine(n, flip, generator) * view_ratio
    grid = functional.affine_grid(affine.to(device), [n, 1, size_px, size_px], align_corners=False)
    face = _sample(stored, grid)
    if warp == 0:
        return face[:, :3], face
    knots = torch.randn((n, 2, _GRID, _GRID), generator=generator) * (2 * _WARP * warp * view_ratio)
    field = functional.interpolate(knots.to(device), (size_px, size_px), mode="bicubic", align_corners=True)
    return _sample(stored[:, :3], grid + field.permute(0, 2, 3, 1)), face


def cut_views(stored: Tensor, view_ratio: float, size_px: int) -> Tensor:
    """The plain views of stored faces, unmoved: (N, C, size_px, size_px)."""
    affine = torch.eye(2, 3).repeat(len(stored), 1, 1) * view_ratio
    grid = functional.affine_grid(affine.to(stored.device), [len(stored), 1, size_px, size_px], align_corners=False)
    return _sample(stored, grid)


def _draw_affine(n: int, flip: bool, generator: Generator) -> Tensor:
    """(n, 2, 3) in the units of affine_grid: half the view is 1."""
    angle, log_scale, x, y = (torch.rand((4, n), generator=generator) * 2 - 1).unbind(0)
    scale = torch.exp(log_scale * _SCALE)
    cos, sin = scale * torch.cos(angle * _ROTATION), scale * torch.sin(angle * _ROTATION)
    mirror = torch.where(torch.rand(n, generator=generator) < 0.5 * flip, -1.0, 1.0)
    rows = [torch.stack([cos * mirror, -sin, 2 * _SHIFT * x], 1), torch.stack([sin * mirror, cos, 2 * _SHIFT * y], 1)]
    return torch.stack(rows, 1)


def _sample(pictures: Tensor, grid: Tensor) -> Tensor:
    return functional.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)
