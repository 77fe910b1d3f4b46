"""Paint of a performer, part by part: eyes, teeth, tongue, hair and clothes; skin has its own file."""

from collections.abc import Callable

import torch
from torch import Tensor

from performers import noise
from performers.figure import CLOTH, EYE, HAIR, NECK, SKIN, TEETH, TONGUE, Figure
from performers.head import EYE_RADIUS, EYE_Z
from performers.identity import Color
from performers.sdf import smooth_step
from performers.skin import paint_neck, paint_skin
from performers.surface import Spots, Surface, find_spots, make_plain, mix, tint

CLOTHES: dict[str, Color] = {"ada": (0.055, 0.12, 0.17), "ben": (0.20, 0.07, 0.05)}
IRIS_CM, PUPIL_CM = 0.66, 0.22


def paint(figure: Figure, part: Tensor, world: Tensor) -> Surface:
    """Surface at world points (N, 3) whose nearest part is `part` (N,)."""
    n = len(part)
    surface = make_plain(torch.zeros(3, n), 0.0, 20.0, 0.0)
    for index, painter in PAINTERS.items():
        chosen = torch.nonzero(part == index)[:, 0]
        if len(chosen):
            for whole, piece in zip(surface, painter(find_spots(figure, world[chosen])), strict=True):
                whole[..., chosen] = piece
    return surface


def paint_eye(spots: Spots) -> Surface:
    """Eye ball: white with veins, iris with fibers and a dark ring, pupil; the upper lid's shade."""
    eyes = spots.figure.identity.eyes
    radius, angle = look_along(spots)
    side = torch.sign(spots.local[0])
    fibers = noise.sample(angle * 4.0, radius * 1.2, side, 2.0, spots.figure.identity.seed + 50)[0]
    iris = mix(tint(eyes.iris_inner), tint(eyes.iris), smooth_step(0.25, 0.52, radius)) * (1 + 0.45 * fibers)
    iris = iris * (1 - 0.75 * smooth_step(IRIS_CM - 0.14, IRIS_CM, radius))
    color = mix(iris, paint_white(spots), smooth_step(IRIS_CM, IRIS_CM + 0.08, radius))
    color = mix(tint((0.004, 0.004, 0.004)), color, smooth_step(PUPIL_CM, PUPIL_CM + 0.06, radius))
    shade = 0.35 + 0.65 * smooth_step(0.0, 0.42, spots.figure.head.lids(spots.rest.side).upper - spots.rest.y)
    return make_plain(color * shade, 1.4, 260.0, 0.0)


def look_along(spots: Spots) -> tuple[Tensor, Tensor]:
    """Distance (centimeters) and angle (radians) of spots on an eye ball from the middle of its pupil: (N,) each."""
    x, y, z = spots.local
    gaze = torch.deg2rad(torch.tensor([spots.figure.moment.gaze_x, spots.figure.moment.gaze_y]))
    right = (x - torch.sign(x) * spots.figure.identity.eyes.spacing) / EYE_RADIUS - torch.sin(gaze[0])
    up = y / EYE_RADIUS - torch.sin(gaze[1])
    is_behind = z < EYE_Z
    return (right * right + up * up).sqrt() * EYE_RADIUS + 10.0 * is_behind, torch.atan2(up, right)


def paint_white(spots: Spots) -> Tensor:
    """White of the eye, redder toward its corners: (3, N)."""
    eyes = spots.figure.identity.eyes
    veins = noise.fractal(spots.local[0], spots.local[1], spots.local[2], 1.5, 3, 60)
    corner = smooth_step(0.75, 1.1, (spots.rest.side - eyes.spacing).abs() / eyes.half_width)
    return mix(tint((0.62, 0.585, 0.56)), tint((0.50, 0.28, 0.25)), 0.5 * corner + 0.06 * veins)


def paint_teeth(spots: Spots) -> Surface:
    """Teeth with gaps between them, darker inward. Brighter than white: light that reaches them came by the lips."""
    x, _, z = spots.local
    place = torch.atan2(x, z - 3.2) * 5.2
    gap = smooth_step(0.0, 0.16, (place - place.round()).abs().sub(0.5).abs())
    return make_plain(tint((1.5, 1.36, 1.16)) * (0.55 + 0.45 * gap) * smooth_step(4.6, 6.4, z), 0.6, 60.0, 1.0)


def paint_tongue(spots: Spots) -> Surface:
    """Tongue: pink, rough, darker inward."""
    x, y, z = spots.local
    rough = noise.sample(x, y, z, 3.0, 70)[0]
    return make_plain(tint((0.20, 0.05, 0.05)) * (1 + 0.15 * rough) * smooth_step(3.5, 6.5, z), 0.3, 30.0, 0.5)


def paint_hair(spots: Spots) -> Surface:
    """Hair as strands that run down the head."""
    hair, seed = spots.figure.identity.hair, spots.figure.identity.seed
    x, y, z = spots.local
    around = torch.atan2(x - 1.6 * hair.is_long, z + 1.5) * 9.0
    shortness = 1.0 if hair.is_long else 2.6
    fine = noise.sample(around * 3.0, y * 0.35 * shortness + z * 0.2 * shortness, x * 0.25, 2.6, seed + 80)
    broad = noise.sample(around, y * 0.22, x * 0.2, 1.1, seed + 81)[0]
    color = mix(tint(hair.color), tint(hair.light), (0.38 + 0.42 * fine[0] + 0.30 * broad).clamp(0, 1))
    bump = torch.stack([fine[1], 0.25 * fine[0], 0.6 * fine[0]]) * 0.38
    return make_plain(color, 0.0, 14.0, 0.0)._replace(bump=bump, strand=0.55 + 0.45 * fine[1])


def paint_cloth(spots: Spots) -> Surface:
    """A knitted top, of the scene's color."""
    x, y, z = spots.world
    knit = noise.sample(x * 1.2, y * 2.4, z * 0.5, 2.2, 90)[0] + 0.5 * torch.sin(7.0 * y + 1.5 * torch.sin(5.0 * x))
    return make_plain(tint(CLOTHES[spots.figure.moment.scene]) * (1 + 0.22 * knit), 0.04, 8.0, 0.0)


PAINTERS: dict[int, Callable[[Spots], Surface]] = {
    SKIN: paint_skin,
    NECK: paint_neck,
    EYE: paint_eye,
    TEETH: paint_teeth,
    TONGUE: paint_tongue,
    HAIR: paint_hair,
    CLOTH: paint_cloth,
}
