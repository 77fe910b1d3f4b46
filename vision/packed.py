"""Packed faces, as training memory-maps them: uint8 (N, S, S, 4), RGB and mask, S = view and margin.

The mask is 0 outside the face, FACE on it, and FEATURE on eyes and mouth, which training may weigh more. Beside each
array of faces stands one of their expressions (vision/expression.py), row by row.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from errors import TableError
from vision.expression import EXPRESSION, Expressions

FACE, FEATURE = 128, 255
MARGIN_RATIO = 0.125  # on each side, of the view's side: room for moves and the random warp


def stored_px(face_px: int) -> int:
    """Side of a stored face whose view is `face_px`."""
    return round(face_px * (1 + 2 * MARGIN_RATIO))


def view_ratio() -> float:
    """Side of the view / side of the stored face."""
    return 1 / (1 + 2 * MARGIN_RATIO)


def open_packed(path: Path) -> NDArray[np.uint8]:
    """Memory-map a file of packed faces. Raises TableError."""
    faces: NDArray[np.uint8] = _load(path, "packed faces", mmap_mode="r")
    if faces.dtype != np.uint8 or faces.ndim != 4 or faces.shape[3] != 4 or not len(faces):
        raise TableError(f"{path}: holds {faces.dtype} {faces.shape}, not packed faces; rerun the stage augment")
    return faces


def open_expressions(path: Path, n_faces: int) -> Expressions:
    """Read the expressions of `n_faces` packed faces: float32 (N, 9). Raises TableError."""
    expressions: Expressions = _load(path, "list of expressions")
    if expressions.dtype != np.float32 or expressions.shape != (n_faces, len(EXPRESSION)):
        raise TableError(f"{path}: does not list the expressions of {n_faces} faces; rerun the stage augment")
    return expressions


def _load(path: Path, what: str, mmap_mode: Literal["r"] | None = None) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: no {what} that can be read ({error}); rerun the stage augment") from error
    return array
