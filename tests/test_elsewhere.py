"""A stage built by another machine's worker, in a clone of its own: restored here, with the same dvc.lock."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed, Failed, Running, Scheduled

from errors import FlowError
from flows import elsewhere
from flows.elsewhere import HERE, build_elsewhere, check_asked
from flows.stage_process import StageError, Way
from flows.worker import serve_pool
from tests.project import Project
from tests.show import Show

EXPORT = re.compile(r"^export (PREFECT_API_\w+)=(\S+)$", re.MULTILINE)


def test_a_checkout_that_would_wait_for_itself_is_told() -> None:
    check_asked("")
    check_asked("another:/place")
    with pytest.raises(FlowError, match="give the deployment's worker its own clone"):
        check_asked(HERE)


@pytest.fixture
def show(project: Project, tmp_path: Path) -> Iterator[Show]:
    """A show whose results are pushed, and which serves a page, deployments and the pools."""
    show = Show(project.root)
    show.start(str(tmp_path / "remote"))
    show.dvc("push", "--run-cache")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    try:
        done = show.run(sys.executable, "-m", "flows.up", "--port", port)
        assert done.returncode == 0, done.stdout + done.stderr
        yield show
    finally:
        show.run(sys.executable, "-m", "flows.up", "--down")


@pytest.mark.heavy
def test_a_worker_s_clone_builds_and_pushes_and_this_one_restores(show: Show, tmp_path: Path) -> None:
    server = dict(EXPORT.findall((show.root / ".work/server/shell").read_text()))
    clone = show.clone(tmp_path / "clone")
    show.change(lambda values: values["convert"].update(batch_frames=7))
    before = show.read_runs()
    worker = subprocess.Popen(
        [sys.executable, "-m", "flows.worker", "gpu"],
        cwd=clone.root,
        env=clone.environment(**server),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        refused = show.run(sys.executable, "-m", "flows.build", "--at", "convert=gpu", **server)
        assert refused.returncode == 1
        assert (
            "error: the build ended as Failed: convert@demo: what the deployment gpu built is not this"
            in refused.stderr
        )
        assert show.read_runs() == before, "what should have run elsewhere does not run here"
        clone.change(lambda values: values["convert"].update(batch_frames=7))
        said = show.build("--at", "convert=gpu", **server)
    finally:
        worker.terminate()
        worker.wait(timeout=60)
    assert re.search(r"convert@demo +Restored", said)
    assert re.search(r"evaluate@demo +Completed", said)
    assert show.read_runs()[len(before) :] == ["evaluate@demo"]
    assert clone.read_runs() == ["convert@demo"]
    clone.dvc("repro", "--pull", "--allow-missing", "evaluate@demo")
    assert (clone.root / "dvc.lock").read_bytes() == (show.root / "dvc.lock").read_bytes()


def test_a_worker_started_in_the_background_ends_when_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect's worker ends itself by SIGINT, which a shell's job in the background ignores from its start."""
    found = []
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    monkeypatch.setattr(os, "execve", lambda *_: found.append(signal.getsignal(signal.SIGINT)))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        serve_pool("gpu", "a")
    finally:
        signal.signal(signal.SIGINT, before)
    assert found == [signal.SIG_DFL]


def test_what_runs_elsewhere_cannot_start_here_however_late_it_is_ended(project: Project) -> None:
    project.change(lambda values: values["convert"].update(batch_frames=7))
    before = project.read_runs()
    code = (
        "from flows.stage_process import StageProcesses, Way\n"
        "StageProcesses._check_line = lambda *_: None\n"  # as on a machine too busy to end it in time
        "StageProcesses().run('convert@demo', print, Way(place='gpu'))"
    )
    done = project.run(sys.executable, "-c", code)
    assert re.search(r"python: .*not found", done.stderr)
    assert project.read_runs() == before


class Server:
    """A server that says of every run what a test gives it, one after another, and notes what it is asked."""

    def __init__(self, *said: State | Exception) -> None:
        self._said = list(said)
        self.cancelled: list[str] = []
        self.parameters: dict[str, object] = {}

    def run_deployment(self, name: str, parameters: dict[str, object], **_: object) -> FlowRun:
        if name != "build/gpu":
            raise ObjectNotFound(http_exc=ValueError(name))
        self.parameters = parameters
        return FlowRun(flow_id=uuid4())

    def read_flow_run(self, run_id: UUID) -> FlowRun:
        said = self._said.pop(0)
        if isinstance(said, Exception):
            raise said
        return FlowRun(id=run_id, flow_id=uuid4(), state=said)

    def set_flow_run_state(self, run_id: UUID, state: State, *, force: bool) -> None:
        assert force
        self.cancelled.append(f"{state.name} {run_id}")


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Have `train@x` built by a server of this kind; the lines that are told."""

    def build(server: Server, place: str = "gpu", is_ended: bool = False) -> list[str]:
        told: list[str] = []
        monkeypatch.setattr(elsewhere, "push_results", lambda: None)
        monkeypatch.setattr(elsewhere, "run_deployment", server.run_deployment)
        monkeypatch.setattr(elsewhere, "get_client", lambda **_: nullcontext(server))
        monkeypatch.setattr(elsewhere, "EVERY_S", 0)
        way = Way(force=True, timeout_s=60, place=place)
        build_elsewhere("train@x", way, told.append, lambda: is_ended)
        return told

    return build


def test_what_the_other_clone_is_asked_for_and_a_server_that_is_away_for_a_moment_costs_nothing(
    ask: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "PATIENCE_S", -1)
    server = Server(Scheduled(), httpx.ConnectError("gone"), Running(), Completed())
    told = ask(server)
    assert server.parameters == {
        "only": ["train@x"],
        "force": True,
        "pull": True,
        "push": True,
        "timeouts": {"train@x": 60},
        "asked_by": HERE,
    }
    assert sum("no worker has taken it yet" in line for line in told) == 1
    assert server.cancelled == []


def test_a_run_elsewhere_that_fails_or_cannot_be_asked_for_is_told(ask: Callable[..., list[str]]) -> None:
    with pytest.raises(StageError, match=r"the deployment gpu did not build it \(Failed: no space\)"):
        ask(Server(Failed(message="no space")))
    with pytest.raises(StageError, match="the server knows no deployment build/tpu"):
        ask(Server(), place="tpu")


def test_a_flow_that_ends_cancels_the_run_elsewhere(ask: Callable[..., list[str]]) -> None:
    server = Server()
    with pytest.raises(StageError, match="the flow was ended"):
        ask(server, is_ended=True)
    assert len(server.cancelled) == 1
    assert server.cancelled[0].startswith("Cancelling ")
