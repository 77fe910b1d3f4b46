"""The engine `dask:tcp://HOST:PORT`: items over the workers of a Dask scheduler. Only this module imports Dask.

    dask scheduler --host 127.0.0.1 --port 8786
    PYTHONPATH=. dask worker tcp://127.0.0.1:8786 --nthreads 1 --nworkers 2        # in each machine's own checkout

Who reaches a scheduler can run code on its workers: listen on an address of a closed network, or use Dask's TLS.
A worker must have the same code, libraries and clips; what differs is refused by name. It does one item at a time.
"""

import hashlib
import os
import socket
import sys
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

from distributed import CancelledError, Client, Future, KilledWorker, wait

from errors import FlowError, WorkerError
from flows.environment import ROOT

CONNECT_S = 10
FETCH_S = 60  # in which a result comes from a worker
NO_WORKER_S = 60  # after which a scheduler without any worker ends the stage
Item = TypeVar("Item")
Result = TypeVar("Result")


def _fingerprint() -> str:
    """One hash of this checkout's code and of the installed versions, as they are when this module is imported."""
    modules = (file for top in ("vision", "models", "trust", "stages") for file in sorted((ROOT / top).rglob("*.py")))
    files = [ROOT / "disk.py", ROOT / "errors.py", *modules]
    texts = [str(file.relative_to(ROOT)).encode() + file.read_bytes() for file in files]
    return hashlib.sha256(b"\0".join([*texts, *(name.encode() for name in list_installed())])).hexdigest()


def list_installed() -> list[str]:
    """What is installed, each with its version, by its folder's name: to read metadata takes a second."""
    return sorted({found.name for folder in sys.path for found in Path(folder).glob("*.*-info")})


CODE = _fingerprint()


def spread_over_dask(work: Callable[[Item], Result], items: Iterable[Item], address: str) -> Iterator[Result]:
    """The results in order of the items; at most twice as many items as workers are on their way. Raises FlowError."""
    try:
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise FlowError(f"no Dask scheduler answers at {address}; start it, or unset UNDERSTUDY_ENGINE") from error
    with client:
        try:
            yield from _spread(client, work, iter(items))
        except (CancelledError, OSError) as error:
            raise FlowError(f"the Dask scheduler at {address} has gone; start it, and build again") from error


class _Task(Generic[Item, Result]):
    """An item on its way. Its result comes here as soon as it is there: on a worker it would be lost with that."""

    def __init__(self, item: Item, future: "Future[Result]") -> None:
        self.item = item
        self.future = future
        self.is_over = False
        self._results: list[Result] = []

    def fetch(self) -> None:
        """Bring the result here, if it is there; what is here need not be worked out again."""
        if self.is_over or not self.future.done():
            return
        if self.future.status == "finished":
            try:
                self._results.append(self.future.result(timeout=FETCH_S))
            except TimeoutError:  # the worker has died with it meanwhile, and it is done again
                return
            except KilledWorker:  # and again: `result` raises it
                pass
            else:
                self.future.release()
        self.is_over = True

    def result(self) -> Result:
        """The result, once it is over. Raises what the work raised, KilledWorker."""
        return self._results[0] if self._results else self.future.result()


def _spread(client: Client, work: Callable[[Item], Result], coming: Iterator[Item]) -> Iterator[Result]:
    waiting: deque[_Task[Item, Result]] = deque()
    while True:
        for item in islice(coming, max(0, 2 * _count_workers(client) + 2 - len(waiting))):
            waiting.append(_Task(item, _submit(client, work, item)))
        if not waiting:
            return
        _await(client, waiting[0], waiting)
        first = waiting.popleft()
        try:
            yield first.result()
        except KilledWorker:
            for later in waiting:
                _await(client, later, waiting)
            yield _do_alone(client, work, first.item)


def _submit(client: Client, work: Callable[[Item], Result], item: Item) -> "Future[Result]":
    return client.submit(_do, work, item, CODE, key=f"{work.__name__}-{uuid.uuid4().hex}", pure=False)


def _do(work: Callable[[Item], Result], item: Item, code: str) -> Result:
    """On a worker: the work, in its own checkout. Raises FlowError where that is not the stage's."""
    if code != CODE:
        raise FlowError(
            f"the worker on {socket.gethostname()} has other code or libraries than this checkout; bring it up to date "
            "and start it again"
        )
    os.chdir(ROOT)
    return work(item)


def _await(client: Client, task: _Task[Any, Any], others: Iterable[_Task[Any, Any]] = ()) -> None:
    """Wait for a task's end, however it is, and fetch what the others finish until then.

    Raises FlowError where all workers have gone for good.
    """
    idle_s = 0
    while not task.is_over:
        pending = [one for one in (task, *others) if not one.is_over]
        try:
            wait([one.future for one in pending], timeout=1, return_when="FIRST_COMPLETED")
        except TimeoutError:
            idle_s = 0 if _count_workers(client) else idle_s + 1
            if idle_s >= NO_WORKER_S:
                raise FlowError(f"no Dask worker is left ({client}); start one") from None
        for one in pending:
            one.fetch()


def _do_alone(client: Client, work: Callable[[Item], Result], item: Item) -> Result:
    """An item over which workers died once more, with no other beside it: it may have been another's fault."""
    task: _Task[Item, Result] = _Task(item, _submit(client, work, item))
    _await(client, task)
    try:
        return task.result()
    except KilledWorker as error:
        raise WorkerError(
            f"{item}: the Dask workers die over it (killed, or out of memory); look at this part with "
            "UNDERSTUDY_ENGINE=serial"
        ) from error


def _count_workers(client: Client) -> int:
    """How many workers there are. Raises FlowError for one that would do several items at a time."""
    workers: dict[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    for name, worker in workers.items():
        if worker["nthreads"] != 1:
            raise FlowError(f"the Dask worker {name} has {worker['nthreads']} threads; start it with --nthreads 1")
    return len(workers)
