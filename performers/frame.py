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
from performers.march import cast_shadow, find_normals, in_chunks, measure_openness
from performers.paint import paint
from performers.samples import Samples, take_samples
from performers.script import Moment
from performers.surface import find_spots

GRAIN = 0.003
EXPOSURE = 0.80


class Frame(NamedTuple):
    """A picture (H, W, 3) RGB uint8, mask of the visible face (H, W) uint8 0 or 255, landmarks (N, 2) pixels."""

    picture: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    landmarks: NDArray[np.float32]


def render_frame(identity: Identity, moment: Moment, scale: float = 1.0) -> Frame:
    """Render `identity` playing `moment`, at `scale` times 640x360."""
    figure, camera = Figure(identity, moment), place_camera(moment, scale)
    height, width = round(HEIGHT * scale), round(WIDTH * scale)
    samples = take_samples(figure, camera, height, width)
    color, is_face = shade(figure, camera, samples)
    linear = torch.zeros(3, height * width).index_add_(1, samples.pixel, color * samples.share)
    cover = torch.zeros(height * width).index_add_(0, samples.pixel, is_face * samples.share)
    mask = (cover.view(height, width) >= 0.5) * 255
    picture = develop(linear.view(3, height, width), moment)
    return Frame(picture, mask.to(torch.uint8).numpy(), find_landmarks(figure, camera))


def shade(figure: Figure, camera: Camera, samples: Samples) -> tuple[Tensor, Tensor]:
    """Linear RGB (3, N) of samples, and whether each shows the face (N,)."""
    color = see_wall(figure.moment.scene, camera, samples.directions)
    hits = torch.nonzero(samples.depth.isfinite())[:, 0]
    directions = samples.directions[hits]
    points = camera.position + directions * samples.depth[hits, None]
    part = in_chunks(figure.parts, points)
    normals = find_part_normals(figure, part, points)
    exposure = Exposure(normals, -directions, *expose(figure, samples.leader[hits], hits, points, normals))
    color[:, hits] = light_surface(paint(figure, part, points), exposure, figure.moment)
    is_face = torch.zeros(len(samples.pixel), dtype=torch.bool)
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


def find_face(figure: Figure, part: Tensor, points: Tensor) -> Tensor:
    """Whether points (N, 3) belong to the face: between hairline, ears and jaw, eyes and mouth included."""
    rest, skull = find_spots(figure, points).rest, figure.identity.skull
    jaw = skull.chin_y - 0.1 + 0.62 * (7.6 - rest.z).clamp_min(0.0)
    line = figure.identity.hair.hairline - 0.045 * rest.side**2
    on_face = (rest.z > 1.2) & (rest.y > jaw) & (rest.y < line)
    inner = (part == EYE) | (part == TEETH) | (part == TONGUE)
    return inner | (on_face & (part == SKIN))


def develop(linear: Tensor, moment: Moment) -> NDArray[np.uint8]:
    """Film: a soft shoulder, gamma and grain, from linear RGB (3, H, W) to uint8 (H, W, 3)."""
    light = linear * EXPOSURE
    toned = (light * (1 + light / 4.0) / (1 + light)).clamp(0.0, 1.0)
    encoded = torch.where(toned < 0.0031308, toned * 12.92, 1.055 * toned.clamp_min(1e-6) ** (1 / 2.4) - 0.055)
    generator = torch.Generator().manual_seed(moment.frame)
    grain = torch.randn(linear.shape[1:], generator=generator) * GRAIN
    finished = ((encoded + grain) * 255).round().clamp(0, 255).to(torch.uint8)
    return finished.permute(1, 2, 0).contiguous().numpy()
