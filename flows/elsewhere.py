"""A stage done by another machine: a deployment's worker builds it in a clone of its own and pushes it; here it is
restored from the remote.

The worker's clone must be at the same commit with the same params: what it has built with others is not taken.
"""

import socket
import time
from collections.abc import Callable

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling

from errors import FlowError
from flows.environment import ROOT
from flows.graph import push_results
from flows.stage_process import StageError

HERE = f"{socket.gethostname()}:{ROOT}"  # this checkout, among all that share a server
EVERY_S = 2.0  # between two looks at the run's state


def build_elsewhere(
    stage: str, deployment: str, timeout_s: float | None, tell: Callable[[str], None], is_ended: Callable[[], bool]
) -> None:
    """Have the deployment build a stage, with what it needs, and push it; returns when that is done. Raises StageError.

    When `is_ended` says so, the run there is cancelled.
    """
    push_results()
    timeouts = {} if timeout_s is None else {stage: timeout_s}
    parameters = {"only": [stage], "pull": True, "push": True, "timeouts": timeouts, "asked_by": HERE}
    try:
        run = run_deployment(f"build/{deployment}", parameters=parameters, flow_run_name=stage, timeout=0)
    except ObjectNotFound as error:
        told = f"the server knows no deployment build/{deployment}; see prefect deployment ls"
        raise StageError(told, is_final=True) from error
    assert isinstance(run, FlowRun)
    tell(f"built by the deployment {deployment}, in the run {run.id}")
    with get_client(sync_client=True) as client:
        state = _await_end(client, run, is_ended)
    if not state.is_completed():
        raise StageError(f"the deployment {deployment} did not build it ({state.name}: {state.message})", is_final=True)


def check_asked(asked_by: str) -> None:
    """Raise FlowError where this checkout is held by the very flow that asks: they would wait for each other."""
    if asked_by == HERE:
        raise FlowError(f"the flow that asks for this runs in {ROOT} too; give the deployment's worker its own clone")


def _await_end(client: SyncPrefectClient, run: FlowRun, is_ended: Callable[[], bool]) -> State:
    while True:
        state = client.read_flow_run(run.id).state
        if state is not None and state.is_final():
            return state
        if is_ended():
            client.set_flow_run_state(run.id, Cancelling(), force=True)
            raise StageError("the flow was ended", is_final=True)
        time.sleep(EVERY_S)
