"""How often each face is drawn in training, so that a blink or a wide mouth is learnt though a clip shows few."""

import numpy as np
from numpy.typing import NDArray

_BINS = 12  # of equal width, over the whole range of a measure


def count_draws(measures: NDArray[np.floating], most: int) -> NDArray[np.int64]:
    """Draws of each face in an epoch, 1 to `most`: (N,).

    `measures`: (N, K), such as openings of eyes and mouth; NaN where unknown. A face counts by the square root of how
    rare its bin is beside the fullest one, by the measure in which it is rarest.
    """
    rarity = np.stack([_rarity(column) for column in measures.T])
    draws: NDArray[np.int64] = np.rint(np.clip(np.sqrt(rarity).max(0), 1, most)).astype(np.int64)
    return draws


def _rarity(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Faces in the fullest bin / faces in the own bin; 1 where unknown."""
    is_known = np.isfinite(values)
    rarity = np.ones(len(values))
    if is_known.any():
        counts, edges = np.histogram(values[is_known], _BINS)
        rarity[is_known] = counts.max() / counts[np.digitize(values[is_known], edges[1:-1])]
    return rarity
