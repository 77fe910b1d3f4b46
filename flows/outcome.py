"""What became of one stage, told from DVC's messages; and the lines that a person wants to see of them."""

import re
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import IO

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# What DVC says around a stage's own lines; its errors are not among them.
_DVC_NOISE = re.compile(
    r"Running stage '|> python -m |(Generating|Updating) lock file|Use `dvc push`|Data and pipelines are up to date"
    r"|To track the changes|\tgit add |To enable auto staging|\tdvc config core\.autostage "
    r"|(Stage )?'.*' (didn't change|is cached)"
    r"|ERROR: failed to reproduce '[^']*': failed to run: "
)


class Outcome(StrEnum):
    """How a stage ended; also the name of its task's state in Prefect."""

    CACHED = "Cached"  # nothing had changed
    RESTORED = "Restored"  # known from an earlier run: DVC put the results back
    COMPLETED = "Completed"  # ran
    FAILED = "Failed"
    TIMED_OUT = "TimedOut"  # was ended, having run longer than allowed
    NOT_READY = "NotReady"  # something it needs failed


def tell_outcome(lines: list[str]) -> Outcome:
    """The outcome of a `dvc repro -s` that ended well."""
    text = "\n".join(lines)
    if "is cached - skipping run" in text:
        return Outcome.RESTORED
    return Outcome.CACHED if "didn't change, skipping" in text else Outcome.COMPLETED


def tell_error(lines: list[str]) -> str:
    """The line that says why a stage failed: the stage's own, else DVC's, else the last."""
    for start in ("error: ", "ERROR: "):
        found = [line for line in lines if line.startswith(start) and not _DVC_NOISE.match(line)]
        if found:
            return found[-1].removeprefix(start)
    own = [line for line in lines if not _DVC_NOISE.match(line)]
    return own[-1] if own else "it said nothing"


def is_of_interest(line: str) -> bool:
    """Whether a line is for people: not empty, and none of DVC's about its own doings."""
    return bool(line.strip()) and not _DVC_NOISE.match(line)


def read_lines(stream: IO[bytes], every_s: float = 5.0, clock: Callable[[], float] = time.monotonic) -> Iterator[str]:
    """Lines as they come. Of a progress bar, which ends with a carriage return, the last piece every `every_s`."""
    rest, last = b"", clock()
    while chunk := stream.read1(65536):  # type: ignore[attr-defined]
        *lines, rest = (rest + chunk).split(b"\n")
        yield from map(_clean, lines)
        is_due = clock() - last >= every_s
        if is_due and b"\r" in rest[1:]:
            piece, _, rest = rest.rpartition(b"\r")
            yield _clean(piece)
            last = clock()
    if rest:
        yield _clean(rest)


def _clean(line: bytes) -> str:
    text = _ESCAPES.sub("", line.decode("utf-8", "replace")).rstrip()
    return text.split("\r")[-1]
