"""A small process around a command: when its own stdin closes, nothing of the command is left.

The flow holds the other end of that pipe. However the flow ends (done, cancelled, killed), the pipe closes; the guard
then interrupts the command's whole process group, as Ctrl-C does, and kills what is left of it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import IO

GRACE_S = 1.0  # between the interrupt and the kill


def start_guarded(
    command: list[str], environment: Mapping[str, str], output: IO[bytes] | int = subprocess.PIPE
) -> subprocess.Popen[bytes]:
    """Start `command` under a guard, stdout and stderr to `output`; close the guard's stdin to end it."""
    return subprocess.Popen(  # noqa: S603 (the command is the flow's own)
        [sys.executable, "-m", "flows.guard", *command],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        start_new_session=True,
    )


def guard(command: list[str]) -> int:
    """Run `command` in a process group of its own; its exit code, or 128 + the signal that ended it."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603 (see above)
    threading.Thread(target=_end_with_stdin, args=(child.pid,), daemon=True).start()
    # Not reaped yet: as long as the zombie stands, no other group can have got this number.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    _signal(child.pid, signal.SIGKILL)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _end_with_stdin(group: int) -> None:
    while os.read(0, 1024):
        pass
    _signal(group, signal.SIGINT)
    time.sleep(GRACE_S)
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


if __name__ == "__main__":
    raise SystemExit(guard(sys.argv[1:]))
