"""Light: a key that moves, fill, rim and the room's own, on surfaces met by rays."""

import math

import torch
from torch import Tensor

from performers.paint import Surface
from performers.script import Moment

SPREAD_RGB = (0.29, 0.16, 0.12)
FILL = (0.45, 0.20, 0.87)
RIM = (0.62, 0.35, -0.70)


def key_direction(moment: Moment) -> Tensor:
    """Direction toward the key light: (3,)."""
    yaw, pitch = math.radians(moment.light_yaw), math.radians(moment.light_pitch)
    return torch.tensor([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])


def key_color(moment: Moment) -> Tensor:
    """Color of the key light: (3, 1), from cool to warm."""
    warm = moment.warmth
    return moment.light * torch.tensor([[1.0 + 0.10 * warm], [0.98 - 0.04 * warm], [0.98 - 0.26 * warm]])


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
    return cosine**sharpness * (sharpness + 8) / 60 * (normals @ toward).clamp_min(0.0).sqrt()


def light_surface(surface: Surface, normals: Tensor, view: Tensor, open_sky: Tensor, reached: Tensor, moment: Moment) -> Tensor:
    """Linear RGB (3, N) of points with unit `normals` and `view` directions (N, 3)."""
    normals = normals + surface.bump.T
    normals = normals / normals.norm(dim=1, keepdim=True)
    key, fill, rim = key_direction(moment), torch.tensor(FILL), torch.tensor(RIM)
    soft = torch.stack([reached**0.85, reached, reached**1.05]) * surface.spread + reached * (1 - surface.spread)
    light = 2.3 * key_color(moment) * diffuse(normals, key, surface.spread) * soft
    sky = 0.5 + 0.5 * normals[:, 1]
    room = torch.tensor([[0.30], [0.31], [0.35]]) * (0.55 + 0.6 * sky) * torch.stack([open_sky**0.8, open_sky, open_sky])
    light = light + room + 0.40 * diffuse(normals, fill, surface.spread) * open_sky
    light = light + 0.55 * diffuse(normals, rim, surface.spread * 0) * open_sky
    shine = gleam(normals, key, view, surface.sharpness) * reached * key_color(moment) * 1.1
    shine = shine + 0.35 * gleam(normals, fill, view, surface.sharpness) * open_sky
    shine = shine * surface.gloss + sheen(surface, normals, key + view) * reached * 1.2
    shine = shine + 0.4 * sheen(surface, normals, fill + view) * open_sky
    edge = (1 - (normals * view).sum(1).clamp(0.0, 1.0)) ** 4 * open_sky * 0.10
    return surface.color * light + 0.5 * shine + surface.gloss * edge


def sheen(surface: Surface, normals: Tensor, half: Tensor) -> Tensor:
    """Band of light across strands that run down the head, tinted by their color (Kajiya and Kay 1989): (3, N)."""
    half = half / half.norm(dim=1, keepdim=True)
    down = torch.tensor([0.0, 1.0, 0.0]) - normals * normals[:, 1:2]
    along = down / down.norm(dim=1, keepdim=True).clamp_min(1e-3) + 0.25 * surface.strand[:, None] * normals
    across = (1 - (along * half).sum(1).clamp(-1.0, 1.0) ** 2).clamp_min(0.0).sqrt()
    facing = (normals * half).sum(1).clamp_min(0.0)
    return surface.strand * across**60 * facing * (0.35 * surface.color + 0.16 * surface.color.sqrt())
