"""How far mouth and eyes are open in a picture, by the face mesh; the same way for clip, swap and truth."""

import math
from dataclasses import dataclass
from typing import Protocol

from vision.alignment import Points
from vision.crops import Picture
from vision.mesh_regions import eye_open, mouth_open
from vision.take_faces import TakeFace


class FitsMesh(Protocol):
    """What `vision.mesh.FaceMesh` does."""

    def fit(self, picture: Picture, box: Points, five: Points | None = None) -> Points | None: ...


@dataclass(frozen=True)
class Opening:
    """Openings of mouth and eyes as `vision.mesh_regions` defines them; NaN where no face was found."""

    mouth: float = math.nan
    eye: float = math.nan


def measure_opening(picture: Picture, face: TakeFace, mesh: FitsMesh) -> Opening:
    """Fit the mesh where the clip's face lies, and measure it."""
    points = mesh.fit(picture, face.box, face.five)
    return Opening() if points is None else Opening(mouth_open(points), eye_open(points))
