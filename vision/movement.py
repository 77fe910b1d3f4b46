"""What a face does in a picture (mouth, eyes, gaze, brows), by the face mesh; the same way for clip, swap and truth."""

import math
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np

from vision.alignment import Points
from vision.crops import Picture
from vision.mesh_regions import LEFT_EYE, REGIONS, RIGHT_EYE, eye_open, mouth_open
from vision.take_faces import TakeFace

LEFT_IRIS, RIGHT_IRIS = 468, 473  # their middles in the mesh
_SHUT_EYE = 0.12  # opening / width of the eye, up to which its iris is hidden


class FitsMesh(Protocol):
    """What `vision.mesh.FaceMesh` does."""

    def fit(self, picture: Picture, box: Points, five: Points | None = None) -> Points | None: ...


@dataclass(frozen=True)
class Movement:
    """Openings of mouth and eyes as `vision.mesh_regions` defines them, gaze to the side, height of the brows.

    NaN where no face was found; shut eyes have no gaze.
    """

    mouth: float = math.nan
    eye: float = math.nan
    gaze: float = math.nan
    brow: float = math.nan


PARTS = tuple(field.name for field in fields(Movement))


def measure_movement(picture: Picture, face: TakeFace, mesh: FitsMesh) -> Movement:
    """Fit the mesh where the clip's face lies, and measure it."""
    points = mesh.fit(picture, face.box, face.five)
    if points is None:
        return Movement()
    eye = eye_open(points)
    gaze = measure_gaze(points) if eye > _SHUT_EYE else math.nan
    return Movement(mouth_open(points), eye, gaze, measure_brows(points))


def measure_gaze(mesh: Points) -> float:
    """How far the irises lie from their eyes' middles to the picture's right, over the eyes' width. (478, 3) pixels."""
    left = _place_between(mesh, LEFT_EYE[0], LEFT_EYE[1], LEFT_IRIS)
    right = _place_between(mesh, RIGHT_EYE[1], RIGHT_EYE[0], RIGHT_IRIS)
    return (left + right) / 2 - 0.5


def measure_brows(mesh: Points) -> float:
    """Distance of the brows from the eyes' corners over that of the eyes' outer corners. `mesh`: (478, 3) pixels."""
    heights = [
        np.linalg.norm(mesh[list(brow)].mean(axis=0) - mesh[list(eye[:2])].mean(axis=0))
        for brow, eye in zip(REGIONS["brows"], (LEFT_EYE, RIGHT_EYE), strict=True)
    ]
    return float(np.mean(heights) / np.linalg.norm(mesh[LEFT_EYE[0]] - mesh[RIGHT_EYE[0]]))


def _place_between(mesh: Points, first: int, second: int, point: int) -> float:
    """Where a point lies along the way from one to another: 0 at the first, 1 at the second."""
    way = mesh[second] - mesh[first]
    return float((mesh[point] - mesh[first]) @ way / max(float(way @ way), 1e-9))
