"""The shape of a head: an identity's features under one moment's expression, as distance fields.

All in head space (see `performers.identity`). The head is modeled at rest; an expression is a warp of
space (`relax`) that brings a point of the moving head to where it lies at rest, torn along the line of
the mouth. So shape and paint stick to the skin.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from performers.identity import Identity
from performers.script import Moment
from performers.sdf import (
    Bump,
    Bumps,
    Points,
    bell,
    capsule,
    ellipsoid,
    length,
    smooth_max,
    smooth_min,
    smooth_step,
    sphere,
)

EYE_Z = 5.95
EYE_RADIUS = 1.52
GAP_CM = 2.5
FRONT_Z = 0.5


class Rest(NamedTuple):
    """A point brought to rest: coordinates, |x|, and its place at mouth and eye."""

    x: Tensor
    y: Tensor
    z: Tensor
    side: Tensor
    u: Tensor
    """Along the mouth: -1 and 1 at its corners."""
    v: Tensor
    """Above the line of the mouth, at rest (centimeters)."""
    tear: Tensor
    """Distance to the opening of the mouth in the x-y plane, negative inside."""


class Lids(NamedTuple):
    """Lid edges at a point: place along the eye (-1 inner, 1 outer corner), heights of both edges."""

    along: Tensor
    upper: Tensor
    lower: Tensor
    crease: Tensor


class Head:
    """One identity under one moment."""

    def __init__(self, identity: Identity, moment: Moment) -> None:
        """Fix the numbers of the expression."""
        self.identity = identity
        self.moment = moment
        mouth = identity.mouth
        self.half_width = mouth.half_width * self.stretch()
        gap = GAP_CM * moment.mouth_open * (1 - 0.15 * moment.mouth_width)
        self.rise, self.drop = 0.14 * gap + 0.06 * moment.smile, 0.86 * gap
        self.bumps = Bumps(model_clay(identity, moment))

    def stretch(self) -> float:
        """Width of the mouth over its width at rest."""
        moment = self.moment
        return 1 + 0.16 * moment.smile + 0.13 * moment.mouth_width - 0.1 * moment.mouth_open

    def relax(self, points: Points) -> Rest:
        """Bring points of the moving head to rest."""
        x, y, z = points
        moment, mouth = self.moment, self.identity.mouth
        height = y - mouth.height
        u = x / self.half_width
        square = u * u
        lens = (1 - square).clamp_min(0.0)
        front = smooth_step(FRONT_Z, 4.0, z)
        lift = (0.55 * moment.smile - 0.10) * square.clamp_max(1.8) * bell(height, 2.4) * front
        height = height - lift
        upper, lower = self.rise * lens, -self.drop * lens * (1.4 - 0.4 * lens)
        above, below = (height - upper).clamp_min(0.0), (lower - height).clamp_min(0.0)
        near, jaw = bell(below, 2.2), 0.8 * self.drop * smooth_step(FRONT_Z, 6.0, z)
        v = above + upper * (1 - bell(above, 1.2)) - below + (lower + jaw) * (1 - near)
        tear = torch.maximum(height - upper, lower - height) + (u.abs() - 0.96).clamp_min(0.0) * self.half_width
        narrow = (mouth.half_width / self.half_width - 1) * bell(height, 2.0) * bell(x, 4.5) * front
        rest_x = x + x * narrow
        return Rest(rest_x, v + mouth.height, z + 0.3 * jaw * (1 - near), rest_x.abs(), u, v, tear)

    def lids(self, side: Tensor) -> Lids:
        """Edges of the lids at distance `side` from the middle of the face."""
        eyes, moment = self.identity.eyes, self.moment
        along = (side - eyes.spacing) / eyes.half_width
        arch = (1 - along * along).clamp_min(0.0)
        line = eyes.tilt * along
        squint = 0.25 * moment.smile
        lower = line - eyes.lower * (1 - 0.5 * squint) * arch
        opened = line + eyes.upper * arch.sqrt() * (0.35 + 0.65 * arch) * (1 + 0.12 * max(moment.brow, 0.0))
        upper = lower + (opened - lower) * moment.eye_open
        crease = opened + (0.30 + 0.1 * moment.brow) * arch.sqrt()
        return Lids(along, upper, lower, crease)

    def skin(self, points: Points) -> Tensor:
        """Distance to the skin, with the openings of eyes and mouth cut into it, at points (N,) each."""
        is_front = points[2] > FRONT_Z
        if is_front.all():
            return self.open_skin(self.relax(points))
        front = torch.nonzero(is_front)[:, 0]
        back = self.skull((points[0].abs(), points[1], points[2]))
        if not len(front):
            return back
        rest = self.relax((points[0][front], points[1][front], points[2][front]))
        return back.index_put((front,), self.open_skin(rest))

    def open_skin(self, rest: Rest) -> Tensor:
        """Distance to the skin of the front of the head."""
        full = self.closed_skin(rest)
        lids = self.lids(rest.side)
        gap = torch.maximum(rest.y - lids.upper, lids.lower - rest.y)
        gap = torch.maximum(gap, (lids.along.abs() - 1.0) * self.identity.eyes.half_width)
        gap = torch.maximum(gap, 4.0 - rest.z)
        full = smooth_max(full, torch.minimum(-gap, full + 0.30), 0.06)
        tear = torch.maximum(rest.tear, 3.8 - rest.z)
        return smooth_max(full, -tear, 0.22)

    def closed_skin(self, rest: Rest) -> Tensor:
        """Distance to the skin at rest, eyes and mouth shut."""
        points = (rest.side, rest.y, rest.z)
        shape = smooth_min(self.skull(points), self.nose(points), 1.1)
        shape = shape - self.lips(rest)
        lid = sphere(points, (self.identity.eyes.spacing, 0.0, EYE_Z), EYE_RADIUS + 0.10)
        shape = smooth_min(shape, lid, 0.30)
        return smooth_max(shape, -self.nostrils(points), 0.2)

    def skull(self, points: Points) -> Tensor:
        """Distance to cranium, jaw, chin and ears, modeled with clay, at points (|x|, y, z)."""
        skull = self.identity.skull
        cranium = ellipsoid(points, (0.0, 2.4, -0.9), (skull.cranium, 9.0, 9.2))
        jaw = ellipsoid(points, (0.0, -3.2, 1.0), (skull.jaw, -3.4 - skull.chin_y, 7.3))
        chin = ellipsoid(points, (0.0, skull.chin_y + 1.7, 5.2), (1.5 + skull.chin, 1.7, 2.5))
        shape = smooth_min(smooth_min(cranium, jaw, 3.0), chin, 4.0) - self.bumps(points)
        return smooth_min(shape, self.ears(points), 0.5)

    def nose(self, points: Points) -> Tensor:
        """Distance to bridge, tip and wings of the nose."""
        nose = self.identity.nose
        tip_y = nose.base + 0.75
        bridge = capsule(points, (0.0, 1.2, 7.7), (0.0, tip_y, nose.reach - nose.tip), (nose.bridge, nose.tip))
        wing = ellipsoid(points, (nose.half_width, nose.base + 0.52, nose.reach - 2.1), (nose.wing, 0.60, 1.05))
        return smooth_min(bridge, wing, 0.75)

    def nostrils(self, points: Points) -> Tensor:
        """Distance to the holes of the nose."""
        nose = self.identity.nose
        center = (0.54 * nose.half_width, nose.base - 0.22, nose.reach - 1.5)
        return ellipsoid(points, center, (0.27 * nose.half_width, 0.34, 0.52))

    def ears(self, points: Points) -> Tensor:
        """Distance to the ears."""
        x = self.identity.skull.cranium
        lean = points[1] + 1.0
        leaning = (points[0] - 0.12 * lean, points[1], points[2] + 0.2 * lean)
        ear = ellipsoid(leaning, (x + 0.1, -1.0, -1.2), (0.6, 2.9, 1.7))
        concha = ellipsoid(points, (x + 0.75, -0.7, -0.55), (0.55, 1.6, 0.95))
        return smooth_max(ear, -concha, 0.25)

    def lips(self, rest: Rest) -> Tensor:
        """Height of the lips above the skin (centimeters)."""
        upper, lower = self.lip_heights(rest.u)
        across = rest.v.clamp_min(0.0) / upper - rest.v.clamp_max(0.0) / lower
        lens = (1 - rest.u * rest.u).clamp_min(0.0).sqrt()
        roll = bell(across - 0.42, 0.62) * lens * smooth_step(2.0, 5.0, rest.z)
        return self.identity.mouth.fullness * roll

    def lip_heights(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Heights of the upper and lower lip at places along the mouth (centimeters)."""
        mouth = self.identity.mouth
        lens = (1 - u * u).clamp_min(0.0025)
        bow = 1 - 0.22 * bell(u, 0.14) + 0.10 * bell(u.abs() - 0.28, 0.16)
        return mouth.upper * lens**0.75 * bow, mouth.lower * lens.sqrt() * (0.8 + 0.2 * lens)

    def eye_balls(self, points: Points) -> Tensor:
        """Distance to the eye balls."""
        return sphere((points[0].abs(), points[1], points[2]), (self.identity.eyes.spacing, 0.0, EYE_Z), EYE_RADIUS)

    def teeth(self, points: Points) -> Tensor:
        """Distance to both rows of teeth."""
        mouth = self.identity.mouth
        x, y, z = points
        arch = (length(x / 2.35, (z - 3.2) / 3.55) - 1.0) * 2.3
        upper = smooth_max(arch, (y - mouth.height - 0.55).abs() - 0.85, 0.3)
        lower = (y - mouth.height + 1.15 + 0.72 * self.drop).abs() - 0.75
        return torch.minimum(upper, smooth_max(arch + 0.18, lower, 0.3))

    def tongue(self, points: Points) -> Tensor:
        """Distance to the tongue."""
        y = self.identity.mouth.height - 0.9 - 0.62 * self.drop
        return ellipsoid(points, (0.0, y, 4.1), (1.7, 0.75, 2.2))


def model_clay(identity: Identity, moment: Moment) -> list[Bump]:
    """Bumps of the face at |x|: sockets, cheeks, brow ridge, muzzle, jaw angles, folds."""
    skull, eyes, mouth, nose = identity.skull, identity.eyes, identity.mouth, identity.nose
    smile, brow = moment.smile, moment.brow
    line = mouth.height
    return [
        ((eyes.spacing - 0.3, 0.15, 7.2), (1.7, 1.2, 1.6), -0.55),
        ((1.55, 0.4, 7.8), (0.8, 1.2, 1.2), -0.45),
        ((3.4, identity.brows.height - 0.3 + 0.35 * brow, 7.9), (2.4, 0.75, 1.8), 0.18 + skull.brow_ridge),
        ((4.5, -2.6 + 0.5 * smile, 6.3), (1.7, 1.5, 2.0), skull.cheek + 0.35 * smile),
        ((3.9, -6.3, 5.6), (1.6, 1.9, 2.0), -0.30 + 0.15 * smile),
        ((0.0, line + 0.3, 7.4), (2.2, 1.9, 2.0), 0.45),
        ((0.0, line - 1.75, 7.6), (1.5, 0.55, 1.5), -0.32),
        ((0.0, line + 1.35, 8.2), (0.24, 0.7, 1.0), -0.14),
        ((4.6, -7.6, 2.4), (1.9, 2.2, 2.8), 0.35 + skull.jaw_angle),
        ((nose.half_width + 1.05, nose.base - 0.55, 7.3), (0.35, 0.9, 1.2), -0.20 * identity.skin.folds - 0.25 * smile),
        ((nose.half_width + 1.75, nose.base - 1.7, 7.0), (0.40, 0.9, 1.2), -0.16 * identity.skin.folds - 0.28 * smile),
        ((eyes.spacing, -1.35, 7.4), (1.3, 0.3, 1.0), -0.08 * identity.skin.folds - 0.08 * smile),
        ((0.0, 5.5, 8.0), (4.0, 2.0, 2.0), 0.15),
    ]


def turn(moment: Moment) -> Tensor:
    """Rotation from head to world: (3, 3) float32."""
    yaw, pitch, roll = (math.radians(a) for a in (moment.yaw, moment.pitch, moment.roll))
    cos, sin = math.cos, math.sin
    about_y = torch.tensor([[cos(yaw), 0, sin(yaw)], [0, 1, 0], [-sin(yaw), 0, cos(yaw)]])
    about_x = torch.tensor([[1, 0, 0], [0, cos(pitch), sin(pitch)], [0, -sin(pitch), cos(pitch)]])
    about_z = torch.tensor([[cos(roll), sin(roll), 0], [-sin(roll), cos(roll), 0], [0, 0, 1]])
    return about_y @ about_x @ about_z
