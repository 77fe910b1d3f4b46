"""Some of many, evenly over all."""

import numpy as np
from numpy.typing import NDArray


def pick_evenly(n: int, n_wanted: int) -> NDArray[np.int64]:
    """Up to `n_wanted` indices below n, rising, the first and the last among them where two are wanted."""
    return np.unique(np.linspace(0, n - 1, min(n, n_wanted)).astype(np.int64))
