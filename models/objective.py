"""What a training step makes small: weighted terms of restored faces beside true ones."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from models.critic import Critic
from models.losses import (
    continue_faces,
    dssim,
    face_mask,
    gradient,
    l1,
    mask_error,
    multi_scale_dssim,
    weigh_features,
)
from models.roles import Role

_LARGE_PX = 192  # side from which windows of DSSIM stand around every third pixel: what a face shows is larger there


class Comparison:
    """Restored pictures (N, 3 or 4, S, S) of a role beside their faces (N, 4, S, S), RGB and packed mask.

    Eyes and mouth count `emphasis` times as much as the rest of the face.
    """

    def __init__(self, restored: Tensor, face: Tensor, role: Role, emphasis: float) -> None:
        restored = restored.contiguous()  # as the faces are: sums over pixels take two thirds of the time
        self._picture, self._found_mask = restored.tensor_split([3], 1)  # one gradient for both, made without zeros
        self._role = role
        self._every = 3 if restored.shape[-1] >= _LARGE_PX else 2
        self._mask = face_mask(face[:, 3:])
        self._weights = weigh_features(face[:, 3:], emphasis)
        self._colors, self._around = continue_faces(face[:, :3], self._mask)

    def pieces(self) -> tuple[Tensor, Tensor]:
        """Restored and true face, black outside the mask: what a critic sees."""
        return self._picture * self._mask, self._colors * self._mask

    def weigh(self, losses: Mapping[str, float], critic: Critic | None) -> Tensor:
        """The sum of the terms times their weights, mean over the batch. A term of weight 0 is not worked out."""
        terms: dict[str, Callable[[], Tensor]] = {
            "dssim": lambda: dssim(self._picture, self._colors, self._weights, self._every),
            "ms_dssim": lambda: multi_scale_dssim(self._picture, self._colors, self._weights, self._every),
            "l1": lambda: l1(self._picture, self._colors, self._weights + self._around),
            "gradient": lambda: gradient(self._picture, self._colors, self._weights),
            "mask": lambda: mask_error(self._found_mask, self._mask),
            "adversarial": lambda: self._doubt(critic),
        }
        return torch.stack([weight * terms[name]() for name, weight in losses.items() if weight > 0]).sum(0).mean()

    def _doubt(self, critic: Critic | None) -> Tensor:
        assert critic is not None
        return critic.doubt(self.pieces()[0], self._role)
