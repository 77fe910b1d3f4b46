"""Withdrawal: what was made of a person is found through all of history, and taken away; other people's things stay."""

import sys
from pathlib import Path

import pytest

from tests.show import Show, list_objects


@pytest.fixture
def show(built_once: Show, tmp_path: Path) -> Show:
    """A show in git whose results are pushed, built twice with different faces of ben; ada is in no other pair."""
    show = Show(tmp_path / "show")
    built_once.copy(show.root)
    show.start(str(tmp_path / "remote"))
    show.dvc("push", "--run-cache")
    show.change(lambda values: values["augment"].update(variants=3))
    show.repro()
    show.dvc("push", "--run-cache")
    show.commit("second")
    return show


def _withdraw(show: Show, *arguments: str) -> str:
    done = show.run(sys.executable, "-m", "flows.withdraw", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _read(store: Path) -> dict[str, bytes]:
    files = (store / "files/md5").glob("??/*")
    return {file.parent.name + file.name: file.read_bytes() for file in files}


def _list_all(show: Show) -> dict[str, bytes]:
    return {str(f): f.read_bytes() for f in show.root.rglob("*") if f.is_file() and ".git/" not in str(f)}


@pytest.mark.heavy
def test_a_person_s_results_of_all_times_go_and_nobody_else_s(show: Show, tmp_path: Path) -> None:
    before = _list_all(show)
    listed = _withdraw(show, "ben")
    for path in ("data/align/ben/faceset", "data/augment/ben", "data/train/ben_as_ada", "data/convert/demo.mp4"):
        assert f"  {path}: here, and " in listed
    assert "  data/augment/ben: here, and 2 recorded" in listed
    assert "data/align/ada" not in listed
    dry = _withdraw(show, "ben", "--purge", "--dry-run")
    assert "would remove data/train/ben_as_ada" in dry
    unchanged = _list_all(show)
    assert {path: data for path, data in unchanged.items() if "/.work/" not in path and "/.dvc/tmp/" not in path} == {
        path: data for path, data in before.items() if "/.work/" not in path and "/.dvc/tmp/" not in path
    }

    stores = {"cache": show.root / ".dvc/cache", "remote": tmp_path / "remote"}
    of_ada = {path: data for path, data in before.items() if "/ada/" in path and "/data/" in path}
    assert of_ada
    said = _withdraw(show, "ben", "--purge")
    assert "removed data/train/ben_as_ada" in said
    assert "colleagues' clones" in said
    for store in stores.values():
        assert list_objects(store)
        assert not [data for data in _read(store).values() if b"take1.mp4\nben" in data]
        runs = [file.read_text() for file in (store / "runs").rglob("*") if file.is_file()]
        assert runs
        assert not [run for run in runs if "data/augment/ben" in run or "data/train/ben_as_ada" in run]
    after = _list_all(show)
    assert {path: after.get(path) for path in of_ada} == of_ada
    assert not [path for path in after if "/ben" in path.removeprefix(str(show.root)) and "/consent/" not in path]
    assert not (show.root / "data/convert/demo.mp4").exists()
    assert (show.root / "consent/ben/record.json").exists()
    again = _withdraw(show, "ben", "--purge")
    assert "removed 0 objects and 0 records of runs from cache" in again
    assert "removed 0 objects and 0 records of runs from remote team" in again
    # What is left of ada is whole: her results are restored from the cache alone.
    (show.root / "data/augment/ada/part").unlink()
    show.dvc("checkout", "data/augment/ada")
    assert (show.root / "data/augment/ada/part").exists()


def test_a_name_that_nobody_has_is_told(tmp_path: Path, built_once: Show) -> None:
    show = Show(tmp_path / "show")
    built_once.copy(show.root)
    assert "0 runs were made of eve" in _withdraw(show, "eve")
    done = show.run(sys.executable, "-m", "flows.withdraw", "../x")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "'../x' is no identity's name" in done.stderr
