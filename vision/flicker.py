"""Flicker: how much an aligned face trembles from frame to frame, apart from moving evenly."""

from collections import deque

import cv2
import numpy as np

from vision.crops import Picture
from vision.metrics import Pool


class Flicker:
    """The mean second difference in time of a face's luma: grey levels between a frame and the mean of its neighbors.

    Even motion and slow changes of light cancel; a face that jumps to and fro, or changes brightness, does not.
    Only runs of three frames that follow one another count. `pool` takes the sums.
    """

    def __init__(self, pool: Pool | None = None) -> None:
        self.pool = Pool() if pool is None else pool
        self._recent: deque[tuple[int, np.ndarray]] = deque(maxlen=3)

    def add(self, frame: int, face: Picture) -> None:
        """Take the next aligned face, always of one size."""
        luma = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32)
        self._recent.append((frame, luma))
        if len(self._recent) == self._recent.maxlen and frame - self._recent[0][0] == 2:
            (_, before), (_, now), (_, after) = self._recent
            self.pool.add(float(np.abs(now - (before + after) / 2).sum()), now.size)

    @property
    def level(self) -> float:
        """Grey levels; NaN where no three frames followed one another."""
        return self.pool.mean
