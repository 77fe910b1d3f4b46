"""The face mesh: 478 points with iris on a face whose place is known (mediapipe's).

The landmark model runs on a region that we give it instead of what mediapipe's own detector or tracker would. To `fit`
is to run it on a detection's region, then on one measured from that first mesh: that takes most of the detector's
jitter away, and still a frame's mesh depends on no other frame. To `follow` is to run it on the region of a mesh in the
frame beside, and once more where the face has left that region's middle. Grishchenko et al. 2020, "Attention Mesh".
"""

from functools import lru_cache
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face_graph import FaceGraph
from vision.mesh_input import (
    INPUT_PX,
    Matrix,
    Picture,
    Points,
    cut_region,
    has_moved,
    region_of_box,
    region_of_five,
    region_of_mesh,
    size_of,
)
from vision.planes import HasPlanes

_MIN_OVERLAP = 0.3  # intersection over union of mesh and detection below which the mesh sits on something else

# mediapipe's face graph without its detector: the region comes in from outside.
_GRAPH = """
input_stream: "picture"
input_stream: "region"
output_stream: "found"
input_side_packet: "with_attention"
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:picture"
  input_stream: "ROI:region"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:found"
}
"""

Mesh = NDArray[np.float32]


class FaceMesh:
    """Fits the mesh to faces. Raises ParamsError where mediapipe is not installed. `close` it, or use `with`."""

    def __init__(self) -> None:
        self._model = _Model()

    def fit(self, picture: Picture | HasPlanes, box: Points, five: Points | None = None) -> Mesh | None:
        """The mesh of the face in `box` (4,) of a picture, RGB (H, W, 3) or planes; None where no mesh holds there.

        Gives float32 (478, 3): x, y in pixels of the picture, z towards the back in the same unit. The landmarks
        `five` (5, 2), where they are known, say where to begin more exactly than the box does.
        """
        first = self._fit_region(picture, region_of_box(box) if five is None else region_of_five(five))
        if first is None:
            return None
        mesh = self._fit_region(picture, region_of_mesh(first))
        return mesh if mesh is not None and _overlap(mesh, box, size_of(picture)) >= _MIN_OVERLAP else None

    def follow(self, picture: Picture | HasPlanes, before: Mesh) -> Mesh | None:
        """The mesh of the face whose mesh in a frame beside this one was `before`; None where it is lost."""
        region = region_of_mesh(before)
        mesh = self._fit_region(picture, region)
        if mesh is not None and has_moved(region, region_of_mesh(mesh)):
            mesh = self._fit_region(picture, region_of_mesh(mesh))
        if mesh is None:
            return None
        extent = np.concatenate([before[:, :2].min(axis=0), before[:, :2].max(axis=0)])
        return mesh if _overlap(mesh, extent, size_of(picture)) >= _MIN_OVERLAP else None

    def close(self) -> None:
        """Stop the model."""
        self._model.close()

    def _fit_region(self, picture: Picture | HasPlanes, frame_to_region: Matrix) -> Mesh | None:
        points = self._model.run(cut_region(picture, frame_to_region))
        if points is None:
            return None
        region_to_frame = cv2.invertAffineTransform(frame_to_region)
        flat = points[:, :2] @ region_to_frame[:, :2].T + region_to_frame[:, 2]
        depth = points[:, 2:] * np.hypot(*region_to_frame[0, :2])
        return np.hstack([flat, depth]).astype(np.float32)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@lru_cache(1)
def share_mesh() -> FaceMesh:
    """One mesh for the whole process, never closed: each one started keeps 25 MB, also after its end.

    Raises ParamsError as FaceMesh does.
    """
    return FaceMesh()


class _Model:
    """mediapipe's landmark model: a square picture of INPUT_PX -> points in its pixels."""

    def __init__(self) -> None:
        self._graph = FaceGraph(_GRAPH, is_whole=True, options={"with_attention": True})

    def run(self, picture: Picture) -> NDArray[np.float64] | None:
        """Points (478, 3), or None where the model sees no face."""
        packet = self._graph.run(picture)
        return None if packet is None else self._graph.read_landmarks(packet) * INPUT_PX

    def close(self) -> None:
        self._graph.close()


def _overlap(mesh: Points, box: Points, shape: tuple[int, ...]) -> float:
    """Intersection over union of the box and the mesh's extent inside the picture."""
    most = np.array([shape[1], shape[0]]) - 1
    low, high = (np.clip(corner, 0, most) for corner in (mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)))
    shared = np.clip(np.minimum(high, box[2:]) - np.maximum(low, box[:2]), 0, None).prod()
    return float(shared / ((high - low).prod() + (box[2:] - box[:2]).prod() - shared))
