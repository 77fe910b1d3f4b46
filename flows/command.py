"""Run one command to its end: what it printed, or the line that says why it failed."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from errors import FlowError
from flows.outcome import tell_error


def run_command(command: list[str], folder: Path | None = None, environment: Mapping[str, str] | None = None) -> bytes:
    """What the command printed. Raises FlowError with its name and the line that says why."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)  # noqa: S603 (our own)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).decode("utf-8", "replace")
        words = command[2:] if command[:2] == [sys.executable, "-m"] else command
        raise FlowError(f"{' '.join(words)} failed: {tell_error(said.splitlines())}")
    return done.stdout


def run_module(*words: str, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> bytes:
    """The same for `python -m` with these words and this Python."""
    return run_command([sys.executable, "-m", *words], folder, environment)
