"""Work cut into items, done here, by processes of this machine or by Dask workers; UNDERSTUDY_ENGINE says which.

    serial                     one item after another, here (also where the variable is not set)
    processes:N                N processes
    dask:tcp://HOST:PORT       the workers of that scheduler (flows/dask_engine.py says how they are started)

A stage that spreads its work is plan (items, cut by the data alone), work (one item, pure) and finish (results in
order of the items). So no result tells who did the work, and the engine is no part of what DVC compares. When a worker
dies, what was on its way is done again; an item that takes its workers with it ends the stage, and is named.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import TypeVar

from errors import ParamsError
from stages.processes import spread_over_processes

ENGINE = "UNDERSTUDY_ENGINE"
Item = TypeVar("Item")
Result = TypeVar("Result")


def spread(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results of `work`, a function of a module that is not run as a program, for each item, in order.

    `str(item)` is its name in messages. Raises what `work` raises, WorkerError, ParamsError.
    """
    engine = os.environ.get(ENGINE) or "serial"
    if engine == "serial":
        return map(work, items)
    if found := re.fullmatch(r"processes:([1-9]\d{0,3})", engine):
        return spread_over_processes(work, items, int(found[1]))
    if found := re.fullmatch(r"dask:(\w+://.+)", engine):
        # By its name: stages import nothing of Dask, and nothing of flows, unless somebody asks for it.
        results: Iterator[Result] = import_module("flows.dask_engine").spread_over_dask(work, items, found[1])
        return results
    raise ParamsError(f"{ENGINE} is {engine!r}; allowed: serial, processes:N, dask:tcp://HOST:PORT")
