"""Ray marching: where rays meet a distance field, coarse blocks of pixels first.

A block's ray walks as a cone until the surface may lie inside it; its pixels go on from there.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from performers.camera import Camera

Field = Callable[[Tensor], Tensor]
CHUNK = 65536
NEAR_CM, FAR_CM = 68.0, 125.0
STRIDES = (8, 2, 1)
STEPS = 48
CAUTION = 0.9
TOUCH_CM = 0.03


def in_chunks(field: Field, points: Tensor) -> Tensor:
    """Evaluate `field` at points (N, 3) in pieces that fit a cache."""
    return torch.cat([field(chunk) for chunk in points.split(CHUNK)]) if len(points) else points[:, 0]


def find_hits(field: Field, camera: Camera, height: int, width: int) -> Tensor:
    """Distances along the rays of all pixels: (height, width), infinite where nothing is met."""
    depth = torch.full((-(-height // STRIDES[0]), -(-width // STRIDES[0])), NEAR_CM)
    for level, stride in enumerate(STRIDES):
        if level:
            ratio = STRIDES[level - 1] // stride
            depth = depth.repeat_interleave(ratio, 0).repeat_interleave(ratio, 1)
            depth = depth[: -(-height // stride), : -(-width // stride)].contiguous()
        advance(field, camera, depth, stride)
    return depth


def advance(field: Field, camera: Camera, depth: Tensor, stride: int) -> None:
    """Walk the rays of one level, in place in `depth` (rows, columns): start in, stop out."""
    rows, columns = torch.nonzero(depth.isfinite(), as_tuple=True)
    middle = (stride - 1) / 2
    directions = camera.rays(columns * stride + middle, rows * stride + middle)
    cone = 0.75 * stride / camera.focal_px if stride > 1 else 0.0
    depth[rows, columns] = walk(field, camera.position, directions, depth[rows, columns], cone)


def walk(field: Field, origin: Tensor, directions: Tensor, depth: Tensor, cone: float) -> Tensor:
    """Walk rays (N, 3) from `depth` (N,) until the surface is within the cone; infinite where they leave."""
    depth = depth.clone()
    active = torch.arange(len(depth))
    for _ in range(STEPS):
        t = depth[active]
        gap = in_chunks(field, origin + directions[active] * t[:, None])
        is_touching = gap < cone * t + TOUCH_CM
        last = torch.zeros_like(t) if cone else gap
        t = t + torch.where(is_touching, last, (gap - 0.5 * cone * t).clamp_min(TOUCH_CM) * CAUTION)
        depth[active] = torch.where(t > FAR_CM, torch.full_like(t, torch.inf), t)
        active = active[~is_touching & (t <= FAR_CM)]
        if not len(active):
            return depth
    if not cone:
        depth[active] = torch.inf
    return depth


def find_normals(field: Field, points: Tensor) -> Tensor:
    """Unit normals (N, 3) of the field at points on its surface, from four samples around each."""
    corners = torch.tensor([[1.0, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
    gradient = torch.zeros_like(points)
    for corner in corners:
        gradient += in_chunks(field, points + 0.02 * corner)[:, None] * corner
    return gradient / gradient.norm(dim=1, keepdim=True).clamp_min(1e-9)


def occlusion(field: Field, points: Tensor, normals: Tensor) -> Tensor:
    """How open the surroundings of points (N, 3) are: (N,) in [0, 1]."""
    closed = torch.zeros(len(points))
    for reach, weight in ((0.35, 0.45), (1.1, 0.3), (2.6, 0.25)):
        gap = in_chunks(field, points + normals * reach)
        closed += weight * (1 - (gap / reach).clamp(0.0, 1.0))
    return 1 - closed


def shadow(field: Field, points: Tensor, normals: Tensor, light: Tensor) -> Tensor:
    """Light that reaches points (N, 3) from direction `light` (3,), with a soft edge: (N,) in [0, 1]."""
    reached = torch.ones(len(points))
    t = 0.25
    start = points + normals * 0.12
    for _ in range(7):
        gap = in_chunks(field, start + light * t)
        reached = torch.minimum(reached, 0.5 + 0.5 * (gap * 5.0 / t).clamp(-1.0, 1.0))
        t *= 1.75
    return reached
