"""This process's share of a batch, where several train together: every draw is made for all, and each takes its own."""

from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

Rows = TypeVar("Rows", bound=Any)  # anything that can be indexed by its first axis


@dataclass(frozen=True)
class Share:
    """Every n-th row of a batch, from the one numbered `rank`."""

    rank: int
    n: int

    def take(self, rows: Rows) -> Rows:
        """The rows of this share."""
        return rows if self.n == 1 else rows[self.rank :: self.n]  # type: ignore[no-any-return]


WHOLE = Share(0, 1)


def find_share() -> Share:
    """The share of this process: the whole where it trains alone."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return WHOLE
    return Share(distributed.get_rank(), distributed.get_world_size())


@torch.no_grad()
def measure_deviation(rows: Tensor) -> Tensor:
    """The deviation of each column of (N, M) over all rows of the batch of which these are a share: (1, M)."""
    share = find_share()
    moments = torch.stack([rows.float().mean(0), rows.float().square().mean(0)])
    if share.n > 1:
        distributed.all_reduce(moments)
        moments /= share.n
    return (moments[1] - moments[0].square()).clamp_min(0).sqrt()[None]


@torch.no_grad()
def average_gradients(module: torch.nn.Module) -> None:
    """Take the mean of all processes' gradients, where several train together."""
    share = find_share()
    for parameter in module.parameters() if share.n > 1 else ():
        if parameter.grad is not None:
            distributed.all_reduce(parameter.grad)
            parameter.grad /= share.n
