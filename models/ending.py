"""When a phase ends before its last step; it follows from the log alone, so that a resumed run ends there too."""

from dataclasses import dataclass

from models.state import Progress

_BETTER = 0.999  # of the best validation loss so far: what is not below that is no improvement


@dataclass(frozen=True)
class Ending:
    """A phase ends at a validation loss at or below `until_loss`, or after `patience` validations without a better one.

    The validation loss is the mean of both identities'; None: never for that reason.
    """

    until_loss: float | None
    patience: int | None

    def is_reached(self, progress: Progress) -> bool:
        losses = [(source + target) / 2 for step, _, source, target, _ in progress.log if step > progress.first_step]
        if not losses:
            return False
        is_low = self.until_loss is not None and losses[-1] <= self.until_loss
        return is_low or (self.patience is not None and _count_stalled(losses) >= self.patience)


def _count_stalled(losses: list[float]) -> int:
    """Losses since the last that was clearly better than all before it."""
    best, n = float("inf"), 0
    for loss in losses:
        if loss < _BETTER * best:
            best, n = loss, 0
        else:
            n += 1
    return n
