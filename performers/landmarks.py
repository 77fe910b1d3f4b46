"""Named points of a face and where a camera sees them."""

import numpy as np
import torch
from numpy.typing import NDArray

from performers.camera import Camera
from performers.figure import Figure

LANDMARKS = (
    "left_eye", "right_eye", "nose_tip", "mouth_left", "mouth_right",
    "left_eye_upper", "left_eye_lower", "right_eye_upper", "right_eye_lower",
    "lip_top", "lip_upper_edge", "lip_lower_edge", "lip_bottom", "chin", "jaw_left", "jaw_right",
)  # fmt: skip
"""Order of the points in the tables: left and right as seen in the picture. An eye point is the center
of the eye ball; `lip_upper_edge` and `lip_lower_edge` are the rims of the opening."""


def find_landmarks(figure: Figure, camera: Camera) -> NDArray[np.float32]:
    """Pixels (N, 2) of `LANDMARKS`, seen or hidden."""
    spots = place_spots(figure)
    local = torch.tensor([spots[name] for name in LANDMARKS])
    surface = local.clone()
    surface[2:, 2] = find_surface(figure, local[2:])
    return camera.project(figure.to_world(surface)).numpy().astype(np.float32)


def place_spots(figure: Figure) -> dict[str, tuple[float, float, float]]:
    """Points in head space as the expression moves them, before they are brought to the surface in z."""
    identity, head = figure.identity, figure.head
    eyes, mouth, skull = identity.eyes, identity.mouth, identity.skull
    lids = head.lids(torch.tensor([eyes.spacing]))
    upper, lower = (float(value) for value in (lids.upper[0], lids.lower[0]))
    lips = [float(value[0]) for value in head.lip_heights(torch.zeros(1))]
    corner = mouth.height + 0.55 * figure.moment.smile - 0.10
    spots = {"nose_tip": (0.0, identity.nose.base + 0.75, 0.0)}
    spots["chin"] = (0.0, skull.chin_y + 0.7 - 0.8 * head.drop, 0.0)
    for name, sign in (("left", -1.0), ("right", 1.0)):
        spots[f"{name}_eye"] = (sign * eyes.spacing, 0.0, 7.4)
        spots[f"{name}_eye_upper"] = (sign * eyes.spacing, upper, 0.0)
        spots[f"{name}_eye_lower"] = (sign * eyes.spacing, lower, 0.0)
        spots[f"mouth_{name}"] = (sign * head.half_width, corner, 0.0)
        spots[f"jaw_{name}"] = (sign * 0.72 * skull.jaw, skull.chin_y + 3.0 - 0.6 * head.drop, 0.0)
    spots["lip_top"] = (0.0, mouth.height + head.rise + lips[0], 0.0)
    spots["lip_upper_edge"] = (0.0, mouth.height + head.rise, 0.0)
    spots["lip_lower_edge"] = (0.0, mouth.height - head.drop, 0.0)
    spots["lip_bottom"] = (0.0, mouth.height - head.drop - lips[1], 0.0)
    return spots


def find_surface(figure: Figure, local: torch.Tensor) -> torch.Tensor:
    """Depth z (N,) at which lines along z through points in head space (N, 3) first meet the shut face."""
    depth = torch.linspace(13.0, 2.0, 441)
    x = local[:, 0, None].expand(-1, len(depth))
    y = local[:, 1, None].expand(-1, len(depth))
    points = (x.flatten(), y.flatten(), depth.expand(len(local), -1).flatten())
    distances = figure.head.closed_skin(figure.head.relax(points)).view(len(local), -1)
    return depth[(distances < 0).float().argmax(1)]
