"""The register: every confirmed original and every video made here, append-only, a signed hash chain for each writer.

An append is there for good once it returned. It writes in this order, each synced: the next head, signed, beside its
place; the line; the head into its place. So a line that the head does not cover yet is known to be ours by the head
that waits for it, and the next append puts that one in place. What was torn was never acknowledged: it is cut off.
"""

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from errors import RegisterError
from trust.register_check import MEND, RESTORE, check_register, find_faults
from trust.register_entry import START, TIME, Entry, NewEntry, hash_line, write_line
from trust.register_file import (
    Head,
    WriterFile,
    locked,
    name_writer,
    newest_time,
    read_file,
    read_files,
    read_head,
    read_register,
    sign_head,
    sort_entries,
    spell_head,
)
from trust.register_index import Index
from trust.register_match import Match
from vision.whole import Whole

__all__ = ["Entry", "Index", "Match", "NewEntry", "Register", "check_register", "newest_time", "read_register"]


class Register:
    """A folder of the register, to append to with a writer's key."""

    def __init__(self, folder: Path, key: Ed25519PrivateKey | None) -> None:
        self._folder = folder
        self._key = key

    def append(self, new: NewEntry) -> Entry:
        """Register a file, durably once this returns; or give the entry that any writer made for it before.

        Its time is at least that of the newest entry, whatever the clock says. Raises RegisterError without a key, for
        fields that are no entry's, and where this writer's file was altered: nothing is put upon a broken chain.
        """
        if self._key is None:
            raise RegisterError(f"{self._folder}: there is no key to sign with; make this clone's keys first")
        self._make_folder()
        with locked(self._folder, is_writing=True):
            writer = name_writer(self._key.public_key().public_bytes_raw())
            files = {file.writer: file for file in read_files(self._folder)}
            files[writer] = own = self._mend(files.get(writer) or read_file(self._folder, writer))
            entries = sort_entries(files.values())
            return _find_known(entries, new) or self._write(self._key, own, new, _next_time(entries))

    def _make_folder(self) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            _sync(self._folder.parent)

    def _mend(self, own: WriterFile) -> WriterFile:
        """The writer's file, sound, after what an interrupted append left was finished or cut off."""
        head = _head_file(own)
        n_signed = own.head.entries if isinstance(own.head, Head) else 0
        tail = own.lines[n_signed:]
        waiting = read_head(head.partial, own.writer)
        is_next = isinstance(waiting, Head) and waiting.entries == n_signed + 1
        if isinstance(own.head, str) or len(own.lines) < n_signed:
            return _refuse_faults(own)
        if isinstance(waiting, Head) and is_next and not own.torn and [*map(hash_line, tail)] == [waiting.last]:
            head.close(keep=True)
        elif (own.torn and not tail) or (is_next and len(tail) == 1):
            _cut(own, n_signed)
        else:
            return _refuse_faults(own)
        return _refuse_faults(read_file(self._folder, own.writer))

    def _write(self, key: Ed25519PrivateKey, own: WriterFile, new: NewEntry, time: str) -> Entry:
        previous = hash_line(own.lines[-1]) if own.lines else START
        entry = Entry(**vars(new), index=len(own.lines), previous=previous, time=time)
        try:
            line = write_line(entry)
        except ValueError as error:
            raise RegisterError(f"{own.path}: {new.title!r} cannot be registered: it {error}") from None
        head = _head_file(own)
        _write_synced(head.open(), spell_head(sign_head(key, len(own.lines) + 1, hash_line(line))), "wb")
        _sync(self._folder)
        _write_synced(own.path, line + b"\n", "ab")
        head.close(keep=True)
        return entry


def _head_file(own: WriterFile) -> Whole:
    return Whole(own.path.with_suffix(".head"))


def _refuse_faults(own: WriterFile) -> WriterFile:
    """The file itself. Raises RegisterError where anything is wrong with it."""
    if faults := find_faults(own):
        raise RegisterError(faults[0].replace(MEND, RESTORE))
    return own


def _find_known(entries: Iterable[Entry], new: NewEntry) -> Entry | None:
    return next((entry for entry in entries if (entry.kind, entry.sha256) == (new.kind, new.sha256)), None)


def _next_time(entries: Iterable[Entry]) -> str:
    return max([datetime.now(UTC).strftime(TIME), *(entry.time for entry in entries)])


def _cut(own: WriterFile, n_lines: int) -> None:
    """Take away what follows the first lines."""
    with own.path.open("r+b") as file:
        file.truncate(sum(len(line) + 1 for line in own.lines[:n_lines]))
        os.fsync(file.fileno())


def _write_synced(path: Path, data: bytes, mode: Literal["wb", "ab"]) -> None:
    with path.open(mode) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
