"""Working as a team: clones of one project share results through a remote, and what one has run the other restores."""

import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from flows.graph import read_graph
from tests.project import Project


@pytest.fixture
def shared(project: Project, tmp_path: Path) -> Project:
    """A built project of fakes in git, as `make new-show` makes it, with a folder as remote; pushed."""
    config = project.root / ".dvc/config"
    config.write_text(config.read_text().replace("no_scm = true", ""))
    project.write(".gitignore", "/data/\n/plots/\n/.dvc/cache\n/.dvc/tmp\n/.work/\n/fake/runs.txt\n__pycache__/\n")
    _git(project.root, "init", "--quiet")
    assert project.run("dvc", "remote", "add", "--default", "team", str(tmp_path / "remote")).returncode == 0
    _commit(project.root, "built")
    assert project.run("dvc", "push", "--run-cache").returncode == 0
    return project


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True)


def _commit(folder: Path, message: str) -> None:
    _git(folder, "add", "--all")
    _git(folder, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", message)


def _clone(project: Project, folder: Path) -> Project:
    _git(folder.parent, "clone", "--quiet", str(project.root), str(folder))
    clone = Project(folder)
    clone.write("fake/runs.txt", "")
    return clone


def _build(project: Project, *options: str) -> str:
    done = project.run(sys.executable, "-m", "flows.build", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_second_clone_pulls_and_has_nothing_to_do(shared: Project, tmp_path: Path) -> None:
    clone = _clone(shared, tmp_path / "clone")
    assert clone.run("dvc", "pull").returncode == 0
    assert clone.repro() == []
    assert clone.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."
    assert (clone.root / "data/convert/demo.mp4").read_bytes() == (shared.root / "data/convert/demo.mp4").read_bytes()


@pytest.mark.heavy
def test_what_a_colleague_has_run_and_pushed_is_restored_elsewhere(shared: Project, tmp_path: Path) -> None:
    clone = _clone(shared, tmp_path / "clone")
    shared.change(lambda values: values["convert"].update(batch_frames=7))
    _build(shared, "--push")
    shutil.copy(shared.root / "params.yaml", clone.root / "params.yaml")  # the same change, made by somebody else
    said = _build(clone, "--pull")
    assert clone.read_runs() == []
    assert "convert@demo      Restored" in said
    assert (clone.root / "data/convert/demo.mp4").read_bytes() == (shared.root / "data/convert/demo.mp4").read_bytes()
    assert not (clone.root / "data/detect").exists(), "what nobody needs was not downloaded"


def test_the_flow_has_the_graph_of_dvc_also_for_a_new_person(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("clips/eve/take1.mp4", "frames of eve")
    project.add("identities", "eve", like="ada", clips="clips/eve", consent="unverified")
    project.add("pairs", "eve_as_ada", like="ben_as_ada", source="eve")
    monkeypatch.chdir(project.root)
    drawn = project.run("dvc", "dag", "--mermaid").stdout.splitlines()
    names = {line.split("[")[0].strip(): line.split('"')[1] for line in drawn if '["' in line}
    arrows = {tuple(names[end] for end in line.strip().split("-->")) for line in drawn if "-->" in line}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="dvc")  # pygtrie's, of DVC's use
        graph = read_graph()
    assert {(needed, stage) for stage, all_needed in graph.upstreams.items() for needed in all_needed} == arrows
    assert "train@eve_as_ada" in graph.upstreams
