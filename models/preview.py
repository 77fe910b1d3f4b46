"""The preview sheet: held-out faces of both identities, their reconstructions, and swaps."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.autoencoder import Autoencoder, Role
from models.tensors import to_pictures

COLUMNS = 8


@torch.inference_mode()
def draw_preview(model: Autoencoder, views: dict[Role, Tensor]) -> NDArray[np.uint8]:
    """Six rows of up to eight pictures: target, its reconstruction, its swap (as the source); then the source's three.

    `views`: held-out faces of each role, float (N, 3 or more, S, S) in [0, 1]. Returns RGB uint8.
    """
    rows = [*_draw_rows(model, views, "target", "source"), *_draw_rows(model, views, "source", "target")]
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 2), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    return np.concatenate(padded)


def _draw_rows(model: Autoencoder, views: dict[Role, Tensor], role: Role, other: Role) -> list[NDArray[np.uint8]]:
    faces = views[role][_spread(len(views[role])), :3]
    sheets = (faces, model.render(faces, role), model.render(faces, other))
    return [np.concatenate(list(to_pictures(pictures)), axis=1) for pictures in sheets]


def _spread(n: int) -> list[int]:
    return sorted({int(i) for i in np.linspace(0, n - 1, COLUMNS)})
