"""Results that appear whole or not at all: written beside the target, synced, renamed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Whole:
    """A file being written beside its target. What an earlier, killed run left there is overwritten."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(f".{path.name}.partial")

    def open(self) -> Path:
        """Where to write: a path in the target's folder, which is made where it is missing."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.partial.unlink(missing_ok=True)
        return self.partial

    def close(self, *, keep: bool) -> None:
        """Put the file in its place, or drop it."""
        if keep:
            sync(self.partial)
            self.partial.replace(self.path)
            sync(self.path.parent)
        else:
            self.partial.unlink(missing_ok=True)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; at the end of the block the file stands at `path`, after an error nowhere."""
    whole = Whole(path)
    is_done = False
    try:
        yield whole.open()
        is_done = True
    finally:
        whole.close(keep=is_done)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """The same for a folder: yield an empty one beside `path`; an older `path` goes when the new one is complete."""
    partial = path.with_name(f".{path.name}.partial")
    old = path.with_name(f".{path.name}.old")
    for left_over in (partial, old):
        shutil.rmtree(left_over, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    for file in sorted(partial.rglob("*")):
        sync(file)
    if path.exists():
        path.rename(old)
    partial.rename(path)
    sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def sync(path: Path) -> None:
    """Have a file's bytes, or a folder's names, on the disk once this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
