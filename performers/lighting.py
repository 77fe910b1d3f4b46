"""Light: a key that moves, fill, rim and the room's own, on the surfaces that rays meet."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from performers.script import Moment
from performers.sdf import smooth_step
from performers.surface import Surface

SPREAD_RGB = (0.29, 0.16, 0.12)
FILL = (0.45, 0.20, 0.87)
RIM = (0.62, 0.35, -0.70)
ROOM_RGB = (0.30, 0.31, 0.35)
WATT = 2.3


class Exposure(NamedTuple):
    """How points are turned and hidden: unit `normals` and `view` directions (N, 3), `open_sky` and `reached` (N,).

    `open_sky` is the share of the surroundings that is open, `reached` the share of the key light that arrives.
    """

    normals: Tensor
    view: Tensor
    open_sky: Tensor
    reached: Tensor


def key_direction(moment: Moment) -> Tensor:
    """Direction toward the key light: (3,)."""
    yaw, pitch = math.radians(moment.light_yaw), math.radians(moment.light_pitch)
    return torch.tensor([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])


def key_color(moment: Moment) -> Tensor:
    """Color of the key light: (3, 1), from cool to warm."""
    warm = moment.warmth
    return moment.light * torch.tensor([[1.0 + 0.10 * warm], [0.98 - 0.04 * warm], [0.98 - 0.26 * warm]])


def light_surface(surface: Surface, exposure: Exposure, moment: Moment) -> Tensor:
    """Linear RGB (3, N) of points on surfaces."""
    normals = exposure.normals + surface.bump.T
    exposure = exposure._replace(normals=normals / normals.norm(dim=1, keepdim=True))
    edge = (1 - (exposure.normals * exposure.view).sum(1).clamp(0.2, 1.0)) ** 4 * exposure.open_sky * 0.10
    color: Tensor = surface.color * gather_light(surface, exposure, moment)
    return color + 0.5 * gather_shine(surface, exposure, moment) + surface.gloss * edge


def gather_light(surface: Surface, exposure: Exposure, moment: Moment) -> Tensor:
    """Light that falls on the points and is scattered evenly: (3, N)."""
    normals, _, open_sky, reached = exposure
    soft = torch.stack([reached**0.85, reached, reached**1.05]) * surface.spread + reached * (1 - surface.spread)
    light = WATT * key_color(moment) * diffuse(normals, key_direction(moment), surface.spread) * soft
    sky = 0.55 + 0.6 * (0.5 + 0.5 * normals[:, 1])
    light = light + torch.tensor(ROOM_RGB)[:, None] * sky * torch.stack([open_sky**0.8, open_sky, open_sky])
    light = light + 0.40 * diffuse(normals, torch.tensor(FILL), surface.spread) * open_sky
    above = smooth_step(-0.6, 0.1, normals[:, 1])
    return light + 0.55 * diffuse(normals, torch.tensor(RIM), surface.spread * 0) * open_sky * above


def gather_shine(surface: Surface, exposure: Exposure, moment: Moment) -> Tensor:
    """Light that is mirrored by gloss and by strands: (3, N)."""
    normals, view, open_sky, reached = exposure
    key, fill = key_direction(moment), torch.tensor(FILL)
    shine = gleam(normals, key, view, surface.sharpness) * reached * key_color(moment) * 1.1
    shine = shine + 0.35 * gleam(normals, fill, view, surface.sharpness) * open_sky
    shine = shine * surface.gloss + sheen(surface, normals, key + view) * reached * 1.2
    return shine + 0.4 * sheen(surface, normals, fill + view) * open_sky


def diffuse(normals: Tensor, toward: Tensor, spread: Tensor) -> Tensor:
    """Lambert's law, wrapped per color where light spreads below the surface: (3, N)."""
    cosine = normals @ toward
    wrap = torch.tensor(SPREAD_RGB)[:, None] * spread
    return ((cosine + wrap) / (1 + wrap)).clamp_min(0.0)


def gleam(normals: Tensor, toward: Tensor, view: Tensor, sharpness: Tensor) -> Tensor:
    """Blinn's highlight, its energy kept as it sharpens: (N,)."""
    half = toward + view
    half = half / half.norm(dim=1, keepdim=True)
    cosine = (normals * half).sum(1).clamp_min(0.0)
    energy: Tensor = (sharpness + 8) / 60
    return torch.pow(cosine, sharpness) * energy * (normals @ toward).clamp_min(0.0).sqrt()


def sheen(surface: Surface, normals: Tensor, half: Tensor) -> Tensor:
    """Band of light across strands that run down the head, tinted by their color (Kajiya and Kay 1989): (3, N)."""
    half = half / half.norm(dim=1, keepdim=True)
    down = torch.tensor([0.0, 1.0, 0.0]) - normals * normals[:, 1:2]
    along = down / down.norm(dim=1, keepdim=True).clamp_min(1e-3) + 0.25 * surface.strand[:, None] * normals
    across = (1 - (along * half).sum(1).clamp(-1.0, 1.0) ** 2).clamp_min(0.0).sqrt()
    facing = (normals * half).sum(1).clamp_min(0.0)
    return surface.strand * torch.pow(across, 60) * facing * (0.35 * surface.color + 0.16 * surface.color.sqrt())
