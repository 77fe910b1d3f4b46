"""Ray marching: where rays meet a distance field, coarse blocks of pixels first, more rays where there is detail.

A block's ray walks as a cone until the surface may lie inside it; its pixels go on from there. Rays
between pixels take the depth that the pixels foretell where the field agrees with it.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from performers.camera import Camera

Field = Callable[[Tensor], Tensor]
CHUNK = 65536
NEAR_CM, FAR_CM = 68.0, 125.0
BLOCK = 4
STEPS = 48
CAUTION = 0.9
TOUCH_CM = 0.05
SHADOW_STEPS = 6
DARK_COSINE = -0.5


def in_chunks(field: Field, points: Tensor) -> Tensor:
    """Evaluate `field` at points (N, 3) in pieces that fit a cache."""
    return torch.cat([field(chunk) for chunk in torch.split(points, CHUNK)]) if len(points) else points[:, 0]


def find_hits(field: Field, camera: Camera, height: int, width: int) -> Tensor:
    """Distances along the rays of all pixels: (height, width), infinite where nothing is met."""
    coarse = torch.full((-(-height // BLOCK), -(-width // BLOCK)), NEAR_CM)
    advance(field, camera, coarse, BLOCK)
    depth = coarse.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)[:height, :width].contiguous()
    advance(field, camera, depth, 1)
    return depth


def advance(field: Field, camera: Camera, depth: Tensor, stride: int) -> None:
    """Walk the rays of one level, in place in `depth` (rows, columns): start in, stop out."""
    rows, columns = torch.nonzero(depth.isfinite(), as_tuple=True)
    middle = (stride - 1) / 2
    directions = camera.rays(columns * stride + middle, rows * stride + middle)
    cone = 0.75 * stride / camera.focal_px if stride > 1 else 0.0
    depth[rows, columns] = walk(field, camera.position, directions, depth[rows, columns], cone)


def find_between(field: Field, origin: Tensor, directions: Tensor, guess: Tensor, start: Tensor) -> Tensor:
    """Depths (N,) of rays (N, 3): as guessed (N,) where the field agrees, else by walking from `start` (N,)."""
    depth = torch.full_like(guess, torch.inf)
    guessed = torch.nonzero(guess.isfinite())[:, 0]
    gap = in_chunks(field, origin + directions[guessed] * guess[guessed, None])
    is_near = gap.abs() < TOUCH_CM
    depth[guessed[is_near]] = (guess[guessed] + gap)[is_near]
    rest = torch.nonzero(depth.isinf())[:, 0]
    depth[rest] = walk(field, origin, directions[rest], start[rest], 0.0)
    return depth


def walk(field: Field, origin: Tensor, directions: Tensor, depth: Tensor, cone: float) -> Tensor:
    """Walk rays (N, 3) from `depth` (N,) until the surface is within the cone; infinite where they leave.

    Without a cone the surface itself is met, and rays that graze it for too long count as leaving.
    """
    depth = depth.clone()
    active, slope, past = torch.arange(len(depth)), torch.full_like(depth, -1.0), torch.zeros(0)
    for _ in range(STEPS):
        t = depth[active]
        gap = in_chunks(field, origin + directions[active] * t[:, None])
        slope = slope if not len(past) else (gap - past[0]) / (t - past[1])
        is_touching = (gap < cone * t + TOUCH_CM) if cone else find_touching(gap, slope)
        last = torch.zeros_like(t) if cone else gap / (-slope).clamp(0.3, 1.5)
        ahead = t + torch.where(is_touching, last, (gap - 0.5 * cone * t).clamp_min(0.5 * TOUCH_CM) * CAUTION)
        depth[active] = torch.where(ahead > FAR_CM, torch.full_like(t, torch.inf), ahead)
        going = ~is_touching & (ahead <= FAR_CM)
        active, past = active[going], torch.stack([gap[going], t[going]])
        if not len(active):
            return depth
    if not cone:
        depth[active] = torch.inf
    return depth


def find_touching(gap: Tensor, slope: Tensor) -> Tensor:
    """Whether rays meet the surface: they are on it, or close and bound for it (`slope` of the gap along the ray)."""
    return (gap < 0.2 * TOUCH_CM) | ((gap < TOUCH_CM) & (slope < -0.3))


def find_normals(field: Field, points: Tensor) -> Tensor:
    """Unit normals (N, 3) of the field at points on its surface, from four samples around each."""
    corners = torch.tensor([[1.0, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
    gradient = torch.zeros_like(points)
    for corner in corners:
        gradient += in_chunks(field, points + 0.02 * corner)[:, None] * corner
    return functional.normalize(gradient, dim=1)


def measure_openness(field: Field, points: Tensor, normals: Tensor) -> Tensor:
    """How open the surroundings of points (N, 3) are: (N,) in [0, 1]."""
    closed = torch.zeros(len(points))
    for reach, weight in ((0.4, 0.5), (1.9, 0.5)):
        gap = in_chunks(field, points + normals * reach)
        closed += weight * (1 - (gap / reach).clamp(0.0, 1.0))
    return 1.0 - closed


def cast_shadow(field: Field, points: Tensor, normals: Tensor, light: Tensor) -> Tensor:
    """Light that reaches points (N, 3) from direction `light` (3,), with a soft edge: (N,) in [0, 1].

    Nothing reaches points that are turned away from it.
    """
    reached = torch.zeros(len(points))
    facing = torch.nonzero(normals @ light > DARK_COSINE)[:, 0]
    start = (points + normals * 0.12)[facing]
    lit, t = torch.ones(len(facing)), 0.25
    for _ in range(SHADOW_STEPS):
        gap = in_chunks(field, start + light * t)
        lit = torch.minimum(lit, 0.5 + 0.5 * (gap * 5.0 / t).clamp(-1.0, 1.0))
        t *= 1.95
    return reached.index_put((facing,), lit)
