"""Paint of the skin: its tone and marks, lips, lids, brows, the hairline, the inside of the mouth.

A `draw` function takes a color (3, N) and returns it with one thing drawn over it; a `find` function
returns where a thing is, 0 to 1 (N,).
"""

import torch
from torch import Tensor

from performers import noise
from performers.figure import Figure
from performers.head import Rest
from performers.sdf import bell, smooth_step
from performers.surface import Spots, Surface, make_plain, mix, tint


def paint_neck(spots: Spots) -> Surface:
    """Skin of the neck: as the face's, without its features."""
    skin = spots.figure.identity.skin
    x, y, z = spots.world
    blotch = noise.fractal(x, y, z, 0.6, 4, spots.figure.identity.seed)
    return make_plain(tint(skin.color) * (0.93 + 0.05 * blotch), 0.25 * skin.gloss, 18.0, 1.0)


def paint_skin(spots: Spots) -> Surface:
    """Skin of the face and ears, and the inside of the mouth."""
    figure, rest = spots.figure, spots.rest
    skin, seed = figure.identity.skin, figure.identity.seed
    lips = find_lips(figure, rest)
    pores = noise.sample(rest.x, rest.y, rest.z, 7.0, seed + 30)
    coarse = noise.sample(rest.x, rest.y, rest.z, 3.0, seed + 31)
    bump = torch.stack([pores[0] + coarse[0], pores[1] + coarse[1], torch.zeros_like(rest.x)])
    shine = bell(rest.side, 1.6) * smooth_step(-6.0, -3.5, rest.y)
    gloss = skin.gloss * (0.35 + 0.15 * pores[0]) * (1 + 0.6 * shine) + 0.35 * lips
    rough = bump * (0.07 + 0.13 * skin.folds)
    color = draw_face(spots, lips)
    return Surface(color, gloss, 22.0 + 30.0 * lips, 1.0 - 0.5 * lips, torch.zeros_like(gloss), rough)


def draw_face(spots: Spots, lips: Tensor) -> Tensor:
    """Color of the skin with all that is drawn on it: (3, N)."""
    figure, rest = spots.figure, spots.rest
    color = draw_stubble(figure, rest, draw_marks(figure, rest, paint_tone(figure, rest)))
    color = mix(color, paint_lips(figure, rest), lips)
    color = draw_lashes(figure, rest, draw_lids(figure, rest, color))
    color = draw_hairline(spots, draw_brows(figure, rest, color))
    inside = smooth_step(0.02, -0.15, rest.tear) * smooth_step(7.6, 6.6, rest.z)
    return mix(color, tint((0.10, 0.018, 0.016)), inside)


def paint_tone(figure: Figure, rest: Rest) -> Tensor:
    """Skin with blotches, blush of cheeks and nose, redder ears: (3, N)."""
    skin, seed = figure.identity.skin, figure.identity.seed
    blotch = noise.fractal(rest.x, rest.y, rest.z, 0.7, 4, seed)
    fine = noise.sample(rest.x, rest.y, rest.z, 6.0, seed + 7)[0]
    cheeks = bell(rest.side - 4.3, 2.0) * bell(rest.y + 3.4, 1.9) + bell(rest.side, 1.0) * bell(rest.y + 4.1, 1.0)
    ears = smooth_step(6.3, 7.2, rest.side) * smooth_step(2, 0, rest.z)
    color = tint(skin.color) * (1 + (0.04 + 0.03 * skin.folds) * blotch) * (1 + 0.05 * fine)
    return color * (1 - skin.blush * cheeks * tint((0.01, 0.20, 0.18))) * (1 - tint((0.0, 0.16, 0.16)) * ears)


def draw_marks(figure: Figure, rest: Rest, color: Tensor) -> Tensor:
    """Freckles, shade under the eyes, lines across the forehead."""
    skin, eyes = figure.identity.skin, figure.identity.eyes
    x, y = rest.x + 0.6 * rest.y, rest.y - 0.6 * rest.x
    spots = noise.sample(x, y, rest.z, 2.8, figure.identity.seed + 5)[0]
    where = bell(rest.side - 2.6, 3.0) * bell(rest.y + 2.2, 2.2)
    color = color * (1 - skin.freckles * smooth_step(0.42, 0.7, spots) * where * tint((0.35, 0.5, 0.55)))
    under = bell(rest.side - eyes.spacing + 0.3, 1.4) * bell(rest.y + 1.15, 0.55)
    color = color * (1 - under * tint((0.16, 0.20, 0.14)) * (0.5 + 0.5 * skin.folds))
    return color * (1 - 0.5 * skin.folds * find_wrinkles(rest) * tint((0.20, 0.30, 0.30)))


def find_wrinkles(rest: Rest) -> Tensor:
    """Lines across the forehead."""
    bend = noise.sample(rest.x * 0.5, rest.y * 0.3, rest.z * 0.2, 1.0, 21)[0]
    height = (rest.y + 0.30 * bend - 3.6) / 0.85
    line = bell(height - height.round(), 0.13)
    return line * bell(rest.y - 4.6, 1.5) * bell(rest.x, 3.6) * (0.6 + 0.4 * bend)


def draw_stubble(figure: Figure, rest: Rest, color: Tensor) -> Tensor:
    """Shade of a beard, as dots around mouth and chin."""
    identity = figure.identity
    mouth = identity.mouth.height
    jaw = smooth_step(mouth + 3.4, mouth + 0.2, rest.y + 0.35 * (4.0 - rest.side))
    lip = bell(rest.y - mouth - 1.35, 0.75) * bell(rest.side, 2.6)
    dots = noise.sample(rest.x, rest.y, rest.z, 8.0, identity.seed + 9)[0]
    share = identity.skin.stubble * torch.maximum(jaw, lip) * (0.42 + 0.40 * dots)
    return mix(color, color * tint((0.38, 0.42, 0.48)), share.clamp(0, 1))


def find_lips(figure: Figure, rest: Rest) -> Tensor:
    """The lips, with a soft edge."""
    upper, lower = figure.head.lip_heights(rest.u)
    across = rest.v.clamp_min(0.0) / upper - rest.v.clamp_max(0.0) / lower
    return smooth_step(1.08, 0.88, across) * smooth_step(1.02, 0.86, rest.u.abs()) * smooth_step(4.0, 5.5, rest.z)


def paint_lips(figure: Figure, rest: Rest) -> Tensor:
    """Lips with fine upright wrinkles, darker toward the line of the mouth: (3, N)."""
    wrinkles = noise.sample(rest.x * 5.0, rest.y * 1.2, rest.z, 1.6, figure.identity.seed + 12)[0]
    return tint(figure.identity.mouth.color) * (1 + 0.16 * wrinkles) * (1 - 0.55 * bell(rest.v, 0.12))


def find_eyes(figure: Figure, rest: Rest) -> Tensor:
    """The surroundings of the eyes."""
    along = figure.head.lids(rest.side).along
    return smooth_step(1.16, 0.98, along.abs()) * smooth_step(3.0, 4.5, rest.z)


def draw_lids(figure: Figure, rest: Rest, color: Tensor) -> Tensor:
    """Shade on the lids, the crease above them, flesh between lid and eye ball."""
    lids, near = figure.head.lids(rest.side), find_eyes(figure, rest)
    crease = bell(rest.y - lids.crease, 0.12) * (0.2 + 0.4 * figure.moment.eye_open)
    on_lid = smooth_step(-0.02, 0.1, rest.y - lids.upper) * smooth_step(0.15, -0.05, rest.y - lids.crease) * 0.2
    color = color * (1 - near * torch.maximum(crease, on_lid) * tint((0.6, 0.75, 0.75)))
    rim = smooth_step(-0.02, -0.12, torch.maximum(rest.y - lids.upper, lids.lower - rest.y)) * near
    return mix(color, tint((0.50, 0.25, 0.21)), rim)


def draw_lashes(figure: Figure, rest: Rest, color: Tensor) -> Tensor:
    """Lashes along the edges of the lids, thicker outward."""
    lashes, lids = figure.identity.eyes.lashes, figure.head.lids(rest.side)
    outer = 0.55 + 0.45 * smooth_step(-0.6, 0.7, lids.along)
    strands = 0.75 + 0.25 * noise.sample(rest.x * 6.0, rest.y * 1.5, rest.z, 1.5, 77)[0]
    upper = smooth_step(1.0, 0.0, ((rest.y - lids.upper - 0.03).abs() - 0.05) / (0.17 * outer - 0.05)) * strands
    lower = 0.5 * smooth_step(0.09, 0.02, (rest.y - lids.lower + 0.02).abs())
    share = find_eyes(figure, rest) * torch.maximum(upper * (0.6 + 0.5 * lashes), lower * lashes)
    return mix(color, tint((0.012, 0.008, 0.007)), share.clamp(0, 1))


def draw_hairline(spots: Spots, color: Tensor) -> Tensor:
    """Roots where the hair begins, so that it does not end as a helmet does."""
    identity, rest = spots.figure.identity, spots.rest
    gap = spots.figure.hair((spots.local[0], spots.local[1], spots.local[2]))
    strands = noise.sample(rest.x * 3.0, rest.y * 0.8, rest.z * 2.0, 1.6, identity.seed + 15)[0]
    reach = 0.25 if identity.hair.is_long else 0.55
    share = smooth_step(reach, 0.0, gap + 0.5 * reach * strands) * smooth_step(1.0, 2.5, rest.y + 0.5 * (4.0 - rest.z))
    root = mix(tint(identity.hair.color), tint(identity.hair.light), torch.tensor(0.25))
    return mix(color, root, 0.75 * share)


def draw_brows(figure: Figure, rest: Rest, color: Tensor) -> Tensor:
    """Brows, as strands of hair that lean outward."""
    brows, eyes = figure.identity.brows, figure.identity.eyes
    along = (rest.side - eyes.spacing) / (eyes.half_width + 0.75)
    lift = 0.45 * figure.moment.brow * (1 - 0.35 * along)
    line = brows.height + lift + brows.arch * (1 - (along - 0.15) ** 2) - 0.4 * brows.arch + brows.slope * along
    across = (rest.y - line) / (brows.thickness * (1.15 - 0.55 * smooth_step(0.1, 1.1, along)))
    strands = noise.sample(rest.side * 4.6 - rest.y * 3.4, rest.y * 1.2 + rest.side * 0.6, rest.z * 0.2, 2.4, 41)[0]
    body = smooth_step(1.25, 0.45, across.abs() + 0.35 * strands)
    ends = smooth_step(-1.12, -0.85, along) * smooth_step(1.22, 0.9, along)
    share = brows.density * body * ends * (0.78 + 0.26 * strands) * smooth_step(3.0, 5.0, rest.z)
    return mix(color, tint(brows.color), share.clamp(0, 1))
