"""Processes that outlive the command that started them, by name; a later command ends them, and nothing else."""

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from vision.whole import whole_file

GRACE_S = 10.0  # from the request to end to the kill


def start_daemon(folder: Path, name: str, command: list[str], environment: Mapping[str, str]) -> int:
    """Start `command`, a program's path first, in a session of its own, its output in `folder`/name.log; its number."""
    folder.mkdir(parents=True, exist_ok=True)
    pid = os.posix_spawn(
        command[0],
        command,
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(folder / f"{name}.log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    with whole_file(folder / f"{name}.pid") as path:
        path.write_text(f"{pid} {_started(pid) or '-'}\n")
    return pid


def is_running(folder: Path, name: str) -> bool:
    """Whether the daemon of this name runs."""
    return _find(folder / f"{name}.pid") is not None


def list_daemons(folder: Path) -> list[str]:
    """The names of all daemons that were started and not ended, the last one first."""
    files = sorted(folder.glob("*.pid"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [path.stem for path in files]


def end_daemon(folder: Path, name: str) -> bool:
    """End the daemon and all of its session's processes; whether it still ran."""
    file = folder / f"{name}.pid"
    pid = _find(file)
    if pid is not None:
        _signal(pid, signal.SIGTERM)
        end = time.monotonic() + GRACE_S
        while _find(file) is not None and time.monotonic() < end:
            time.sleep(0.05)
        _signal(pid, signal.SIGKILL)
    file.unlink(missing_ok=True)
    return pid is not None


def _find(file: Path) -> int | None:
    """The process number in a file, where it is still the same process: numbers are given out again."""
    if not file.exists():
        return None
    pid, started = file.read_text().split()
    return int(pid) if _started(int(pid)) == started else None


def _started(pid: int) -> str:
    """When a process was started, in clock ticks since the machine's start; empty where there is none, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
