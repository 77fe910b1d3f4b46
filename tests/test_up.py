"""What a team leaves running: one command starts it, another ends just that; it asks for a password."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flows.daemons import end_daemon, is_running, list_daemons, start_daemon
from tests.project import Project

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


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


@pytest.fixture(scope="module")
def team(built_once: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, httpx.Client]]:
    """A project of fakes that `flows.up` serves, and a client with the password."""
    project = built_once.copy(tmp_path_factory.mktemp("team") / "project")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = project.run(sys.executable, "-m", "flows.up", "--port", str(port))
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        user, _, password = done.stdout.split("password: ")[1].split()[0].partition(":")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=(user, password), timeout=30) as client:
            yield project, client
    finally:
        down = project.run(sys.executable, "-m", "flows.up", "--down")
    assert down.stdout == "ended: worker, server\n"
    assert not [line for line in _list_processes() if str(project.root) in line]


@pytest.mark.heavy
def test_without_the_password_and_from_another_page_nothing_is_told(team: tuple[Project, httpx.Client]) -> None:
    _, client = team
    address = client.base_url
    assert httpx.post(f"{address}/api/flow_runs/filter", json={}).status_code == 401
    asked = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "POST"}
    assert not httpx.options(f"{address}/api/flow_runs/filter", headers=asked).is_success
    answer = client.post("/api/flow_runs/filter", json={}, headers={"Origin": "http://elsewhere.example"})
    assert "access-control-allow-origin" not in answer.headers
    assert client.get("/").text.lower().startswith("<!doctype html>")


@pytest.mark.heavy
def test_a_deployment_s_run_is_done_by_the_worker_and_nothing_is_set_up_twice(
    team: tuple[Project, httpx.Client],
) -> None:
    project, client = team
    project.change(lambda values: values["convert"].update(batch_frames=7))
    before = project.read_runs()
    deployment = client.get("/api/deployments/name/build/build").json()["id"]
    run = client.post(f"/api/deployments/{deployment}/create_flow_run", json={}).json()["id"]
    end = time.monotonic() + 120
    while (state := client.get(f"/api/flow_runs/{run}").json()["state"]["name"]) not in ("Completed", "Failed"):
        assert time.monotonic() < end, f"the run is still {state}"
        time.sleep(0.5)
    assert state == "Completed"
    assert project.read_runs()[len(before) :] == ["convert@demo", "evaluate@demo"]
    nightly = client.get("/api/deployments/name/build/nightly").json()
    assert [schedule["active"] for schedule in nightly["schedules"]] == [False]
    again = project.run(sys.executable, "-m", "flows.up", "--port", str(client.base_url.port))
    assert again.returncode == 0, again.stderr
    names = [rule["name"] for rule in client.post("/api/automations/filter", json={}).json()]
    assert names == ["a silent run has crashed"]
    pools = client.post("/api/work_pools/filter", json={}).json()
    assert {pool["name"]: pool["concurrency_limit"] for pool in pools} == {"cpu": 1, "gpu": 1}


def _list_processes() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            found.append(path.read_bytes().decode("utf-8", "replace"))
        except OSError:
            continue
    return found
