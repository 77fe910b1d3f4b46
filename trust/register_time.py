"""What time it is at least, by the newest entry of the register."""

from datetime import datetime
from pathlib import Path

from trust.register_entry import read_time
from trust.register_file import read_files, reading
from trust.register_left import list_proven


def newest_time(folder: Path) -> datetime | None:
    """The newest time in the register, or None where it has no entry. Raises RegisterError for unreadable files."""
    newest = find_newest(folder)
    return newest[0] if newest else None


def find_newest(folder: Path) -> tuple[datetime, Path] | None:
    """The newest time, and whose file tells it. Only what is signed and chained counts, and what waits for its head:
    a line that anybody adds moves no clock."""
    with reading(folder):
        files = read_files(folder)
    return max(((read_time(entry), file.path) for file in files for entry in list_proven(file)), default=None)
