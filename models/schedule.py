"""How the learning rate goes through a phase: it depends on the step alone, so that a run resumes anywhere."""

import math
from dataclasses import dataclass
from typing import Literal

_LAST = 0.02  # share of the rate at which a cosine ends


@dataclass(frozen=True)
class Schedule:
    """A rise over `warmup` steps to `rate`, then constant, or falling: as a cosine (Loshchilov and Hutter 2017) to 2 %,
    or in a line to 0 (Bergsma et al. 2025).

    `first_step`, `fall`: where the phase began, and how many steps later the rate has fallen, to stay.
    """

    kind: Literal["constant", "linear", "cosine"]
    rate: float
    warmup: int
    first_step: int
    fall: int

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted over all phases."""
        done = step - self.first_step
        risen = self.rate * min(1.0, (done + 1) / max(1, self.warmup))
        if self.kind == "constant" or done + 1 < self.warmup:
            return risen
        share = min(1.0, (done + 1 - self.warmup) / max(1, self.fall - self.warmup))
        if self.kind == "linear":
            return self.rate * (1 - share)
        return self.rate * (_LAST + (1 - _LAST) * (1 + math.cos(math.pi * share)) / 2)
