"""An index of the register: a SQLite file, made anew whenever the writers' files are others than it was made from."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from errors import RegisterError
from trust.register_entry import Entry, parse_line, write_line
from trust.register_file import list_paths, locked, read_files, sort_entries
from trust.register_match import Match, compare, find_candidates, prepare
from vision.hashing import hash_file
from vision.picture_hash import EVERY, tells_apart, unpack_hashes
from vision.planes import Array

_TABLES = """
    DROP TABLE IF EXISTS built; DROP TABLE IF EXISTS entries;
    CREATE TABLE built (stamp TEXT NOT NULL);
    CREATE TABLE entries (sha256 TEXT NOT NULL, mark_id TEXT, line BLOB NOT NULL);
    CREATE INDEX by_sha256 ON entries (sha256); CREATE INDEX by_mark ON entries (mark_id);
"""
_VERSION = "1"  # of the tables
_WAIT_S = 60.0


@dataclass(frozen=True)
class _Hashes:
    """The entries that can be searched, their hashes that are evidence in a row, and where each entry's begin."""

    stamp: str
    entries: tuple[Entry, ...]
    hashes: Array
    starts: Array


class Index:
    """Look-ups in the entries of a register's folder that a good head proves. The database is made where it is missing.

    Raises RegisterError where it cannot be written.
    """

    def __init__(self, folder: Path, database: Path) -> None:
        self._folder = folder
        self._database = database
        self._hashes: _Hashes | None = None

    def by_sha256(self, sha256: str) -> list[Entry]:
        """The entries of a file, by time."""
        with self._open() as database:
            return _select(database, "WHERE sha256 = ?", sha256)

    def by_mark(self, mark_id: str) -> list[Entry]:
        """The entries of a mark's id, by time."""
        with self._open() as database:
            return _select(database, "WHERE mark_id = ?", mark_id)

    def nearest(self, hashes: list[int], step: int = EVERY) -> list[Match]:
        """The entries that look like a video, given the hashes of every `step`-th frame of it; the nearest first.

        1 is the surest step: a cut video's fifth frames fall beside the registered ones. A swap looks like the original
        that it was made from, so both are found. Flat pictures tell nothing: a video of only those finds nothing.
        """
        asked, known = prepare(hashes, step), self._load()
        if not asked.hashes.size or not known.entries:
            return []
        found = []
        for number in find_candidates(asked, known.hashes, known.starts):
            entry = known.entries[number]
            near = compare(asked, unpack_hashes(entry.hashes))
            if near is not None:
                found.append(
                    (near.median_bits, near.mean_bits, Match(entry, near.median_bits, near.share, near.offset))
                )
        return [match for *_, match in sorted(found, key=lambda item: item[:2])]

    def _load(self) -> _Hashes:
        """All hashes; from the database only where it changed."""
        with self._open() as database:
            stamp = str(_read_stamp(database))
            if self._hashes is None or self._hashes.stamp != stamp:
                self._hashes = _gather(stamp, _select(database))
        return self._hashes

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The database, as the files are now. A damaged one is made anew."""
        try:
            self._database.parent.mkdir(parents=True, exist_ok=True)
            if not self._is_sound():
                self._database.unlink(missing_ok=True)
            with closing(sqlite3.connect(self._database, timeout=_WAIT_S, isolation_level=None)) as database:
                self._refresh(database)
                yield database
        except sqlite3.Error as error:
            raise RegisterError(f"{self._database}: cannot be used ({error}); delete it, it is made anew") from error

    def _is_sound(self) -> bool:
        """Whether SQLite takes the file for a database; one that is locked is."""
        try:
            with closing(sqlite3.connect(self._database, timeout=_WAIT_S)) as database:
                return bool(database.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
        except sqlite3.OperationalError:
            return True
        except sqlite3.DatabaseError:
            return False

    def _refresh(self, database: sqlite3.Connection) -> None:
        """Make the tables anew where the writers' files are others than those that they were made from."""
        with _held(self._folder):
            stamp = _stamp(self._folder)
            if _read_stamp(database) == stamp:
                return
            entries = sort_entries(read_files(self._folder))
        database.executescript(f"BEGIN IMMEDIATE; {_TABLES}")
        database.execute("INSERT INTO built VALUES (?)", (stamp,))
        rows = ((entry.sha256, entry.mark_id, write_line(entry)) for entry in entries)
        database.executemany("INSERT INTO entries VALUES (?, ?, ?)", rows)
        database.execute("COMMIT")


def _held(folder: Path) -> AbstractContextManager[None]:
    return locked(folder, is_writing=False) if folder.is_dir() else nullcontext()


def _stamp(folder: Path) -> str:
    """SHA-256 of the names and bytes of the writers' files and heads, and of the tables' version."""
    digest = hashlib.sha256(_VERSION.encode())
    for path in list_paths(folder):
        digest.update(f"\n{path.name} {hash_file(path)}".encode())
    return digest.hexdigest()


def _read_stamp(database: sqlite3.Connection) -> str | None:
    """What the tables were made from; None where there are none."""
    if not database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'built'").fetchone():
        return None
    row = database.execute("SELECT stamp FROM built").fetchone()
    return str(row[0]) if row else None


def _select(database: sqlite3.Connection, where: str = "", *values: str) -> list[Entry]:
    query = f"SELECT line FROM entries {where} ORDER BY rowid"  # noqa: S608 (`where` is one of this module's own)
    return [parse_line(line) for (line,) in database.execute(query, values)]


def _gather(stamp: str, entries: list[Entry]) -> _Hashes:
    """The hashes of those entries that have any that are evidence."""
    unpacked = [unpack_hashes(entry.hashes) for entry in entries]
    telling = [hashes[tells_apart(hashes)] for hashes in unpacked]
    kept = [(entry, hashes) for entry, hashes in zip(entries, telling, strict=True) if hashes.size]
    lengths = np.array([len(hashes) for _, hashes in kept], int)
    starts = np.cumsum(lengths) - lengths
    row = np.concatenate([hashes for _, hashes in kept]) if kept else np.empty(0, np.uint64)
    return _Hashes(stamp, tuple(entry for entry, _ in kept), row, starts)
