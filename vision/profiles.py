"""Faces that MTCNN does not see, above all in profile: mediapipe's full-range detector (BlazeFace, Bazarevsky 2019)."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vision.face_graph import FaceGraph, Picture

_GRAPH = """
input_stream: "picture"
output_stream: "found"
node {
  calculator: "FaceDetectionFullRangeCpu"
  input_stream: "IMAGE:picture"
  output_stream: "DETECTIONS:found"
}
"""
_CORNER_RATIO = 0.4  # from the mouth's middle to its corners / from eye to eye

Points = NDArray[np.float32]


class Profile(NamedTuple):
    """A face: its box (4,), confidence and landmarks `five` (5, 2), in pixels of the picture."""

    box: Points
    confidence: float
    five: Points


class ProfileDetector:
    """Finds faces at any turn of the head. Raises ParamsError where mediapipe is not installed."""

    def __init__(self) -> None:
        self._graph = FaceGraph(_GRAPH)

    def find(self, picture: Picture) -> list[Profile]:
        """The faces of a picture, RGB (H, W, 3)."""
        packet = self._graph.run(picture)
        found = [] if packet is None else self._graph.read_detections(packet)
        sides = np.array([picture.shape[1], picture.shape[0]], np.float64)
        return [_read(one, sides) for one in found]


@lru_cache(1)
def share_profiles() -> ProfileDetector:
    """One detector for the whole process, never closed."""
    return ProfileDetector()


def _read(found: Any, sides: NDArray[np.float64]) -> Profile:
    data = found.location_data
    box = data.relative_bounding_box
    low, extent = np.array([box.xmin, box.ymin]), np.array([box.width, box.height])
    left, right, nose, mouth = (np.array([point.x, point.y]) for point in data.relative_keypoints[:4])
    half = _CORNER_RATIO * (right - left)
    corners = np.concatenate([low, low + extent]) * np.tile(sides, 2) - 0.5
    five = np.stack([left, right, nose, mouth - half, mouth + half]) * sides - 0.5
    confidence = float(found.score[0])
    return Profile(corners.astype(np.float32), confidence, five.astype(np.float32))
