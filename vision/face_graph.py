"""mediapipe's graphs for faces (no other module uses mediapipe): pictures in, messages out, one after another.

The models lie inside the package mediapipe 0.10.14; nothing is downloaded.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from errors import ParamsError

Picture = NDArray[np.uint8]


class FaceGraph:
    """Runs a graph whose input `picture` is RGB and whose output `found` is a message or a list of them.

    `is_whole` gives it another input, `region`: always the whole picture. Raises ParamsError without mediapipe.
    """

    def __init__(self, config: str, *, is_whole: bool = False, options: Mapping[str, bool] | None = None) -> None:
        with _silence():  # its C++ parts report their start to stderr, whatever the log level
            self._bind()
            self._is_whole = is_whole
            self._graph = self._bindings.calculator_graph.CalculatorGraph(graph_config=config)
            self._graph.observe_output_stream("found", self._keep, True)
            create = self._packets.create_bool
            self._graph.start_run({name: create(value) for name, value in (options or {}).items()})
            self.run(np.zeros((192, 192, 3), np.uint8))

    def run(self, picture: Picture) -> Any:
        """The packet that a picture gives; None where it gives none."""
        self._output: Any = None
        self._time += 1
        packet = self._packets.create_image_frame(data=picture, image_format=self._rgb)
        self._graph.add_packet_to_input_stream("picture", packet.at(self._time))
        if self._is_whole:
            self._graph.add_packet_to_input_stream("region", self._whole.at(self._time))
        self._graph.wait_until_idle()
        return None if self._output is None or self._output.is_empty() else self._output

    def read_landmarks(self, packet: Any) -> NDArray[np.float64]:
        """A packet's landmarks: (N, 3), in units of the picture's sides."""
        listed = self._landmarks.FromString(self._bindings._packet_getter._get_serialized_proto(packet))
        return np.array([(point.x, point.y, point.z) for point in listed.landmark])

    def read_detections(self, packet: Any) -> list[Any]:
        """A packet's detections."""
        listed = self._bindings._packet_getter._get_serialized_proto_list(packet)
        return [self._detection.FromString(data) for data in listed]

    def close(self) -> None:
        """Stop the graph."""
        self._graph.close()

    def _keep(self, _stream: str, packet: Any) -> None:
        self._output = packet

    def _bind(self) -> None:
        """Imported here, so that the modules above are of use where mediapipe is missing."""
        try:
            import mediapipe  # noqa: PLC0415
            from mediapipe.framework.formats import detection_pb2, landmark_pb2, rect_pb2  # noqa: PLC0415
            from mediapipe.python import _framework_bindings, packet_creator  # noqa: PLC0415
        except ImportError as error:
            raise ParamsError(
                f"the face mesh needs mediapipe 0.10.14 ({error}); install it as the Makefile does, or set "
                "detect.landmarks: five in params.yaml"
            ) from error
        self._bindings = _framework_bindings
        self._bindings.resource_util.set_resource_dir(str(Path(mediapipe.__file__).parents[1]))
        self._landmarks, self._detection = landmark_pb2.NormalizedLandmarkList, detection_pb2.Detection
        self._packets, self._rgb, self._time = packet_creator, mediapipe.ImageFormat.SRGB, 0
        self._whole = packet_creator.create_proto(
            rect_pb2.NormalizedRect(x_center=0.5, y_center=0.5, width=1, height=1)
        )


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
