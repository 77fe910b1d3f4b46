"""A writer's file of the register, and the signed head beside it that covers it.

`<writer>.jsonl` holds a line an entry, each with the SHA-256 of the line before it. `<writer>.head` tells how many
there are and the SHA-256 of the last, signed (Ed25519). `<writer>` is the start of the SHA-256 of the public key, so
that the file's name tells which key must have signed.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from errors import RegisterError
from trust.register_entry import Entry, hash_line, parse_line

DOMAIN = "understudy register 1"
_WRITER_DIGITS = 16


@dataclass(frozen=True)
class Head:
    """What a writer signed: `entries` lines, the last one of SHA-256 `last`. Key and signature are hex."""

    writer: str
    public_key: str
    entries: int
    last: str
    signature: str


@dataclass(frozen=True)
class WriterFile:
    """A writer's file as it lies there, whatever it is worth.

    `lines` are without their newlines; of each, `parsed` has the entry or what is wrong with it; `torn` is what follows
    the last newline; `head` is one whose signature is good, or what is wrong with it, or None where there is none.
    """

    writer: str
    path: Path
    lines: tuple[bytes, ...]
    parsed: tuple[Entry | str, ...]
    torn: bytes
    head: Head | str | None

    @property
    def entries(self) -> list[Entry]:
        """Those that are entries, whether or not they chain."""
        return [entry for entry in self.parsed if isinstance(entry, Entry)]

    @property
    def covered(self) -> list[Entry]:
        """The entries that a good head proves: the last one that it names, and from there back as far as they chain."""
        by_digest = {hash_line(line): entry for line, entry in zip(self.lines, self.parsed, strict=True)}
        entries: list[Entry] = []
        entry = by_digest.get(self.head.last) if isinstance(self.head, Head) else None
        while isinstance(entry, Entry):
            entries.append(entry)
            entry = by_digest.get(entry.previous)
        return entries[::-1]


def name_writer(public_key: bytes) -> str:
    """The writer of a raw public key: 16 hex digits."""
    return hashlib.sha256(public_key).hexdigest()[:_WRITER_DIGITS]


def sign_head(key: Ed25519PrivateKey, entries: int, last: str) -> Head:
    """A head of a writer's file that has so many entries, the last one of SHA-256 `last`."""
    public_key = key.public_key().public_bytes_raw()
    writer = name_writer(public_key)
    return Head(writer, public_key.hex(), entries, last, key.sign(_signed_text(writer, entries, last)).hex())


def spell_head(head: Head) -> bytes:
    """A head's file."""
    return json.dumps(asdict(head) | {"format": DOMAIN}, sort_keys=True, indent=1).encode() + b"\n"


def read_files(folder: Path) -> list[WriterFile]:
    """The files of every writer, by name; none where there is no folder. Raises RegisterError for an unreadable one."""
    return [read_file(folder, writer) for writer in sorted({path.stem for path in list_paths(folder)})]


def list_paths(folder: Path) -> list[Path]:
    """The writers' files and heads in a folder, by name; hidden ones are none."""
    paths = [path for pattern in ("*.jsonl", "*.head") for path in folder.glob(pattern)]
    return sorted(path for path in paths if not path.name.startswith("."))


def read_file(folder: Path, writer: str) -> WriterFile:
    """A writer's file, empty where there is none. Raises RegisterError where it cannot be read."""
    path = folder / f"{writer}.jsonl"
    *lines, torn = (_read(path) or b"").split(b"\n")
    return WriterFile(writer, path, tuple(lines), tuple(map(_parse, lines)), torn, read_head(path.with_suffix(".head")))


def read_head(path: Path, writer: str | None = None) -> Head | str | None:
    """A head that the key of `writer`, else that of the file's name, signed; or what is wrong with it; or None."""
    data = _read(path)
    if data is None:
        return None
    try:
        fields = json.loads(data.decode())
    except (ValueError, RecursionError):
        return "is no JSON"
    if not isinstance(fields, dict) or fields.pop("format", None) != DOMAIN:
        return f"has another format than {DOMAIN!r}, the one of this version"
    try:
        head = Head(**fields)
        return _find_fault(head, writer or path.stem) or head
    except (TypeError, ValueError):
        return "has wrong fields"


def read_register(folder: Path) -> list[Entry]:
    """Every writer's entries that a good head proves, by time; what does not chain is left out (`check_register`)."""
    with reading(folder):
        return sort_entries(read_files(folder))


def sort_entries(files: Iterable[WriterFile]) -> list[Entry]:
    """The proven entries of files, by time."""
    return sorted((entry for file in files for entry in file.covered), key=lambda entry: entry.time)


def reading(folder: Path) -> AbstractContextManager[None]:
    """Hold a folder against appends while it is read; one that is not there needs none. Raises RegisterError."""
    return locked(folder, is_writing=False) if folder.is_dir() else nullcontext()


@contextmanager
def locked(folder: Path, *, is_writing: bool) -> Iterator[None]:
    """Hold a folder against appends by other processes and, to append, against readers too. Raises RegisterError."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise RegisterError(f"{folder}: cannot be opened ({error.strerror}); mend its permissions") from error
    try:
        _lock(descriptor, folder, is_writing=is_writing)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, *, is_writing: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if is_writing else fcntl.LOCK_SH)
    except OSError as error:
        raise RegisterError(
            f"{folder}: cannot be locked ({error.strerror}); put it on a disk of this machine"
        ) from error


def _find_fault(head: Head, writer: str) -> str | None:
    """What is wrong with a head of `writer`. Raises TypeError or ValueError for fields of wrong types."""
    public_key = bytes.fromhex(head.public_key)
    signer = name_writer(public_key)
    if (signer, head.writer) != (writer, writer):
        return f"is signed by the key of writer {signer}, not by that of {writer}"
    text = _signed_text(head.writer, head.entries, head.last)
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(bytes.fromhex(head.signature), text)
    except InvalidSignature:
        return "has a bad signature"
    return None


def _signed_text(writer: str, entries: int, last: str) -> bytes:
    return f"{DOMAIN}\n{writer}\n{entries:d}\n{last}\n".encode()


def _parse(line: bytes) -> Entry | str:
    try:
        return parse_line(line)
    except ValueError as error:
        return str(error)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RegisterError(f"{path}: cannot be read ({error.strerror}); mend its permissions") from error
