"""The optional adversarial term: a critic that tells pieces of restored faces from true ones (Isola et al. 2017)."""

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from models.blocks import SLOPE, initialize
from models.roles import ROLES, Role
from models.share import average_gradients

_CHANNELS = (24, 48, 96)


class Critic(nn.Module):
    """Pictures (N, 3, S, S) -> (N, 1, S / 8, S / 8): 1 where a piece looks true for a role, 0 where restored.

    Least squares (Mao et al. 2017). It learns in `learn` alone; for the gradients of others it is as it is.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        n_in = 3
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for n in _CHANNELS:
                layers += [nn.Conv2d(n_in, n, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
                n_in = n
            self.net = initialize(nn.Sequential(*layers, nn.Conv2d(n_in, len(ROLES), 3, padding=1)))
        self.requires_grad_(False)
        self.optimizer = AdamW(self.net.parameters(), lr=0.0, betas=(0.5, 0.9), weight_decay=0.0)

    def forward(self, pictures: Tensor, role: Role) -> Tensor:
        verdicts: Tensor = self.net(pictures)
        return verdicts[:, [ROLES.index(role)]]

    def doubt(self, pictures: Tensor, role: Role) -> Tensor:
        """How far restored pictures are from looking true: (N,), 0 is true."""
        verdicts: Tensor = self(pictures, role)
        return (verdicts.float() - 1).square().mean((1, 2, 3))

    def learn(self, shown: dict[Role, tuple[Tensor, Tensor]], rate: float) -> None:
        """One step on restored and true pictures of each role, with a learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.requires_grad_(True)
        self.optimizer.zero_grad()
        errors = [
            self(restored, role).square().mean() + (self(true, role) - 1).square().mean()
            for role, (restored, true) in shown.items()
        ]
        torch.stack(errors).mean().backward()  # type: ignore[no-untyped-call]
        average_gradients(self)
        self.optimizer.step()
        self.requires_grad_(False)
