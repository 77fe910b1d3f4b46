"""The errors of Understudy. Each message is one line: what, where, remedy.

UnderstudyError
 ├── ParamsError       (ValueError)    params.yaml says something that cannot be
 ├── ConsentError      (PermissionError)  a person's record is missing or does not fit
 ├── TrustError        (ValueError)    credentials, keys or a video's mark are missing or do not verify
 ├── RegisterError     (ValueError)    the register of originals and videos was altered
 ├── ClipError         (ValueError)    a clip cannot be read, or has a part that cannot
 ├── FaceError         (LookupError)   no usable face where one is needed
 ├── TableError        (ValueError)    a table lacks a column or holds a wrong type
 ├── CheckpointError   (ValueError)    weights that are damaged, foreign or do not fit
 ├── TrainingError     (ArithmeticError)  training cannot go on
 │    └── StoppedError                 somebody stopped it with Ctrl-C
 ├── SizeError         (ValueError)    a result would be larger than params allow
 ├── WorkerError       (RuntimeError)  processes that did a part of a stage's work died
 └── FlowError         (RuntimeError)  the graph of stages cannot be read or run
"""

import errno
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NoReturn

from disk import FREE_SOME, list_places, tell_full_disk, tells_full_disk


class UnderstudyError(Exception):
    """A failure whose message tells a user what is wrong, where, and what to do."""

    exit_code: ClassVar[int] = 1


class ParamsError(UnderstudyError, ValueError):
    """params.yaml has an unknown key, a wrong type, a value out of bounds or a contradiction."""


class ConsentError(UnderstudyError, PermissionError):
    """A person's consent record is missing, unreadable, another person's, or does not allow what is to be done."""


class TrustError(UnderstudyError, ValueError):
    """Keys or credentials are missing, or do not verify."""


class RegisterError(UnderstudyError, ValueError):
    """The register of originals and videos was altered, or cannot be written."""


class ClipError(UnderstudyError, ValueError):
    """A video or a folder of pictures cannot be read, or a part of it not be decoded."""


class FaceError(UnderstudyError, LookupError):
    """No usable face was found where one is needed."""


class TableError(UnderstudyError, ValueError):
    """A table lacks a column, has one too many, or holds a wrong type."""


class CheckpointError(UnderstudyError, ValueError):
    """Weights are damaged, foreign, or do not fit the model."""


class TrainingError(UnderstudyError, ArithmeticError):
    """Training cannot go on: the loss is no finite number, or there is nothing to train on."""


class StoppedError(TrainingError):
    """Somebody stopped a training; its step is kept. The exit code is what shells give after Ctrl-C."""

    exit_code = 128 + signal.SIGINT


class SizeError(UnderstudyError, ValueError):
    """A result would be larger than params allow."""


class WorkerError(UnderstudyError, RuntimeError):
    """The processes that did a part of a stage's work died."""


class FlowError(UnderstudyError, RuntimeError):
    """The graph of stages cannot be read, or a stage of it failed."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a user's mistake, or a full disk, into one line on stderr and its exit code; any other exception passes."""
    try:
        yield
    except UnderstudyError as error:
        is_half_told = tells_full_disk(str(error)) and FREE_SOME not in str(error)
        _leave(f"{error}; {tell_full_disk(list_places())}" if is_half_told else str(error), error.exit_code)
    except (OSError, RuntimeError) as error:
        is_full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if not is_full and not tells_full_disk(str(error)):
            raise
        name = getattr(error, "filename", None)
        _leave(tell_full_disk([Path(name)] if isinstance(name, str) else list_places()))


def _leave(message: str, exit_code: int = 1) -> NoReturn:
    print("error:", " ".join(message.split()), file=sys.stderr)
    raise SystemExit(exit_code) from None
