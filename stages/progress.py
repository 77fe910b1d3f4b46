"""A stage's lines while it works: how far it is, and how fast."""

import time

EVERY_S = 5.0  # wall time between two lines


class Progress:
    """Says every few seconds how many frames are done; `name` begins each line."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._began = self._said = time.monotonic()

    def tell(self, n_frames: int) -> None:
        """Take note that so many frames are done."""
        now = time.monotonic()
        if now - self._said >= EVERY_S:
            self._said = now
            print(f"{self._name}: {n_frames} frames, {n_frames / (now - self._began):.0f} frames/s", flush=True)
