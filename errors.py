"""The errors of Understudy. Each message is one line: what, where, remedy.

UnderstudyError
 ├── ParamsError       (ValueError)    params.yaml says something that cannot be
 ├── ConsentError      (PermissionError)  a person's record is missing or does not fit
 ├── ClipError         (ValueError)    a file is no video that can be read, or has a part that cannot
 ├── FaceError         (LookupError)   no usable face where one is needed
 ├── TableError        (ValueError)    a table lacks a column or holds a wrong type
 ├── CheckpointError   (ValueError)    weights that are damaged, foreign or do not fit
 ├── TrainingError     (ArithmeticError)  training cannot go on
 ├── SizeError         (ValueError)    a result would be larger than params allow
 ├── WorkerError       (RuntimeError)  processes that did a part of a stage's work died
 └── FlowError         (RuntimeError)  the graph of stages cannot be read or run
"""

import errno
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

FREE_SOME = "free some (dvc gc --workspace removes results that this project no longer uses), then build again"
# How those that write for us say it: the system, SQLite, PyTorch, NumPy.
_FULL = re.compile(
    r"no space left on|disk quota exceeded|\(os error 28\)|database or disk is full|\d+ requested and \d+ written"
    r"|PytorchStreamWriter failed writing|inline_container.* unexpected pos",
    re.IGNORECASE,
)


class UnderstudyError(Exception):
    """A failure whose message tells a user what is wrong, where, and what to do."""


class ParamsError(UnderstudyError, ValueError):
    """params.yaml has an unknown key, a wrong type, a value out of bounds or a contradiction."""


class ConsentError(UnderstudyError, PermissionError):
    """A person's consent record is missing, unreadable or another person's."""


class ClipError(UnderstudyError, ValueError):
    """A file is no video that can be read, or part of it cannot be decoded."""


class FaceError(UnderstudyError, LookupError):
    """No usable face was found where one is needed."""


class TableError(UnderstudyError, ValueError):
    """A table lacks a column, has one too many, or holds a wrong type."""


class CheckpointError(UnderstudyError, ValueError):
    """Weights are damaged, foreign, or do not fit the model."""


class TrainingError(UnderstudyError, ArithmeticError):
    """Training cannot go on: the loss is no finite number, or there is nothing to train on."""


class SizeError(UnderstudyError, ValueError):
    """A result would be larger than params allow."""


class WorkerError(UnderstudyError, RuntimeError):
    """The processes that did a part of a stage's work died."""


class FlowError(UnderstudyError, RuntimeError):
    """The graph of stages cannot be read, or a stage of it failed."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a user's mistake, or a full disk, into one line on stderr and exit code 1; any other exception passes."""
    try:
        yield
    except UnderstudyError as error:
        is_half_told = tells_full_disk(str(error)) and FREE_SOME not in str(error)
        _leave(f"{error}; {tell_full_disk(list_places())}" if is_half_told else str(error))
    except (OSError, RuntimeError) as error:
        is_full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if not is_full and not tells_full_disk(str(error)):
            raise
        name = getattr(error, "filename", None)
        _leave(tell_full_disk([Path(name)] if isinstance(name, str) else list_places()))


def _leave(message: str) -> NoReturn:
    print("error:", " ".join(message.split()), file=sys.stderr)
    raise SystemExit(1) from None


def tells_full_disk(message: str) -> bool:
    """Whether an error's message is that of a disk without space."""
    return _FULL.search(message) is not None


def tell_full_disk(places: Iterable[Path]) -> str:
    """What a user must know of a full disk: that of `places` which has the least free space."""
    return f"no space left on {name_disk(min(places, key=find_free))}; {FREE_SOME}"


def list_places() -> list[Path]:
    """Where stages write, as far as it may lie on a disk of its own: a project's folders, and the one for temporary
    files.
    """
    return [Path(), *Path().glob("*/"), *Path().glob("*/*/"), Path(tempfile.gettempdir())]


def name_disk(path: Path) -> str:
    """The disk of a path, which need not exist yet, by its mount point, and what is free there."""
    place = find_existing(path)
    while not place.is_mount():
        place = place.parent
    return f"{place} ({find_free(path) / 1e9:.2f} GB are free)"


def find_free(path: Path) -> int:
    """The free bytes of the disk of a path, which need not exist yet."""
    return shutil.disk_usage(find_existing(path)).free


def find_existing(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    return place.resolve()
