"""What was done to the register: edited, dropped, moved, inserted, unsigned or foreign entries, each named."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from trust.register_entry import START, Entry, hash_line
from trust.register_file import Head, WriterFile, read_files, reading
from trust.register_left import count_signed, find_left
from trust.register_reach import find_shortfalls, read_reaches

RESTORE = "restore the file and its head from git"
MEND = "its writer's next append mends what an interrupted one left"


def check_folder(folder: Path, known: Collection[bytes], reach: Path) -> list[str]:
    """What is wrong with the register: one line each, with file, entry and remedy; none where all is well.

    `known`: the writers' public keys, raw; `reach`: the file that tells how far this clone's key has signed. Two
    writers may register the same file, each before git brought the other's entry: that is no finding.
    """
    with reading(folder):
        reaches, files = read_reaches(reach), read_files(folder)
    found = [fault for file in files for fault in find_faults(file)]
    found += _find_strangers(files, known)
    found += find_shortfalls(reaches, folder, {file.writer: file for file in files})
    return found + list(_find_copies(files))


def find_faults(file: WriterFile) -> list[str]:
    """What is wrong with one writer's file."""
    return [*_find_line_faults(file), *_find_chain_faults(file), *_find_end_faults(file), *_find_repeats(file)]


def _find_line_faults(file: WriterFile) -> Iterator[str]:
    for number, fault in enumerate(file.parsed, 1):
        if isinstance(fault, str):
            yield f"{file.path}: line {number} {fault}; {_advise(file, number)}"
    if file.torn:
        number = len(file.lines) + 1
        yield f"{file.path}: line {number} is cut short; {_advise(file, number)}"


def _advise(file: WriterFile, number: int) -> str:
    """What to do about a line."""
    is_mended = number > count_signed(file) and find_left(file) in ("an entry whose head waits", "a torn line")
    return MEND if is_mended else RESTORE


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
            told = f"is missing, nothing proves the {len(file.lines)} entries of {file.path.name}"
            yield f"{path}: {told}; {_advise(file, 1)}"
    elif isinstance(head, str):
        yield f"{path}: {head}; {RESTORE}"
    else:
        yield from _compare_end(file, head)


def _compare_end(file: WriterFile, head: Head) -> Iterator[str]:
    digests = [hash_line(line) for line in file.lines]
    if head.last in digests:
        first = digests.index(head.last) + 1
        if first < len(digests):
            advice = _advise(file, first + 1)
            yield f"{file.path}: line {first + 1} and all after it are not covered by the head; {advice}"
    elif len(digests) < head.entries:
        missing = _name_entries(len(digests), head.entries - 1)
        yield f"{file.path}: {missing} missing at the end, or edited: the head names {head.entries}; {RESTORE}"
    else:
        yield f"{file.path}: entry {head.entries - 1} was edited: it is not the one that the head signs; {RESTORE}"


def _find_repeats(file: WriterFile) -> Iterator[str]:
    """The same file registered twice by one writer."""
    first: dict[tuple[str, ...], int] = {}
    for number, entry in enumerate(file.parsed, 1):
        if isinstance(entry, Entry):
            known = first.setdefault(entry.registers, number)
            if known != number:
                yield f"{file.path}: line {number} registers again what line {known} does; {RESTORE}"


def _find_strangers(files: list[WriterFile], known: Collection[bytes]) -> Iterator[str]:
    """Writers whose key nobody has published: anybody can sign anything with a key of their own."""
    for file in files:
        if isinstance(file.head, Head) and bytes.fromhex(file.head.public_key) not in known:
            remedy = f"get trust/roots/{file.writer}.pub from whoever signs so, or take the file and its head away"
            yield f"{file.path}: its writer is unknown, no key in trust/roots is that of its head; {remedy}"


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
