"""One build at a time in one checkout: the second waits. The kernel lets go of the lock however a process ends."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flows.environment import WORK


@contextmanager
def hold_checkout(tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the checkout for the block; `tell` is called once where another build holds it and must end first."""
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "build.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("another build runs in this checkout: this one waits for it to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
