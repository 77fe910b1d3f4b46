"""An index of the register: a SQLite file, made anew whenever the writers' files are others than it was made from.

It tells where to look, never what is registered: each answer is the entry in the writers' files, if they prove it. What
cannot be kept in a file is made in memory.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np

from trust.register_entry import Entry
from trust.register_file import list_paths, read_file, read_files, reading
from trust.register_match import Match, compare, find_candidates, prepare
from vision.hashing import hash_file
from vision.picture_hash import EVERY, tells_apart, unpack_hashes
from vision.planes import Array

_TABLES = """
    DROP TABLE IF EXISTS built; DROP TABLE IF EXISTS entries;
    CREATE TABLE built (stamp TEXT NOT NULL);
    CREATE TABLE entries (
        writer TEXT NOT NULL, number INTEGER NOT NULL, sha256 TEXT NOT NULL, mark_id TEXT, hashes BLOB NOT NULL
    );
    CREATE INDEX by_sha256 ON entries (sha256); CREATE INDEX by_mark ON entries (mark_id);
"""
_VERSION = "2"  # of the tables
_WAIT_S = 60.0
Place: TypeAlias = tuple[str, int]  # an entry's writer and index
_T = TypeVar("_T")


@dataclass(frozen=True)
class _Hashes:
    """The entries that can be searched, their hashes that are evidence in a row, and where each entry's begin."""

    stamp: str
    places: tuple[Place, ...]
    hashes: Array
    starts: Array


class Index:
    """Look-ups in the entries of a register's folder that a good head proves. The database is made where it is missing,
    and in memory where it cannot be written."""

    def __init__(self, folder: Path, database: Path) -> None:
        self._folder = folder
        self._database = database
        self._hashes: _Hashes | None = None

    def by_sha256(self, sha256: str) -> list[Entry]:
        """The entries of a file, by time."""
        places = self._ask(lambda database: _find(database, "sha256", sha256))
        return [entry for entry in self._read(places) if entry.sha256 == sha256]

    def by_mark(self, mark_id: str) -> list[Entry]:
        """The entries of a mark's id, by time."""
        places = self._ask(lambda database: _find(database, "mark_id", mark_id))
        return [entry for entry in self._read(places) if entry.mark_id == mark_id]

    def nearest(self, hashes: list[int], step: int = EVERY) -> list[Match]:
        """The entries that look like a video, given the hashes of every `step`-th frame of it; the nearest first.

        1 is the surest step: a cut video's fifth frames fall beside the registered ones. A swap looks like the original
        that it was made from, so both are found. Flat pictures tell nothing: a video of only those finds nothing.
        """
        asked = prepare(hashes, step)
        known = self._hashes = self._ask(self._load)
        if not asked.hashes.size or not known.places:
            return []
        candidates = find_candidates(asked, known.hashes, known.starts)
        matches = [compare(asked, entry) for entry in self._read(known.places[number] for number in candidates)]
        found = [match for match in matches if match]
        return sorted(found, key=lambda match: (match.median_bits, match.mean_bits))

    def _read(self, places: Iterable[Place]) -> list[Entry]:
        """The entries at those places, as far as the writers' files prove them."""
        wanted = list(dict.fromkeys(places))
        writers = {path.stem for path in list_paths(self._folder)} & {writer for writer, _ in wanted}
        files = [read_file(self._folder, writer) for writer in writers]
        proven = {(file.writer, entry.index): entry for file in files for entry in file.covered}
        return [proven[place] for place in wanted if place in proven]

    def _ask(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        """What the database says, as the files are now. A damaged one is made anew."""
        try:
            self._database.parent.mkdir(parents=True, exist_ok=True)
            if not self._is_sound():
                self._database.unlink(missing_ok=True)
            with closing(sqlite3.connect(self._database, timeout=_WAIT_S, isolation_level=None)) as database:
                self._refresh(database)
                return question(database)
        except (OSError, sqlite3.Error):
            with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
                self._refresh(database)
                return question(database)

    def _load(self, database: sqlite3.Connection) -> _Hashes:
        """All hashes; from the database only where it changed."""
        stamp = str(_read_stamp(database))
        if self._hashes is not None and self._hashes.stamp == stamp:
            return self._hashes
        return _gather(stamp, database.execute("SELECT writer, number, hashes FROM entries ORDER BY rowid").fetchall())

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
        with reading(self._folder):
            stamp = _stamp(self._folder)
            if _read_stamp(database) == stamp:
                return
            entries = [(file.writer, entry) for file in read_files(self._folder) for entry in file.covered]
        entries.sort(key=lambda pair: pair[1].time)
        database.executescript(f"BEGIN IMMEDIATE; {_TABLES}")
        database.execute("INSERT INTO built VALUES (?)", (stamp,))
        rows = ((writer, entry.index, entry.sha256, entry.mark_id, entry.hashes) for writer, entry in entries)
        database.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", rows)
        database.execute("COMMIT")


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


def _find(database: sqlite3.Connection, column: str, value: str) -> list[Place]:
    query = f"SELECT writer, number FROM entries WHERE {column} = ? ORDER BY rowid"  # noqa: S608 (this module's own)
    return database.execute(query, (value,)).fetchall()


def _gather(stamp: str, rows: list[tuple[str, int, bytes]]) -> _Hashes:
    """The hashes of those entries that have any that are evidence."""
    unpacked = [unpack_hashes(packed) for *_, packed in rows]
    telling = [hashes[tells_apart(hashes)] for hashes in unpacked]
    kept = [(row[:2], hashes) for row, hashes in zip(rows, telling, strict=True) if hashes.size]
    lengths = np.array([len(hashes) for _, hashes in kept], int)
    starts = np.cumsum(lengths) - lengths
    row = np.concatenate([hashes for _, hashes in kept]) if kept else np.empty(0, np.uint64)
    return _Hashes(stamp, tuple(place for place, _ in kept), row, starts)
