"""The disks that a project lies on: what is free there, and how a full one is told."""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

FREE_SOME = "free some (dvc gc --workspace removes results that this project no longer uses), then build again"
# How those that write for us say it: the system, SQLite, PyTorch, NumPy.
_FULL = re.compile(
    r"no space left on|disk quota exceeded|\(os error 28\)|database or disk is full|\d+ requested and \d+ written"
    r"|PytorchStreamWriter failed writing|inline_container.* unexpected pos",
    re.IGNORECASE,
)


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
    return [Path(), *Path().glob("*/"), *Path().glob("*/*/"), find_temporary()]


def find_temporary() -> Path:
    """The folder for temporary files. Python's own way to it writes a file there, which a full disk does not take."""
    return Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 (only its disk is asked)


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
