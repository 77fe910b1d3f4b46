"""The preview sheet: held-out faces of both identities, their reconstructions, and swaps; and one row of a strip."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from models.autoencoder import Autoencoder
from models.batches import FaceSample
from models.roles import Role
from models.tensors import to_pictures, to_tensor
from models.warp import cut_views
from vision.evenly import pick_evenly
from vision.packed import view_ratio

COLUMNS = 8
EXCHANGE_RATIO = 0.5  # of the swaps shown; convert has its own


@torch.inference_mode()
def draw_preview(model: Autoencoder, size_px: int, held_out: Mapping[Role, FaceSample]) -> NDArray[np.uint8]:
    """Six rows of up to eight pictures: target, its reconstruction, its swap (as the source); then the source's three.

    Returns RGB uint8.
    """
    rows = [
        *_draw_rows(model, size_px, held_out["target"], "target", "source"),
        *_draw_rows(model, size_px, held_out["source"], "source", "target"),
    ]
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 2), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    return np.concatenate(padded)


@torch.inference_mode()
def draw_swaps(model: Autoencoder, size_px: int, held_out: FaceSample) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Up to eight of the target's held-out faces, and the same as the source: two rows, RGB uint8."""
    faces, _, swaps = _draw_rows(model, size_px, held_out, "target", "source")
    return faces, swaps


def _draw_rows(
    model: Autoencoder, size_px: int, sample: FaceSample, role: Role, other: Role
) -> list[NDArray[np.uint8]]:
    shown = sample.take(pick_evenly(len(sample.faces), COLUMNS))
    device = next(model.parameters()).device
    faces = cut_views(to_tensor(shown.faces, device), view_ratio(), size_px)[:, :3]
    sheets = (
        faces,
        model.restore(faces, shown.expressions, role),
        model.swap(faces, shown.expressions, other, EXCHANGE_RATIO),
    )
    return [np.concatenate(list(to_pictures(pictures[:, :3])), axis=1) for pictures in sheets]
