"""Ray marching: where rays meet a distance field, coarse blocks of pixels first.

A block's ray walks as a cone until the surface may lie inside it. Pixels take the depth that their
blocks foretell where the field agrees with it, and walk on from their block's depth where not.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from performers.camera import Camera

Field = Callable[[Tensor], Tensor]
CHUNK = 65536
NEAR_CM, FAR_CM = 68.0, 125.0
COARSE, FINE = 8, 2
STEPS = 48
CAUTION = 0.9
TOUCH_CM = 0.03
SHADOW_STEPS = 7
DARK_COSINE = -0.5


def in_chunks(field: Field, points: Tensor) -> Tensor:
    """Evaluate `field` at points (N, 3) in pieces that fit a cache."""
    return torch.cat([field(chunk) for chunk in torch.split(points, CHUNK)]) if len(points) else points[:, 0]


def find_hits(field: Field, camera: Camera, height: int, width: int) -> Tensor:
    """Distances along the rays of all pixels: (height, width), infinite where nothing is met.

    Height and width are multiples of `FINE`.
    """
    coarse = torch.full((-(-height // COARSE), -(-width // COARSE)), NEAR_CM)
    advance(field, camera, coarse, COARSE)
    fine = enlarge(coarse, COARSE // FINE)[: height // FINE, : width // FINE].contiguous()
    advance(field, camera, fine, FINE)
    depth = enlarge(fine, FINE)
    guess = functional.interpolate(foretell(field, camera, fine)[None, None], scale_factor=FINE, mode="bilinear")[0, 0]
    is_met = settle(field, camera, depth, guess)
    advance(field, camera, depth, 1, ~is_met)
    return depth


def enlarge(depth: Tensor, ratio: int) -> Tensor:
    """Each value repeated for the `ratio` x `ratio` rays that its block holds."""
    return depth.repeat_interleave(ratio, 0).repeat_interleave(ratio, 1)


def aim(camera: Camera, rows: Tensor, columns: Tensor, stride: int) -> Tensor:
    """Directions (N, 3) through the middles of blocks of `stride` pixels a side."""
    middle = (stride - 1) / 2
    return camera.rays(columns * stride + middle, rows * stride + middle)


def advance(field: Field, camera: Camera, depth: Tensor, stride: int, is_open: Tensor | None = None) -> None:
    """Walk the rays of one level (those that are `is_open`), in place in `depth` (rows, columns): start in, stop out."""
    is_walking = depth.isfinite() if is_open is None else depth.isfinite() & is_open
    rows, columns = torch.nonzero(is_walking, as_tuple=True)
    cone = 0.75 * stride / camera.focal_px if stride > 1 else 0.0
    directions = aim(camera, rows, columns, stride)
    depth[rows, columns] = walk(field, camera.position, directions, depth[rows, columns], cone)


def walk(field: Field, origin: Tensor, directions: Tensor, depth: Tensor, cone: float) -> Tensor:
    """Walk rays (N, 3) from `depth` (N,) until the surface is within the cone; infinite where they leave.

    Without a cone the surface itself is met, and rays that graze it for too long count as leaving.
    """
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


def foretell(field: Field, camera: Camera, fine: Tensor) -> Tensor:
    """Depth of the surface on the rays of fine blocks, by one step of the secant: (rows, columns), or infinite."""
    rows, columns = torch.nonzero(fine.isfinite(), as_tuple=True)
    directions, near = aim(camera, rows, columns, FINE), fine[rows, columns]
    first = in_chunks(field, camera.position + directions * near[:, None])
    far = near + first.clamp_min(TOUCH_CM)
    second = in_chunks(field, camera.position + directions * far[:, None])
    slope = (second - first) / (far - near)
    foretold = torch.full_like(fine, torch.inf)
    foretold[rows, columns] = torch.where(slope < -0.1, far - second / slope, torch.full_like(far, torch.inf))
    return foretold


def settle(field: Field, camera: Camera, depth: Tensor, guess: Tensor) -> Tensor:
    """Put guesses that the field confirms into `depth` (height, width); which pixels those are, as booleans."""
    rows, columns = torch.nonzero(guess.isfinite() & depth.isfinite(), as_tuple=True)
    directions, guessed = aim(camera, rows, columns, 1), guess[rows, columns]
    gap = in_chunks(field, camera.position + directions * guessed[:, None])
    is_near = gap.abs() < TOUCH_CM
    is_met = torch.zeros_like(depth, dtype=torch.bool)
    is_met[rows, columns] = is_near
    depth[rows, columns] = torch.where(is_near, guessed + gap, depth[rows, columns])
    return is_met


def find_normals(field: Field, points: Tensor) -> Tensor:
    """Unit normals (N, 3) of the field at points on its surface, from four samples around each."""
    corners = torch.tensor([[1.0, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
    gradient = torch.zeros_like(points)
    for corner in corners:
        gradient += in_chunks(field, points + 0.02 * corner)[:, None] * corner
    return gradient / gradient.norm(dim=1, keepdim=True).clamp_min(1e-9)


def measure_openness(field: Field, points: Tensor, normals: Tensor) -> Tensor:
    """How open the surroundings of points (N, 3) are: (N,) in [0, 1]."""
    closed = torch.zeros(len(points))
    for reach, weight in ((0.35, 0.45), (1.1, 0.3), (2.6, 0.25)):
        gap = in_chunks(field, points + normals * reach)
        closed += weight * (1 - (gap / reach).clamp(0.0, 1.0))
    return 1.0 - closed


def cast_shadow(field: Field, points: Tensor, normals: Tensor, light: Tensor) -> Tensor:
    """Light that reaches points (N, 3) from direction `light` (3,), with a soft edge: (N,) in [0, 1].

    Points that are turned away from the light are dark anyhow, and are not looked at.
    """
    reached = torch.ones(len(points))
    facing = torch.nonzero(normals @ light > DARK_COSINE)[:, 0]
    start = (points + normals * 0.12)[facing]
    lit, t = reached[facing], 0.25
    for _ in range(SHADOW_STEPS):
        gap = in_chunks(field, start + light * t)
        lit = torch.minimum(lit, 0.5 + 0.5 * (gap * 5.0 / t).clamp(-1.0, 1.0))
        t *= 1.75
    return reached.index_put((facing,), lit)
