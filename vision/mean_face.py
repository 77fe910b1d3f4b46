"""The mean training face of an identity, read from a checkpoint, and pasting it over a face: the floor of every swap.

A swap that is no better than this one still picture has learnt nothing of expression.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from errors import CheckpointError
from vision.alignment import Matrix, compose, invert, view_matrix
from vision.crops import Picture
from vision.metrics import surround


@dataclass(frozen=True)
class MeanFace:
    """The mean of the faces that a model was shown, in its view: RGB uint8 square, and where that lies in a crop."""

    picture: Picture
    crop_px: int
    coverage_ratio: float

    def view_of(self, frame_to_crop: Matrix) -> Matrix:
        """`frame_to_view` (2x3): from pixels of a frame to those of the mean face."""
        return compose(view_matrix(self.crop_px, self.coverage_ratio, len(self.picture)), frame_to_crop)

    def paste(self, picture: Picture, frame_to_crop: Matrix, mask: NDArray[np.bool_]) -> Picture:
        """The picture with the mean face in full inside `mask`; what lies outside the view repeats the view's edge."""
        part = surround(mask)
        height, width = mask[part].shape
        to_part = invert(self.view_of(frame_to_crop))
        to_part[:, 2] -= part[1].start or 0, part[0].start or 0
        face = cv2.warpAffine(
            self.picture, to_part, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        pasted = picture.copy()
        pasted[part][mask[part]] = face[mask[part]]
        return pasted


def read_mean_face(checkpoint: Path, role: str) -> MeanFace:
    """Read the mean face of a role, `source` or `target`. Raises CheckpointError."""
    name = f"mean_face.{role}"
    try:
        with safe_open(checkpoint, framework="numpy") as file:
            metadata = file.metadata() or {}
            picture = file.get_tensor(name)
            crop_px, coverage_ratio = (float(json.loads(metadata[key])) for key in ("crop_px", "coverage_ratio"))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise CheckpointError(f"{checkpoint}: {name} or its place cannot be read ({reason}); rerun train") from error
    if picture.dtype != np.uint8 or picture.shape != (len(picture), len(picture), 3):
        raise CheckpointError(f"{checkpoint}: {name} is no square RGB picture but {picture.dtype} {picture.shape}")
    return MeanFace(picture, int(crop_px), coverage_ratio)
