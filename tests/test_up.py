"""What a team leaves running: one command starts it, another ends just that; it asks for a password."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.daemons import end_daemon, is_running, list_daemons, start_daemon
from tests.imports import MODULES
from tests.project import ROOT, Project

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
ENDS = ("Completed", "Failed", "Cancelled", "Crashed")
HERE = ("127.0.0.1", "localhost", "::1")
# What the Makefile, a shell or another test may have set, and the committed defaults must do without.
PRESET = ("DO_NOT_TRACK", "DVC_NO_ANALYTICS", "NO_ALBUMENTATIONS_UPDATE", "PREFECT_SERVER_ANALYTICS_ENABLED", "CI")
QUICK = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "3"}
# Python imports this by itself: every process of the project writes down whom it asks for, or connects to.
NOTE_HOSTS = """
import pathlib, sys

def note(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = args[0]
    elif event in ("socket.connect", "socket.sendto"):
        host = args[1][0] if isinstance(args[1], tuple) else "localhost"
    else:
        return
    with open(FILE, "a") as file:
        print(event, host, *sys.argv, file=file)

sys.addaudithook(note)
"""
Team = tuple[Project, httpx.Client]


def test_a_daemon_outlives_nothing_but_its_own_end(tmp_path: Path) -> None:
    start_daemon(tmp_path, "first", SLEEP, os.environ)
    start_daemon(tmp_path, "second", SLEEP, os.environ)
    assert list_daemons(tmp_path) == ["second", "first"]
    assert end_daemon(tmp_path, "first")
    assert not is_running(tmp_path, "first")
    assert is_running(tmp_path, "second")
    assert end_daemon(tmp_path, "second")
    assert list_daemons(tmp_path) == []


def test_a_process_that_got_a_dead_daemon_s_number_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEP) as stranger:
        (tmp_path / "server.pid").write_text(f"{stranger.pid} 12345\n")
        assert not is_running(tmp_path, "server")
        assert not end_daemon(tmp_path, "server")
        assert stranger.poll() is None
        stranger.kill()


class _Patient(httpx.HTTPTransport):
    """Asks again where the server is busy with its database (503), as Prefect's own client does."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        end = time.monotonic() + 30
        while (answer := super().handle_request(request)).status_code == 503 and time.monotonic() < end:
            answer.close()
            time.sleep(0.5)
        return answer


@pytest.fixture(scope="module")
def team(built_once: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A project of fakes that `flows.up` serves, and a client with the password."""
    project = built_once.copy(tmp_path_factory.mktemp("team") / "project")
    project.write("sitecustomize.py", NOTE_HOSTS.replace("FILE", repr(str(project.root / "hosts.txt"))))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = _run_bare(project, sys.executable, "-m", "flows.up", "--port", str(port), **QUICK)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        user, _, password = done.stdout.split("password: ")[1].split()[0].partition(":")
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(transport=_Patient(), base_url=url, auth=(user, password), timeout=30) as client:
            yield project, client
    finally:
        down = project.run(sys.executable, "-m", "flows.up", "--down")
    assert down.stdout == "ended: worker, server\n"
    _wait_for(lambda: not _find_processes(project))


@pytest.mark.heavy
def test_without_the_password_and_from_another_page_nothing_is_told(team: Team) -> None:
    _, client = team
    address = client.base_url
    foreign = {"Origin": "http://elsewhere.example"}
    assert httpx.post(f"{address}/api/flow_runs/filter", json={}).status_code == 401
    assert httpx.post(f"{address}/api/flow_runs/filter", json={}, headers=foreign).status_code == 401
    assert httpx.get(f"{address}/api/admin/settings", headers=foreign).status_code == 401
    for method in ("GET", "POST", "DELETE"):
        asked = foreign | {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization"}
        assert not httpx.options(f"{address}/api/flow_runs/filter", headers=asked).is_success
    answer = client.post("/api/flow_runs/filter", json={}, headers=foreign)
    assert "access-control-allow-origin" not in answer.headers, "a browser shows no other page what this one is told"
    assert client.get("/").text.lower().startswith("<!doctype html>")
    assert client.get("/ui-settings").json()["default_ui"] == "v1", "the newer page asks other hosts"


@pytest.mark.heavy
def test_a_schedule_fires_by_itself_and_a_second_run_waits_for_its_end(team: Team) -> None:
    project, client = team
    project.change(lambda values: values["convert"].update(batch_frames=7))
    before = project.read_runs()
    nightly = client.get("/api/deployments/name/build/nightly").json()
    assert [schedule["active"] for schedule in nightly["schedules"]] == [False]
    often = [{"active": True, "schedule": {"interval": 10, "anchor_date": datetime.now(UTC).isoformat()}}]
    made = client.post(f"/api/deployments/{nightly['id']}/schedules", json=often)
    assert made.is_success, made.text
    _wait_for(lambda: _find_runs(client, deployment=nightly["id"], state="RUNNING"))
    scheduled = _find_runs(client, deployment=nightly["id"], state="RUNNING")[0]
    client.delete(f"/api/deployments/{nightly['id']}/schedules/{made.json()[0]['id']}")
    second = _start(client)
    assert _wait_for_end(client, second) == "Completed"
    first = client.get(f"/api/flow_runs/{scheduled}").json()
    assert first["auto_scheduled"]
    assert first["state"]["name"] == "Completed"
    assert first["end_time"] <= client.get(f"/api/flow_runs/{second}").json()["start_time"], "one at a time"
    assert project.read_runs()[len(before) :] == ["convert@demo", "evaluate@demo"]


@pytest.mark.heavy
def test_prefect_s_retry_finishes_a_failed_run_and_repeats_nothing(team: Team) -> None:
    project, client = team
    project.write("clips/ada/take1.mp4", "other frames")
    project.behave({"align@ada": {"fail": 99, "error": "error: no face"}})
    before = project.read_runs()
    run = _start(client, only=["align"], downstream=True, force=True)
    assert _wait_for_end(client, run) == "Failed"
    assert sorted(project.read_runs()[len(before) :]) == ["align@ada", "align@ben", "detect@ada", "sample@ada"]
    project.behave({})
    before = project.read_runs()
    asked = f". .work/server/shell && prefect flow-run retry {run}"
    assert project.run("bash", "-c", asked).returncode == 0
    _wait_for(lambda: _read_state(client, run) not in ENDS)
    assert _wait_for_end(client, run) == "Completed"
    again = project.read_runs()[len(before) :]
    again.remove("compare@ben_as_ada")  # beside the others: before training, or after it has begun
    assert again == ["align@ada", "augment@ada", "train@ben_as_ada", "convert@demo", "evaluate@demo"]
    assert project.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."


@pytest.mark.heavy
@pytest.mark.parametrize("by", ["worker", "shell"])
def test_a_run_cancelled_through_the_api_is_cancelled_and_leaves_no_process(team: Team, by: str) -> None:
    project, client = team
    stage, run = _start_waiting(team, by)
    client.post(f"/api/flow_runs/{run}/set_state", json={"state": {"type": "CANCELLING"}})
    _wait_for(lambda: _read_state(client, run) == "Cancelled" and not _find_processes(project, stage))
    project.behave({})
    assert project.repro("--single-item", "sample@ada") == ["sample@ada"], "the next run goes on by itself"


@pytest.mark.heavy
def test_a_killed_run_is_told_crashed_and_the_next_up_starts_what_is_missing(team: Team) -> None:
    """Here after ten seconds; benchmarks/watch_silence.py sees the ninety, and that a run that lives is left alone."""
    project, client = team
    rule = client.post("/api/automations/filter", json={}).json()[0]
    assert rule["trigger"]["within"] == 90
    rule["trigger"]["within"] = 10
    changed = {name: rule[name] for name in ("name", "description", "enabled", "trigger", "actions")}
    assert client.put(f"/api/automations/{rule['id']}", json=changed).is_success
    stage, run = _start_waiting(team, "worker")
    worker = int((project.root / ".work/server/worker.pid").read_text().split()[0])
    for pid in (worker, *_find_processes(project, "prefect.engine")):
        os.kill(pid, signal.SIGKILL)
    _wait_for(lambda: not _find_processes(project, stage))
    client.post(f"/api/flow_runs/{run}/set_state", json={"state": {"type": "CANCELLING"}})  # nobody is left to hear it
    assert _wait_for_end(client, run) == "Crashed"
    client.delete(f"/api/automations/{rule['id']}")
    project.behave({})
    other = project.run(sys.executable, "-m", "flows.up", "--port", "1")
    assert other.stderr.startswith("error: the server runs already, on another port than http://127.0.0.1:1")
    nightly = client.get("/api/deployments/name/build/nightly").json()
    switched = f"/api/deployments/{nightly['id']}/schedules/{nightly['schedules'][0]['id']}"
    assert client.patch(switched, json={"active": True}).is_success
    again = project.run(sys.executable, "-m", "flows.up", "--port", str(client.base_url.port), **QUICK)
    assert again.returncode == 0, again.stderr
    nightly = client.get("/api/deployments/name/build/nightly").json()
    assert [schedule["active"] for schedule in nightly["schedules"]] == [True], "what was switched on stays on"
    assert _wait_for_end(client, _start(client)) == "Completed"
    names = [rule["name"] for rule in client.post("/api/automations/filter", json={}).json()]
    assert names == ["a silent run has crashed"]
    pools = client.post("/api/work_pools/filter", json={}).json()
    assert {pool["name"]: pool["concurrency_limit"] for pool in pools} == {"cpu": 1, "gpu": 1}


@pytest.mark.heavy
def test_no_process_looks_for_another_host(team: Team) -> None:
    """Neither those of the tests before (server, worker, runs), nor DVC's, a flow's of its own, the real stages'."""
    project, _ = team
    project.write("clips/ada/take1.mp4", "more frames")
    assert _run_bare(project, "dvc", "repro", "sample@ada").returncode == 0
    assert _run_bare(project, sys.executable, "-m", "flows.build").returncode == 0
    stages = ", ".join(name for name in MODULES if name.startswith("stages."))
    path = os.pathsep.join([str(project.root), str(ROOT)])
    real = ["-u", "-P", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {stages}; print(stages.__file__)"]
    done = _run_bare(project, sys.executable, *real, PYTHONPATH=path)
    assert done.stdout.strip() == str(ROOT / "stages/__init__.py"), done.stderr
    lines = (project.root / "hosts.txt").read_text().splitlines()
    assert not [line for line in lines if line.split()[1] not in HERE]
    for name in ("prefect/__main__.py server", "prefect/__main__.py worker", "flows/build.py"):
        assert any(name in line for line in lines), f"the hook saw nothing of {name}"


def _run_bare(project: Project, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that notes hosts, with nothing set that keeps programs from calling out."""
    unset = [part for name in PRESET for part in ("-u", name)]
    return project.run("env", *unset, *command, **{"PYTHONPATH": str(project.root)} | environment)


def _start(client: httpx.Client, **parameters: object) -> str:
    """A run of the deployment `build`, for the worker."""
    deployment = client.get("/api/deployments/name/build/build").json()["id"]
    asked = {"parameters": parameters}
    answer = client.post(f"/api/deployments/{deployment}/create_flow_run", json=asked)
    assert answer.is_success, answer.text
    run: str = answer.json()["id"]
    return run


def _start_waiting(team: Team, by: str) -> tuple[str, str]:
    """A run whose stage `sample@ada` waits for long: what names its processes, and the run."""
    project, client = team
    (project.root / "pid").unlink(missing_ok=True)
    project.write("clips/ada/take1.mp4", f"frames of {time.time()}")
    project.behave({"sample@ada": {"wait": "pid"}})
    if by == "worker":
        _start(client)
    else:
        flow = f"(. .work/server/shell; {sys.executable} -m flows.build) >/dev/null 2>&1 &"
        project.run("bash", "-c", flow)
    _wait_for((project.root / "pid").exists)
    return "sample", _find_runs(client, state="RUNNING")[0]


def _find_runs(client: httpx.Client, state: str, deployment: str = "") -> list[str]:
    asked: dict[str, Any] = {"flow_runs": {"state": {"type": {"any_": [state]}}}}
    if deployment:
        asked["flow_runs"]["deployment_id"] = {"any_": [deployment]}
    return [run["id"] for run in client.post("/api/flow_runs/filter", json=asked).json()]


def _read_state(client: httpx.Client, run: str) -> str:
    name: str = client.get(f"/api/flow_runs/{run}").json()["state"]["name"]
    return name


def _wait_for_end(client: httpx.Client, run: str) -> str:
    _wait_for(lambda: _read_state(client, run) in ENDS)
    return _read_state(client, run)


def _wait_for(is_so: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < end, "waited for two minutes"
        time.sleep(0.2)


def _find_processes(project: Project, word: str = "") -> list[int]:
    """The processes of a project, those whose command has a word in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environment, command = ((path / name).read_text(errors="replace") for name in ("environ", "cmdline"))
        except OSError:
            continue
        if str(project.root) in environment and word in command:
            found.append(int(path.name))
    return found
