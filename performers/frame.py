"""One rendered frame of a performer, with its truth: picture, mask of the face, landmarks."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from performers.backdrop import see_wall
from performers.camera import HEIGHT, WIDTH, Camera, place_camera
from performers.figure import EYE, N_PARTS, SKIN, TEETH, TONGUE, Figure
from performers.identity import Identity
from performers.landmarks import find_landmarks
from performers.lighting import Exposure, key_direction, light_surface
from performers.march import cast_shadow, find_hits, find_normals, in_chunks, measure_openness
from performers.paint import paint
from performers.script import Moment
from performers.surface import find_spots

SAMPLES = 2
SHARED_CM = 0.6
GRAIN = 0.003
EXPOSURE = 0.80


class Frame(NamedTuple):
    """A picture (H, W, 3) RGB uint8, mask of the visible face (H, W) uint8 0 or 255, landmarks (N, 2) pixels."""

    picture: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    landmarks: NDArray[np.float32]


def render_frame(identity: Identity, moment: Moment, scale: float = 1.0) -> Frame:
    """Render `identity` playing `moment`, at `scale` times 640x480."""
    figure = Figure(identity, moment)
    height, width = round(HEIGHT * scale), round(WIDTH * scale)
    camera = place_camera(moment, scale * SAMPLES)
    depth = find_hits(figure.distance, camera, height * SAMPLES, width * SAMPLES)
    color, is_face = shade(figure, camera, depth)
    linear = average(color.view(3, *depth.shape))
    mask = average(is_face.view(1, *depth.shape).float())[0] >= 0.5
    landmarks = find_landmarks(figure, place_camera(moment, scale))
    return Frame(develop(linear, moment), (mask * 255).to(torch.uint8).numpy(), landmarks)


def shade(figure: Figure, camera: Camera, depth: Tensor) -> tuple[Tensor, Tensor]:
    """Linear RGB (3, pixels) and whether each sample shows the face, from depths along all rays (H, W)."""
    height, width = depth.shape
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    directions = camera.rays(columns.flatten().float(), rows.flatten().float())
    color = see_wall(figure.moment.scene, camera, directions)
    hits = torch.nonzero(depth.flatten().isfinite())[:, 0]
    points = camera.position + directions[hits] * depth.flatten()[hits, None]
    part = in_chunks(figure.parts, points)
    normals = find_part_normals(figure, part, points)
    exposure = Exposure(normals, -directions[hits], *expose(figure, find_leaders(depth)[hits], hits, points, normals))
    color[:, hits] = light_surface(paint(figure, part, points), exposure, figure.moment)
    is_face = torch.zeros(height * width, dtype=torch.bool)
    is_face[hits] = find_face(figure, part, points)
    return color, is_face


def find_part_normals(figure: Figure, part: Tensor, points: Tensor) -> Tensor:
    """Unit normals (N, 3), each of the field of the point's own part."""
    normals = torch.zeros_like(points)
    for index in range(N_PARTS):
        chosen = torch.nonzero(part == index)[:, 0]
        if len(chosen):
            normals[chosen] = find_normals(figure.field_of(index), points[chosen])
    return normals


def expose(figure: Figure, leaders: Tensor, hits: Tensor, points: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
    """Openness and light of the key at hits (N,), worked out at their leaders only: flat indices (N,) of samples."""
    is_leader = torch.zeros(int(hits.max()) + 1 if len(hits) else 0, dtype=torch.bool)
    is_leader[leaders] = True
    used = torch.nonzero(is_leader[hits])[:, 0]
    order = torch.empty(len(is_leader), dtype=torch.long)
    order[hits[used]] = torch.arange(len(used))
    spots, out = points[used], normals[used]
    open_sky = measure_openness(figure.distance, spots, out)
    reached = cast_shadow(figure.distance, spots, out, key_direction(figure.moment))
    return open_sky[order[leaders]], reached[order[leaders]]


def find_leaders(depth: Tensor) -> Tensor:
    """For each sample of depths (H, W) the flat index of the sample that stands for it in soft light: (H * W,).

    It is the nearest one of its 2x2 block, or itself where that is far before it.
    """
    height, width = depth.shape
    index = torch.arange(height * width).view(height, width)
    gather = [depth[i::2, j::2] for i in (0, 1) for j in (0, 1)]
    nearest = torch.stack(gather).argmin(0)
    first = index[0::2, 0::2] + nearest // 2 * width + nearest % 2
    first = first.repeat_interleave(2, 0).repeat_interleave(2, 1)
    is_close = depth - depth.flatten()[first] < SHARED_CM
    return torch.where(is_close, first, index).flatten()


def find_face(figure: Figure, part: Tensor, points: Tensor) -> Tensor:
    """Whether points (N, 3) belong to the face: between hairline, ears and jaw, eyes and mouth included."""
    rest, skull = find_spots(figure, points).rest, figure.identity.skull
    jaw = skull.chin_y - 0.1 + 0.62 * (7.6 - rest.z).clamp_min(0.0)
    line = figure.identity.hair.hairline - 0.045 * rest.side**2
    on_face = (rest.z > 1.2) & (rest.y > jaw) & (rest.y < line)
    inner = (part == EYE) | (part == TEETH) | (part == TONGUE)
    return inner | (on_face & (part == SKIN))


def average(samples: Tensor) -> Tensor:
    """Mean of each block of samples: (C, H * S, W * S) to (C, H, W)."""
    return torch.nn.functional.avg_pool2d(samples[None], SAMPLES)[0]


def develop(linear: Tensor, moment: Moment) -> NDArray[np.uint8]:
    """Film: a soft shoulder, gamma and grain, from linear RGB (3, H, W) to uint8 (H, W, 3)."""
    light = linear * EXPOSURE
    toned = (light * (1 + light / 4.0) / (1 + light)).clamp(0.0, 1.0)
    encoded = torch.where(toned < 0.0031308, toned * 12.92, 1.055 * toned.clamp_min(1e-6) ** (1 / 2.4) - 0.055)
    generator = torch.Generator().manual_seed(moment.frame)
    grain = torch.randn(linear.shape[1:], generator=generator) * GRAIN
    finished = ((encoded + grain) * 255).round().clamp(0, 255).to(torch.uint8)
    return finished.permute(1, 2, 0).contiguous().numpy()
