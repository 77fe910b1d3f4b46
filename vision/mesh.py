"""The face mesh: 478 points with iris on a face whose place is known (mediapipe; no other module uses it).

The landmark model runs on a region that we give it instead of what mediapipe's own detector or tracker would. To `fit`
is to run it on a detection's region, then on one measured from that first mesh: that takes most of the detector's
jitter away, and still a frame's mesh depends on no other frame. To `follow` is to run it on the region of a mesh in the
frame beside, and once more where the face has left that region's middle. Grishchenko et al. 2020, "Attention Mesh".
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from errors import ParamsError
from vision.planes import Box, Layout, Planes, align_box, region_to_rgb

INPUT_PX = 192  # side of the model's input

_EYE_CORNERS = [33, 263]  # the outer ones, left first
_MESH_RATIO = 1.5  # side of the region / longer side of the mesh: what the model was trained on
_BOX_RATIO = 1.5  # side of the region / longer side of a detector's box
_FIVE_RATIO = 3.6  # side of the region / longer of the distances between the eyes and from eyes to mouth
_MIN_OVERLAP = 0.3  # intersection over union of mesh and detection below which the mesh sits on something else
_MAX_MOVE = 0.08  # of a region's middle or side, as a share of its side, up to which one run of the model is enough
_MARGIN_PX = 2  # of the model's input: what filters look at beyond a region

# mediapipe's face graph without its detector: the region comes in from outside.
_GRAPH = """
input_stream: "picture"
input_stream: "region"
output_stream: "landmarks"
input_side_packet: "with_attention"
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:picture"
  input_stream: "ROI:region"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:landmarks"
}
"""

Points = NDArray[np.floating]
Mesh = NDArray[np.float32]
Picture = NDArray[np.uint8]
Matrix = NDArray[np.float64]


class HasPlanes(Protocol):
    """A picture that is still in its planes, such as a frame of a video: its RGB is made where it is looked at."""

    @property
    def planes(self) -> Planes: ...
    @property
    def layout(self) -> Layout: ...


class FaceMesh:
    """Fits the mesh to faces. Raises ParamsError where mediapipe is not installed. `close` it, or use `with`."""

    def __init__(self) -> None:
        self._model = _Model()

    def fit(self, picture: Picture | HasPlanes, box: Points, five: Points | None = None) -> Mesh | None:
        """The mesh of the face in `box` (4,) of a picture, RGB (H, W, 3) or planes; None where no mesh holds there.

        Gives float32 (478, 3): x, y in pixels of the picture, z towards the back in the same unit. The landmarks
        `five` (5, 2), where they are known, say where to begin more exactly than the box does.
        """
        first = self._fit_region(picture, _region_of_box(box) if five is None else _region_of_five(five))
        if first is None:
            return None
        mesh = self._fit_region(picture, _region_of_mesh(first))
        return mesh if mesh is not None and _overlap(mesh, box, _size(picture)) >= _MIN_OVERLAP else None

    def follow(self, picture: Picture | HasPlanes, before: Mesh) -> Mesh | None:
        """The mesh of the face whose mesh in a frame beside this one was `before`; None where it is lost."""
        region = _region_of_mesh(before)
        mesh = self._fit_region(picture, region)
        if mesh is not None and _has_moved(region, _region_of_mesh(mesh)):
            mesh = self._fit_region(picture, _region_of_mesh(mesh))
        if mesh is None:
            return None
        extent = np.concatenate([before[:, :2].min(axis=0), before[:, :2].max(axis=0)])
        return mesh if _overlap(mesh, extent, _size(picture)) >= _MIN_OVERLAP else None

    def close(self) -> None:
        """Stop the model."""
        self._model.close()

    def _fit_region(self, picture: Picture | HasPlanes, frame_to_region: Matrix) -> Mesh | None:
        if isinstance(picture, np.ndarray):
            region = _cut(picture, frame_to_region)
        else:
            region = _cut_planes(picture, frame_to_region)
        points = self._model.run(region)
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


class _Model:
    """mediapipe's landmark model: a square picture of INPUT_PX -> points in its pixels."""

    def __init__(self) -> None:
        with _silence():  # its C++ parts report their start to stderr, whatever the log level
            self._bind()
            self._graph.start_run({"with_attention": self._packets.create_bool(True)})
            self.run(np.zeros((INPUT_PX, INPUT_PX, 3), np.uint8))

    def run(self, picture: Picture) -> NDArray[np.float64] | None:
        """Points (478, 3), or None where the model sees no face."""
        self._output: Any = None
        self._time += 1
        packet = self._packets.create_image_frame(data=picture, image_format=self._rgb)
        self._graph.add_packet_to_input_stream("picture", packet.at(self._time))
        self._graph.add_packet_to_input_stream("region", self._whole.at(self._time))
        self._graph.wait_until_idle()
        if self._output is None or self._output.is_empty():
            return None
        landmarks = self._read(self._output).landmark
        return np.array([(point.x, point.y, point.z) for point in landmarks]) * INPUT_PX

    def close(self) -> None:
        self._graph.close()

    def _bind(self) -> None:
        """Imported here, so that this module is of use where mediapipe is missing."""
        try:
            import mediapipe  # noqa: PLC0415
            from mediapipe.framework.formats import landmark_pb2, rect_pb2  # noqa: PLC0415
            from mediapipe.python import _framework_bindings as bindings  # noqa: PLC0415
            from mediapipe.python import packet_creator  # noqa: PLC0415
        except ImportError as error:
            raise ParamsError(
                f"the face mesh needs mediapipe 0.10.14 ({error}); install it as the Makefile does, or set "
                "detect.landmarks: five in params.yaml"
            ) from error
        bindings.resource_util.set_resource_dir(str(Path(mediapipe.__file__).parents[1]))
        getter = bindings._packet_getter
        self._read = lambda packet: landmark_pb2.NormalizedLandmarkList.FromString(getter._get_serialized_proto(packet))
        self._packets, self._rgb, self._time = packet_creator, mediapipe.ImageFormat.SRGB, 0
        self._whole = packet_creator.create_proto(
            rect_pb2.NormalizedRect(x_center=0.5, y_center=0.5, width=1, height=1)
        )
        self._graph = bindings.calculator_graph.CalculatorGraph(graph_config=_GRAPH)
        self._graph.observe_output_stream("landmarks", self._keep, True)

    def _keep(self, _stream: str, packet: Any) -> None:
        self._output = packet


@contextmanager
def _silence() -> Iterator[None]:
    """Send the process's stderr nowhere for a moment; Python's own errors still come out as exceptions."""
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _region_of_box(box: Points) -> Matrix:
    low, high = _rounded(box).reshape(2, 2)
    return _region((low + high) / 2, (high - low).max() * _BOX_RATIO, np.array([1.0, 0.0]))


def _region_of_five(five: Points) -> Matrix:
    left, right, _, *corners = _rounded(five)
    eyes, mouth = (left + right) / 2, np.mean(corners, axis=0)
    side = max(np.hypot(*(right - left)), np.hypot(*(mouth - eyes))) * _FIVE_RATIO
    return _region((eyes + mouth) / 2, float(side), right - left)


def _rounded(points: Points) -> NDArray[np.float64]:
    """To quarters of a pixel, so that the detector's last bits, which its batches may change, do not show."""
    return np.round(points.astype(np.float64) * 4) / 4


def _region_of_mesh(mesh: Points) -> Matrix:
    left, right = mesh[_EYE_CORNERS, :2].astype(np.float64)
    turn = _rotation(right - left)
    upright = mesh[:, :2] @ turn.T
    low, high = upright.min(axis=0), upright.max(axis=0)
    return _region(turn.T @ ((low + high) / 2), (high - low).max() * _MESH_RATIO, right - left)


def _region(center: NDArray[np.float64], side: float, across: NDArray[np.float64]) -> Matrix:
    """`frame_to_region` (2x3) of the square about `center` whose upper edge runs along `across`."""
    linear = _rotation(across) * (INPUT_PX / side)
    return np.column_stack([linear, (INPUT_PX - 1) / 2 - linear @ center])


def _rotation(across: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation that brings the direction `across` to the x axis."""
    x, y = across / np.linalg.norm(across)
    return np.array([[x, y], [-y, x]])


def _cut(picture: Picture, frame_to_region: Matrix) -> Picture:
    """The region as a picture of INPUT_PX; large ones are sampled at a multiple first, then averaged."""
    factor = max(1, int(1 / np.hypot(*frame_to_region[0, :2])))
    fine = frame_to_region * factor
    fine[:, 2] += (factor - 1) / 2  # the middle of the pixels that become one
    side = INPUT_PX * factor
    region: Picture = cv2.warpAffine(picture, fine, (side, side), borderMode=cv2.BORDER_REPLICATE)
    if factor > 1:
        region = cv2.resize(region, (INPUT_PX, INPUT_PX), interpolation=cv2.INTER_AREA)
    return region


def _cut_planes(picture: HasPlanes, frame_to_region: Matrix) -> Picture:
    """The same of a picture in planes, of which no more is converted than the region needs."""
    size, region_to_frame = _size(picture), cv2.invertAffineTransform(frame_to_region)
    low, high = -0.5 - _MARGIN_PX, INPUT_PX - 0.5 + _MARGIN_PX
    corners = np.array([[low, low], [high, low], [high, high], [low, high]])
    around = corners @ region_to_frame[:, :2].T + region_to_frame[:, 2]
    box = _clip(np.concatenate([around.min(axis=0) - 1, around.max(axis=0) + 2]), picture.layout, size)
    to_region = frame_to_region.copy()
    to_region[:, 2] += frame_to_region[:, :2] @ box[:2]
    return _cut(region_to_rgb(picture.planes, picture.layout, box), to_region)


def _clip(box: Points, layout: Layout, size: tuple[int, int]) -> Box:
    """The box inside the picture; of one that lies beyond it, the pixels of the border that are repeated there."""
    last = np.array([size[1], size[0]] * 2) - 1
    x1, y1, x2, y2 = np.minimum(np.maximum(box, 0), last)
    return align_box((x1, y1, x2 + 1, y2 + 1), layout, size)


def _size(picture: Picture | HasPlanes) -> tuple[int, int]:
    height, width = picture.shape[:2] if isinstance(picture, np.ndarray) else picture.planes[0].shape
    return height, width


def _has_moved(region: Matrix, new: Matrix) -> bool:
    """Whether a face's own region is another one than that in which it was found."""
    middle = np.full(2, (INPUT_PX - 1) / 2)
    shift = new[:, :2] @ (cv2.invertAffineTransform(region) @ [*middle, 1]) + new[:, 2] - middle
    zoom = np.hypot(*new[0, :2]) / np.hypot(*region[0, :2])
    return bool(np.hypot(*shift) > _MAX_MOVE * INPUT_PX or abs(np.log(zoom)) > _MAX_MOVE)


def _overlap(mesh: Points, box: Points, shape: tuple[int, ...]) -> float:
    """Intersection over union of the box and the mesh's extent inside the picture."""
    most = np.array([shape[1], shape[0]]) - 1
    low, high = (np.clip(corner, 0, most) for corner in (mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)))
    shared = np.clip(np.minimum(high, box[2:]) - np.maximum(low, box[:2]), 0, None).prod()
    return float(shared / ((high - low).prod() + (box[2:] - box[:2]).prod() - shared))
