"""The flow: outcomes, retries, failures of one branch, and that no process outlives it. On a project of fakes."""

import base64
import fcntl
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from errors import FlowError
from flows.artifacts import to_link
from flows.graph import Graph
from flows.guard import start_guarded
from flows.outcome import Outcome, is_of_interest, read_lines, tell_error, tell_outcome
from flows.stage_process import StageProcesses
from tests.project import Project
from vision.crops import decode_png

ROW = re.compile(r"^  (\S+) +(\w+) +[\d.]+ s$", re.MULTILINE)


def _build(project: Project, server: dict[str, str], *arguments: str) -> tuple[int, dict[str, str], list[str]]:
    """Run the flow: exit code, outcome of each stage, and the lines of the terminal."""
    done = project.run(sys.executable, "-m", "flows.build", *arguments, **server)
    text = done.stdout + done.stderr
    assert "Traceback" not in text, text
    return done.returncode, dict(ROW.findall(text)), text.splitlines()


@pytest.mark.heavy
def test_a_flow_builds_skips_restores_and_leaves_nothing_to_do(project: Project, server: dict[str, str]) -> None:
    known = (project.root / "params.yaml").read_text()
    project.change(lambda values: values["convert"].update(batch_frames=7))
    before = project.read_runs()
    code, outcomes, lines = _build(project, server)
    ran = {stage for stage, outcome in outcomes.items() if outcome == "Completed"}
    assert code == 0
    assert len(outcomes) == 13
    assert ran == {"check", "convert@demo", "evaluate@demo"}
    assert set(outcomes.values()) == {"Completed", "Cached"}
    assert project.read_runs()[len(before) :] == ["convert@demo", "evaluate@demo"]
    assert any(re.fullmatch(r"\d\d:\d\d:\d\d convert@demo  convert@demo works", line) for line in lines)
    project.write("params.yaml", known)
    code, outcomes, _ = _build(project, server)
    assert (outcomes["convert@demo"], outcomes["evaluate@demo"]) == ("Restored", "Restored")
    assert project.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."


@pytest.mark.heavy
def test_one_branch_fails_the_other_completes_and_the_last_line_says_why(
    project: Project, server: dict[str, str]
) -> None:
    for clip in ("clips/ada/take1.mp4", "clips/ben/take1.mp4"):
        project.write(clip, f"other frames of {clip}")
    project.behave(
        {
            "detect@ada": {"fail": 99, "error": "error: clips/ada/take1.mp4: no face; look at the clip"},
            "sample@ben": {"fail": 2},  # its first run was the fixture's
        }
    )
    before = project.read_runs()
    code, outcomes, lines = _build(project, server)
    runs = project.read_runs()[len(before) :]
    assert code == 1
    assert outcomes == {
        "check": "Cached",
        **dict.fromkeys(["sample@ada", "sample@ben", "detect@ben", "align@ben", "augment@ben"], "Completed"),
        "detect@ada": "Failed",
        **dict.fromkeys(["align@ada", "augment@ada", "compare@ben_as_ada", "train@ben_as_ada"], "NotReady"),
        **dict.fromkeys(["convert@demo", "evaluate@demo"], "NotReady"),
    }
    assert runs.count("sample@ben") == 2, "a stage that fails once is tried again"
    assert runs.count("detect@ada") == 1, "what a stage says about its input does not change by trying again"
    assert lines[-1] == ("error: the build ended as Failed: detect@ada: clips/ada/take1.mp4: no face; look at the clip")


@pytest.mark.heavy
def test_named_stages_run_with_what_they_need_and_force_runs_only_them(
    project: Project, server: dict[str, str]
) -> None:
    before = project.read_runs()
    code, outcomes, _ = _build(project, server, "align", "--force")
    assert code == 0
    assert set(outcomes) == {"check", *(f"{s}@{p}" for s in ("sample", "detect", "align") for p in ("ada", "ben"))}
    assert sorted(project.read_runs()[len(before) :]) == ["align@ada", "align@ben"]


@pytest.mark.heavy
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_the_flow(project: Project, server: dict[str, str], number: signal.Signals) -> None:
    project.write("clips/ada/take1.mp4", "other frames")
    project.behave({"sample@ada": {"wait": "pid"}})
    flow = subprocess.Popen(
        [sys.executable, "-m", "flows.build"],
        cwd=project.root,
        env=os.environ | server,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _wait_for(lambda: (project.root / "pid").exists() and (project.root / "pid").read_text() != "")
    stage = int((project.root / "pid").read_text())
    flow.send_signal(number)
    _wait_for(lambda: not _is_alive(stage))
    assert flow.wait(timeout=60) != 0
    project.behave({})
    assert project.repro("--single-item", "sample@ada") == ["sample@ada"], "the next run goes on by itself"


def test_an_interrupt_ends_the_processes_also_where_a_library_swallows_it() -> None:
    processes = StageProcesses()
    before = signal.getsignal(signal.SIGINT)
    with processes.all_ended():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert processes.is_ended
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.heavy
def test_a_stage_over_its_time_is_ended_and_named_and_its_dependents_are_not_ready(
    project: Project, server: dict[str, str]
) -> None:
    project.write("clips/ada/take1.mp4", "other frames")
    project.behave({"detect@ada": {"wait": "pid"}})
    code, outcomes, lines = _build(project, server, "--timeout", "detect=6", "--timeout", "sample@ada=100")
    assert code == 1
    assert (outcomes["sample@ada"], outcomes["detect@ada"], outcomes["align@ada"], outcomes["align@ben"]) == (
        "Completed",
        "TimedOut",
        "NotReady",
        "Cached",
    )
    assert not _is_alive(int((project.root / "pid").read_text()))
    assert project.read_runs().count("detect@ada") == 2, "the fixture's run and this one: no second try"
    assert re.search(r"detect@ada: took longer than its 6 s", lines[-1])


@pytest.mark.heavy
def test_a_second_build_of_a_checkout_waits_for_the_first(project: Project, server: dict[str, str]) -> None:
    (project.root / ".work").mkdir()
    with (project.root / ".work/build.lock").open("a") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = subprocess.Popen(
            [sys.executable, "-m", "flows.build"],
            cwd=project.root,
            env=os.environ | server,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert second.stdout is not None
        assert "this one waits for it to end" in second.stdout.readline()
        assert second.poll() is None
    said = second.communicate(timeout=60)[0]
    assert second.returncode == 0
    assert ROW.findall(said)[0] == ("check", "Cached")


@pytest.mark.heavy
def test_downstream_runs_what_needs_the_named_stage_too(project: Project, server: dict[str, str]) -> None:
    project.change(lambda values: values["convert"].update(batch_frames=7))
    _, outcomes, _ = _build(project, server, "augment@ada", "--downstream")
    assert len(outcomes) == 13
    assert (outcomes["convert@demo"], outcomes["evaluate@demo"]) == ("Completed", "Completed")


@pytest.mark.heavy
def test_an_empty_clone_pulls_only_what_a_changed_stage_needs(
    project: Project, server: dict[str, str], tmp_path: Path
) -> None:
    project.run("dvc", "remote", "add", "--default", "team", str(tmp_path / "remote"))
    assert project.run("dvc", "push").returncode == 0
    shutil.rmtree(project.root / "data")
    shutil.rmtree(project.root / ".dvc/cache")
    project.change(lambda values: values["convert"].update(batch_frames=7))
    before = project.read_runs()
    code, _, lines = _build(project, server, "--pull")
    assert code == 0, lines
    assert project.read_runs()[len(before) :] == ["convert@demo", "evaluate@demo"]
    assert (project.root / "data/convert/demo.mp4").exists()
    assert not (project.root / "data/augment").exists()
    assert not (project.root / "data/detect").exists()


@pytest.mark.heavy
def test_a_run_leaves_its_stages_metrics_and_pictures_as_artifacts(project: Project, server: dict[str, str]) -> None:
    project.change(lambda values: values["convert"].update(batch_frames=7))
    _build(project, server)
    answer = httpx.post(f"{server['PREFECT_API_URL']}/artifacts/latest/filter", json={}).json()
    found = {artifact["key"]: artifact for artifact in answer}
    rows = {row["stage"]: row["outcome"] for row in json.loads(found["stages"]["data"])}
    assert rows["convert@demo"] == "Completed"
    assert rows["train@ben_as_ada"] == "Cached"
    assert "metrics" in found


def test_a_picture_is_shown_within_the_page_and_no_larger_than_that_needs() -> None:
    link = to_link(np.full((1800, 900, 3), 7, np.uint8))
    head, _, data = link.partition(",")
    assert head == "data:image/png;base64"
    assert decode_png(base64.b64decode(data)).shape == (900, 450, 3)


def test_a_guard_ends_what_ignores_an_interrupt_and_children_of_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"trap '' INT; sleep 60 & echo $! $$ > {pids}.part; mv {pids}.part {pids}; wait; wait"
    guard = start_guarded(["bash", "-c", script], os.environ)
    _wait_for(pids.exists)
    assert guard.stdin is not None
    assert guard.stdout is not None
    guard.stdin.close()
    _wait_for(lambda: not any(_is_alive(int(pid)) for pid in pids.read_text().split()))
    guard.wait(timeout=30)
    guard.stdout.close()


def test_a_guard_gives_output_and_exit_code_on_and_leaves_no_background_process(tmp_path: Path) -> None:
    script = f"echo out; echo err >&2; sleep 60 & echo $! > {tmp_path}/pid; exit 7"
    with start_guarded(["bash", "-c", script], os.environ) as guard:
        assert guard.stdout is not None
        assert guard.stdout.read() == b"out\nerr\n"
        assert guard.wait() == 7
    _wait_for(lambda: not _is_alive(int((tmp_path / "pid").read_text())))


def test_lines_come_as_they_are_and_of_a_progress_bar_the_last_piece() -> None:
    chunks = [b"one\ntw", b"o\n\r 10%", b"\r 20%\r 30%", b"\r\x1b[1m100%\x1b[0m\n", b"end"]

    class Slow(io.RawIOBase):
        """One chunk a read."""

        def read1(self, _: int) -> bytes:
            return chunks.pop(0) if chunks else b""

    seconds = iter([0, 0, 0, 5, 5, 5, 5])
    lines = list(read_lines(Slow(), every_s=5, clock=lambda: next(seconds)))  # type: ignore[arg-type]
    assert lines == ["one", "two", " 20%", "100%", "end"]


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        (["Stage 'a@b' didn't change, skipping", "Data and pipelines are up to date."], Outcome.CACHED),
        (["'clips/a.dvc' didn't change, skipping"], Outcome.CACHED),
        (["Stage 'a@b' is cached - skipping run, checking out outputs"], Outcome.RESTORED),
        (["Running stage 'a@b':", "> python -m stages.a", "works"], Outcome.COMPLETED),
    ],
)
def test_dvcs_words_tell_the_outcome(lines: list[str], outcome: Outcome) -> None:
    assert tell_outcome(lines) is outcome


def test_the_error_is_the_stages_own_line_else_dvcs_else_the_last() -> None:
    dvc = "ERROR: failed to reproduce 'a': failed to run: python -m stages.a, exited with 1"
    assert tell_error(["works", "error: no face", dvc]) == "no face"
    assert tell_error(["works", "ValueError: bug", dvc]) == "ValueError: bug"
    missing = "ERROR: failed to reproduce 'a': missing data 'source': clips/a"
    assert tell_error([missing]) == missing.removeprefix("ERROR: ")
    assert tell_error([]) == "it said nothing"


def test_dvcs_doings_are_not_shown_and_a_stages_lines_and_dvcs_errors_are() -> None:
    for line in (
        "Updating lock file 'dvc.lock'",
        "> python -m stages.a",
        "Running stage 'a':",
        "",
        "Use `dvc push` to",
    ):
        assert not is_of_interest(line)
    for line in ("step 400/1800", "error: no face", "ERROR: failed to reproduce 'a': missing data"):
        assert is_of_interest(line)


def test_a_selection_holds_all_that_its_stages_need_and_an_unknown_name_gets_the_known_ones() -> None:
    graph = Graph({"a": frozenset(), "b@x": frozenset({"a"}), "b@y": frozenset({"a"}), "c": frozenset({"b@x"})}, {})
    assert set(graph.select(["c"]).upstreams) == {"a", "b@x", "c"}
    assert set(graph.select(["b"]).upstreams) == {"a", "b@x", "b@y"}
    assert set(graph.select(["b@x"], downstream=True).upstreams) == {"a", "b@x", "c"}
    with pytest.raises(FlowError, match=r"there is no stage 'd'; known: a, b@x, b@y, c"):
        graph.select(["d"])


def _wait_for(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end, "waited for a minute"
        time.sleep(0.05)


def _is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
