"""Work for the tests of the engines: a function of a module that every worker can import."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from errors import ClipError


@dataclass(frozen=True)
class Number:
    """An item: its value, a folder in which it leaves a mark each time it is tried, and what happens then."""

    value: int
    marks: Path
    behavior: str = ""

    def __str__(self) -> str:
        return f"number {self.value}"


def square(number: Number) -> tuple[int, int]:
    """The value's square, and who worked it out."""
    n_tries = len(list(number.marks.glob(f"{number.value}-*")))
    (number.marks / f"{number.value}-{n_tries}").touch()
    if number.behavior == "poison" or (number.behavior == "killed once" and not n_tries):
        os.kill(os.getpid(), signal.SIGKILL)
    if number.behavior == "killed late" and not n_tries:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    if number.behavior == "slow":
        time.sleep(1)
    if number.behavior == "error":
        raise ClipError(f"{number}: is damaged")
    return number.value**2, os.getpid()
