"""The growing strip: the same held-out faces of the target, swapped as the training went on, a row each time."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vision.contact_sheet import SheetRow, draw_sheet

MOST_ROWS = 24  # when there are more, every other one is dropped, the newest kept


@dataclass
class Strip:
    """Rows so far, oldest first: the step, and the swaps side by side, uint8 (S, n S, 3)."""

    rows: list[tuple[int, Tensor]] = field(default_factory=list)

    def add(self, step: int, swaps: NDArray[np.uint8]) -> None:
        """Add a row, unless that step's is there."""
        if self.rows and self.rows[-1][0] == step:
            return
        self.rows.append((step, torch.from_numpy(swaps.copy())))
        if len(self.rows) > MOST_ROWS:
            self.rows = self.rows[-1::-2][::-1]

    def draw(self, faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The faces (S, n S, 3), and below them every row with its step: RGB uint8."""
        rows = [SheetRow(("target",), (faces,))]
        rows += [SheetRow((f"step {step}",), (swaps.numpy(),)) for step, swaps in self.rows]
        return draw_sheet(("held-out faces of the target, as the source",), rows, len(faces))
