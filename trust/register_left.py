"""What an interrupted append left of its writer's file, and how the next one goes on from it.

An append writes in this order, each synced: the next head, signed, beside its place; the line; the head into its place.
So a line that the head does not cover yet is known to be the writer's by the head that waits for it. What was torn was
never acknowledged: it is cut off. A whole line that chains is never cut.
"""

import os
from typing import Literal, TypeAlias

from trust.register_entry import START, Entry, hash_line
from trust.register_file import Head, WriterFile, read_file, read_head
from vision.whole import Whole

Left: TypeAlias = Literal["nothing", "an entry whose head waits", "a torn line", "what no append leaves"]


def head_file(file: WriterFile) -> Whole:
    """The head of a writer's file, and where the next one waits."""
    return Whole(file.path.with_suffix(".head"))


def find_left(file: WriterFile) -> Left:
    """What follows the lines that the head covers."""
    n_signed = count_signed(file)
    tail = file.lines[n_signed:]
    if isinstance(file.head, str) or len(file.lines) < n_signed:
        return "what no append leaves"
    if not tail:
        return "a torn line" if file.torn else "nothing"
    waiting = read_head(head_file(file).partial, file.writer)
    if len(tail) > 1 or not isinstance(waiting, Head) or waiting.entries != n_signed + 1:
        return "what no append leaves"
    if not file.torn and hash_line(tail[0]) == waiting.last:
        return "an entry whose head waits"
    return "what no append leaves" if _is_whole(file, n_signed) else "a torn line"


def count_signed(file: WriterFile) -> int:
    """How many lines the head says that there are."""
    return file.head.entries if isinstance(file.head, Head) else 0


def list_proven(file: WriterFile) -> list[Entry]:
    """The entries that the head proves, and the one whose head waits."""
    last = file.parsed[-1] if file.parsed and find_left(file) == "an entry whose head waits" else None
    return [*file.covered, *([last] if isinstance(last, Entry) else [])]


def mend(file: WriterFile) -> WriterFile:
    """The file after what an interrupted append left was finished or cut off; what no append leaves stays."""
    left = find_left(file)
    if left == "an entry whose head waits":
        head_file(file).close(keep=True)
    elif left == "a torn line":
        _cut(file, count_signed(file))
    else:
        return file
    return read_file(file.path.parent, file.writer)


def _is_whole(file: WriterFile, number: int) -> bool:
    """Whether a line is an entry that chains to the one before it."""
    entry = file.parsed[number]
    previous = hash_line(file.lines[number - 1]) if number else START
    return isinstance(entry, Entry) and (entry.index, entry.previous) == (number, previous)


def _cut(file: WriterFile, n_lines: int) -> None:
    """Take away what follows the first lines."""
    with file.path.open("r+b") as opened:
        opened.truncate(sum(len(line) + 1 for line in file.lines[:n_lines]))
        os.fsync(opened.fileno())
