"""The files that hold a clip: one video, or those of a folder of pictures; plain files only."""

import stat
from pathlib import Path

from errors import ClipError

IGNORED_SUFFIX = ".dvc"


def list_entries(folder: Path) -> list[Path]:
    """What stands in a folder, by name; dot files and DVC's own are left out. Raises ClipError."""
    try:
        found = [path for path in folder.iterdir() if not path.name.startswith(".") and path.suffix != IGNORED_SUFFIX]
    except OSError as error:
        raise ClipError(f"{folder}: cannot be read ({error.strerror}); mend the path or its permissions") from error
    for path in found:
        if not path.name.isprintable():
            raise ClipError(f"{folder}: the name {path.name!a} has characters that cannot be shown; rename it")
    return sorted(found)


def list_files(clip: Path) -> list[Path]:
    """The files of a clip: itself, or all that its folder holds, by name. Raises ClipError for what is none."""
    files = list_entries(clip) if clip.is_dir() else [clip]
    for path in files:
        check_file(path)
    return files


def check_file(path: Path) -> None:
    """Raise ClipError for what is no plain file, or empty; a link to a plain file is one."""
    try:
        status = path.stat()
    except OSError as error:
        raise ClipError(f"{path}: cannot be opened ({error.strerror}); mend the path") from error
    if not stat.S_ISREG(status.st_mode):
        raise ClipError(f"{path}: is no plain file; put the file itself there")
    if not status.st_size:
        raise ClipError(f"{path}: is empty; copy it again")
