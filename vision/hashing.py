"""SHA-256 of files and of pictures."""

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from errors import ClipError
from vision.planes import Array


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hex. Raises ClipError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


SAMPLE_AGAIN = "run its stage sample again; on another machine, bring the copy there up to date"


def check_clip(path: Path, sha256: str, remedy: str = SAMPLE_AGAIN) -> None:
    """Raise ClipError, with the `remedy`, where a clip is not the one of this hash; a process hashes each clip once."""
    if not _has(path, sha256):
        raise ClipError(f"{path}: is not the clip that the tables were made from; {remedy}")


def check_copy(path: Path, sha256: str) -> None:
    """The same for another file that a part of a stage's work needs, on the machine that does it."""
    if not _has(path, sha256):
        raise ClipError(f"{path}: is another file here than where the stage was started; bring the copy up to date")


def hash_once(path: Path) -> str:
    """SHA-256 of a file's bytes, hex; a process reads a file anew only where size or time of change tell to.

    Raises ClipError where it cannot be read.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return _hash_known(path, found.st_size, found.st_mtime_ns)


def _has(path: Path, sha256: str) -> bool:
    return path.exists() and hash_once(path) == sha256


@lru_cache
def _hash_known(path: Path, _size: int, _mtime_ns: int) -> str:
    return hash_file(path)


def _unreadable(path: Path, error: OSError) -> ClipError:
    return ClipError(f"{path}: cannot be read ({error.strerror}); mend the path or its permissions")


def hash_picture(planes: tuple[Array, ...]) -> str:
    """SHA-256 of a picture, hex: of each plane its height, width and bits, then its samples, little endian by rows."""
    digest = hashlib.sha256()
    for plane in planes:
        little_endian = plane.dtype.newbyteorder("<")
        digest.update(f"{plane.shape[0]} {plane.shape[1]} {8 * plane.dtype.itemsize}\n".encode())
        digest.update(np.ascontiguousarray(plane, little_endian).data)
    return digest.hexdigest()
