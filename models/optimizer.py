"""The optimizers: AdamW for all weights, or Muon for the kernels of convolutions and AdamW for the rest.

Muon (Jordan et al. 2024) makes the directions of a matrix's update equally long, by an iteration of Newton and Schulz:
what few faces ask for is learnt as fast as what all of them do. torch's own takes matrices alone, and iterates in
bfloat16, which is slow where the CPU has none.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import AdamW

_BETAS = (0.9, 0.99)
_MOMENTUM = 0.95
_PER_RATE = 4.0  # length of a direction of Muon's update / the learning rate, which is AdamW's
_ROUNDS = 5
# Of the polynomial that brings singular values between 0 and 1 near 1 in five rounds (Jordan et al. 2024).
_QUINTIC = (3.4445, -4.7750, 2.0315)
_BLOCK = 64  # kernels whose directions are made equal together, at most: the work grows with the square of their number


def make_optimizer(name: Literal["muon", "adamw"], net: nn.Module, weight_decay: float) -> AdamW:
    """The optimizer of a net's weights; its rate is set before each step."""
    if name == "adamw":
        return AdamW(net.parameters(), lr=0.0, betas=_BETAS, weight_decay=weight_decay, fused=True)
    return Muon(net, weight_decay)


class Muon(AdamW):
    """AdamW, but Muon for the kernels of convolutions, (out, in, h, w)."""

    def __init__(self, net: nn.Module, weight_decay: float) -> None:
        kernels = [weights for weights in net.parameters() if weights.ndim == 4]
        others = [weights for weights in net.parameters() if weights.ndim != 4]
        groups = [{"params": others, "is_kernels": False}, {"params": kernels, "is_kernels": True}]
        super().__init__(groups, lr=0.0, betas=_BETAS, weight_decay=weight_decay, fused=True)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make a step; the loss, where a closure works it out."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        groups = self.param_groups
        self.param_groups = [group for group in groups if not group["is_kernels"]]
        try:
            super().step()
        finally:
            self.param_groups = groups
        for group in groups:
            if group["is_kernels"]:
                self._step_kernels(group)
        return loss

    @torch.no_grad()
    def _step_kernels(self, group: dict[str, Any]) -> None:
        kernels = [weights for weights in group["params"] if weights.grad is not None]
        updates = make_even([self._lean(weights) for weights in kernels])
        torch._foreach_mul_(kernels, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(kernels, updates, alpha=-_PER_RATE * group["lr"])

    def _lean(self, weights: Tensor) -> Tensor:
        """The gradient, leaning toward those of the steps before (Nesterov's momentum)."""
        assert weights.grad is not None
        state = self.state[weights]
        if not state:
            state["step"] = torch.zeros(())  # AdamW asks for it where it reads a state
            state["momentum"] = torch.zeros_like(weights)
        momentum: Tensor = state["momentum"].lerp_(weights.grad, 1 - _MOMENTUM)
        return weights.grad.lerp(momentum, _MOMENTUM)


def make_even(updates: list[Tensor]) -> list[Tensor]:
    """For each of some kernels (out, in, h, w) the nearest whose directions are all about 1 long, block by block."""
    blocks = [update.reshape(_count_blocks(len(update)), -1, update[0].numel()) for update in updates]
    even: dict[int, Tensor] = {}
    for shape in dict.fromkeys(part.shape[1:] for part in blocks):
        alike = [index for index, part in enumerate(blocks) if part.shape[1:] == shape]
        parts = torch.split(_iterate(torch.cat([blocks[index] for index in alike])), [len(blocks[n]) for n in alike])
        even |= dict(zip(alike, parts, strict=True))
    return [even[index].reshape(update.shape) for index, update in enumerate(updates)]


def _count_blocks(n_kernels: int) -> int:
    """The fewest equal blocks of at most _BLOCK kernels."""
    return next(n for n in range(1, n_kernels + 1) if n_kernels % n == 0 and n_kernels <= n * _BLOCK)


def _iterate(matrices: Tensor) -> Tensor:
    """Matrices (N, rows, columns) with all singular values near 1, but for vanishing ones, by products alone."""
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    a, b, c = _QUINTIC
    for _ in range(_ROUNDS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if is_tall else x
