"""One stage as one `dvc repro` process under a guard, its lines told as they come."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from disk import list_places, tell_full_disk, tells_full_disk
from errors import FlowError
from flows.carried_states import carry_states
from flows.environment import describe_checkout
from flows.graph import Footprint
from flows.guard import start_guarded
from flows.outcome import Outcome, is_of_interest, read_lines, tell_error, tell_outcome
from flows.space import find_lack

NO_PROGRAMS = {"PATH": os.devnull}  # a stage's command is not found: DVC may announce it, nothing runs


class StageError(FlowError):
    """A stage failed. `is_final`: it said itself why, in one line of its own; another try would say the same."""

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message)
        self.is_final = is_final


class StageTimeoutError(StageError):
    """A stage ran longer than allowed, and was ended."""


@dataclass(frozen=True)
class Way:
    """How a stage is run: `force` in any case, `pull` from the remote what it needs; `timeout_s`: None for no limit.

    `place`: the deployment whose worker builds it, so that here it is restored alone; empty: it runs here.
    """

    force: bool = False
    pull: bool = False
    timeout_s: float | None = None
    place: str = ""


class StageProcesses:
    """The processes of one flow, so that all can be ended at once. `footprint`: what stages will need of the disks."""

    def __init__(self, footprint: Footprint | None = None) -> None:
        self._footprint = footprint
        self._lock = threading.RLock()  # the interrupt may come while it is held
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_ended = False

    def run(self, stage: str, tell: Callable[[str], None], way: Way) -> Outcome:
        """Bring one stage up to date; each line of interest goes to `tell`. Raises StageError, StageTimeoutError."""
        carry_states(stage)
        is_pulled = way.pull or bool(way.place)
        options = ["--force"] * (way.force and not way.place) + ["--pull", "--allow-missing"] * is_pulled
        words = ["--wait-for-lock", "repro", "--single-item", *options, stage]
        check = partial(self._check_line, stage, way.place)
        return tell_outcome(self.run_dvc(words, tell, way.timeout_s, check, NO_PROGRAMS if way.place else None))

    @property
    def is_ended(self) -> bool:
        """Whether the flow has come to its end, and starts no more."""
        return self._is_ended

    def run_dvc(
        self,
        words: list[str],
        tell: Callable[[str], None],
        timeout_s: float | None = None,
        check: Callable[[str], None] = lambda _: None,
        changes: Mapping[str, str] | None = None,
    ) -> list[str]:
        """The lines of a `dvc` of these words, those of interest told as they come. Raises as `run` does.

        What `check` raises over a line ends the process; `changes` are made in its environment.
        """
        process = self._start([sys.executable, "-m", "dvc", *words], changes)
        is_over = threading.Event()
        lines = []
        try:
            if timeout_s is not None:
                threading.Thread(target=_end_at_timeout, args=(process, timeout_s, is_over), daemon=True).start()
            assert process.stdout is not None
            for line in read_lines(process.stdout):
                lines.append(line)
                check(line)
                is_being_ended = is_over.is_set() or self._is_ended  # how it takes that is of no interest
                if is_of_interest(line) and not is_being_ended:
                    tell(line)
            code = process.wait()
        finally:
            self._end(process)
        if code and is_over.is_set():
            limit = f"took longer than its {timeout_s:g} s and was ended; raise --timeout, or look at its log"
            raise StageTimeoutError(limit, is_final=True)
        if code:
            raise self._make_error(lines)
        return lines

    @contextmanager
    def all_ended(self) -> Iterator[None]:
        """However the block ends, no process of the flow is left; Ctrl-C ends them at once, whoever swallows it."""
        try:
            with _on_interrupt(self.end_all):
                yield
        finally:
            self.end_all()

    def end_all(self) -> None:
        """End every process of the flow, and start no more."""
        with self._lock:
            self._is_ended = True
            running = list(self._running)
        for process in running:
            _close(process)

    def _check_line(self, stage: str, place: str, line: str) -> None:
        """Raise StageError where DVC begins to run what `place` should have run, or what has too little space."""
        if not line.startswith("Running stage "):
            return
        if place:
            told = f"what the deployment {place} built is not this: bring its worker's clone to this commit and params"
            raise StageError(told, is_final=True)
        lack = find_lack(stage, self._footprint) if self._footprint else None
        if lack:
            raise StageError(str(lack), is_final=True)

    def _make_error(self, lines: list[str]) -> StageError:
        """Why a stage failed; of a full disk, which one, whoever met it: the stage's code, a library of it, or DVC."""
        message = tell_error(lines)
        if self._is_ended or any(line.startswith("error: ") for line in lines):
            return StageError(message, is_final=True)
        if any(tells_full_disk(line) for line in lines):
            caches = [self._footprint.cache] if self._footprint else []
            return StageError(tell_full_disk([*list_places(), *caches]), is_final=True)
        return StageError(message, is_final=False)

    def _start(self, command: list[str], changes: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_ended:
                raise StageError("the flow was ended", is_final=True)
            process = start_guarded(command, _environment() | dict(changes or {}))
            self._running.add(process)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        _close(process)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        with self._lock:
            self._running.discard(process)


@contextmanager
def _on_interrupt(act: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C call `act` before it is raised, in the main thread, which alone gets it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        act()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _environment() -> dict[str, str]:
    """The stages' `python` is this one; their lines come without delay."""
    return os.environ | describe_checkout() | {"PYTHONUNBUFFERED": "1"}


def _end_at_timeout(process: subprocess.Popen[bytes], timeout_s: float, is_over: threading.Event) -> None:
    """End a process that still runs after `timeout_s`; `is_over` is set before."""
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        is_over.set()
        _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
