"""Sweeps: a grid of params becomes experiments of DVC, beside a checkout that stays as it is."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from errors import FlowError
from flows.grid import Combination, read_grid
from flows.sweep import read_commit
from tests.project import ROOT, Project
from trust.register import check_register, read_register

CONVERT = """
import os, sys, time
from pathlib import Path
from stages.params import read_params
n = read_params().convert.batch_frames
print("converting with", n, flush=True)
if n == 14:
    Path("{pid}.part").write_text(str(os.getpid()))
    Path("{pid}.part").rename("{pid}")
    time.sleep(60)
from trust.publish import Publisher
from trust.register import NewEntry
sha256 = f"{{n:064x}}"
Publisher().register.append(NewEntry(kind="made", sha256=sha256, title="demo.mp4", identities=("ada",), hashes=b""))
if n == 13:
    sys.exit("error: thirteen; take another")
for name in ("demo.mp4", "demo.parquet"):
    Path("data/convert", name).parent.mkdir(exist_ok=True)
    Path("data/convert", name).write_text(f"{{n}} {{Path('.work').exists()}} {{os.listdir('clips/ada')}}")
"""
EVALUATE = """
import json
from pathlib import Path
n = int(Path("data/convert/demo.mp4").read_text().split()[0])
for path in map(Path, ("metrics/evaluate/demo.json", "plots/evaluate/demo/frames.csv", "data/evaluate/demo/page")):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"psnr": 2 * n}))
"""


@pytest.fixture
def show(project: Project, tmp_path: Path) -> Project:
    """A built project of fakes in git whose clips of ada are in DVC; its last two stages read the real params."""
    config = project.root / ".dvc/config"
    config.write_text(config.read_text().replace("no_scm = true", ""))
    project.write(
        ".gitignore", "/data/\n/plots/\n/.dvc/cache\n/.dvc/tmp\n/.work/\n/private/\n/fake/runs.txt\n__pycache__/\n"
    )
    _git(project.root, "init", "--quiet")
    project.write("stages/convert.py", CONVERT.format(pid=tmp_path / "pid"))
    project.write("stages/evaluate.py", EVALUATE)
    assert project.run("dvc", "add", "--quiet", "clips/ada").returncode == 0
    project.repro()
    _git(project.root, "add", "--all")
    _git(project.root, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", "built")
    return project


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.mark.heavy
def test_every_combination_is_an_experiment_and_one_that_fails_is_named_and_leaves_the_others(
    show: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNDERSTUDY_PRIVATE", raising=False)
    monkeypatch.chdir(show.root)
    first = [entry.sha256 for entry in read_register(Path("register"))]
    show.write(".work/train@ben_as_ada/state", "a state to go on from")
    before = _read_files(show.root)
    done = show.run(sys.executable, "-m", "flows.sweep", "convert.batch_frames=7,13,9", "--jobs", "2")
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "Traceback" not in said, said
    last = "error: the sweep ended as Failed: convert.batch_frames=13: thirteen; take another"
    assert said.splitlines()[-1] == last
    rows = [line.split()[:2] for line in said.splitlines() if line.startswith("  convert")]
    outcomes = {7: "Completed", 13: "Failed", 9: "Completed"}
    assert rows == [[f"convert.batch_frames={n}", outcome] for n, outcome in outcomes.items()]
    assert _read_files(show.root) == before, "the checkout is as it was"
    assert all(line.startswith(" M register/") for line in _git(show.root, "status", "--porcelain").splitlines())
    assert _git(show.root, "stash", "list") == ""
    assert not list((show.root / ".work/sweep").glob("*")), "no clone is left"
    assert _read_experiments(show) == {"convert.batch_frames=7": (7, 14), "convert.batch_frames=9": (9, 18)}
    made = {entry.sha256 for entry in read_register(Path("register"))} - set(first)
    assert made == {f"{n:064x}" for n in (7, 13, 9)}, "one register has them all, in one chain, by this clone's key"
    assert check_register(Path("register")) == []
    assert read_commit() == _git(show.root, "rev-parse", "HEAD").strip(), "the next sweep needs no commit of it"
    _git(show.root, "add", "register")
    _git(show.root, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", "register")
    assert show.run("dvc", "exp", "apply", "convert.batch_frames=9").returncode == 0
    assert "has not the" in check_register(Path("register"))[0], "DVC set it back to what the experiment began with"
    _git(show.root, "checkout", "HEAD", "--", "register")
    assert check_register(Path("register")) == []
    # Its clips came from DVC; the checkout's states of training did not come along.
    assert (show.root / "data/convert/demo.mp4").read_text() == "9 False ['take1.mp4']"


@pytest.mark.heavy
def test_no_process_and_no_clone_outlives_a_sweep_that_is_interrupted(show: Project, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flows.sweep", "convert.batch_frames=14", "convert"]
    with (tmp_path / "said").open("wb") as said:
        flow = subprocess.Popen(command, cwd=show.root, env=show.environment(), stdout=said, stderr=subprocess.STDOUT)
    _wait_for((tmp_path / "pid").exists)
    stage = int((tmp_path / "pid").read_text())
    flow.send_signal(signal.SIGINT)
    _wait_for(lambda: not Path(f"/proc/{stage}").exists())
    assert flow.wait(timeout=60) != 0
    assert not list((show.root / ".work/sweep").glob("*")), "no clone is left"
    assert _read_experiments(show) == {}


def _read_experiments(show: Project) -> dict[str, tuple[int, int]]:
    """The experiments by name: their param and their metric, as `dvc exp show` has them."""
    shown = json.loads(show.run("dvc", "exp", "show", "--json").stdout)
    found = {}
    for commit in shown:
        for experiment in commit.get("experiments") or []:
            data = experiment["revs"][0]["data"]
            n = data["params"]["params.yaml"]["data"]["convert"]["batch_frames"]
            found[experiment["name"]] = (n, data["metrics"]["metrics/evaluate/demo.json"]["data"]["psnr"])
    return found


def _read_files(root: Path) -> dict[str, bytes]:
    """What the checkout holds but for git's, DVC's and Prefect's own."""
    files = (path for path in root.rglob("*") if path.is_file())
    found = {str(path.relative_to(root)): path for path in files}
    own = (".git/", ".dvc/", ".work/prefect", ".work/build.lock", "register/", "private/keys/register.reach")
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(own) and "pyc" not in name}


def _wait_for(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < end, "waited for two minutes"
        time.sleep(0.05)


def test_a_grid_is_every_combination_with_values_as_dvc_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    grid = read_grid(["detect.thresholds=[0.5,0.6,0.7],[0.6,0.7,0.8]", "convert.crf=range(10,12)", "seed=3,3"])
    assert [combination.settings for combination in grid] == [
        (f"detect.thresholds={thresholds}", f"convert.crf={crf}", "seed=3")
        for thresholds in ("[0.5,0.6,0.7]", "[0.6,0.7,0.8]")
        for crf in (10, 11)
    ]
    names = {combination.name for combination in grid}
    assert len(names) == 4
    for name in names:
        _git(ROOT, "check-ref-format", f"refs/exps/00/0/{name}")


def test_a_name_tells_the_values_and_git_takes_it() -> None:
    assert Combination(("train.size=tiny", "seed=2")).name == "train.size=tiny,seed=2"
    long = [Combination((f"takes.a.clip={'x' * 300}{end}",)).name for end in "ab"]
    assert long[0] != long[1]
    assert max(map(len, long)) < 200


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], r"no param to vary; name one with its values, such as train\.size=tiny,small"),
        (["convert.size=1"], r"convert\.size=1: .*'convert\.size'; params\.yaml has the names and ranges"),
        (["convert.crf=16,99"], r"convert\.crf=99: convert\.crf: .* less than or equal to 40 \(found 99\)"),
        (["train.size_px=96,208"], r"train\.size_px=208: train\.size_px: 208 is more than augment\.face_px, 192"),
        (["seed=1", "seed=2"], "seed is given twice; give all its values at once: seed=V1,V2"),
        (["seed=range(0,40)", "convert.crf=range(0,40)"], "1600 combinations, at most 1000; leave out some values"),
        (["dvc.yaml:stages=1"], r"only params of params\.yaml can be varied"),
        (["seed=(1"], r"seed=\(1: .*; write name=value,value"),
    ],
)
def test_a_grid_that_cannot_be_run_is_refused_before_anything_runs(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(FlowError, match=message) as raised:
        read_grid(words)
    assert "\n" not in str(raised.value)


def test_it_starts_from_a_commit_that_holds_dvc_lock_and_all_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    needs = r"git does not keep dvc\.lock here.*\(make new-show DIR=../myshow\), build it and commit"
    with pytest.raises(FlowError, match=needs):
        read_commit()  # no git
    _git(tmp_path, "init", "--quiet")
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\n")
    with pytest.raises(FlowError, match=needs):
        read_commit()  # as in the template
    _git(tmp_path, "add", "dvc.lock")
    _git(tmp_path, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", "built")
    assert read_commit() == _git(tmp_path, "rev-parse", "HEAD").strip()
    for name in ("params.yaml", "edits.csv"):
        (tmp_path / name).write_text("new")
    with pytest.raises(FlowError, match=r"not committed: edits\.csv, params\.yaml; commit first"):
        read_commit()
