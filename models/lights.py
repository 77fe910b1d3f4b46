"""How the light on swapped faces differs from that on the faces that they are made of."""

from collections.abc import Mapping

import numpy as np
import torch

from models.autoencoder import Autoencoder
from models.batches import FaceSample, cut_batches
from models.losses import face_mask
from models.preview import EXCHANGE_RATIO
from models.roles import ROLES, Role, other_role
from models.tensors import to_pictures
from vision.light import LIGHT_PX, Light, measure_light


@torch.inference_mode()
def compare_lights(model: Autoencoder, size_px: int, shown: Mapping[Role, FaceSample]) -> dict[Role, Light]:
    """For each role the mean difference, over the other's faces swapped to it; no face gives no difference."""
    return {role: _compare(model, size_px, shown[other_role(role)], role) for role in ROLES}


def _compare(model: Autoencoder, size_px: int, others: FaceSample, role: Role) -> Light:
    total, n = np.zeros((LIGHT_PX, LIGHT_PX, 3), np.float32), 0
    for views, expressions in cut_batches(others, size_px):
        swaps = model.swap(views[:, :3], expressions, role, EXCHANGE_RATIO)[:, :3]
        masks = face_mask(views[:, 3]).numpy()
        for face, swap, mask in zip(to_pictures(views[:, :3]), to_pictures(swaps), masks, strict=True):
            light, own = measure_light(face, mask), measure_light(swap, mask)
            if light is not None and own is not None:
                total, n = total + own - light, n + 1
    return np.asarray(total / max(n, 1), np.float32)
