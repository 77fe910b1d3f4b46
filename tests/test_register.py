"""The register: what was appended stays, what was altered is named, and a video is found again by its looks."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from errors import RegisterError
from tests.footage import REAL, needs_footage
from trust import register as register_module
from trust.clock import read_clock, tell_ahead
from trust.keys import ROOTS
from trust.register import Entry, Index, NewEntry, Register, check_register, newest_time, read_register
from trust.register_check import MEND
from trust.register_entry import TIME, hash_line, parse_line, write_line
from trust.register_file import name_writer, sign_head, spell_head
from trust.register_reach import Reach, reach_path, read_reaches
from vision.clip_read import read_frames
from vision.picture_hash import hash_look, pack_hashes
from vision.planes import Array
from vision.whole import Whole

ROOT = Path(__file__).resolve().parent.parent
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
# Appends entries of the numbers it is given, with the key of KEY, and says each one that is acknowledged.
APPENDER = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from trust.register import NewEntry, Register

register = Register(Path(sys.argv[1]), Ed25519PrivateKey.from_private_bytes(bytes(range(32))), Path(sys.argv[2]))
for number in range(int(sys.argv[3]), int(sys.argv[4])):
    new = NewEntry(kind="made", sha256=f"{number:064x}", title="a", identities=("ada",), hashes=b"12345678" * 999)
    print(number, register.append(new).index, flush=True)
"""


@pytest.fixture(autouse=True)
def clone(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a clone that knows both keys, and keeps how far they have signed."""
    folder = tmp_path_factory.mktemp("clone")
    monkeypatch.delenv("UNDERSTUDY_PRIVATE", raising=False)
    monkeypatch.chdir(folder)
    reach_path().parent.mkdir(parents=True)
    ROOTS.mkdir(parents=True)
    for key in (KEY, OTHER_KEY):
        public_key = key.public_key().public_bytes_raw()
        (ROOTS / f"{name_writer(public_key)}.pub").write_text(public_key.hex() + "\n")
    return folder


def _open(folder: Path, key: Ed25519PrivateKey | None, reach: Path | None = None) -> Register:
    return Register(folder, key, reach or reach_path())


def make_new(number: int, **fields: Any) -> NewEntry:
    new = NewEntry(
        kind="made", sha256=f"{number:064x}", title=f"vidéo {number}", identities=("ada",), hashes=b"12345678" * 40
    )
    return replace(new, **fields)


def _fill(folder: Path, key: Ed25519PrivateKey = KEY, n: int = 5, first: int = 0) -> Path:
    """A register of one writer's entries; the path of its file."""
    for number in range(first, first + n):
        _open(folder, key).append(make_new(number))
    return folder / f"{name_writer(key.public_key().public_bytes_raw())}.jsonl"


def _rewrite(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(change(lines)))


def _numbers(folder: Path) -> list[int]:
    return [int(entry.sha256, 16) for entry in read_register(folder)]


def test_an_entry_says_what_was_given_chains_to_the_one_before_and_is_signed(tmp_path: Path) -> None:
    given = make_new(7, kind="original", mark_id="0123456789abcdef", of="a" * 64, checkpoint_sha256="b" * 64)
    before = datetime.now(UTC).replace(microsecond=0)
    first, second = (_open(tmp_path / "register", KEY).append(new) for new in (make_new(1), given))
    path = next((tmp_path / "register").glob("*.jsonl"))
    lines = path.read_bytes().splitlines()
    assert [parse_line(line) for line in lines] == [first, second] == read_register(tmp_path / "register")
    assert (first.index, first.previous, second.index) == (0, "0" * 64, 1)
    assert second.previous == hash_line(lines[0])
    assert NewEntry(**{name: vars(second)[name] for name in vars(given)}) == given
    assert before <= (newest_time(tmp_path / "register") or before) <= datetime.now(UTC)
    assert list(json.loads(lines[1])) == sorted(json.loads(lines[1]))
    assert "vidéo 7".encode() in lines[1]
    assert check_register(tmp_path / "register") == []
    assert {file.suffix for file in (tmp_path / "register").iterdir()} == {".jsonl", ".head"}


def _edit(lines: list[bytes], number: int) -> list[bytes]:
    return [line.replace(b'"ada"', b'"eve"') if at == number else line for at, line in enumerate(lines)]


def _forge(lines: list[bytes]) -> bytes:
    """An entry that chains to the second one."""
    entry = parse_line(lines[2].rstrip())
    return write_line(replace(entry, sha256="e" * 64)) + b"\n"


@pytest.mark.parametrize(
    ("change", "told", "kept"),
    [
        (lambda lines: _edit(lines, 2), "entry 2 was edited, or entry 3 was inserted", [3, 4]),
        (lambda lines: _edit(lines, 4), "entry 4 was edited: it is not the one that the head signs", []),
        (lambda lines: lines[:2] + lines[3:], "entry 2 is missing before 3", [3, 4]),
        (lambda lines: lines[:1] + lines[3:], "entries 1 to 2 are missing before 3", [3, 4]),
        (lambda lines: lines[1:], "entry 0 is missing before 1", [1, 2, 3, 4]),
        (lambda lines: lines[:4], "entry 4 is missing at the end", []),
        (lambda lines: lines[:0], "entries 0 to 4 are missing at the end", []),
        (lambda lines: [*lines[:2], lines[3], lines[2], lines[4]], "entry 2 stands after entry 3", [0, 1, 2, 3, 4]),
        (lambda lines: [*lines[:2], _forge(lines), *lines[2:]], "entry 2 stands after entry 2", [0, 1, 2, 3, 4]),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], "line 4 registers again what line 3 does", [0, 1, 2, 3, 4]),
        (lambda lines: [*lines[:2], b"<<<<<<< HEAD\n", *lines[2:]], "line 3 is no JSON", [0, 1, 2, 3, 4]),
        (lambda lines: [line[:-1] + b"\r\n" for line in lines], "line 1 is not spelled as it was written", []),
        (lambda lines: [*lines[:4], lines[4].replace(b'{"', b'{"a":1,"')], "line 5 has fields unknown to this", []),
        (lambda lines: [*lines[:4], lines[4].replace(b'"of"', b'"off"')], "line 5 has fields unknown to this", []),
        (lambda lines: [*lines[:4], lines[4].replace(b"Z", b"z")], "line 5 has a wrong time", []),
        (lambda lines: [*lines[:4], b"[" * 9999 + b"\n"], "line 5 is no JSON", []),
    ],
)
def test_an_altered_file_is_found_told_and_only_what_the_head_proves_is_read(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], told: str, kept: list[int]
) -> None:
    path = _fill(tmp_path)
    _rewrite(path, change)
    findings = check_register(tmp_path)
    matching = [finding for finding in findings if told in finding]
    assert len(matching) == 1, findings
    assert matching[0].startswith(f"{path}: ")
    assert "; restore the file and its head from git" in matching[0]
    assert sorted(_numbers(tmp_path)) == kept
    newest_time(tmp_path)
    with pytest.raises(RegisterError, match=r"restore the file and its head from git$"):
        _open(tmp_path, KEY).append(make_new(9))


def test_a_line_that_was_added_by_hand_is_not_signed_by_the_next_append(tmp_path: Path) -> None:
    path = _fill(tmp_path)
    last = path.read_bytes().splitlines()[-1]
    entry = replace(parse_line(last), index=5, previous=hash_line(last), sha256="e" * 64)
    path.write_bytes(path.read_bytes() + write_line(entry) + b"\n")
    told = "line 6 and all after it are not covered by the head; restore the file and its head from git"
    assert [f for f in check_register(tmp_path) if told in f]
    assert _numbers(tmp_path) == [0, 1, 2, 3, 4]
    with pytest.raises(RegisterError, match="line 6 and all after it are not covered"):
        _open(tmp_path, KEY).append(make_new(9))


def _sign_by_another(head: Path) -> None:
    fields = json.loads(head.read_text())
    head.write_bytes(spell_head(sign_head(OTHER_KEY, fields["entries"], fields["last"])))


def _change_head(head: Path, **fields: object) -> None:
    head.write_text(json.dumps(json.loads(head.read_text()) | fields))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_sign_by_another, f"is signed by the key of writer {name_writer(OTHER_KEY.public_key().public_bytes_raw())}"),
        (lambda head: _change_head(head, entries=4), "has a bad signature"),
        (lambda head: _change_head(head, signature="00" * 64), "has a bad signature"),
        (lambda head: _change_head(head, entries=None), "has wrong fields"),
        (lambda head: _change_head(head, more=1), "has wrong fields"),
        (lambda head: _change_head(head, format="understudy register 2"), "has another format than"),
        (lambda head: head.write_text("{"), "is no JSON"),
        (Path.unlink, "is missing, nothing proves the 5 entries"),
    ],
)
def test_a_head_that_proves_nothing_is_told_and_its_entries_are_not_read(
    tmp_path: Path, change: Callable[[Path], None], told: str
) -> None:
    path = _fill(tmp_path)
    head = path.with_suffix(".head")
    change(head)
    findings = check_register(tmp_path)
    assert len(findings) == 1
    assert findings[0].startswith(f"{head}: ")
    assert told in findings[0]
    assert read_register(tmp_path) == []
    assert newest_time(tmp_path) is None
    with pytest.raises(RegisterError, match=told[:20]):
        _open(tmp_path, KEY).append(make_new(9))


def test_a_head_rolled_back_alone_is_told_and_costs_no_acknowledged_entry(tmp_path: Path) -> None:
    path = _fill(tmp_path)
    old = path.with_suffix(".head").read_bytes()
    _open(tmp_path, KEY).append(make_new(5))
    path.with_suffix(".head").write_bytes(old)
    whole = path.read_bytes()
    with pytest.raises(RegisterError, match="line 6 and all after it are not covered"):
        _open(tmp_path, KEY).append(make_new(6))
    assert path.read_bytes() == whole


def test_a_whole_line_that_chains_is_not_cut_whatever_head_waits(tmp_path: Path) -> None:
    path = _fill(tmp_path)
    head = path.with_suffix(".head")
    old = head.read_bytes()
    _open(tmp_path, KEY).append(make_new(5))
    head.write_bytes(old)
    stale = sign_head(KEY, 6, "e" * 64)
    Whole(head).partial.write_bytes(spell_head(stale))
    whole = path.read_bytes()
    with pytest.raises(RegisterError, match=r"line 6 and all after it are not covered by the head; restore the file"):
        _open(tmp_path, KEY).append(make_new(6))
    assert path.read_bytes() == whole
    path.write_bytes(whole.replace(path.read_bytes().splitlines()[5][:40], b"\0" * 40))
    assert _open(tmp_path, OTHER_KEY).append(make_new(7)).index == 0, "another writer's rest is none of ours"
    assert [f for f in check_register(tmp_path) if f.endswith(f"line 6 is no JSON; {MEND}")]


def test_nothing_is_appended_twice_by_whichever_writer(tmp_path: Path) -> None:
    path = _fill(tmp_path)
    known = read_register(tmp_path)
    before = path.read_bytes()
    assert [_open(tmp_path, key).append(make_new(2, title="again")) for key in (KEY, OTHER_KEY)] == [known[2]] * 2
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.glob("*.jsonl")] == [path.name]
    assert _open(tmp_path, OTHER_KEY).append(make_new(2, kind="original")).kind == "original"


def test_an_original_is_registered_for_each_of_those_whom_it_shows(tmp_path: Path) -> None:
    entries = [
        _open(tmp_path, KEY).append(make_new(1, kind="original", identities=(name,))) for name in ("ada", "ben", "ada")
    ]
    assert entries[0] == entries[2]
    assert [entry.identities for entry in read_register(tmp_path)] == [("ada",), ("ben",)]
    assert check_register(tmp_path) == []


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], cwd=folder, check=True)


def _commit(folder: Path, message: str) -> None:
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "-m", message)


def test_a_register_that_was_set_back_is_told_and_takes_nothing_until_the_newer_one_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "register"
    path = _fill(folder)
    older = {file: file.read_bytes() for file in folder.iterdir()}
    _open(folder, KEY).append(make_new(5))
    newer = {file: file.read_bytes() for file in folder.iterdir()}
    told = "has not the 6 entries that this clone's key has signed"
    for file, data in older.items():
        file.write_bytes(data)
    (fault,) = check_register(folder)
    assert fault.startswith(f"{path}: {told}")
    for act in (lambda: _open(folder, KEY).append(make_new(6)), _open(folder, KEY).require_sound):
        with pytest.raises(RegisterError, match=told):
            act()
    assert {file: file.read_bytes() for file in folder.iterdir()} == older
    shutil.rmtree(folder)
    assert [told in fault for fault in check_register(folder)] == [True]
    with pytest.raises(RegisterError, match=told):
        _open(folder, KEY).append(make_new(6))
    for file, data in newer.items():
        file.write_bytes(data)
    assert _open(folder, KEY).append(make_new(6)).index == 6
    assert check_register(folder) == []


def test_an_entry_that_was_not_acknowledged_but_found_again_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(tmp_path)
    older = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with monkeypatch.context() as patch, pytest.raises(_KilledError):
        patch.setattr(register_module, "raise_reach", _die_at_sixth)
        _open(tmp_path, KEY).append(make_new(5))
    assert _open(tmp_path, KEY).append(make_new(5)).index == 5
    for file, data in older.items():
        file.write_bytes(data)
    assert "has not the 6 entries" in check_register(tmp_path)[0]


def _die_at_sixth(_path: Path, reach: Reach) -> None:
    if reach.entries == 6:
        raise _KilledError


def test_one_writer_on_two_branches_forks_no_chain_and_loses_no_entry(tmp_path: Path) -> None:
    folder = tmp_path / "register"
    _fill(folder, n=2)
    _git(tmp_path, "init", "--quiet", "--initial-branch=main")
    _commit(tmp_path, "two")
    _git(tmp_path, "switch", "--quiet", "--create", "a")
    _open(folder, KEY).append(make_new(2))
    _commit(tmp_path, "a third, on a branch")
    _git(tmp_path, "switch", "--quiet", "main")
    with pytest.raises(RegisterError, match="has not the 3 entries"):
        _open(folder, KEY).append(make_new(3))
    _git(tmp_path, "checkout", "--quiet", "a", "--", "register")  # as docs/trust.md says
    assert _open(folder, KEY).append(make_new(3)).index == 3
    _commit(tmp_path, "a fourth")
    merged = subprocess.run(["git", "merge", "--quiet", "a"], cwd=tmp_path, check=False, capture_output=True)
    _git(tmp_path, "checkout", "--quiet", "a", "--", "register")  # the wrong side, where there was a conflict
    assert "has not the 4 entries" in check_register(folder)[0], merged
    _git(tmp_path, "checkout", "--quiet", "main", "--", "register")
    assert check_register(folder) == []
    assert _numbers(folder) == [0, 1, 2, 3]


def test_a_second_clone_with_the_same_key_forks_no_chain_and_a_second_show_has_its_own(tmp_path: Path) -> None:
    _fill(tmp_path / "one", n=2)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    _open(tmp_path / "one", KEY).append(make_new(2))
    with pytest.raises(RegisterError, match=r"two/[0-9a-f]{16}\.jsonl: has not the 3 entries"):
        _open(tmp_path / "two", KEY).append(make_new(3))
    assert _open(tmp_path / "show", KEY).append(make_new(9)).index == 0
    for name in ("one", "show"):
        assert check_register(tmp_path / name) == []


def test_kept_entries_under_a_fresh_key_are_an_unknown_writer_s(tmp_path: Path) -> None:
    path = _fill(tmp_path, n=3)
    entries = read_register(tmp_path)
    for file in tmp_path.iterdir():
        file.unlink()
    reach_path().unlink()  # as in another clone
    fresh = Ed25519PrivateKey.generate()
    for entry in entries[:2]:
        _open(tmp_path, fresh).append(NewEntry(**{name: vars(entry)[name] for name in NewEntry.__dataclass_fields__}))
    (writer,) = {file.stem for file in tmp_path.glob("*.jsonl")}
    assert writer != path.stem
    (fault,) = check_register(tmp_path)
    assert fault.startswith(f"{tmp_path / writer}.jsonl: its writer is unknown, no key in trust/roots is that of its")
    (ROOTS / f"{writer}.pub").write_text(fresh.public_key().public_bytes_raw().hex())
    assert check_register(tmp_path) == []


@pytest.mark.parametrize("damage", ["[1]", "{", '[{"folder": 1}]'])
def test_an_altered_memory_of_what_was_signed_is_told(tmp_path: Path, damage: str) -> None:
    _fill(tmp_path)
    reach_path().write_text(damage)
    with pytest.raises(RegisterError, match=r"register\.reach: was altered; restore it"):
        _open(tmp_path, KEY).append(make_new(9))


def test_the_files_of_two_writers_merge_and_a_copied_entry_is_told(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    _fill(mine, KEY, 3)
    path = _fill(theirs, OTHER_KEY, 3, first=2)
    for file in theirs.iterdir():
        shutil.copy(file, mine)
    assert sorted(_numbers(mine)) == [0, 1, 2, 2, 3, 4]
    assert [finding for finding in check_register(mine) if "copy" not in finding] == []
    copied = replace(read_register(theirs)[0], title="a title of its own")
    copy = mine / "copy.jsonl"
    copy.write_bytes(write_line(copied) + b"\n")
    (mine / path.name).write_bytes(write_line(copied) + b"\n")
    assert [f for f in check_register(mine) if f.startswith(f"{copy}: entry 0 is a copy of one in {path.name}")]


def test_without_a_key_nothing_is_appended_and_with_wrong_fields_neither(tmp_path: Path) -> None:
    with pytest.raises(RegisterError, match="there is no key to sign with"):
        _open(tmp_path, None).append(make_new(1))
    for fields in ({"sha256": "A" * 64}, {"mark_id": "1"}, {"hashes": b"1234"}, {"title": ""}, {"title": "\ud800"}):
        with pytest.raises(RegisterError, match=f"cannot be registered: it has a wrong {next(iter(fields))}"):
            _open(tmp_path, KEY).append(make_new(1, **fields))
    assert list(tmp_path.iterdir()) == []


def test_a_register_that_is_not_there_is_empty_and_sound(tmp_path: Path) -> None:
    folder = tmp_path / "none"
    assert (read_register(folder), check_register(folder), newest_time(folder)) == ([], [], None)
    assert Index(folder, tmp_path / "index").by_sha256("a" * 64) == []
    assert Index(folder, tmp_path / "index").nearest([2**64 - 2**30]) == []


def test_a_clock_that_was_set_back_does_not_set_the_register_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    later = now + timedelta(days=400)

    class _Fast(datetime):
        @classmethod
        def now(cls, _zone: object = None) -> datetime:  # type: ignore[override]
            return later

    with monkeypatch.context() as patch:
        patch.setattr(register_module, "datetime", _Fast)
        _open(tmp_path, OTHER_KEY).append(make_new(1))
    entry = _open(tmp_path, KEY).append(make_new(2))
    assert entry.time == later.strftime(TIME)
    assert newest_time(tmp_path) == later.replace(microsecond=0)
    assert check_register(tmp_path) == []


def test_a_line_that_nobody_signed_moves_no_clock_but_one_that_waits_for_its_head_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _fill(tmp_path)
    newest = newest_time(tmp_path)
    last = path.read_bytes().splitlines()[-1]
    late = replace(parse_line(last), index=5, previous=hash_line(last), sha256="e" * 64, time="9999-12-31T00:00:00Z")
    path.write_bytes(path.read_bytes() + write_line(late) + b"\n")
    path.with_name("stranger.jsonl").write_bytes(write_line(replace(late, index=0)) + b"\n")
    assert newest_time(tmp_path) == newest
    assert tell_ahead(tmp_path) == ""
    Whole(path.with_suffix(".head")).partial.write_bytes(spell_head(sign_head(KEY, 6, hash_line(write_line(late)))))
    assert newest_time(tmp_path) == datetime(9999, 12, 31, tzinfo=UTC) == read_clock(tmp_path)
    assert f"{path} has an entry of 9999-12-31 00:00 UTC" in tell_ahead(tmp_path)
    monkeypatch.setenv("UNDERSTUDY_REGISTER", str(tmp_path))
    assert tell_ahead() == tell_ahead(tmp_path)


class _KilledError(BaseException):
    """What stands for a kill: nothing after it runs."""


@pytest.mark.parametrize("n_synced", range(10))
@pytest.mark.parametrize("n_before", [0, 3])
def test_an_append_that_dies_at_any_step_leaves_what_the_next_one_goes_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_synced: int, n_before: int
) -> None:
    _fill(tmp_path, n=n_before)
    left = iter([None] * n_synced)

    def sync(_descriptor: int) -> None:
        if next(left, "dies") == "dies":
            raise _KilledError

    is_acknowledged = False
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", sync)
        try:
            _open(tmp_path, KEY).append(make_new(10))
            is_acknowledged = True
        except _KilledError:
            pass
    assert is_acknowledged == (n_synced >= 7), "the steps: head, folder, line, head again, folder, reach, its folder"
    assert _numbers(tmp_path) in ([*range(n_before)], [*range(n_before), 10])
    for number in (11, 10):
        _open(tmp_path, KEY).append(make_new(number))
    assert sorted(_numbers(tmp_path)) == [*range(n_before), 10, 11]
    assert check_register(tmp_path) == []


@pytest.mark.parametrize("is_head_waiting", [True, False])
@pytest.mark.parametrize("n_bytes", [1, 100, -1])
def test_a_torn_line_is_told_and_cut_off_by_the_next_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_head_waiting: bool, n_bytes: int
) -> None:
    path = _fill(tmp_path)
    signed = path.with_suffix(".head").read_bytes()
    whole = path.read_bytes()
    with monkeypatch.context() as patch, pytest.raises(_KilledError):
        patch.setattr(Whole, "close", _die)
        _open(tmp_path, KEY).append(make_new(10))
    line = path.read_bytes()[len(whole) :]
    path.write_bytes(whole + line[:n_bytes])
    if not is_head_waiting:
        next(tmp_path.glob(".*.partial")).unlink()
    assert [f for f in check_register(tmp_path) if "line 6 is cut short; its writer's next append mends" in f]
    assert (_numbers(tmp_path), path.with_suffix(".head").read_bytes()) == ([0, 1, 2, 3, 4], signed)
    assert _open(tmp_path, KEY).append(make_new(11)).index == 5
    assert _numbers(tmp_path) == [0, 1, 2, 3, 4, 11]
    assert path.read_bytes().startswith(whole)
    assert check_register(tmp_path) == []


def _die(*_: object, **__: object) -> None:
    raise _KilledError


def _start(folder: Path, first: int, end: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", APPENDER, str(folder), str(reach_path().absolute()), str(first), str(end)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_nothing_acknowledged_is_lost_when_the_appending_process_is_killed(tmp_path: Path) -> None:
    moments = random.Random(20_261_120)  # noqa: S311 (draws moments, no secrets)
    acknowledged: list[list[int]] = []
    for _ in range(8):
        with _start(tmp_path, len(acknowledged), 10**6) as child:
            assert child.stdout is not None
            said = child.stdout.readline()
            time.sleep(moments.uniform(0, 0.2))
            child.kill()
            said += child.stdout.read()
        acknowledged += [[int(word) for word in line.split()] for line in said.splitlines() if line.count(" ") == 1]
        held = {(int(entry.sha256, 16), entry.index) for entry in read_register(tmp_path)}
        assert held >= {(number, index) for number, index in acknowledged}
        assert all(fault.endswith(MEND) for fault in check_register(tmp_path)), "nothing stops the next append"
        (reach,) = read_reaches(reach_path())
        assert reach.entries > max(index for _, index in acknowledged), "what is acknowledged is known to be"
    assert len(acknowledged) > 8, "more than the first of each"
    last = _open(tmp_path, KEY).append(make_new(10**9))
    assert check_register(tmp_path) == []
    assert sorted(_numbers(tmp_path)) == [*range(last.index), 10**9], "each once, in a row"


def test_two_processes_append_at_once_and_each_entry_stands_once(tmp_path: Path) -> None:
    with _start(tmp_path, 0, 40) as one, _start(tmp_path, 20, 60) as other:
        said = [child.communicate(timeout=60)[0].splitlines() for child in (one, other)]
    assert [len(lines) for lines in said] == [40, 40]
    assert check_register(tmp_path) == []
    places = {int(entry.sha256, 16): entry.index for entry in read_register(tmp_path)}
    assert sorted(places.values()) == list(range(60))
    acknowledged = [line.split() for lines in said for line in lines]
    assert all(places[int(number)] == int(index) for number, index in acknowledged)


def test_the_index_follows_the_files_and_says_what_a_fresh_one_says(tmp_path: Path) -> None:
    folder, database = tmp_path / "register", tmp_path / "deep" / "index.sqlite"
    path = _fill(folder)
    index = Index(folder, database)
    assert [entry.title for entry in index.by_sha256(f"{3:064x}")] == ["vidéo 3"]
    assert index.by_sha256(f"{8:064x}") == index.by_mark("0123456789abcdef") == []
    added = _open(folder, OTHER_KEY).append(make_new(8, mark_id="0123456789abcdef"))
    assert index.by_sha256(f"{8:064x}") == index.by_mark("0123456789abcdef") == [added]
    stat = path.stat()
    _rewrite(path, lambda lines: _edit(lines, 2))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert index.by_sha256(f"{1:064x}") == [], "what the head no longer proves"
    fresh = Index(folder, tmp_path / "fresh.sqlite")
    for number in range(9):
        assert index.by_sha256(f"{number:064x}") == fresh.by_sha256(f"{number:064x}")
    assert _dump(database) == _dump(tmp_path / "fresh.sqlite")


def _dump(database: Path) -> list[str]:
    connection = sqlite3.connect(database)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    _fill(tmp_path / "register")
    database = tmp_path / "index.sqlite"
    for damage in (b"no database at all, whatever its name says", b""):
        Index(tmp_path / "register", database).by_sha256(f"{3:064x}")
        database.write_bytes(damage)
        assert [e.index for e in Index(tmp_path / "register", database).by_sha256(f"{3:064x}")] == [3]


def test_what_the_index_alone_tells_is_not_registered(tmp_path: Path) -> None:
    folder, database = tmp_path / "register", tmp_path / "index.sqlite"
    path = _fill(folder)
    index = Index(folder, database)
    entry = index.by_sha256(f"{3:064x}")[0]
    elsewhere = _fill(tmp_path / "elsewhere", OTHER_KEY, 1, first=7)
    _rewrite(path, lambda lines: [*lines, write_line(replace(entry, index=5, sha256="e" * 64)) + b"\n"])
    assert index.by_sha256("e" * 64) == []
    forged = [(path.stem, 3, "f" * 64), (path.stem, 5, "e" * 64), (path.stem, 99, "d" * 64)]
    forged += [(f"../elsewhere/{elsewhere.stem}", 0, f"{7:064x}"), ("none", 0, "f" * 64)]
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.executemany("INSERT INTO entries VALUES (?, ?, ?, 'cafe', x'3132333435363738')", forged)
    for sha256 in {sha256 for *_, sha256 in forged}:
        assert index.by_sha256(sha256) == []
    assert index.by_mark("cafe") == []
    near = Index(folder, database).nearest([int.from_bytes(b"12345678")])
    assert {match.entry.sha256 for match in near} == {f"{number:064x}" for number in range(5)}


@pytest.mark.parametrize("obstacle", ["a folder", "a file in the way", "other tables"])
def test_without_a_database_in_a_file_the_answers_are_the_same(tmp_path: Path, obstacle: str) -> None:
    folder, database = tmp_path / "register", tmp_path / "deep" / "index.sqlite"
    _fill(folder)
    index = Index(folder, database)
    assert len(index.by_sha256(f"{3:064x}")) == 1
    if obstacle == "other tables":
        with closing(sqlite3.connect(database)) as opened, opened:
            opened.execute("DROP TABLE entries")
    else:
        shutil.rmtree(database.parent)
        database.mkdir(parents=True) if obstacle == "a folder" else database.parent.write_text("in the way")
    assert [entry.index for entry in index.by_sha256(f"{3:064x}")] == [3]
    assert len(index.nearest([int.from_bytes(b"12345678")])) == 5


def _lumas(clip: Path, n: int) -> list[Array]:
    return [frame.planes[0] for frame, _ in zip(read_frames(clip), range(n), strict=False)]


def _look(lumas: list[Array], step: int = 1) -> list[int]:
    return [hash_look(luma) for luma in lumas[::step]]


def _encode_again(path: Path, lumas: list[Array], scale: float, crf: int) -> list[Array]:
    """The pictures after another encoder, at another size."""
    height, width = (int(side * scale) // 2 * 2 for side in lumas[0].shape)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": str(crf)})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for luma in lumas:
            small = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(small, "gray").reformat(format="yuv420p")))
        out.mux(stream.encode(None))
    return _lumas(path, len(lumas))


@pytest.fixture(scope="module")
def ada() -> list[Array]:
    return _lumas(ROOT / "clips/ada/take1.mp4", 240)


@pytest.fixture(scope="module")
def ben() -> list[Array]:
    return _lumas(ROOT / "clips/ben/take1.mp4", 120)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, ada: list[Array], ben: list[Array]) -> Index:
    """An index with Ben's clip, what may be a swap of Ada's, and Ada's."""
    folder = tmp_path_factory.mktemp("seen")
    swapped = [_swap(luma) for luma in ada[::5]]
    for number, hashes in enumerate((_look(ben, 5), _look(swapped), _look(ada, 5))):
        _open(folder / "register", KEY, folder / "reach").append(make_new(number, hashes=pack_hashes(hashes)))
    return Index(folder / "register", folder / "index.sqlite")


def _swap(luma: Array) -> Array:
    """Another face in the middle, as far as this hash sees one: half the same, half mirrored."""
    swapped = luma.copy()
    face = luma[120:260, 260:380]
    swapped[120:260, 260:380] = face // 2 + face[:, ::-1] // 2
    return swapped


@pytest.mark.parametrize(
    ("first", "end", "scale", "crf"), [(0, 240, 1, 35), (0, 240, 0.5, 28), (37, 200, 0.5, 35), (100, 150, 0.25, 32)]
)
def test_a_video_encoded_again_made_small_and_cut_is_found_with_its_place(
    tmp_path: Path, seen: Index, ada: list[Array], first: int, end: int, scale: float, crf: int
) -> None:
    copy = _encode_again(tmp_path / "copy.mp4", ada[first:end], scale, crf)
    best, second = seen.nearest(_look(copy), step=1)
    assert (best.entry.index, second.entry.index) == (2, 1), "the clip itself before what was made of it"
    assert best.median_bits <= second.median_bits
    assert best.share > 0.9
    assert best.offset == round(first / 5)
    assert seen.nearest(_look(copy, 5))[0].entry.index == 2


def test_another_video_is_not_found(tmp_path: Path, seen: Index, ada: list[Array], ben: list[Array]) -> None:
    assert [match.entry.index for match in seen.nearest(_look(ben), step=1)] == [0]
    _open(tmp_path / "alone", KEY).append(make_new(1, hashes=pack_hashes(_look(ben, 5))))
    assert Index(tmp_path / "alone", tmp_path / "alone.sqlite").nearest(_look(ada), step=1) == []


def test_the_frames_in_another_order_are_found_without_a_place(seen: Index, ada: list[Array]) -> None:
    best = seen.nearest(_look(ada[::-1]), step=1)[0]
    assert (best.entry.index, best.offset) == (2, None)


def test_black_pictures_are_evidence_of_nothing(tmp_path: Path, ada: list[Array]) -> None:
    black = [hash_look(np.full((360, 640), 16, np.uint8))] * 50
    look = _look(ada[:100], 5)
    for number, hashes in enumerate((black, black + look)):
        _open(tmp_path / "register", KEY).append(make_new(number, hashes=pack_hashes(hashes)))
    index = Index(tmp_path / "register", tmp_path / "index.sqlite")
    assert index.nearest(black) == []
    best = index.nearest([*black[:10], *look])
    assert [(match.entry.index, match.share, match.offset) for match in best] == [(1, 1.0, 40)]


@needs_footage
def test_another_take_of_the_same_man_in_the_same_room_is_not_found(tmp_path: Path) -> None:
    take, other = (_lumas(REAL / name, 300) for name in ("person_a.mp4", "person_a_take2.mp4"))
    _open(tmp_path / "register", KEY).append(make_new(1, hashes=pack_hashes(_look(take, 5))))
    index = Index(tmp_path / "register", tmp_path / "index.sqlite")
    assert index.nearest(_look(other), step=1) == []
    (match,) = index.nearest(_look(take[13:]), step=1)
    assert match.offset in {2, 3}


def test_among_many_videos_over_several_blocks_the_right_one_is_found(tmp_path: Path, rng: np.random.Generator) -> None:
    looks = rng.integers(0, 2**64, (40, 700), np.uint64, endpoint=False)
    for number, look in enumerate(looks):
        _open(tmp_path / "register", KEY).append(make_new(number, hashes=pack_hashes(look.tolist())))
    index = Index(tmp_path / "register", tmp_path / "index.sqlite")
    for number in (0, 5, 11, 12, 39):
        asked = (looks[number, 200:500] ^ np.uint64(0b1011)).tolist()
        (best,) = index.nearest(asked)
        assert (best.entry.index, best.median_bits, best.share, best.offset) == (number, 3.0, 1.0, 200)


def test_of_two_with_the_same_median_the_one_with_the_nearer_mean_is_first(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    look = rng.integers(0, 2**64, 20, np.uint64, endpoint=False)
    partly = np.concatenate([look[:12], rng.integers(0, 2**64, 8, np.uint64, endpoint=False)])
    for number, hashes in enumerate((partly, look)):
        _open(tmp_path / "register", KEY).append(make_new(number, hashes=pack_hashes(hashes.tolist())))
    matches = Index(tmp_path / "register", tmp_path / "index.sqlite").nearest(look.tolist())
    assert [(match.entry.index, match.median_bits) for match in matches] == [(1, 0.0), (0, 0.0)]
    assert matches[0].mean_bits == 0 < matches[1].mean_bits


def test_a_line_has_the_fields_of_an_entry_and_no_other(tmp_path: Path) -> None:
    line = _fill(tmp_path, n=1).read_bytes()
    assert set(json.loads(line)) == set(Entry.__dataclass_fields__)
