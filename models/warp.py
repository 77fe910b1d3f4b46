"""Random geometry of training: a slight move that input and face share; a larger one and a warp of the input alone.

The face to be restored stays nearly where the alignment put it: a decoder that also learnt to draw its person shifted
or shrunk would, in a swap, follow the other person's proportions and lose its own.

Every draw comes from a generator that is keyed by (seed, step), so that resuming changes nothing.
"""

from functools import cache
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

from models.share import WHOLE, Share

_SHARED = (0.03, 0.01, 0.006)  # ranges: rotation in radians, scale, shift as a share of the view
_OF_INPUT = (0.12, 0.05, 0.03)  # the same of the input alone, at full strength of the warp
_GRID = 5
_WARP = 0.03  # deviation of the warp's 5x5 knots, as a share of the view's side


class Views(NamedTuple):
    """Warped faces (N, 3, S, S), the faces to be restored with all their channels, and which are mirrored: (N,)."""

    warped: Tensor
    face: Tensor
    is_mirrored: Tensor


def keyed_generator(*key: int) -> Generator:
    """A generator on the CPU whose state depends on the key alone."""
    state = 0
    for part in key:
        state = (state * 0x9E3779B97F4A7C15 + part + 0x7F4A7C15) % 2**63
        state ^= state >> 29
    return Generator().manual_seed(state)


def draw_views(
    stored: Tensor,
    view_ratio: float,
    size_px: int,
    warp: float,
    flip: bool,
    generator: Generator,
    share: Share = WHOLE,
) -> Views:
    """Draw a moved and warped view of each stored face.

    `stored`: (N, C, S, S), RGB first, the view with a margin around it; `view_ratio`: side of the view / S; `warp`:
    strength of the input's own move and of its random warp (5x5 knots, bicubic), 0 for none; `flip`: mirror half of the
    faces; `share`: of the batch whose rows `stored` are.
    """
    n, device = len(stored) * share.n, stored.device
    affine = _draw_affine(n, _SHARED, generator) * view_ratio
    is_mirrored = torch.rand((n, 1), generator=generator) < 0.5 * flip
    affine[:, :, 0] *= torch.where(is_mirrored, -1.0, 1.0)
    face = _sample(stored, _make_grid(share.take(affine), size_px, device))
    mirrored = share.take(is_mirrored)[:, 0]
    if warp == 0:
        return Views(face[:, :3], face, mirrored)
    own = _draw_affine(n, tuple(warp * part for part in _OF_INPUT), generator)
    moved = torch.cat([affine[:, :, :2] @ own[:, :, :2], affine[:, :, :2] @ own[:, :, 2:] + affine[:, :, 2:]], 2)
    knots = torch.randn((n, 2, _GRID, _GRID), generator=generator) * (2 * _WARP * warp * view_ratio)
    grid = _make_grid(share.take(moved), size_px, device) + _make_field(share.take(knots), size_px, device)
    warped = _sample(stored[:, :3], grid)
    return Views(warped, face, mirrored)


def cut_views(stored: Tensor, view_ratio: float, size_px: int) -> Tensor:
    """The plain views of stored faces, unmoved: (N, C, size_px, size_px)."""
    affine = torch.eye(2, 3).repeat(len(stored), 1, 1) * view_ratio
    return _sample(stored, _make_grid(affine, size_px, stored.device))


def _draw_affine(n: int, ranges: tuple[float, ...], generator: Generator) -> Tensor:
    """(n, 2, 3) in the units of affine_grid: half the view is 1. `ranges`: of rotation, scale and shift."""
    rotation, log_scale, shift = ranges
    angle, size, x, y = (torch.rand((4, n), generator=generator) * 2 - 1).unbind(0)
    scale = torch.exp(size * log_scale)
    cos, sin = scale * torch.cos(angle * rotation), scale * torch.sin(angle * rotation)
    rows = [torch.stack([cos, -sin, 2 * shift * x], 1), torch.stack([sin, cos, 2 * shift * y], 1)]
    return torch.stack(rows, 1)


def _make_grid(affine: Tensor, size_px: int, device: torch.device) -> Tensor:
    """Where a view of `size_px` reads, across and down, for matrices (N, 2, 3): (N, 2, size_px, size_px).

    torch's affine_grid (align_corners=False), in less than half of its time: what a row adds to what a column does.
    """
    centers = (2 * torch.arange(size_px) + 1) / size_px - 1
    by_column, by_row, shift = affine[:, :, None].unbind(-1)
    columns, rows = (by_column * centers).to(device), (by_row * centers + shift).to(device)
    return columns[:, :, None] + rows[..., None]


def _make_field(knots: Tensor, size_px: int, device: torch.device) -> Tensor:
    """The bicubic field of knots (N, 2, 5, 5), the outer ones at the border: (N, 2, size_px, size_px)."""
    spread = _spread_matrix(size_px).to(device)
    return spread @ knots.to(device) @ spread.T


@cache
def _spread_matrix(size_px: int) -> Tensor:
    """(size_px, 5): what each knot of a line has in each pixel's bicubic value."""
    lines = torch.eye(_GRID)[None, :, None]
    return functional.interpolate(lines, (1, size_px), mode="bicubic", align_corners=True)[0, :, 0].T.contiguous()


def _sample(pictures: Tensor, grid: Tensor) -> Tensor:
    places = grid.permute(0, 2, 3, 1)
    return functional.grid_sample(pictures, places, mode="bilinear", padding_mode="border", align_corners=False)
