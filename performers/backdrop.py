"""What stands behind a performer: a wall painted once per scene, seen out of focus."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from performers import noise
from performers.camera import Camera

WALL_Z = -120.0
SPAN_CM = 200.0
WALL_PX = 1365


@cache
def wall(scene: str) -> Tensor:
    """Linear RGB of the wall, (1, 3, WALL_PX, WALL_PX), over +-`SPAN_CM` / 2."""
    axis = torch.linspace(-SPAN_CM / 2, SPAN_CM / 2, WALL_PX)
    y, x = torch.meshgrid(-axis, axis, indexing="ij")
    picture = shelves(x, y) if scene == "ada" else bricks(x, y)
    grain = noise.fractal(x.flatten(), y.flatten(), x.flatten() * 0, 0.12, 5, 300).view(1, WALL_PX, WALL_PX)
    picture = picture * (1 + 0.16 * grain)
    kernel = torch.hann_window(13, periodic=False)
    kernel = (kernel / kernel.sum()).view(1, 1, 13, 1).expand(3, 1, 13, 1)
    picture = functional.conv2d(picture[None], kernel, padding=(6, 0), groups=3)
    return functional.conv2d(picture, kernel.transpose(2, 3), padding=(0, 6), groups=3)


def shelves(x: Tensor, y: Tensor) -> Tensor:
    """A bookcase: books of many colors between dark boards, lamp light from the left."""
    row, column = (y / 17.0).floor(), (x / 3.4 + 100).floor()
    cell = row * 57.31 + column * 12.97
    hue = torch.stack([(torch.sin(cell * (1.7 + 0.6 * i)) * 4375.85) % 1.0 for i in range(3)])
    hue = 0.45 * hue + 0.55 * hue.mean(0)
    color = 0.03 + 0.17 * hue * torch.tensor([1.0, 0.70, 0.48]).view(3, 1, 1)
    top = ((y / 17.0) % 1.0) < 0.66 + 0.4 * (hue[1] - 0.5)
    color = color * torch.where(top, 1.0, 0.12)
    board = ((y / 17.0) % 1.0) < 0.07
    color = torch.where(board, torch.tensor([0.16, 0.085, 0.045]).view(3, 1, 1), color)
    return color * (0.65 + 1.1 * torch.exp(-(((x + 38) / 34) ** 2) - ((y - 15) / 40) ** 2))


def bricks(x: Tensor, y: Tensor) -> Tensor:
    """A painted brick wall with a bright window on the right."""
    row = (y / 6.5).floor()
    along = x / 17.0 + 0.5 * (row % 2)
    joint = ((y / 6.5) % 1.0 < 0.09) | (along % 1.0 < 0.035)
    shade = (torch.sin(row * 91.7 + along.floor() * 37.3) * 4375.5) % 1.0
    color = torch.tensor([0.13, 0.17, 0.20]).view(3, 1, 1) * (0.75 + 0.5 * shade)
    color = torch.where(joint, torch.tensor([0.26, 0.28, 0.29]).view(3, 1, 1), color)
    window = (x > 20) & (x < 52) & (y > -18) & (y < 44) & ((x - 36).abs() > 1.0) & ((y - 13).abs() > 1.0)
    color = torch.where(window, torch.tensor([0.62, 0.74, 0.85]).view(3, 1, 1), color)
    return color * (0.6 + 0.5 * torch.exp(-(((x - 30) / 50) ** 2)))


def see_wall(scene: str, camera: Camera, directions: Tensor) -> Tensor:
    """Linear RGB (3, N) of the wall along rays (N, 3)."""
    reach = (WALL_Z - camera.position[2]) / directions[:, 2]
    hit = camera.position[:2] + directions[:, :2] * reach[:, None]
    grid = torch.stack([hit[:, 0], -hit[:, 1]], dim=1) / (SPAN_CM / 2)
    picked = functional.grid_sample(wall(scene), grid.view(1, 1, -1, 2), align_corners=True, padding_mode="border")
    return picked[0, :, 0]
