"""Ctrl-C that is noted and answered between two steps, so that what is kept is a whole step's."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def noted_interrupts() -> Iterator[threading.Event]:
    """Set the event at the first Ctrl-C of the block, instead of raising; the second raises KeyboardInterrupt.

    Outside the main thread, which alone gets it, the event is never set.
    """
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return

    def note(_number: int, _frame: object) -> None:
        if noted.is_set():
            raise KeyboardInterrupt
        noted.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
