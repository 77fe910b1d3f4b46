"""The shape of hair, as distance fields in head space: volumes that hold it, opened before the face."""

import torch
from torch import Tensor

from performers.identity import Identity
from performers.sdf import Points, ellipsoid, smooth_max, smooth_min


def grow_hair(identity: Identity, points: Points) -> Tensor:
    """Distance to an identity's hair."""
    return grow_long(identity, points) if identity.hair.is_long else grow_short(identity, points)


def grow_long(identity: Identity, points: Points) -> Tensor:
    """A bob with a side parting: cap, two curtains and the back, cut level above the shoulders."""
    x, y, z = points
    lock = torch.sin(3.1 * x + 1.7 * z + 0.22 * y)
    wave = 0.10 * lock + 0.035 * torch.sin(7.3 * x - 4.1 * z + 0.5 * y + 1.3 * lock)
    cap = ellipsoid(points, (0.0, 2.9, -1.6), (8.5, 9.5, 9.8))
    curtain = ellipsoid((x.abs(), y, z), (7.0, -4.5, -0.8), (2.0, 8.8, 4.6))
    back = ellipsoid(points, (0.0, -2.5, -5.5), (8.3, 10.0, 5.6))
    shape = smooth_min(smooth_min(cap, curtain, 2.0), back, 2.0) + wave
    opening = open_fringe(identity.hair.hairline, points) + 0.9 * wave
    below = -(y + 11.8 + 1.5 * wave + 0.12 * z)
    return smooth_max(smooth_max(shape, -opening, 0.7), below, 0.9)


def open_fringe(line: float, points: Points) -> Tensor:
    """Where long hair is open: an oval before the face, below a fringe that falls away from the parting."""
    opening = ellipsoid(points, (0.0, -3.5, 9.0), (6.6, line + 3.9, 8.5))
    parting = points[0] - 2.2
    fall = 0.42 * (-parting).clamp_min(0.0) + 0.75 * parting.clamp_min(0.0)
    return smooth_max(opening, (points[1] - line - 0.2 + fall) * 0.8, 1.2)


def grow_short(identity: Identity, points: Points) -> Tensor:
    """A short cut: a shell over the cranium, ending at hairline and temples and above the ears."""
    x, y, z = points
    tuft = torch.sin(2.3 * x + 1.1 * y + 1.9 * torch.sin(1.3 * z + 0.7 * x))
    wave = 0.06 * tuft + 0.035 * torch.sin(8.1 * x + 5.3 * z + 2.0 * tuft)
    shape = ellipsoid(points, (0.15, 3.2, -1.2), (identity.skull.cranium + 0.28, 9.4, 9.5)) + wave
    line = identity.hair.hairline
    opening = ellipsoid(points, (0.0, line - 10.2, 10.5), (7.2, 10.2, 8.2))
    temple = ellipsoid((x.abs(), y, z), (5.2, line - 3.0, 6.4), (2.2, 2.8, 3.4))
    opening = smooth_min(opening, temple, 1.0) + 2.2 * wave
    below = -(y + 2.6 + 0.9 * (z + 2.0).clamp_max(0.0)) + 1.5 * wave
    return smooth_max(smooth_max(shape, -opening, 0.8), below, 0.9)
