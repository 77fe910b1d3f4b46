"""SHA-256 of files and of pictures."""

import hashlib
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
        raise ClipError(f"{path}: cannot be read ({error.strerror}); mend the path or its permissions") from error


def hash_picture(planes: tuple[Array, ...]) -> str:
    """SHA-256 of a picture, hex: of each plane its height, width and bits, then its samples, little endian by rows."""
    digest = hashlib.sha256()
    for plane in planes:
        little_endian = plane.dtype.newbyteorder("<")
        digest.update(f"{plane.shape[0]} {plane.shape[1]} {8 * plane.dtype.itemsize}\n".encode())
        digest.update(np.ascontiguousarray(plane, little_endian).data)
    return digest.hexdigest()
