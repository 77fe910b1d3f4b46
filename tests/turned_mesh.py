"""A made mesh: the canonical face's stable points, turned, and irises."""

from collections.abc import Mapping

import numpy as np

from vision.mesh_regions import STABLE_POINTS

IRIS_CM = 1.17
_IRISES_CM = {468: (-3.15, 2.62, 3.9), 473: (3.15, 2.62, 3.9)}
_AROUND = ((0, 0), (1, 0), (0, 1), (-1, 0), (0, -1))


def turned_mesh(
    yaw: float,
    pitch: float,
    roll: float,
    cm_px: float = 12.0,
    further: Mapping[int, tuple[float, float, float]] | None = None,
) -> np.ndarray:
    """A mesh whose stable points are the canonical face's, turned by angles in degrees and seen from far away.

    The irises face the camera. `further`: more points of the face, as STABLE_POINTS has them.
    """
    a, b, c = np.radians([-yaw, -pitch, roll])
    turn_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    turn_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    points = {**STABLE_POINTS, **_IRISES_CM, **(further or {})}
    model = np.array(list(points.values())) * (1, -1, -1)
    mesh = np.zeros((478, 3), np.float32)
    mesh[list(points)] = (model @ (turn_z @ turn_y @ turn_x).T) * cm_px + (300, 200, 0)
    for iris in _IRISES_CM:
        x, y, z = mesh[iris]
        mesh[iris : iris + 5] = [(x + dx * IRIS_CM / 2 * cm_px, y + dy * IRIS_CM / 2 * cm_px, z) for dx, dy in _AROUND]
    return mesh
