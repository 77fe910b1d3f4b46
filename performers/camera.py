"""The camera, and rays through the picture."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from performers.script import Moment

HEIGHT, WIDTH = 360, 640
FOCAL_PX = 800.0
DISTANCE_CM = 95.0
AIM = torch.tensor([0.0, -3.5, 0.0])


class Camera(NamedTuple):
    """A pinhole: where it stands, its axes (rows right, up, back), focal length and middle in pixels."""

    position: Tensor
    axes: Tensor
    focal_px: float
    center: tuple[float, float]

    def rays(self, columns: Tensor, rows: Tensor) -> Tensor:
        """Unit directions (N, 3) through pixels at (`columns`, `rows`), which need not be whole."""
        right = (columns - self.center[0]) / self.focal_px
        up = (self.center[1] - rows) / self.focal_px
        directions = torch.stack([right, up, -torch.ones_like(up)], dim=1) @ self.axes
        return functional.normalize(directions, dim=1)

    def project(self, points: Tensor) -> Tensor:
        """World points (N, 3) as pixels (N, 2): x, y."""
        seen = (points - self.position) @ self.axes.T
        scaled = seen[:, :2] * (self.focal_px / -seen[:, 2:])
        return torch.stack([self.center[0] + scaled[:, 0], self.center[1] - scaled[:, 1]], dim=1)


def place_camera(moment: Moment, scale: float) -> Camera:
    """The camera of a moment, for a picture of `scale` times 640x360."""
    position = torch.tensor([moment.camera_x, moment.camera_y - 3.0, DISTANCE_CM + moment.camera_z])
    back = (position - AIM) / (position - AIM).norm()
    right = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0]), back)
    right = right / right.norm()
    axes = torch.stack([right, torch.linalg.cross(back, right), back])
    center = ((WIDTH * scale - 1) / 2, (HEIGHT * scale - 1) / 2)
    return Camera(position, axes, FOCAL_PX * scale, center)
