"""The shared-encoder autoencoder: one encoder, a decoder for each of the two identities.

An architecture is a module of `models/arch/` with `build_encoder(size_px, width)` and `build_decoder(size_px, width)`;
it is imported by name when it is needed, so that a new one changes nothing for the others.
"""

from importlib import import_module
from typing import Literal, cast

import torch
from torch import Tensor, nn

Role = Literal["source", "target"]
ROLES: tuple[Role, Role] = ("source", "target")


class Autoencoder(nn.Module):
    """Faces (N, 3, S, S) in [0, 1] -> pictures of the same shape, as one identity or the other looks."""

    def __init__(self, arch: str, size_px: int, width: float) -> None:
        super().__init__()
        module = import_module(f"models.arch.{arch}")
        self.encoder: nn.Module = module.build_encoder(size_px, width)
        self.decoders = nn.ModuleDict({role: module.build_decoder(size_px, width) for role in ROLES})

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Both identities' reconstructions; the encoder sees them in one call."""
        codes = self.encoder(torch.cat([source, target]))
        return self.decode(codes[: len(source)], "source"), self.decode(codes[len(source) :], "target")

    def decode(self, codes: Tensor, role: Role) -> Tensor:
        return cast(Tensor, self.decoders[role](codes))

    def render(self, faces: Tensor, role: Role) -> Tensor:
        """Faces of anybody, as the identity in `role` would look: reconstruction or swap."""
        return self.decode(self.encoder(faces), role)


def build_autoencoder(arch: str, size_px: int, width: float, seed: int) -> Autoencoder:
    """A new autoencoder in channels_last; its weights depend on the arguments alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Autoencoder(arch, size_px, width)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model
