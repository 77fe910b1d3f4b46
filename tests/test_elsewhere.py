"""A stage built by another machine's worker, in a clone of its own: restored here, with the same dvc.lock."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from errors import FlowError
from flows.elsewhere import HERE, check_asked
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


@pytest.mark.soak
def test_a_worker_s_clone_builds_and_pushes_and_this_one_restores(show: Show, tmp_path: Path) -> None:
    server = dict(EXPORT.findall((show.root / ".work/server/shell").read_text()))
    clone = show.clone(tmp_path / "clone")
    show.change(lambda values: values["convert"].update(batch_frames=7))
    before = show.read_runs()
    worker = subprocess.Popen(
        [sys.executable, "-m", "flows.worker", "gpu"],
        cwd=clone.root,
        env=os.environ | server,
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
