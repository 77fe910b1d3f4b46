"""The engine `processes:N`: items over processes of this machine, and what happens when one of these dies."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

from errors import WorkerError

TRIES = 3  # of an item whose process dies
Item = TypeVar("Item")
Result = TypeVar("Result")


def spread_over_processes(work: Callable[[Item], Result], items: Iterable[Item], n_processes: int) -> Iterator[Result]:
    """The results in order of the items; at most twice as many items as processes are on their way."""
    coming = iter(items)
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    pool = _start_pool(n_processes)
    try:
        while True:
            for item in islice(coming, 2 * n_processes - len(waiting)):
                waiting.append((item, _submit(pool, work, item)))
            if not waiting:
                return
            try:
                result = waiting[0][1].result()
            except BrokenProcessPool:
                pool.shutdown()
                pool = _start_pool(n_processes)
                # A pool does not tell whose process died: whatever was on its way is done again, each by itself.
                yield from [_do_again(work, *waiting.popleft()) for _ in range(len(waiting))]
            else:
                waiting.popleft()
                yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, work: Callable[[Item], Result], item: Item) -> "Future[Result]":
    try:
        return pool.submit(work, item)
    except BrokenProcessPool as error:
        future: Future[Result] = Future()
        future.set_exception(error)
        return future


def _do_again(work: Callable[[Item], Result], item: Item, future: "Future[Result]") -> Result:
    """The result of an item whose pool broke. Raises WorkerError where it breaks pools of its own."""
    if not isinstance(future.exception(), BrokenProcessPool):
        return future.result()
    for _ in range(TRIES):
        with _start_pool(1) as pool:
            try:
                return pool.submit(work, item).result()
            except BrokenProcessPool:
                continue
    raise WorkerError(
        f"{item}: {TRIES} processes died over it (killed, or out of memory); free memory or take fewer processes, "
        "or look at this part with UNDERSTUDY_ENGINE=serial"
    )


def _start_pool(n_processes: int) -> ProcessPoolExecutor:
    # Fresh processes: a copy of this one would not have the threads that its libraries started.
    return ProcessPoolExecutor(n_processes, get_context("spawn"), _follow, (os.getpid(),))


def _follow(parent: int) -> None:
    """End this process when its parent has ended, however that was, and at once with Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
