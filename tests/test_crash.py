"""Crashes and full disks: no entry of dvc.lock is lost, what DVC left half-written is mended, a full disk is named."""

import fcntl
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from errors import FlowError, one_line_errors
from flows import space
from flows.graph import Footprint
from flows.leftovers import SHARED_S, drop_unfinished, mend_lock, mend_rwlock
from flows.outcome import Outcome
from flows.space import FLOOR, find_lack
from flows.stage_process import StageError, StageProcesses, Way
from tests.project import FAKE, ROOT, Project
from tests.small_disk import run_on_small_disk
from tests.test_build import ROW

HELD = FAKE + '\nPath("started").touch()\nwhile not Path("go").exists():\n    time.sleep(0.05)\n'
HUNGRY = FAKE + '\nif name == "sample@ada":\n    with out.open("ab") as file:\n        file.write(bytes(150_000_000))\n'
# What each library that writes in a stage does on a full disk; each as one_line_errors sees it.
WRITERS = """
import sys
from fractions import Fraction
from pathlib import Path
import numpy as np, pandas as pd, torch
from errors import one_line_errors
from stages.augment import _make_array
from vision.video_write import VideoWriter, footage_format

rng = np.random.default_rng(1)

def write_video():
    with VideoWriter(Path("v.mp4"), footage_format((128, 128), Fraction(25)), crf=1, preset="ultrafast") as video:
        for i in range(200):
            video.write_rgb(rng.integers(0, 255, (128, 128, 3), np.uint8), i)

for write in (
    lambda: Path("f").write_bytes(bytes(3_000_000)),
    lambda: pd.DataFrame({"a": rng.random(400_000)}).to_parquet("t"),
    lambda: np.save("a", rng.random(400_000)),
    lambda: torch.save(torch.rand(800_000), "t"),
    lambda: _make_array(Path("a.npy"), (3_000_000,)),
    write_video,
):
    for path in Path().iterdir():
        path.unlink()
    try:
        with one_line_errors():
            write()
    except SystemExit as end:
        print(end.code, file=sys.stderr)
"""


def _build(project: Project, server: dict[str, str], *arguments: str) -> tuple[int, dict[str, str], str]:
    """Run the flow: exit code, outcome of each stage, and what it said."""
    done = project.run(sys.executable, "-m", "flows.build", *arguments, **server)
    text = done.stdout + done.stderr
    assert "Traceback" not in text, text
    return done.returncode, dict(ROW.findall(text)), text


def _read_lock(project: Project) -> dict[str, object]:
    stages: dict[str, object] = YAML(typ="safe").load((project.root / "dvc.lock").read_text())["stages"]
    return stages


@pytest.mark.heavy
def test_twelve_stages_side_by_side_are_all_recorded_in_each_of_three_rounds(
    project: Project, server: dict[str, str]
) -> None:
    people = [f"p{n}" for n in range(10)]
    for person in people:
        project.write(f"clips/{person}/take1.mp4", f"frames of {person}")
        project.write(f"edits/{person}/tracks.csv", (project.root / "edits/ada/tracks.csv").read_text())
        project.add("identities", person, like="ada", clips=f"clips/{person}", consent="unverified", faceset="all")
    for _ in range(3):
        (project.root / "dvc.lock").unlink()
        before = len(project.read_runs())
        code, outcomes, said = _build(project, server, "sample", "--force", "--jobs", "12")
        samples = {f"sample@{person}" for person in ("ada", "ben", *people)}
        assert code == 0, said
        assert {outcomes[stage] for stage in samples} == {"Completed"}
        assert sorted(project.read_runs()[before:]) == sorted(samples), "each ran once: none was tried again"
        assert samples < set(_read_lock(project))
        assert not re.search(r"lock|busy|blocked", said.replace("dvc.lock", ""), re.IGNORECASE), said


@pytest.mark.heavy
def test_a_foreign_process_that_holds_dvcs_lock_over_a_stages_end_loses_nothing(
    project: Project, server: dict[str, str]
) -> None:
    project.write("stages/sample.py", HELD)
    flow = subprocess.Popen(
        [sys.executable, "-m", "flows.build", "sample@ada"],
        cwd=project.root,
        env=os.environ | server,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    _wait_for((project.root / "started").exists)
    recorded = (project.root / "dvc.lock").read_text()
    with (project.root / ".dvc/tmp/lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as DVC takes it (zc.lockfile)
        project.write("go", "")
        time.sleep(5)  # DVC gives up after 3 s where it is not told to wait
        assert (project.root / "dvc.lock").read_text() == recorded, "the lock was no lock"
    said = flow.communicate(timeout=60)[0]
    assert flow.returncode == 0, said
    assert dict(ROW.findall(said))["sample@ada"] == "Completed"
    assert project.read_runs().count("sample@ada") == 2, "the fixture's run and this one"
    assert project.run("dvc", "status", "sample@ada").stdout.strip() == "Data and pipelines are up to date."


@pytest.mark.heavy
@pytest.mark.parametrize("is_kept", [True, False])
def test_a_lock_cut_short_is_mended_by_the_next_build_and_nothing_runs(
    project: Project, server: dict[str, str], is_kept: bool
) -> None:
    if is_kept:
        assert _build(project, server)[0] == 0
    whole = (project.root / "dvc.lock").read_bytes()
    (project.root / "dvc.lock").write_bytes(whole[:8192] if is_kept else b"")
    before = project.read_runs()
    code, outcomes, said = _build(project, server, "detect")
    assert code == 0, said
    assert ("is put back" if is_kept else "is empty: a disk was full, or DVC was killed") in said
    assert set(outcomes.values()) == {"Cached" if is_kept else "Restored"}
    assert project.read_runs() == before
    known = YAML(typ="safe").load(whole)["stages"]
    assert _read_lock(project) == (known if is_kept else {stage: known[stage] for stage in outcomes})


def test_a_merges_conflict_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    lock, kept = tmp_path / "dvc.lock", tmp_path / "kept"
    lock.write_text("<<<<<<< HEAD\na: 1\n=======\n")
    kept.write_text("schema: '2.0'\n")
    with pytest.raises(FlowError, match=r"conflict marks; take one side \(git checkout --ours"):
        mend_lock(lock, kept, print)
    assert lock.read_text().startswith("<<<<<<<")


def test_of_paths_in_use_those_of_processes_that_are_gone_are_dropped(tmp_path: Path) -> None:
    path, said = tmp_path / "rwlock", list[str]()
    with subprocess.Popen([sys.executable, "-c", "input()", "dvc"], stdin=subprocess.PIPE) as living:
        mine, theirs = {"pid": living.pid, "cmd": "dvc"}, {"pid": os.getpid(), "cmd": "ended; its number is another's"}
        _wait_for(lambda: b"dvc" in Path(f"/proc/{living.pid}/cmdline").read_bytes())
        path.write_text(json.dumps({"write": {"a": mine, "b": theirs}, "read": {"c": [mine, theirs], "d": [theirs]}}))
        mend_rwlock(path, said.append)
    assert json.loads(path.read_text()) == {"write": {"a": mine}, "read": {"c": [mine]}}
    path.write_text('{"write": {"a": {"pi')
    mend_rwlock(path, said.append)
    assert not path.exists()
    assert said == [f"{path} was cut short: it is taken away"]


def test_of_files_that_dvc_did_not_finish_only_those_go_that_nobody_writes(tmp_path: Path) -> None:
    old, new = tmp_path / ".old.tmp", tmp_path / ".new.tmp"
    for path in (old, new):
        path.touch()
    os.utime(old, times=(time.time() - 2 * SHARED_S,) * 2)
    drop_unfinished([old, new], SHARED_S)
    assert (old.exists(), new.exists()) == (False, True)


def test_what_a_kill_left_in_dvcs_cache_is_gone_after_the_next_build(project: Project) -> None:
    cache = project.root / ".dvc/cache"
    kept = {path for path in cache.rglob("*") if path.is_file()}
    (cache / "runs/00/empty").mkdir(parents=True)
    for folder in (next((cache / "files/md5").iterdir()), next(cache.glob("runs/??/*")), cache / "runs/00/empty"):
        (folder / ".x1_-.tmp").write_text("half of a")
    program = "from flows.leftovers import mend_leftovers; mend_leftovers(print)"
    done = project.run(sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr
    assert {path for path in cache.rglob("*") if path.is_file()} == kept
    assert not (cache / "runs/00/empty").exists()


@pytest.mark.heavy
def test_a_full_disk_is_named_by_whatever_writes_in_a_stage(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (tmp_path / "writers.py").write_text(WRITERS)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": "."}
    done = run_on_small_disk(disk, "1m", f"{sys.executable} ../writers.py", environment)
    said = done.stderr.splitlines()
    assert done.returncode == 0, done.stderr
    assert said[1::2] == ["1"] * 6
    for line in said[::2]:
        assert re.search(rf"^error: .*no space left on {disk} \(0\.00 GB are free\); free some", line), line


def test_an_error_of_the_system_that_is_no_full_disk_passes() -> None:
    with pytest.raises(FileNotFoundError), one_line_errors():
        Path("/no/such/file").read_text()


@pytest.mark.heavy
@pytest.mark.parametrize("place", ["workspace", "cache"])
def test_a_full_disk_ends_the_build_with_its_name_and_freed_the_next_one_succeeds(
    project: Project, server: dict[str, str], tmp_path: Path, place: str
) -> None:
    disk = tmp_path / "disk"
    project.write("stages/sample.py", HUNGRY)
    folder = {"workspace": "data/sample", "cache": ".dvc/cache"}[place]
    script = f"""
        mkdir kept && cp -a {project.root}/{folder}/. kept/
        rm -rf {project.root}/{folder} && ln -s {disk}/kept {project.root}/{folder}
        dd if=/dev/zero of=ballast bs=1M count=150 status=none
        cd {project.root}
        {sys.executable} -m flows.build 2>&1; echo "code $?"
        rm {disk}/ballast
        echo again
        {sys.executable} -m flows.build 2>&1; echo "code $?"
        dvc status
        wc -c data/sample/ada/frames.parquet
        """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = run_on_small_disk(disk, "270m", script, os.environ | server | {"PATH": path})
    first, _, second = done.stdout.partition("\nagain\n")
    *_, last, code = first.splitlines()
    assert "Traceback" not in first.replace("sample@ada  Traceback", ""), first  # the fake's own
    assert (code, last.startswith("error: the build ended as Failed: sample@ada: no space left on")) == ("code 1", True)
    assert f"no space left on {disk} (" in last, last
    assert re.search(r"^code 0$", second, re.MULTILINE), second
    assert "Data and pipelines are up to date." in second
    assert int(second.split()[-2]) > 150_000_000
    assert "sample@ada" not in re.findall(r"(\S+) +Cached", second)


def _footprint(cache: Path, results: dict[str, dict[str, int]], *, is_copied: bool = True) -> Footprint:
    named = {stage: {cache.parent / path: size for path, size in outs.items()} for stage, outs in results.items()}
    return Footprint(named, cache, is_copied)


@pytest.mark.parametrize(
    ("stage", "is_copied", "needed"),
    [
        ("augment@ada", True, 2 * 9 * FLOOR),  # once in the workspace, once in the cache
        ("augment@ada", False, 9 * FLOOR),
        ("augment@new", True, 2 * 9 * FLOOR),  # unknown: as large as the largest of its kind
        ("detect@ada", True, FLOOR),  # nothing known: the least that anything takes
        ("train@ben_as_ada", True, (3 + 2) * FLOOR),  # and the resumable states
    ],
)
def test_a_stage_needs_what_dvc_lock_says_and_is_refused_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, is_copied: bool, needed: int
) -> None:
    monkeypatch.chdir(tmp_path)
    results = {
        "augment@ada": {"data/augment/ada": 9 * FLOOR},
        "augment@ben": {"data/augment/ben": FLOOR},
        "augment@new": {"data/augment/new": 0},
        "detect@ada": {"data/detect/ada": 0},
        "train@ben_as_ada": {"data/train/ben_as_ada": FLOOR},
    }
    footprint = _footprint(tmp_path / "cache", results, is_copied=is_copied)
    monkeypatch.setattr(space, "find_free", lambda _: needed)
    assert find_lack(stage, footprint) is None
    monkeypatch.setattr(space, "find_free", lambda _: needed - 1)
    told = rf"about {needed / 1e9:.2f} GB are needed on /.*are free\); free some"
    assert re.match(told, str(find_lack(stage, footprint)))


def test_the_flow_offers_a_training_the_state_among_its_results(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    held = Path("data/train/ben_as_ada.state/key/step-00000012.pt")
    held.parent.parent.unlink()  # the fake's result is a file
    held.parent.mkdir(parents=True)
    held.write_bytes(b"a state")
    StageProcesses().run("train@ben_as_ada", print, Way())
    assert Path(".work/train@ben_as_ada/key/step-00000012.pt").read_bytes() == b"a state"


def test_a_stage_that_runs_is_asked_for_its_space_and_what_is_restored_is_not(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    (project.root / "data/sample/ada/shots.parquet").unlink()  # DVC puts it back
    footprint = _footprint(project.root / ".dvc/cache", {"sample@ada": {"data/sample/ada": 10**15}})
    processes = StageProcesses(footprint)
    assert processes.run("sample@ada", print, Way()) is Outcome.RESTORED
    project.write("clips/ada/take1.mp4", "other frames")
    project.behave({"sample@ada": {"wait": "pid"}})
    with pytest.raises(StageError, match=r"about 2000000\.00 GB are needed on /") as lack:
        processes.run("sample@ada", print, Way())
    assert lack.value.is_final
    assert not list((project.root / "data/sample/ada").glob("*")), "the stage was ended at its start"


def test_an_old_result_makes_room_for_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / "old").open("wb") as file:
        file.truncate(5 * FLOOR)
    footprint = _footprint(tmp_path / "cache", {"augment@ada": {"data": 9 * FLOOR}})
    monkeypatch.setattr(space, "find_free", lambda _: 13 * FLOOR)
    assert find_lack("augment@ada", footprint) is None
    monkeypatch.setattr(space, "find_free", lambda _: 13 * FLOOR - 1)
    assert find_lack("augment@ada", footprint) is not None


def test_the_graph_knows_the_bytes_of_every_result(project: Project) -> None:
    program = "from flows.graph import read_graph\nfor s, r in read_graph().footprint.results.items(): print(s, r)"
    done = project.run(sys.executable, "-c", program)
    size = (project.root / "data/detect/ada/detections.parquet").stat().st_size
    assert f"detect@ada {{PosixPath('data/detect/ada/detections.parquet'): {size}}}" in done.stdout, done.stderr
    assert len(done.stdout.splitlines()) == 13


def _wait_for(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end, "waited for a minute"
        time.sleep(0.05)
