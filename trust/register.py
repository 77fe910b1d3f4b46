"""The register: every confirmed original and every video made here, append-only, a signed hash chain for each writer.

An append is there for good once it returned. It writes in this order, each synced: the next head, signed, beside its
place; the line; the head into its place; and beside the key, how far it has signed. What an interrupted append left
says `trust.register_left`, what must not be lost again `trust.register_reach`.
"""

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from errors import RegisterError
from trust.keys import load_register_key, read_writers
from trust.places import register_folder
from trust.register_check import check_folder, find_faults
from trust.register_entry import START, TIME, Entry, NewEntry, hash_line, write_line
from trust.register_file import (
    WriterFile,
    locked,
    name_writer,
    read_file,
    read_files,
    read_register,
    reading,
    sign_head,
    sort_entries,
    spell_head,
)
from trust.register_index import Index
from trust.register_left import find_left, head_file, mend
from trust.register_match import Match
from trust.register_reach import find_shortfalls, measure_reach, raise_reach, reach_path, read_reaches
from trust.register_time import find_newest, newest_time
from vision.whole import sync

__all__ = [
    "Entry",
    "Index",
    "Match",
    "NewEntry",
    "Register",
    "check_register",
    "find_newest",
    "newest_time",
    "open_register",
    "read_register",
]


def open_register() -> "Register":
    """This clone's register, to append to with its key. Raises TrustError where there is none."""
    return Register(register_folder(), load_register_key(), reach_path())


def check_register(folder: Path) -> list[str]:
    """What is wrong with a register, as this clone knows its writers, and how far it signed itself: one line each."""
    return check_folder(folder, read_writers(), reach_path())


class Register:
    """A folder of the register, to append to with a writer's key.

    `reach`: the file that tells how far the key has signed, in a folder that is there.
    """

    def __init__(self, folder: Path, key: Ed25519PrivateKey | None, reach: Path) -> None:
        self._folder = folder
        self._key = key
        self._reach = reach

    def append(self, new: NewEntry) -> Entry:
        """Register a file, durably once this returns; or give the entry that any writer made for it before.

        Its time is at least that of the newest entry, whatever the clock says. Raises RegisterError without a key, for
        fields that are no entry's, and where this writer's file was altered or set back: nothing is put upon a broken
        chain, and no chain is forked.
        """
        if self._key is None:
            raise RegisterError(f"{self._folder}: there is no key to sign with; make this clone's keys first")
        self._make_folder()
        with locked(self._reach.parent, is_writing=True), locked(self._folder, is_writing=True):
            writer = name_writer(self._key.public_key().public_bytes_raw())
            files = {file.writer: file for file in read_files(self._folder)}
            files[writer] = own = self._take_up(files.get(writer) or read_file(self._folder, writer))
            entries = sort_entries(files.values())
            return _find_known(entries, new) or self._write(self._key, own, new, _next_time(entries))

    def require_sound(self) -> None:
        """Raise RegisterError now where an append would: a writer's file was altered or set back."""
        if self._key is None:
            return
        with reading(self._folder):
            own = read_file(self._folder, name_writer(self._key.public_key().public_bytes_raw()))
            if find_left(own) in ("nothing", "what no append leaves"):  # else an append mends it
                self._refuse_faults(own)

    def _make_folder(self) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            sync(self._folder.parent)

    def _take_up(self, left: WriterFile) -> WriterFile:
        """The writer's file, mended and sound, each of its entries acknowledged. Raises RegisterError."""
        own = mend(left)
        self._refuse_faults(own)
        if own.lines:
            raise_reach(self._reach, measure_reach(self._folder, own.writer, own.lines))
        return own

    def _refuse_faults(self, own: WriterFile) -> None:
        reaches = [reach for reach in read_reaches(self._reach) if reach.writer == own.writer]
        faults = [*find_faults(own), *find_shortfalls(reaches, self._folder, {own.writer: own})]
        if faults:
            raise RegisterError(faults[0])

    def _write(self, key: Ed25519PrivateKey, own: WriterFile, new: NewEntry, time: str) -> Entry:
        previous = hash_line(own.lines[-1]) if own.lines else START
        entry = Entry(**vars(new), index=len(own.lines), previous=previous, time=time)
        try:
            line = write_line(entry)
        except ValueError as error:
            raise RegisterError(f"{own.path}: {new.title!r} cannot be registered: it {error}") from None
        head = head_file(own)
        _write_synced(head.open(), spell_head(sign_head(key, len(own.lines) + 1, hash_line(line))), "wb")
        sync(self._folder)
        _write_synced(own.path, line + b"\n", "ab")
        head.close(keep=True)
        raise_reach(self._reach, measure_reach(self._folder, own.writer, (*own.lines, line)))
        return entry


def _find_known(entries: Iterable[Entry], new: NewEntry) -> Entry | None:
    return next((entry for entry in entries if entry.registers == new.registers), None)


def _next_time(entries: Iterable[Entry]) -> str:
    return max([datetime.now(UTC).strftime(TIME), *(entry.time for entry in entries)])


def _write_synced(path: Path, data: bytes, mode: Literal["wb", "ab"]) -> None:
    with path.open(mode) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
