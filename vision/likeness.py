"""How near a swap comes to a known truth, beside two comparisons: no swap at all, and the source's mean face pasted."""

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vision.crops import Picture
from vision.masks import Regions, fill_ellipses
from vision.mesh_regions import REGIONS
from vision.metrics import Pool, gradient_energy, psnr_db, squared_error, structural_similarity


@dataclass(frozen=True)
class FramePsnr:
    """One frame's PSNR against the truth, decibels: of the swap, the target as it was, the pasted mean face."""

    swap: float = math.nan
    unswapped: float = math.nan
    floor: float = math.nan


@dataclass
class Likeness:
    """Sums over all frames, inside the pixels that show the face in the target and in the truth."""

    errors: dict[str, Pool] = field(default_factory=lambda: {name: Pool() for name in ("swap", "unswapped", "floor")})
    similarities: dict[str, Pool] = field(default_factory=lambda: {name: Pool() for name in ("swap", "unswapped")})
    energies: dict[str, Pool] = field(default_factory=lambda: {name: Pool() for name in ("swap", "truth")})
    regions: dict[str, Pool] = field(default_factory=lambda: {name: Pool() for name in REGIONS})

    def add(
        self,
        swap: Picture,
        target: Picture,
        pasted: Picture,
        truth: Picture,
        mask: NDArray[np.bool_],
        regions: Regions,
    ) -> FramePsnr:
        """Take one frame's four pictures; return its own figures, all NaN where the mask is empty."""
        pictures = {"swap": swap, "unswapped": target, "floor": pasted}
        frame = {name: squared_error(picture, truth, mask) for name, picture in pictures.items()}
        for name, found in frame.items():
            self.errors[name].add(*found)
        for name, pool in self.similarities.items():
            pool.add(*structural_similarity(pictures[name], truth, mask))
        for name, ellipses in regions.items():
            self.regions[name].add(*squared_error(swap, truth, mask & fill_ellipses(ellipses, mask.shape)))
        self.energies["swap"].add(*gradient_energy(swap, mask))
        self.energies["truth"].add(*gradient_energy(truth, mask))
        return FramePsnr(**{name: psnr_db(total / n) if n else math.nan for name, (total, n) in frame.items()})

    def join(self, later: Self) -> None:
        """Add the sums over later frames."""
        for kind in ("errors", "similarities", "energies", "regions"):
            for name, pool in getattr(self, kind).items():
                pool.join(getattr(later, kind)[name])

    def figures(self) -> dict[str, float]:
        """The figures over all frames by their names in the metrics; NaN where nothing was compared.

        Those of regions only where they are known.
        """
        return {
            **{f"{name}_psnr_db": psnr_db(pool.mean) for name, pool in self.errors.items()},
            **{f"{name}_ssim": pool.mean for name, pool in self.similarities.items()},
            **{f"{name}_psnr_db": psnr_db(pool.mean) for name, pool in self.regions.items() if pool.n_values},
            "sharpness_ratio": _ratio(self.energies["swap"].total, self.energies["truth"].total),
        }


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else math.nan
