"""A whole performer in the world: the posed head, hair, neck and clothes as one distance field.

World space: centimeters, x to the right of the picture, y up, z toward the camera; a head in rest
pose has its own origin there.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from performers.hair import grow_hair
from performers.head import Head, turn
from performers.identity import Identity
from performers.script import Moment
from performers.sdf import Points, capsule, ellipsoid, smooth_max, smooth_min

PIVOT = torch.tensor([0.0, -7.0, -2.5])
HEAD_MIDDLE = torch.tensor([0.0, 0.0, -1.0])
HEAD_RADIUS = 14.8
BODY_TOP = -4.0
MARGIN = 4.0
N_PARTS = 7
SKIN, EYE, TEETH, TONGUE, HAIR, NECK, CLOTH = range(N_PARTS)


def split_axes(points: Tensor) -> Points:
    """Points (N, 3) as three tensors (N,)."""
    x, y, z = points.T.contiguous().unbind()
    return x, y, z


def evaluate_near(field: Callable[[Tensor], Tensor], points: Tensor, bound: Tensor) -> Tensor:
    """`field` at the points (N, 3) whose lower `bound` (N,) is small; the bound itself at the others."""
    is_near = bound < MARGIN
    near = torch.nonzero(is_near)[:, 0]
    if len(near) in (0, len(bound)):
        return field(points) if len(near) else bound
    return bound.index_put((near,), field(points[near]))


class Figure:
    """A performer at one moment."""

    def __init__(self, identity: Identity, moment: Moment) -> None:
        """Pose the head of `identity` as `moment` says."""
        self.identity = identity
        self.moment = moment
        self.head = Head(identity, moment)
        self.rotation = turn(moment)
        self.offset = PIVOT + torch.tensor([moment.head_x, moment.head_y, 0.0])
        self.nape = self.to_world(torch.tensor([[0.0, -6.0, -3.0]]))[0].tolist()

    def to_head(self, world: Tensor) -> Tensor:
        """World points (N, 3) in head space."""
        return (world - self.offset) @ self.rotation + PIVOT

    def to_world(self, local: Tensor) -> Tensor:
        """Points in head space (N, 3) in the world."""
        return (local - PIVOT) @ self.rotation.T + self.offset

    def distance(self, world: Tensor) -> Tensor:
        """Distance to the nearest part at world points (N, 3): close to it near a part, a lower bound far from it."""
        local = self.to_head(world)
        head = evaluate_near(self.head_distance, local, (local - HEAD_MIDDLE).norm(dim=1) - HEAD_RADIUS)
        body = evaluate_near(self.body_distance, world, world[:, 1] - BODY_TOP)
        return torch.minimum(head, body)

    def head_distance(self, local: Tensor) -> Tensor:
        """Distance to head and hair at points in head space (N, 3)."""
        points = split_axes(local)
        head = self.head
        eyes, teeth, tongue = head.eye_balls(points), head.teeth(points), head.tongue(points)
        inner = torch.minimum(torch.minimum(eyes, teeth), tongue)
        return torch.minimum(torch.minimum(head.skin(points), self.hair(points)), inner)

    def body_distance(self, world: Tensor) -> Tensor:
        """Distance to neck and clothes at world points (N, 3)."""
        return torch.minimum(*self.body(split_axes(world)))

    def field_of(self, part: int) -> Callable[[Tensor], Tensor]:
        """The distance field of one part, over world points (N, 3)."""
        if part in (NECK, CLOTH):
            return lambda world: self.body(split_axes(world))[part - NECK]
        fields = (self.head.skin, self.head.eye_balls, self.head.teeth, self.head.tongue, self.hair)
        return lambda world: fields[part](split_axes(self.to_head(world)))

    def parts(self, world: Tensor) -> Tensor:
        """Which part is nearest to world points (N, 3): (N,)."""
        return torch.stack([self.field_of(part)(world) for part in range(N_PARTS)]).argmin(0)

    def body(self, points: Points) -> tuple[Tensor, Tensor]:
        """Distances to neck and clothes at world points."""
        wide = self.identity.skull.neck
        nape = (self.nape[0], self.nape[1], self.nape[2])
        neck = capsule(points, (0.0, -22.0, -5.0), nape, (1.12 * wide, 0.98 * wide))
        cut = points[1] + 18.2 + 0.35 * (points[2] + 4.5).clamp(-6.0, 8.0)
        collar = smooth_max(neck - 0.5, cut, 0.4)
        return neck, smooth_min(self.shoulders(points), collar, 1.2)

    def shoulders(self, points: Points) -> Tensor:
        """Distance to the clothed trunk at world points."""
        side = (points[0].abs(), points[1], points[2])
        span = 11.0 + self.identity.skull.neck
        shoulders = capsule(side, (0.0, -23.5, -4.5), (span, -25.5, -4.5), (5.6, 5.0))
        slope = capsule(side, (0.0, -19.0, -5.0), (span - 3.0, -22.5, -4.5), (3.5, 4.0))
        chest = ellipsoid(points, (0.0, -34.0, -3.5), (17.0, 17.0, 9.0))
        return smooth_min(smooth_min(shoulders, slope, 4.0), chest, 4.0)

    def hair(self, points: Points) -> Tensor:
        """Distance to the hair at points in head space."""
        return grow_hair(self.identity, points)
