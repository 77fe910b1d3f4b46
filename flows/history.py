"""Files as they were: git's version of a file with the hash that dvc.lock recorded."""

import functools
import hashlib
import subprocess
from pathlib import Path

from errors import FlowError
from flows.command import run_command


def read_version(stage: str, path: str, md5: str) -> bytes:
    """A file as it was when `stage` last ran, by the hash recorded then. Raises FlowError where it is known nowhere."""
    today = Path(path).read_bytes() if Path(path).exists() else b""
    found = today if _hash(today) == md5 else _find_committed(path, md5)
    if found is None:
        raise FlowError(
            f"{stage}: git knows no version of {path} that it was last built with; run the stage, and commit code "
            "before building with it"
        )
    return found


@functools.cache  # what has this hash never changes, and the stages of two people ask for the same files
def _find_committed(path: str, md5: str) -> bytes | None:
    for commit in run_command(["git", "log", "--format=%H", "--", path]).decode().split():
        shown = ["git", "show", f"{commit}:./{path}"]  # fails for the commit that removed it
        text = subprocess.run(shown, capture_output=True, check=False).stdout  # noqa: S603
        if _hash(text) == md5:
            return text
    return None


def _hash(text: bytes) -> str:
    return hashlib.md5(text, usedforsecurity=False).hexdigest()
