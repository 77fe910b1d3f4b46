"""Colors of a performer: skin with its marks, lips, brows, lids, eyes, teeth, hair, clothes.

Colors are linear RGB (3, N); points are flat (N,) tensors at rest in head space.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from performers import noise
from performers.figure import CLOTH, EYE, HAIR, NECK, SKIN, TEETH, TONGUE, Figure
from performers.head import EYE_RADIUS, EYE_Z, Rest
from performers.identity import Color
from performers.sdf import bell, smooth_step


class Surface(NamedTuple):
    """What light meets: color (3, N); gloss, spread of light below and sheen of strands (N,); bump (3, N)."""

    color: Tensor
    gloss: Tensor
    sharpness: Tensor
    spread: Tensor
    strand: Tensor
    bump: Tensor


def tint(color: Color) -> Tensor:
    """A color as (3, 1)."""
    return torch.tensor(color)[:, None]


def mix(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """From `first` (share 0) to `second` (share 1), colors (3, N) or (3, 1)."""
    return first + (second - first) * share


def paint(figure: Figure, part: Tensor, world: Tensor) -> Surface:
    """Surface at points whose nearest part is `part` (N,)."""
    n = len(part)
    surface = plain(torch.zeros(3, n), 0.0, 20.0, 0.0)
    painters = {
        SKIN: paint_skin, NECK: paint_neck, EYE: paint_eye, TEETH: paint_teeth, TONGUE: paint_tongue,
        HAIR: paint_hair, CLOTH: paint_cloth,
    }  # fmt: skip
    for index, painter in painters.items():
        chosen = torch.nonzero(part == index)[:, 0]
        if len(chosen):
            local = figure.to_head(world[chosen]).T.contiguous()
            rest = figure.head.relax((local[0], local[1], local[2]))
            for whole, piece in zip(surface, painter(figure, rest, local, world[chosen].T.contiguous()), strict=True):
                whole[..., chosen] = piece
    return surface


def plain(color: Tensor, gloss: float, sharpness: float, spread: float) -> Surface:
    """A surface of even gloss."""
    even = torch.ones(color.shape[1])
    return Surface(color, even * gloss, even * sharpness, even * spread, even * 0, torch.zeros_like(color))


def paint_neck(figure: Figure, rest: Rest, local: Tensor, world: Tensor) -> Surface:
    """Skin of the neck: as the face's, without its features."""
    skin = figure.identity.skin
    blotch = noise.fractal(world[0], world[1], world[2], 0.6, 4, figure.identity.seed)
    return plain(tint(skin.color) * (0.93 + 0.05 * blotch), 0.25 * skin.gloss, 18.0, 1.0)


def paint_skin(figure: Figure, rest: Rest, local: Tensor, world: Tensor) -> Surface:
    """Skin of the face, ears and the inside of the mouth."""
    identity = figure.identity
    color = skin_tone(figure, rest)
    lips = lip_share(figure, rest)
    color = mix(color, lip_color(figure, rest), lips)
    color = draw_lids(figure, rest, local, color)
    color = draw_brows(figure, rest, color)
    color = draw_hairline(figure, rest, local, color)
    color = mix(color, tint((0.10, 0.018, 0.016)), smooth_step(0.02, -0.15, rest.tear) * smooth_step(7.6, 6.6, rest.z))
    pores = noise.sample(rest.x, rest.y, rest.z, 7.0, identity.seed + 30)
    coarse = noise.sample(rest.x, rest.y, rest.z, 3.0, identity.seed + 31)
    bump = torch.stack([pores[0] + coarse[0], pores[1] + coarse[1], torch.zeros_like(rest.x)])
    gloss = identity.skin.gloss * (0.35 + 0.15 * pores[0]) * (1 + 0.6 * t_zone(rest)) + 0.35 * lips
    bump = bump * (0.07 + 0.13 * identity.skin.folds)
    return Surface(color, gloss, 22.0 + 30.0 * lips, 1.0 - 0.5 * lips, torch.zeros_like(gloss), bump)


def t_zone(rest: Rest) -> Tensor:
    """Where skin shines: nose and forehead."""
    return bell(rest.side, 1.6) * smooth_step(-6.0, -3.5, rest.y)


def skin_tone(figure: Figure, rest: Rest) -> Tensor:
    """Skin with blotches, blush, freckles, folds and stubble."""
    identity = figure.identity
    skin, seed = identity.skin, identity.seed
    blotch = noise.fractal(rest.x, rest.y, rest.z, 0.7, 4, seed)
    color = tint(skin.color) * (1 + (0.04 + 0.03 * skin.folds) * blotch)
    cheeks = bell(rest.side - 4.3, 2.0) * bell(rest.y + 3.4, 1.9) + bell(rest.side, 1.0) * bell(rest.y + 4.1, 1.0)
    color = color * (1 - skin.blush * cheeks * tint((0.01, 0.20, 0.18)))
    spots = noise.sample(rest.x + 0.6 * rest.y, rest.y - 0.6 * rest.x, rest.z, 2.8, seed + 5)[0]
    where = bell(rest.side - 2.6, 3.0) * bell(rest.y + 2.2, 2.2)
    color = color * (1 - skin.freckles * smooth_step(0.42, 0.7, spots) * where * tint((0.35, 0.5, 0.55)))
    under = bell(rest.side - identity.eyes.spacing + 0.3, 1.4) * bell(rest.y + 1.15, 0.55)
    color = color * (1 - under * tint((0.16, 0.20, 0.14)) * (0.5 + 0.5 * skin.folds))
    color = color * (1 - 0.5 * skin.folds * wrinkles(rest) * tint((0.20, 0.30, 0.30)))
    fine = noise.sample(rest.x, rest.y, rest.z, 6.0, seed + 7)[0]
    color = color * (1 + 0.05 * fine) * (1 - tint((0.0, 0.16, 0.16)) * smooth_step(6.3, 7.2, rest.side) * smooth_step(2, 0, rest.z))
    return grow_stubble(figure, rest, color)


def wrinkles(rest: Rest) -> Tensor:
    """Lines across the forehead: 1 in a line."""
    bend = noise.sample(rest.x * 0.5, rest.y * 0.3, rest.z * 0.2, 1.0, 21)[0]
    height = (rest.y + 0.30 * bend - 3.6) / 0.85
    line = bell(height - height.round(), 0.13)
    return line * bell(rest.y - 4.6, 1.5) * bell(rest.x, 3.6) * (0.6 + 0.4 * bend)


def grow_stubble(figure: Figure, rest: Rest, color: Tensor) -> Tensor:
    """Shade of a beard, as dots around mouth and chin."""
    identity = figure.identity
    mouth = identity.mouth.height
    jaw = smooth_step(mouth + 3.4, mouth + 0.2, rest.y + 0.0 * rest.x + 0.35 * (4.0 - rest.side))
    lip = bell(rest.y - mouth - 1.35, 0.75) * bell(rest.side, 2.6)
    dots = noise.sample(rest.x, rest.y, rest.z, 8.0, identity.seed + 9)[0]
    share = identity.skin.stubble * torch.maximum(jaw, lip) * (0.42 + 0.40 * dots)
    return mix(color, color * tint((0.38, 0.42, 0.48)), share.clamp(0, 1))


def lip_share(figure: Figure, rest: Rest) -> Tensor:
    """1 on the lips, with a soft edge."""
    upper, lower = figure.head.lip_heights(rest.u)
    v = rest.v
    across = torch.where(v > 0, v / upper, -v / lower)
    return smooth_step(1.08, 0.88, across) * smooth_step(1.02, 0.86, rest.u.abs()) * smooth_step(4.0, 5.5, rest.z)


def lip_color(figure: Figure, rest: Rest) -> Tensor:
    """Lips with fine vertical wrinkles, darker toward the line of the mouth."""
    seed = figure.identity.seed
    wrinkles = noise.sample(rest.x * 5.0, rest.y * 1.2, rest.z, 1.6, seed + 12)[0]
    inner = bell(rest.v, 0.12)
    return tint(figure.identity.mouth.color) * (1 + 0.16 * wrinkles) * (1 - 0.55 * inner)


def draw_lids(figure: Figure, rest: Rest, local: Tensor, color: Tensor) -> Tensor:
    """Lashes along the edges, the crease above, shade on the lids."""
    eyes = figure.identity.eyes
    lids = figure.head.lids(rest.side)
    near = smooth_step(1.16, 0.98, lids.along.abs()) * smooth_step(3.0, 4.5, rest.z)
    outer = 0.55 + 0.45 * smooth_step(-0.6, 0.7, lids.along)
    strands = 0.75 + 0.25 * noise.sample(rest.x * 6.0, rest.y * 1.5, rest.z, 1.5, 77)[0]
    upper = smooth_step(0.17 * outer, 0.05, (rest.y - lids.upper - 0.03).abs()) * strands
    lower = 0.5 * smooth_step(0.09, 0.02, (rest.y - lids.lower + 0.02).abs())
    crease = bell(rest.y - lids.crease, 0.11) * 0.55
    on_lid = smooth_step(-0.02, 0.1, rest.y - lids.upper) * smooth_step(0.15, -0.05, rest.y - lids.crease) * 0.2
    color = color * (1 - near * torch.maximum(crease, on_lid) * tint((0.6, 0.75, 0.75)))
    rim = smooth_step(-0.02, -0.12, torch.maximum(rest.y - lids.upper, lids.lower - rest.y)) * near
    color = mix(color, tint((0.50, 0.20, 0.17)), rim)
    lashes = near * torch.maximum(upper * (0.6 + 0.5 * eyes.lashes), lower * eyes.lashes)
    return mix(color, tint((0.012, 0.008, 0.007)), lashes.clamp(0, 1))


def draw_hairline(figure: Figure, rest: Rest, local: Tensor, color: Tensor) -> Tensor:
    """Roots where the hair begins, so that it does not end as a helmet does."""
    identity = figure.identity
    gap = figure.hair((local[0], local[1], local[2]))
    strands = noise.sample(rest.x * 3.0, rest.y * 0.8, rest.z * 2.0, 1.6, identity.seed + 15)[0]
    reach = 0.25 if identity.hair.is_long else 0.55
    share = smooth_step(reach, 0.0, gap + 0.5 * reach * strands) * smooth_step(1.0, 2.5, rest.y + 0.5 * (4.0 - rest.z))
    root = mix(tint(identity.hair.color), tint(identity.hair.light), 0.25 * torch.ones_like(gap))
    return mix(color, root, 0.75 * share)


def draw_brows(figure: Figure, rest: Rest, color: Tensor) -> Tensor:
    """Brows, as strands of hair that lean outward."""
    brows, eyes = figure.identity.brows, figure.identity.eyes
    along = (rest.side - eyes.spacing) / (eyes.half_width + 0.75)
    lift = 0.45 * figure.moment.brow * (1 - 0.35 * along)
    line = brows.height + lift + brows.arch * (1 - (along - 0.15) ** 2) - 0.4 * brows.arch + brows.slope * along
    thick = brows.thickness * (1.15 - 0.55 * smooth_step(0.1, 1.1, along))
    across = (rest.y - line) / thick
    strands = noise.sample(rest.x * 3.2 - rest.y * 2.2, rest.y * 0.9 + rest.x * 0.5, rest.z * 0.2, 2.2, 41)[0]
    body = smooth_step(1.25, 0.45, across.abs() + 0.35 * strands)
    ends = smooth_step(-1.12, -0.85, along) * smooth_step(1.22, 0.9, along)
    share = brows.density * body * ends * (0.70 + 0.36 * strands) * smooth_step(3.0, 5.0, rest.z)
    return mix(color, tint(brows.color), share.clamp(0, 1))


def paint_eye(figure: Figure, rest: Rest, local: Tensor, world: Tensor) -> Surface:
    """Eye ball: white with veins, iris with fibers and a dark ring, pupil; the upper lid's shade."""
    eyes, moment = figure.identity.eyes, figure.moment
    gaze = torch.deg2rad(torch.tensor([moment.gaze_x, moment.gaze_y]))
    sign = torch.sign(local[0])
    x = (local[0] - sign * eyes.spacing) / EYE_RADIUS - torch.sin(gaze[0])
    y = local[1] / EYE_RADIUS - torch.sin(gaze[1])
    radius = (x * x + y * y).sqrt() * EYE_RADIUS + 10.0 * (local[2] < EYE_Z)
    angle = torch.atan2(y, x)
    fibers = noise.sample(angle * 4.0, radius * 1.2, sign, 2.0, figure.identity.seed + 50)[0]
    iris = mix(tint(eyes.iris_inner), tint(eyes.iris), smooth_step(0.25, 0.52, radius)) * (1 + 0.45 * fibers)
    veins = noise.fractal(local[0], local[1], local[2], 1.5, 3, 60)
    corner = smooth_step(0.75, 1.1, (rest.side - eyes.spacing).abs() / eyes.half_width)
    white = mix(tint((0.72, 0.68, 0.65)), tint((0.55, 0.30, 0.26)), 0.6 * corner + 0.06 * veins)
    color = mix(iris * (1 - 0.75 * smooth_step(0.52, 0.66, radius)), white, smooth_step(0.66, 0.74, radius))
    color = mix(tint((0.004, 0.004, 0.004)), color, smooth_step(0.22, 0.28, radius))
    shade = 0.35 + 0.65 * smooth_step(0.0, 0.42, figure.head.lids(rest.side).upper - rest.y)
    return plain(color * shade, 1.4, 260.0, 0.0)


def paint_teeth(figure: Figure, rest: Rest, local: Tensor, world: Tensor) -> Surface:
    """Teeth with gaps between them, darker inward."""
    place = torch.atan2(local[0], local[2] - 3.2) * 5.2
    gap = smooth_step(0.0, 0.16, (place - place.round()).abs().sub(0.5).abs())
    depth = smooth_step(4.6, 6.4, local[2])
    return plain(tint((1.5, 1.36, 1.16)) * (0.55 + 0.45 * gap) * depth, 0.6, 60.0, 1.0)


def paint_tongue(figure: Figure, rest: Rest, local: Tensor, world: Tensor) -> Surface:
    """Tongue: pink, rough."""
    rough = noise.sample(local[0], local[1], local[2], 3.0, 70)[0]
    return plain(tint((0.20, 0.05, 0.05)) * (1 + 0.15 * rough) * smooth_step(3.5, 6.5, local[2]), 0.3, 30.0, 0.5)


def paint_hair(figure: Figure, rest: Rest, local: Tensor, world: Tensor) -> Surface:
    """Hair as strands that run down the head."""
    hair, seed = figure.identity.hair, figure.identity.seed
    x, y, z = local
    around = torch.atan2(x - 1.6 * hair.is_long, z + 1.5) * 9.0
    fine = noise.sample(around * 3.0, y * 0.35, x * 0.25, 2.6, seed + 80)
    broad = noise.sample(around, y * 0.22, x * 0.2, 1.1, seed + 81)[0]
    color = mix(tint(hair.color), tint(hair.light), (0.38 + 0.42 * fine[0] + 0.30 * broad).clamp(0, 1))
    surface = plain(color, 0.0, 14.0, 0.0)
    bump = torch.stack([fine[1], 0.25 * fine[0], 0.6 * fine[0]]) * 0.38
    return surface._replace(bump=bump, strand=0.55 + 0.45 * fine[1])


def paint_cloth(figure: Figure, rest: Rest, local: Tensor, world: Tensor) -> Surface:
    """A knitted top."""
    x, y, z = world
    knit = noise.sample(x * 1.2, y * 2.4, z * 0.5, 2.2, 90)[0] + 0.5 * torch.sin(7.0 * y + 1.5 * torch.sin(5.0 * x))
    color = torch.tensor((0.055, 0.12, 0.17))[:, None] if figure.moment.scene == "ada" else tint((0.20, 0.07, 0.05))
    return plain(color * (1 + 0.22 * knit), 0.04, 8.0, 0.0)
