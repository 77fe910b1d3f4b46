"""A stage done by another machine: a deployment's worker builds it in a clone of its own and pushes it; here it is
restored from the remote.

The worker's clone must be at the same commit with the same params: what it has built with others is not taken.
"""

import socket
import time
from collections.abc import Callable

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling

from errors import FlowError
from flows.environment import ROOT
from flows.graph import push_results
from flows.stage_process import StageError, Way

HERE = f"{socket.gethostname()}:{ROOT}"  # this checkout, among all that share a server
EVERY_S = 2.0  # between two looks at the run's state
PATIENCE_S = 60.0  # before it is told that no worker has taken a run


def build_elsewhere(stage: str, way: Way, tell: Callable[[str], None], is_ended: Callable[[], bool]) -> None:
    """Have the deployment of `way.place` build a stage, with what it needs, and push it; returns when that is done.

    Raises StageError, FlowError. When `is_ended` says so, the run there is cancelled.
    """
    push_results()
    timeouts = {} if way.timeout_s is None else {stage: way.timeout_s}
    parameters = {"only": [stage], "force": way.force, "pull": True, "push": True, "timeouts": timeouts}
    parameters["asked_by"] = HERE
    try:
        run = run_deployment(f"build/{way.place}", parameters=parameters, flow_run_name=stage, timeout=0)
    except ObjectNotFound as error:
        told = f"the server knows no deployment build/{way.place}; see prefect deployment ls"
        raise StageError(told, is_final=True) from error
    assert isinstance(run, FlowRun)
    tell(f"built by the deployment {way.place}, in the run {run.id}")
    with get_client(sync_client=True) as client:
        state = _await_end(client, run, tell, is_ended)
    if not state.is_completed():
        raise StageError(f"the deployment {way.place} did not build it ({state.name}: {state.message})", is_final=True)


def check_asked(asked_by: str) -> None:
    """Raise FlowError where this checkout is held by the very flow that asks: they would wait for each other."""
    if asked_by == HERE:
        raise FlowError(f"the flow that asks for this runs in {ROOT} too; give the deployment's worker its own clone")


def _await_end(
    client: SyncPrefectClient, run: FlowRun, tell: Callable[[str], None], is_ended: Callable[[], bool]
) -> State:
    began, is_waiting = time.monotonic(), True
    while not is_ended():
        state = _read_state(client, run)
        if state is not None and state.is_final():
            return state
        is_waiting = is_waiting and (state is None or state.is_scheduled())
        if is_waiting and time.monotonic() - began > PATIENCE_S:
            is_waiting = False
            tell("no worker has taken it yet: is one of that pool running (python -m flows.worker), and free?")
        time.sleep(EVERY_S)
    client.set_flow_run_state(run.id, Cancelling(), force=True)
    raise StageError("the flow was ended", is_final=True)


def _read_state(client: SyncPrefectClient, run: FlowRun) -> State | None:
    """A server that does not answer says nothing; the run there goes on meanwhile."""
    try:
        return client.read_flow_run(run.id).state
    except httpx.HTTPError:
        return None
