"""The shared-encoder autoencoder: one encoder, a decoder for each of the two identities, and what each one's expression
does to the code.

A swap that decodes the target's code as it is trusts that the encoder means the same by both people's faces. It does
not always: brows raised by the one may be coded as lids lowered by the other. So of each role's code the part is known
that follows from the measured expression (vision/expression.py), and a swap exchanges the target's for the source's.
Where the architecture says so, its decoders are also told the measured expression beside the code.

An architecture is a module of `models/arch/` with `build_encoder(size_px, size)`, `build_decoder`, whose module makes
pictures of codes, both by role, and keeps under `own` what belongs to one role, `n_code(size)` and `IS_TOLD`, whether
its decoder takes features of the expression after the code. It is imported by name when needed, so that a new one
changes nothing for the others.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import cast

import torch
from torch import Tensor, nn

from models.blocks import apply_together
from models.expression import ExpressionCoder
from models.roles import ROLES, Role, other_role
from models.share import measure_deviation
from models.sizes import Size
from vision.expression import Expressions, is_known


class Autoencoder(nn.Module):
    """Faces (N, 3, S, S) in [0, 1] -> pictures of the same size, as one identity or the other looks.

    A picture is RGB, with the face's mask as a fourth channel where the architecture makes one.
    """

    def __init__(self, arch: str, size_px: int, size: Size) -> None:
        super().__init__()
        module = import_module(f"models.arch.{arch}")
        self.is_told: bool = module.IS_TOLD
        self.encoder: nn.Module = module.build_encoder(size_px, size)
        self.decoder: nn.Module = module.build_decoder(size_px, size)
        self.n_code: int = module.n_code(size)
        self.coders = nn.ModuleDict({role: ExpressionCoder(self.n_code) for role in ROLES})

    def coder(self, role: Role) -> ExpressionCoder:
        """What a role's code is by its expression."""
        return cast(ExpressionCoder, self.coders[role])

    def forward(
        self,
        faces: Mapping[Role, Tensor],
        features: Mapping[Role, Tensor],
        noise: Mapping[Role, Tensor] | None = None,
        partners: tuple[Tensor, Tensor] | None = None,
    ) -> dict[Role, Tensor]:
        """Both identities' reconstructions; the encoder sees them in one call. `features`: of `ExpressionCoder`.

        `noise` (N, n_code) is added to the codes, in deviations of each of their numbers over the batch. `partners`:
        faces of the target, one for each of the source, and how far each of the source's codes is moved toward its
        partner's, (N, 1) in [0, 1]. The encoder learns nothing from them.
        """
        codes = apply_together(self.encoder, faces)
        if partners is not None:
            others, shares = partners
            with torch.no_grad():
                toward = self.encoder(others)
            codes["source"] = torch.lerp(codes["source"], toward, shares.to(toward.dtype))
        if noise is not None:
            codes = {role: code + noise[role] * measure_deviation(code) for role, code in codes.items()}
        return self._decode(codes, features)

    def decode(self, codes: Tensor, features: Tensor, role: Role) -> Tensor:
        """Pictures of codes (N, n_code), with features (N, N_FEATURES) of the role's expression."""
        return self._decode({role: codes}, {role: features})[role]

    def _decode(self, codes: Mapping[Role, Tensor], features: Mapping[Role, Tensor]) -> dict[Role, Tensor]:
        if self.is_told:
            codes = {role: torch.cat([code, features[role].to(code.dtype)], 1) for role, code in codes.items()}
        return cast(dict[Role, Tensor], self.decoder(codes))

    def restore(self, faces: Tensor, expressions: Expressions, role: Role) -> Tensor:
        """Faces of the role's own identity, with these expressions (N, 9), restored."""
        return self.decode(self.encoder(faces), self.coder(role).describe(self._limit(expressions, role)), role)

    def swap(self, faces: Tensor, expressions: Expressions, role: Role, exchange_ratio: float) -> Tensor:
        """Faces of the other identity, as the one in `role` would look with that expression.

        `exchange_ratio`: share of the difference between the two people's codes of this expression that is added to the
        face's code. A face whose expression is not known keeps its code.
        """
        other = other_role(role)
        codes = self.encoder(faces)
        known = is_known(expressions)
        adopted = self._limit(self.coder(role).habit.adopt(expressions, self.coder(other).habit), role)
        if known.any() and self.coder(role).is_fitted and self.coder(other).is_fitted:
            shown, wanted = self.coder(other)(expressions[known]), self.coder(role)(adopted[known])
            codes[known] += exchange_ratio * (wanted - shown)
        return self.decode(codes, self.coder(role).describe(adopted), role)

    def _limit(self, expressions: Expressions, role: Role) -> Expressions:
        """Expressions no further than the role's person showed them: what was never shown, its decoder cannot draw."""
        habit = self.coder(role).habit
        limited: Expressions = expressions.clip(habit.low, habit.high)
        return limited

    def begin_with(self, other: "Autoencoder") -> None:
        """Take over all of another training's weights that belong to no role: encoder, inter, a shared decoder."""
        shared = {name: tensor for name, tensor in other.state_dict().items() if _is_shared(name)}
        self.load_state_dict(shared, strict=False)


def _is_shared(name: str) -> bool:
    return not name.startswith(("coders.", "decoder.own."))


def build_autoencoder(arch: str, size_px: int, size: Size, seed: int) -> Autoencoder:
    """A new autoencoder in channels_last; its weights depend on the arguments alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Autoencoder(arch, size_px, size)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model
