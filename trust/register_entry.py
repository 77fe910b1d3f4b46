"""An entry of the register: its fields, and its one spelling as a line of JSON."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["original", "made"]

START = "0" * 64  # what the first entry has for the SHA-256 of the line before it
TIME = "%Y-%m-%dT%H:%M:%SZ"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_SHA256, _MARK_ID = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{16}")
_HASH_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class NewEntry:
    """What is to be registered: a confirmed original, or a video that was made here.

    `sha256`, `of` (the original that a made video shows) and `checkpoint_sha256` are SHA-256 of files, hex; `mark_id`
    is 16 hex digits; `hashes` are those of every fifth frame, packed (`vision.picture_hash.pack_hashes`).
    """

    kind: Kind
    sha256: str
    title: str
    identities: tuple[str, ...]
    hashes: bytes
    mark_id: str | None = None
    of: str | None = None
    checkpoint_sha256: str | None = None

    @property
    def registers(self) -> tuple[str, ...]:
        """What is registered once: a file, and an original for each of those whom it shows."""
        return (self.kind, self.sha256, *(self.identities if self.kind == "original" else ()))


@dataclass(frozen=True, kw_only=True)
class Entry(NewEntry):
    """What was registered: its place in its writer's file, the SHA-256 of the line before, and when (UTC)."""

    index: int
    previous: str
    time: str


def write_line(entry: Entry) -> bytes:
    """The entry's one spelling, without the newline: sorted keys, no spaces, UTF-8.

    Raises ValueError, saying what is wrong, where `parse_line` would not take it.
    """
    fields = asdict(entry) | {"hashes": base64.b64encode(entry.hashes).decode()}
    _check_fields(fields)
    return _spell(fields)


def parse_line(line: bytes) -> Entry:
    """The entry that a line spells. Raises ValueError, saying what is wrong, for a line that is not exactly one."""
    try:
        fields = json.loads(line.decode())
    except (ValueError, RecursionError):
        raise ValueError("is no JSON") from None
    if not isinstance(fields, dict):
        raise ValueError("is no JSON object")  # noqa: TRY004 (the line's value is wrong, no caller's type)
    _check_fields(fields)
    if _spell(fields) != line:
        raise ValueError("is not spelled as it was written")
    packed = base64.b64decode(fields["hashes"])
    return Entry(**fields | {"identities": tuple(fields["identities"]), "hashes": packed})


def hash_line(line: bytes) -> str:
    """SHA-256, hex, of a line without its newline: what the next entry and the head name it by."""
    return hashlib.sha256(line).hexdigest()


def read_time(entry: Entry) -> datetime:
    """When the entry was made, with its time zone."""
    return datetime.strptime(entry.time, TIME).replace(tzinfo=UTC)


def _spell(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _check_fields(fields: Mapping[str, object]) -> None:
    if unknown := sorted(fields.keys() - _CHECKS.keys()):
        raise ValueError(f"has fields unknown to this version: {', '.join(unknown)}")
    if missing := sorted(_CHECKS.keys() - fields.keys()):
        raise ValueError(f"lacks the fields {', '.join(missing)}")
    if wrong := sorted(name for name, is_right in _CHECKS.items() if not is_right(fields[name])):
        raise ValueError(f"has a wrong {', '.join(wrong)}")


def _is_text(value: object) -> bool:
    """Text that UTF-8 can hold."""
    return isinstance(value, str) and bool(value) and value.isprintable()


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _is_mark_id(value: object) -> bool:
    return isinstance(value, str) and _MARK_ID.fullmatch(value) is not None


def _is_packed(value: object) -> bool:
    try:
        return isinstance(value, str) and len(base64.b64decode(value, validate=True)) % _HASH_BYTES == 0
    except ValueError:
        return False


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(_TIME.fullmatch(value)) and bool(datetime.strptime(value, TIME))
    except ValueError:
        return False


def _or_none(is_right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or is_right(value)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "index": lambda value: type(value) is int and value >= 0,
    "previous": _is_sha256,
    "kind": lambda value: value in ("original", "made"),
    "time": _is_time,
    "sha256": _is_sha256,
    "title": _is_text,
    "identities": lambda value: isinstance(value, list | tuple) and all(map(_is_text, value)),
    "mark_id": _or_none(_is_mark_id),
    "hashes": _is_packed,
    "of": _or_none(_is_sha256),
    "checkpoint_sha256": _or_none(_is_sha256),
}
