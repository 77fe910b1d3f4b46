"""The `liae` family of DeepFaceLab's SAEHD: one decoder; what tells the two apart are the inters in front of it.

The source's code goes through inter_AB, which both share, and stands twice; the target's goes through inter_B, its own,
and inter_AB. A swap gives the target's code to inter_AB alone. Input and output as in `df`; layers: models/saehd.py.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models import saehd
from models.blocks import apply_together
from models.roles import Role
from models.sizes import Size

IS_TOLD = False


def n_code(size: Size) -> int:
    """Length of a code: what inter_AB reads, then what inter_B reads."""
    return 2 * saehd.inter_code(size)


def build_encoder(size_px: int, size: Size) -> nn.Module:
    """(N, 3, S, S) -> codes (N, n_code)."""
    return saehd.build_encoder(size_px, size, n_code(size))


def build_decoder(size_px: int, size: Size) -> nn.Module:
    """Codes (N, n_code) by role -> (N, 4, S, S) by role."""
    return _Decoder(size_px, size)


class _Decoder(nn.Module):
    def __init__(self, size_px: int, size: Size) -> None:
        super().__init__()
        self.inter_ab = saehd.build_inter(size_px, size)
        self.own = nn.ModuleDict({"target": saehd.build_inter(size_px, size)})
        self.shared = saehd.build_pictures(n_code(size), size)

    def forward(self, codes: Mapping[Role, Tensor]) -> dict[Role, Tensor]:
        halves = {role: code.chunk(2, 1) for role, code in codes.items()}
        of_ab = apply_together(self.inter_ab, {role: half for role, (half, _) in halves.items()})
        first = of_ab | {role: self.own[role](half) for role, (_, half) in halves.items() if role in self.own}
        return apply_together(self.shared, {role: torch.cat([first[role], of_ab[role]], 1) for role in codes})
