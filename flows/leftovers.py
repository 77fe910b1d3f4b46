"""What a kill or a full disk left in the files that DVC writes in place: put in order before a build.

DVC truncates dvc.lock and then writes it; whoever ends it in between leaves it empty or cut short, and no command of
DVC's works. The last good copy, kept in .work/, is put back; what was made since is Restored from DVC's record of runs.
"""

import contextlib
import filecmp
import json
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from errors import FlowError
from flows.environment import ROOT, WORK
from flows.graph import hold_dvc, tell_lock_error
from vision.whole import whole_file

LOCK = Path("dvc.lock")
SHARED_S = 600.0  # in a cache that other projects use, a file that was not written to for so long is nobody's
_CONFLICT = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)


def mend_leftovers(tell: Callable[[str], None]) -> None:
    """Put in order what would stop the build; `tell` hears of every change. Raises FlowError for a merge's conflict."""
    with hold_dvc() as (objects, runs):
        mend_lock(LOCK, WORK / "dvc.lock", tell)
        mend_rwlock(Path(".dvc/tmp/rwlock"), tell)
        is_shared = not objects.is_relative_to(ROOT)
        for found in (objects.glob("??/*.tmp"), runs.glob("??/*/*.tmp"), runs.glob("??/*")):
            drop_unfinished(found, SHARED_S if is_shared else 0.0)


def keep_lock() -> None:
    """Keep a copy of dvc.lock where it is whole."""
    kept = WORK / "dvc.lock"
    if LOCK.exists() and not _is_kept(LOCK, kept) and not judge_lock(LOCK):
        _copy(LOCK, kept)


def judge_lock(lock: Path) -> str:
    """What is wrong with a dvc.lock; empty where nothing is."""
    text = lock.read_text(encoding="utf-8", errors="replace")
    if not text.strip():
        return f"{lock} is empty: a disk was full, or DVC was killed, as it was written"
    if _CONFLICT.search(text):
        return f"{lock} holds a merge's conflict marks"
    if not text.endswith("\n"):
        return f"{lock} is cut short: a disk was full, or DVC was killed, as it was written"
    return tell_lock_error()


def mend_lock(lock: Path, kept: Path, tell: Callable[[str], None]) -> None:
    """Put the copy `kept` in a broken lock's place, or without one take it away; keep the copy of a sound one."""
    if not lock.exists() or _is_kept(lock, kept):
        return
    wrong = judge_lock(lock)
    if not wrong:
        _copy(lock, kept)
        return
    if _CONFLICT.search(lock.read_text(encoding="utf-8", errors="replace")):
        raise FlowError(f"{wrong}; take one side (git checkout --ours {lock}, or --theirs) and build again")
    broken = kept.with_name("dvc.lock.broken")
    _copy(lock, broken)
    if kept.exists():
        _copy(kept, lock)
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(kept.stat().st_mtime))
        done = f"the copy of {when} is put back"
    else:
        lock.unlink()
        done = "it is taken away"
    tell(f"{wrong}; {done}, and later results are restored from DVC's record of runs (the broken file: {broken})")


def mend_rwlock(path: Path, tell: Callable[[str], None]) -> None:
    """Of DVC's list of paths in use, drop the entries of processes that are gone; their numbers are given out again."""
    if not path.exists():
        return
    try:
        used = json.loads(path.read_text(encoding="utf-8"))
        kept = {mode: dict(_list_living(paths)) for mode, paths in used.items()}
    except (ValueError, AttributeError, TypeError, KeyError):
        path.unlink()
        tell(f"{path} was cut short: it is taken away")
        return
    if kept != used:
        with whole_file(path) as partial:
            partial.write_text(json.dumps(kept), encoding="utf-8")


def drop_unfinished(files: Iterable[Path], unwritten_s: float) -> None:
    """Take away files that were not written to their end, and not for `unwritten_s`, and folders that are empty.

    Objects would only take space; of records DVC would read the newest, and it stumbles over a folder without any.
    """
    for path in files:
        with contextlib.suppress(OSError):  # it is not empty, has gone meanwhile, or is a colleague's
            if time.time() - path.stat().st_mtime >= unwritten_s:
                path.rmdir() if path.is_dir() else path.unlink()


def _list_living(paths: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for path, users in paths.items():
        if isinstance(users, dict):
            if _is_dvc(users["pid"]):
                yield path, users
        elif living := [user for user in users if _is_dvc(user["pid"])]:
            yield path, living


def _is_dvc(pid: int) -> bool:
    try:
        return b"dvc" in Path(f"/proc/{int(pid)}/cmdline").read_bytes()
    except OSError:
        return False


def _is_kept(lock: Path, kept: Path) -> bool:
    """Whether the lock is the copy that was judged before, and need not be read by DVC again."""
    return kept.exists() and filecmp.cmp(lock, kept, shallow=False)


def _copy(source: Path, target: Path) -> None:
    with whole_file(target) as partial:
        shutil.copyfile(source, partial)
