"""What TRACKS holds of a face besides whose it is: where it lies, how its head is turned, what it does."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from vision.alignment import Matrix, Points, align_face, compose, estimate_pose
from vision.expression import measure_expression
from vision.tables import POSE

# Of a face that is not the person's, a box and a reason are all that the tracks tell.
_NOTHING_KEPT: Mapping[str, Any] = {
    "landmarks": np.empty(0, np.float32),
    "frame_to_crop": np.full(6, np.nan),
    **dict.fromkeys((column.name for column in POSE), np.nan),
}


def fill_row(landmarks: Points, kind: str, proportions: Matrix | None, crop_px: int) -> dict[str, Any]:
    """Box, landmarks, alignment, pose, expression: columns of TRACKS. `landmarks`: (N, 2 or 3), frame pixels.

    `proportions`: the person's, applied after the alignment; None where the face is another's: only its box is told.
    """
    (x1, y1), (x2, y2) = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    box = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    if proportions is None:
        return {**box, **_NOTHING_KEPT}
    return {**box, **_describe_own(landmarks, kind, proportions, crop_px)}


def _describe_own(landmarks: Points, kind: str, proportions: Matrix, crop_px: int) -> dict[str, Any]:
    yaw, pitch, roll = estimate_pose(landmarks, kind)
    return {
        "landmarks": landmarks[:, :2].ravel(),
        "frame_to_crop": compose(proportions, align_face(landmarks, kind, crop_px)).ravel(),
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        **measure_expression(landmarks, kind, yaw),
    }
