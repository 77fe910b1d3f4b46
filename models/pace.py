"""How fast a training goes, and how much of its time it waits for faces. Shown, never written into a result."""

import time


class Pace:
    """Between `leave` and `enter` the step waits for its batch; between `enter` and `finish` it works."""

    def __init__(self) -> None:
        self._mark = time.perf_counter()
        self._waited_s = self._worked_s = 0.0
        self._n_faces = 0

    def leave(self) -> None:
        self._mark = time.perf_counter()

    def enter(self, n_faces: int) -> None:
        """Begin a step of so many faces."""
        now = time.perf_counter()
        self._waited_s += now - self._mark
        self._mark = now
        self._n_faces += n_faces

    def finish(self) -> None:
        self._worked_s += time.perf_counter() - self._mark

    @property
    def faces_per_s(self) -> float:
        return self._n_faces / max(self._waited_s + self._worked_s, 1e-9)

    def __str__(self) -> str:
        share = 100 * self._waited_s / max(self._waited_s + self._worked_s, 1e-9)
        return f"{self.faces_per_s:.0f} faces/s; {share:.1f} % of the time waiting for them"
