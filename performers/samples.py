"""Which rays a picture is made of: one a pixel, and four where there is detail or an edge."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from performers.camera import Camera
from performers.figure import EYE, N_PARTS, SKIN, TEETH, TONGUE, Figure
from performers.march import find_between, find_hits, in_chunks

FINE_PARTS = (SKIN, EYE, TEETH, TONGUE)
BACKDROP = N_PARTS
EDGE_CM = 0.5
SHARED_CM = 0.6
QUARTERS = torch.tensor([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]])


class Samples(NamedTuple):
    """Rays: flat index of the pixel and share in it (N,), unit directions (N, 3), depths (N,), infinite for none.

    `leader` (N,) is the index of the sample whose soft light a sample shares.
    """

    pixel: Tensor
    share: Tensor
    directions: Tensor
    depth: Tensor
    leader: Tensor


def take_samples(figure: Figure, camera: Camera, height: int, width: int) -> Samples:
    """All samples of a picture."""
    depth = find_hits(figure.distance, camera, height, width)
    is_fine = find_detail(find_parts(figure, camera, depth), depth)
    whole, split = sample_whole(camera, depth, ~is_fine), sample_quarters(figure, camera, depth, is_fine)
    split = split._replace(leader=split.leader + len(whole.pixel))
    return Samples(*(torch.cat(values) for values in zip(whole, split, strict=True)))


def find_parts(figure: Figure, camera: Camera, depth: Tensor) -> Tensor:
    """Part of the figure, or `BACKDROP`, at every pixel of depths (H, W): (H, W)."""
    rows, columns = torch.nonzero(depth.isfinite(), as_tuple=True)
    points = camera.position + camera.rays(columns.float(), rows.float()) * depth[rows, columns, None]
    part = torch.full(depth.shape, BACKDROP)
    part[rows, columns] = in_chunks(figure.parts, points)
    return part


def find_detail(part: Tensor, depth: Tensor) -> Tensor:
    """Pixels (H, W) that show the face, or whose neighbors show another part or another depth."""
    is_face = torch.isin(part, torch.tensor(FINE_PARTS))
    height = part.float() * 100.0 + depth.clamp_max(500.0).where(part != BACKDROP, torch.tensor(500.0))
    framed = functional.pad(height[None, None], (1, 1, 1, 1), mode="replicate")
    spread = functional.max_pool2d(framed, 3, 1) + functional.max_pool2d(-framed, 3, 1)
    return is_face | (spread[0, 0] > EDGE_CM)


def sample_whole(camera: Camera, depth: Tensor, chosen: Tensor) -> Samples:
    """One sample for each pixel that is `chosen` (H, W), at the depths (H, W) known already."""
    rows, columns = torch.nonzero(chosen, as_tuple=True)
    count = len(rows)
    directions = camera.rays(columns.float(), rows.float())
    pixel = rows * depth.shape[1] + columns
    return Samples(pixel, torch.ones(count), directions, depth[rows, columns], torch.arange(count))


def sample_quarters(figure: Figure, camera: Camera, depth: Tensor, chosen: Tensor) -> Samples:
    """Four samples for each pixel that is `chosen` (H, W), from the depths (H, W) of the pixels' middles."""
    rows, columns = torch.nonzero(chosen, as_tuple=True)
    x = (columns[:, None] + QUARTERS[:, 0]).flatten()
    y = (rows[:, None] + QUARTERS[:, 1]).flatten()
    directions = camera.rays(x, y)
    guess, start = foretell(depth)
    picked = [plane[rows, columns].flatten() for plane in (guess, start)]
    found = find_between(figure.distance, camera.position, directions, *picked)
    pixel = (rows * depth.shape[1] + columns).repeat_interleave(4)
    return Samples(pixel, torch.full_like(found, 0.25), directions, found, lead_quarters(found))


def foretell(depth: Tensor) -> tuple[Tensor, Tensor]:
    """For the quarters of each pixel of depths (H, W): depths between pixels, and safe ones before them: (H, W, 4)."""
    height, width = depth.shape
    between = functional.interpolate(depth[None, None], scale_factor=2, mode="bilinear")[0, 0]
    quarters = between.view(height, 2, width, 2).permute(0, 2, 1, 3).reshape(height, width, 4)
    framed = functional.pad(depth[None, None], (1, 1, 1, 1), mode="replicate")
    nearest = -functional.max_pool2d(-framed, 3, 1)[0, 0]
    return quarters, (nearest - 0.6)[:, :, None].expand(-1, -1, 4)


def lead_quarters(depth: Tensor) -> Tensor:
    """Leaders of samples that follow by fours: the nearest of the four, or itself where that is far before it."""
    fours = depth.view(-1, 4)
    index = torch.arange(len(depth))
    first = (torch.arange(len(fours)) * 4 + fours.argmin(1)).repeat_interleave(4)
    return torch.where(depth - depth[first] < SHARED_CM, first, index)
