"""What a face does in a picture (mouth, eyes, gaze, brows), by the face mesh; the same way for clip, swap and truth."""

import math
from dataclasses import dataclass, fields
from typing import Protocol

from vision.alignment import Points
from vision.crops import Picture
from vision.mesh_regions import brow_height, eye_open, gaze, mouth_open, straighten
from vision.take_faces import TakeFace

_SHUT_EYE = 0.12  # opening / width of the eye, up to which its iris is hidden


class FitsMesh(Protocol):
    """What `vision.mesh.FaceMesh` does."""

    def fit(self, picture: Picture, box: Points, five: Points | None = None) -> Points | None: ...


@dataclass(frozen=True)
class Movement:
    """Openings of mouth and eyes, gaze and height of the brows as `vision.mesh_regions` defines them.

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
    aside = gaze(points) if eye > _SHUT_EYE else math.nan
    return Movement(mouth_open(points), eye, aside, brow_height(straighten(points)))
