"""See that a run whose process was killed is told Crashed, and one that lives is not, however long it takes.

    python -m benchmarks.watch_silence     # 5 minutes, nearly all of it waiting; prints what it saw

On a project of fakes (tests/project.py) that `flows.up` serves: the worker and its run are killed while a run from a
shell lives; then that is killed as well.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.project import Project

LIVES_S = 150  # longer than any run may be silent, shorter than four fakes that wait
WAIT_S = 240.0


def watch_silence(project: Project, client: httpx.Client, environment: dict[str, str]) -> None:
    """Start two runs, kill them one after the other, and say when each is told Crashed."""
    project.write("clips/ada/take1.mp4", "other frames")
    project.behave({f"{stage}@ada": {"wait": "pid"} for stage in ("sample", "detect", "align", "augment")})
    flow = [sys.executable, "-m", "flows.build"]
    with subprocess.Popen(flow, cwd=project.root, env=os.environ | environment) as shell:
        born = time.monotonic()
        _wait_for((project.root / "pid").exists)
        by_shell = _find_running(client)[0]
        deployment = client.get("/api/deployments/name/build/build").json()["id"]
        by_worker = client.post(f"/api/deployments/{deployment}/create_flow_run", json={}).json()["id"]
        _wait_for(lambda: by_worker in _find_running(client))
        for pid in (_read_worker(project), *_find_engines(project)):
            os.kill(pid, signal.SIGKILL)
        _tell(client, "the worker's run, killed with the worker", by_worker)
        time.sleep(max(0.0, born + LIVES_S - time.monotonic()))
        print(f"the shell's run, alive for {LIVES_S} s: {_read_state(client, by_shell)['name']}", flush=True)
        shell.kill()
    project.behave({})
    _tell(client, "the shell's run, killed", by_shell)


def _tell(client: httpx.Client, name: str, run: str) -> None:
    """Wait until a run that was just killed is not Running any more; print what it is told then."""
    killed = time.monotonic()
    _wait_for(lambda: _read_state(client, run)["name"] != "Running")
    state = _read_state(client, run)
    print(f"{name}: {state['name']} after {time.monotonic() - killed:.0f} s ({state['message']})", flush=True)


def _read_state(client: httpx.Client, run: str) -> dict[str, str]:
    state: dict[str, str] = client.get(f"/api/flow_runs/{run}").json()["state"]
    return state


def _find_running(client: httpx.Client) -> list[str]:
    asked = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}
    return [run["id"] for run in client.post("/api/flow_runs/filter", json=asked).json()]


def _read_worker(project: Project) -> int:
    return int((project.root / ".work/server/worker.pid").read_text().split()[0])


def _find_engines(project: Project) -> list[int]:
    """The processes of the worker's runs."""
    found = subprocess.run(
        ["pgrep", "--full", "prefect.engine", "--parent", str(_read_worker(project))], capture_output=True, check=True
    )
    return [int(pid) for pid in found.stdout.split()]


def _wait_for(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(f"error: waited for {WAIT_S:g} s")
        time.sleep(0.5)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        project = Project(Path(folder) / "project")
        project.make()
        project.repro()
        try:
            up = project.run(sys.executable, "-m", "flows.up", "--port", str(port))
            password = up.stdout.split("password: ")[1].split()[0]
            url = f"http://127.0.0.1:{port}"
            environment = {"PREFECT_API_URL": f"{url}/api", "PREFECT_API_AUTH_STRING": password}
            with httpx.Client(base_url=url, auth=tuple(password.split(":")), timeout=30) as client:
                watch_silence(project, client, environment)
        finally:
            project.run(sys.executable, "-m", "flows.up", "--down")


if __name__ == "__main__":
    main()
