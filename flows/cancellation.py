"""A run that is being cancelled, in the page or through the API, ends itself and says so, whoever started it.

Prefect itself ends only the runs of a worker, and then takes five to eight seconds to call one Cancelled.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec
from uuid import UUID

import httpx
from prefect import State
from prefect.client.orchestration import get_client
from prefect.exceptions import TerminationSignal
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled

EVERY_S = 1.0  # between two looks at the run's state
Given = ParamSpec("Given")


def cancellable(run: Callable[Given, State[Any]]) -> Callable[Given, State[Any]]:
    """The flow `run`, ended as Cancelled when that is asked for; any other signal to end passes."""

    @wraps(run)
    def run_until_cancelled(*args: Given.args, **kwargs: Given.kwargs) -> State[Any]:
        run_id = UUID(flow_run.id)
        try:
            with _ended_when_cancelled(run_id):
                return run(*args, **kwargs)
        except TerminationSignal:
            if not _is_cancelling(run_id):
                raise
            return Cancelled(message="ended on request; a new run goes on from what had been finished")

    return run_until_cancelled


@contextmanager
def _ended_when_cancelled(run_id: UUID) -> Iterator[None]:
    """Watch the run while the block lasts. A worker watches the runs of deployments, and sends the signal itself."""
    is_over = threading.Event()
    if not deployment.id:
        threading.Thread(target=_watch, args=(run_id, is_over), daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def _watch(run_id: UUID, is_over: threading.Event) -> None:
    while not is_over.wait(EVERY_S):
        if _is_cancelling(run_id) and not is_over.is_set():
            os.kill(os.getpid(), signal.SIGTERM)
            return


def _is_cancelling(run_id: UUID) -> bool:
    """Whether the server says so; one that does not answer says nothing."""
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(run_id).state
    except httpx.HTTPError:
        return False
    return state is not None and state.is_cancelling()
