"""Signed distance fields of a few primitives, and how to join them.

Points are three float32 tensors of one shape, in centimeters; distances come back in that shape,
negative inside. The smooth joins are those of I. Quilez ("smooth minimum", quadratic).
"""

import torch
from torch import Tensor

Vector = tuple[float, float, float]
Points = tuple[Tensor, Tensor, Tensor]
Bump = tuple[Vector, Vector, float]
"""Center, widths and height, in centimeters."""


def ellipsoid(points: Points, center: Vector, radii: Vector) -> Tensor:
    """Distance to an ellipsoid along the axes (first order: exact on its surface)."""
    scaled = [(p - c) / r for p, c, r in zip(points, center, radii, strict=True)]
    inner = length(*scaled)
    slope = length(*(s / r for s, r in zip(scaled, radii, strict=True)))
    return inner * (inner - 1.0) / slope.clamp_min(1e-6)


def sphere(points: Points, center: Vector, radius: float) -> Tensor:
    """Distance to a sphere."""
    return length(*(p - c for p, c in zip(points, center, strict=True))) - radius


def capsule(points: Points, start: Vector, end: Vector, radii: tuple[float, float]) -> Tensor:
    """Distance to a rod from `start` to `end` whose radius runs evenly from the first to the second of `radii`."""
    axis = [e - s for s, e in zip(start, end, strict=True)]
    offset = [p - s for p, s in zip(points, start, strict=True)]
    along = sum_of(*(o * a for o, a in zip(offset, axis, strict=True))) / sum(a * a for a in axis)
    along = along.clamp(0.0, 1.0)
    away = length(*(torch.addcmul(o, along, torch.tensor(-a)) for o, a in zip(offset, axis, strict=True)))
    return away - (radii[0] + (radii[1] - radii[0]) * along)


def length(*parts: Tensor) -> Tensor:
    """Length of the vectors whose coordinates are `parts`."""
    total = parts[0] * parts[0]
    for part in parts[1:]:
        total = torch.addcmul(total, part, part)
    return total.sqrt_()


def sum_of(*parts: Tensor) -> Tensor:
    """Sum of tensors of one shape."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def smooth_min(a: Tensor, b: Tensor, blend: float) -> Tensor:
    """Union of two fields with a fillet of size `blend` (centimeters)."""
    overlap = (blend - (a - b).abs()).clamp_min(0.0)
    return torch.minimum(a, b) - overlap * overlap * (0.25 / blend)


def smooth_max(a: Tensor, b: Tensor, blend: float) -> Tensor:
    """Intersection of two fields with a rounded edge of size `blend` (centimeters)."""
    overlap = (blend - (a - b).abs()).clamp_min(0.0)
    return torch.maximum(a, b) + overlap * overlap * (0.25 / blend)


def smooth_step(low: float, high: float, value: Tensor) -> Tensor:
    """0 below `low`, 1 above `high` (or the reverse where `low > high`), a cubic between."""
    t = ((value - low) / (high - low)).clamp(0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def bell(value: Tensor, width: float) -> Tensor:
    """1 at zero, falling as a Gaussian whose value at `width` is 1/e."""
    scaled = value * (1 / width)
    return torch.exp(-scaled * scaled)


class Bumps:
    """A sum of Gaussian bumps, by which a surface is modeled as with clay: `distance - bumps(points)`.

    All exponents are one product of matrices, so that twenty bumps cost what five primitives do.
    """

    def __init__(self, bumps: list[Bump]) -> None:
        """Gather the bumps into one matrix."""
        centers = torch.tensor([b[0] for b in bumps])
        weights = torch.tensor([b[1] for b in bumps]) ** -2
        constant = -(weights * centers**2).sum(1, keepdim=True)
        self.matrix = torch.cat([-weights, 2 * weights * centers, constant], dim=1)
        self.heights = torch.tensor([b[2] for b in bumps])

    def __call__(self, points: Points) -> Tensor:
        """Height of the sum at flat points (N,)."""
        x, y, z = points
        features = torch.stack([x * x, y * y, z * z, x, y, z, torch.ones_like(x)])
        return self.heights @ torch.exp_(self.matrix @ features)
