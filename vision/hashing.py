"""SHA-256 of files, of clips that are folders of pictures, and of decoded pictures."""

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from errors import ClipError
from vision.clip_files import list_files
from vision.planes import Array


def hash_file(path: Path) -> str:
    """SHA-256, hex, of a file's bytes, or of the names and bytes in a clip's folder. Raises ClipError."""
    if path.is_dir():
        return _hash_folder(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _hash_folder(path: Path) -> str:
    """SHA-256 of a line for each file, by name: its own SHA-256 and its name."""
    digest = hashlib.sha256()
    for file in list_files(path):
        digest.update(f"{hash_file(file)} {file.name}\n".encode())
    return digest.hexdigest()


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
    """`hash_file`; a process reads files anew only where names, sizes or times of change tell to.

    Raises ClipError where it cannot be read.
    """
    try:
        return _hash_known(path, tuple(_stamp(file) for file in (list_files(path) if path.is_dir() else [path])))
    except OSError as error:
        raise _unreadable(path, error) from error


def _has(path: Path, sha256: str) -> bool:
    return path.exists() and hash_once(path) == sha256


def _stamp(file: Path) -> tuple[str, int, int]:
    found = file.stat()
    return file.name, found.st_size, found.st_mtime_ns


@lru_cache
def _hash_known(path: Path, _stamps: tuple[tuple[str, int, int], ...]) -> str:
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
