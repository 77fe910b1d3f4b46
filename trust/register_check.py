"""What was done to the register: edited, dropped, moved, inserted, unsigned or foreign entries, each named."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from trust.register_entry import START, Entry, hash_line
from trust.register_file import Head, WriterFile, locked, read_files

RESTORE = "restore the file and its head from git"
MEND = "the next append from here mends what an interrupted one left; else restore the file and its head from git"


def check_register(folder: Path) -> list[str]:
    """What is wrong with the register: one line each, with file, entry and remedy; none where all is well.

    Two writers may register the same file, each before git brought the other's entry: that is no finding.
    """
    if not folder.is_dir():
        return []
    with locked(folder, is_writing=False):
        files = read_files(folder)
    return [finding for file in files for finding in find_faults(file)] + list(_find_copies(files))


def find_faults(file: WriterFile) -> list[str]:
    """What is wrong with one writer's file."""
    return [*_find_line_faults(file), *_find_chain_faults(file), *_find_end_faults(file), *_find_repeats(file)]


def _find_line_faults(file: WriterFile) -> Iterator[str]:
    for number, fault in enumerate(file.parsed, 1):
        if isinstance(fault, str):
            yield f"{file.path}: line {number} {fault}; {RESTORE}"
    if file.torn:
        yield f"{file.path}: line {len(file.lines) + 1} is cut short; {MEND}"


def _find_chain_faults(file: WriterFile) -> Iterator[str]:
    """Entries that do not follow the one before them: by the place that each names, then by what it chains to."""
    digests: dict[int, str] = {-1: START}
    last = -1
    for line, entry in zip(file.lines, file.parsed, strict=True):
        if isinstance(entry, str):  # is told by its line; its text may still be what the next entry names
            last += 1
            digests.setdefault(last, hash_line(line))
            continue
        if entry.index <= last:
            yield f"{file.path}: entry {entry.index} stands after entry {last}: inserted or moved; {RESTORE}"
        elif entry.index > last + 1:
            yield f"{file.path}: {_name_entries(last + 1, entry.index - 1)} missing before {entry.index}; {RESTORE}"
        digests.setdefault(entry.index, hash_line(line))
        last = max(last, entry.index)
    yield from _find_edits(file, digests)


def _find_edits(file: WriterFile, digests: dict[int, str]) -> Iterator[str]:
    """Entries held against the line of the place before theirs, wherever it stands, and against its time."""
    for entry in file.entries:
        before = digests.get(entry.index - 1)
        if before not in (None, entry.previous):
            blame = f"entry {entry.index - 1} was edited, or " if entry.index else ""
            yield f"{file.path}: {blame}entry {entry.index} was inserted: it does not chain; {RESTORE}"
    for before_it, entry in pairwise(file.entries):
        if entry.index == before_it.index + 1 and entry.time < before_it.time:
            yield f"{file.path}: entry {entry.index} is older than the one before it; {RESTORE}"


def _find_end_faults(file: WriterFile) -> Iterator[str]:
    """What the head says against what the file ends with."""
    head, path = file.head, file.path.with_suffix(".head")
    if head is None:
        if file.lines:
            yield f"{path}: is missing, nothing proves the {len(file.lines)} entries of {file.path.name}; {MEND}"
    elif isinstance(head, str):
        yield f"{path}: {head}; {RESTORE}"
    else:
        yield from _compare_end(file, head)


def _compare_end(file: WriterFile, head: Head) -> Iterator[str]:
    digests = [hash_line(line) for line in file.lines]
    if head.last in digests:
        first = digests.index(head.last) + 1
        if first < len(digests):
            yield f"{file.path}: line {first + 1} and all after it are not covered by the head; {MEND}"
    elif len(digests) < head.entries:
        missing = _name_entries(len(digests), head.entries - 1)
        yield f"{file.path}: {missing} missing at the end, or edited: the head names {head.entries}; {RESTORE}"
    else:
        yield f"{file.path}: entry {head.entries - 1} was edited: it is not the one that the head signs; {RESTORE}"


def _find_repeats(file: WriterFile) -> Iterator[str]:
    """The same file registered twice by one writer."""
    first: dict[tuple[str, str], int] = {}
    for number, entry in enumerate(file.parsed, 1):
        if isinstance(entry, Entry):
            known = first.setdefault((entry.kind, entry.sha256), number)
            if known != number:
                yield f"{file.path}: line {number} registers again what line {known} does; {RESTORE}"


def _find_copies(files: list[WriterFile]) -> Iterator[str]:
    """Entries of one writer in another's file."""
    first: dict[Entry, WriterFile] = {}
    for file in files:
        for entry in file.entries:
            content = replace(entry, index=0, previous=START)
            known = first.setdefault(content, file)
            if known is not file:
                yield f"{file.path}: entry {entry.index} is a copy of one in {known.path.name}; {RESTORE}"


def _name_entries(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"
