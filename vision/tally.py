"""The tally of a take: sums over its frames, a few numbers a frame, and the pictures for the contact sheet."""

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd

from vision.contact_sheet import SheetRow
from vision.likeness import Likeness
from vision.metrics import Pool, correlation
from vision.movement import PARTS

TARGET, SWAP, TRUTH = "target", "swap", "truth"


@dataclass
class Tally:
    """What measuring some frames of a clip (`target`), its swap and, where it is known, the truth gave.

    `trembling` is the flicker of target and swap; `mesh_lack` says why mouth and eyes were not measured.
    """

    has_truth: bool
    mesh_lack: str
    rows: list[dict[str, float]] = field(default_factory=list)
    likeness: Likeness = field(default_factory=Likeness)
    trembling: dict[str, Pool] = field(default_factory=lambda: {name: Pool() for name in (TARGET, SWAP)})
    sheet: list[SheetRow] = field(default_factory=list)

    @property
    def n_frames(self) -> int:
        return len(self.rows)

    def join(self, later: Self) -> None:
        """Add the tally of the frames that follow."""
        self.mesh_lack = self.mesh_lack or later.mesh_lack
        self.rows.extend(later.rows)
        self.likeness.join(later.likeness)
        for name, pool in self.trembling.items():
            pool.join(later.trembling[name])
        self.sheet.extend(later.sheet)

    def table(self) -> pd.DataFrame:
        """A row a frame: PSNR against the truth in dB, and what mouth, eyes and brows do; NaN where unknown."""
        return pd.DataFrame(self.rows)

    def figures(self) -> dict[str, float]:
        """The figures over all frames; NaN where one cannot be told. Those of the truth only where it was given."""
        table = self.table()
        found = self.likeness.figures() if self.has_truth else {}
        references = {TRUTH: "", TARGET: "_to_target"} if self.has_truth else {TARGET: "_to_target"}
        for reference, ending in references.items():
            for part in PARTS:
                curves = (table[f"{part}_{name}"].to_numpy(np.float64) for name in (SWAP, reference))
                found[f"{part}_corr{ending}"] = correlation(*curves)
        calm = self.trembling[TARGET].mean
        found["flicker_ratio"] = self.trembling[SWAP].mean / calm if calm > 0 else math.nan
        return found
