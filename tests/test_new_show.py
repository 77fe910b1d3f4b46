"""make new-show: a project of one's own, empty of people, with its own git and DVC."""

import subprocess
import sys
from pathlib import Path

import pytest

from errors import FlowError
from flows.new_show import new_show
from stages.params import read_params
from tests.project import ROOT, Project


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shows") / "my show"
    new_show(folder)
    return folder


def test_it_has_the_code_and_none_of_the_demos_people(show: Path) -> None:
    files = set(_git(show, "ls-files").splitlines())
    assert {"params.yaml", "dvc.yaml", "Makefile", "stages/train.py", "performers/__init__.py", ".dvc/config"} <= files
    people = ("clips/", "consent/", "edits/", "performers/truth/", "tests/")
    assert not [file for file in files if file.startswith(people)]
    params = read_params(show / "params.yaml")
    assert (params.identities, params.pairs, params.takes) == ({}, {}, {})
    assert params.train == read_params(ROOT / "params.yaml").train
    assert "\n#  ben_as_ada: {source: ben, target: ada}\n" in (show / "params.yaml").read_text()


def test_it_is_committed_and_check_says_what_to_add(show: Path) -> None:
    assert _git(show, "status", "--short") == ""
    assert _git(show, "log", "--format=%s").splitlines() == ["Start from Understudy"]
    done = subprocess.run([sys.executable, "-m", "stages.check"], cwd=show, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: params.yaml: identities is empty; put a person's clips into clips/NAME")


@pytest.mark.heavy
def test_its_lock_file_and_metrics_are_for_git_and_nothing_else_that_stages_write(show: Path, tmp_path: Path) -> None:
    project = Project(show).copy(tmp_path / "copy")
    for clip in ("clips/eve/take1.mp4", "clips/kim/take1.mp4"):
        project.write(clip, clip)
    demo = read_params(ROOT / "params.yaml")
    person, take = demo.identities["ada"].model_dump(), demo.takes["demo"].model_dump()
    people = {name: {**person, "clips": f"clips/{name}", "consent": "unverified"} for name in ("eve", "kim")}
    changes = {"pair": "eve_as_kim", "source": "eve", "target": "kim", "clip": "clips/kim/take1.mp4", "truth": None}
    project.change(
        lambda values: values.update(
            identities=people,
            pairs={"eve_as_kim": {"source": "eve", "target": "kim"}},
            takes={"first": {**take, **changes}},
        )
    )
    project.fake_stages()
    _git(project.root, "add", "--all")
    _git(project.root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "people")
    assert len(project.repro()) == 12
    written = {line[3:] for line in _git(project.root, "status", "--short", "--untracked-files=all").splitlines()}
    assert written == {
        "dvc.lock",
        "edits/eve/tracks.csv",
        "edits/kim/tracks.csv",
        "fake/runs.txt",
        "metrics/compare/eve_as_kim.json",
        "metrics/evaluate/first.json",
        "metrics/train/eve_as_kim.json",
    }


def test_a_folder_in_use_or_inside_the_project_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FlowError, match=r"exists already and is not empty; name a new folder$"):
        new_show(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(FlowError, match=r"lies inside this project; name a folder elsewhere"):
        new_show(ROOT / "myshow")
    assert not (ROOT / "myshow").exists()
