"""The same detector by the `mtcnn` package itself, on TensorFlow: slower, for comparison."""

import os

import numpy as np

from errors import ParamsError
from models.mtcnn import Detection

# Above 22 px the package's pyramid can reach levels that its first net refuses, and it reports no face at all.
MOST_MIN_FACE_PX = 20.0
# Smallest box it reports / smallest face asked for: about what the nets find when they look for no smaller ones.
FOUND_RATIO = 0.6


class PackageDetector:
    """Finds faces as `models.mtcnn.FaceDetector` does, but for the package's shorter pyramid on small frames.

    Raises ParamsError where the package cannot be imported.
    """

    def __init__(self, min_face_ratio: float, thresholds: list[float]) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        try:
            from mtcnn import MTCNN  # noqa: PLC0415 # needs TensorFlow, which this project does without
        except ImportError as error:
            raise ParamsError(
                f"detect.engine: mtcnn needs TensorFlow ({error}); run `pip install --no-deps --group tensorflow`, "
                "or set detect.engine: torch in params.yaml"
            ) from error
        self._package = MTCNN()
        self._min_face_ratio = min_face_ratio
        self._thresholds = dict(zip(("threshold_pnet", "threshold_rnet", "threshold_onet"), thresholds, strict=True))

    def find(self, pictures: list[np.ndarray]) -> list[list[Detection]]:
        """The faces of each picture by falling confidence. Pictures are RGB uint8 (H, W, 3)."""
        return [self._find_one(picture) for picture in pictures]

    def _find_one(self, picture: np.ndarray) -> list[Detection]:
        min_face_px = self._min_face_ratio * picture.shape[0]
        rows = self._package.detect_faces(
            picture,
            box_format="xyxy",
            output_type="numpy",
            min_face_size=min(min_face_px, MOST_MIN_FACE_PX),
            **self._thresholds,
        )
        faces = [read_row(row) for row in rows]
        large = [face for face in faces if (face.box[2:] - face.box[:2]).max() >= FOUND_RATIO * min_face_px]
        return sorted(large, key=lambda face: -face.confidence)


def read_row(row: np.ndarray) -> Detection:
    """One row of the package's table: picture, x1, y1, x2, y2, confidence, five x, five y."""
    five = row[6:16].reshape(2, 5).T
    return Detection(row[1:5].astype(np.float32), float(row[5]), five.astype(np.float32))
