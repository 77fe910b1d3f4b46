"""Withdrawal: what was made of a person is found through all of history, and taken away; other people's things stay."""

import json
import sys
from dataclasses import replace
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import pytest

from flows.run_records import Run, parse_run, read_locks
from flows.withdraw_traces import Known, find_traces, list_unknown
from tests.project import FAKE
from tests.show import Show, commit, list_objects, run_git

RECORD_OF_OTHERS = """
deps: [{path: data/align/ben/faceset, md5: 00000000000000000000000000000001.dir}]
outs:
- {path: ../victim, md5: ../../../../victim}
- {path: data/align, md5: 00000000000000000000000000000002.dir}
- {path: models, md5: 00000000000000000000000000000003.dir}
"""


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


@pytest.fixture
def crew(built_once: Show, tmp_path: Path) -> Show:
    """A show in which ben's clips lie in footage/ben: one of them eve has too, one no stage ever read.

    Eve's training began with ben's checkpoint, which lies on the remote alone.
    """
    show = Show(tmp_path / "show")
    built_once.copy(show.root)
    show.start(str(tmp_path / "remote"))
    show.dvc("config", "cache.type", "symlink")
    show.write("stages/train.py", FAKE.replace('"part"', '"checkpoint.safetensors"'))
    (show.root / "footage").mkdir()
    (show.root / "clips/ben").rename(show.root / "footage/ben")
    show.write("footage/ben/late.mp4", "never sampled")
    show.dvc("add", "footage/ben")
    show.dvc("push")
    show.commit("clips")
    (show.root / "footage/ben/late.mp4").unlink()
    for folder in ("footage/ben", "clips/eve"):
        show.write(f"{folder}/two.mp4", "ben and eve")
        show.dvc("add", folder)
    show.change(lambda values: values["identities"]["ben"].update(clips="footage/ben"))
    show.repro()
    show.dvc("push", "--run-cache")
    show.commit("ben")
    trained = show.root / "data/train/ben_as_ada/checkpoint.safetensors"
    start = {"checkpoint": str(trained), "sha256": sha256(trained.read_bytes()).hexdigest()}
    show.add("identities", "eve", like="ben", clips="clips/eve", consent="unverified")
    show.change(lambda values: _train_eve(values, start))
    show.repro()
    show.dvc("push", "--run-cache")
    show.commit("eve")
    _find(show.root / ".dvc/cache", trained.read_bytes()).unlink()
    return show


def _train_eve(values: Any, start: dict[str, str]) -> None:
    values["pairs"] = {"eve_as_ada": {"source": "eve", "target": "ada"}}
    values["takes"] = {}
    values["train"]["start"] = start


def _find(store: Path, data: bytes) -> Path:
    digest = md5(data, usedforsecurity=False).hexdigest()
    return store / "files/md5" / digest[:2] / digest[2:]


@pytest.mark.heavy
def test_clips_elsewhere_go_and_those_of_others_stay(crew: Show, tmp_path: Path) -> None:
    stores = (crew.root / ".dvc/cache", tmp_path / "remote")
    (tmp_path / "victim").mkdir()
    (stores[1] / "runs/others").write_text(RECORD_OF_OTHERS)
    assert all(_find(store, b"never sampled").exists() for store in stores)
    listed = _withdraw(crew, "ben")
    assert "footage/ben: clips, here" in listed
    assert "data/train/eve_as_ada: here, and 1 recorded" in listed, "it began with ben's"
    assert "data/align/eve" not in listed
    assert "not looked at: ../victim: 1 records tell no MD5 of it" in listed
    of_eve = _list_all(crew).keys()
    said = _withdraw(crew, "ben", "--purge")
    assert "removed footage/ben\n" in said
    assert "removed footage/ben.dvc\n" in said
    assert "  footage/ben/two.mp4: stays in cache and remotes as clips/eve/two.mp4" in said
    assert f"{crew.root / '.work/prefect'}, or a server's" in said
    assert "private/consent/ben: names, contacts and signed evidence, which may have to be kept" in said
    for store in stores:
        assert not _find(store, b"never sampled").exists()
        assert _find(store, b"ben and eve").exists()
        assert _find(store, b"frames of clips/ada/take1.mp4").exists()
        assert not _find(store, b"frames of clips/ben/take1.mp4").exists()
    assert not list((crew.root / "footage").glob("ben*"))
    assert (crew.root / "clips/eve/two.mp4").read_text() == "ben and eve"
    assert not (crew.root / "data/train/eve_as_ada").exists()
    for path in ("data/align", "models"):
        assert f"left {path}: " in said
    assert "left ../victim: is no place of results" in said
    assert (tmp_path / "victim").exists()
    kept = ("/data/align/eve/", "/data/align/ada/", "/models/", "/clips/eve")
    assert [path for path in of_eve if any(part in path for part in kept) and not Path(path).exists()] == []


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def _sample(name: str, clips: str, of: str) -> Run:
    return Run({clips: _md5(of) + ".dir"}, {f"data/sample/{name}/frames.parquet": _md5(f"{name} {of}")})


def test_a_result_without_md5_makes_no_run_of_others_theirs() -> None:
    of_kim = Run({}, {"data/align/kim/faceset": ""})
    of_eve = Run({"data/augment/eve": ""}, {"data/train/eve_as_ada": _md5("eve")})
    known = Known(runs=[of_kim, of_eve])
    assert (of_kim.results, of_eve.needs) == (set(), set())
    traces = find_traces("kim", known, {})
    assert (traces.runs, traces.others) == ([of_kim], [of_eve])
    assert [*list_unknown(known, traces.others)] == [
        "data/align/kim/faceset: 1 records tell no MD5 of it",
        "data/augment/eve: 1 records tell no MD5 of it",
    ]


def test_a_training_that_began_with_what_lies_nowhere_is_told() -> None:
    known = Known(runs=[Run({}, {"data/train/eve_as_ada": _md5("eve")}, start_sha256="ab")])
    traces = find_traces("kim", known, {})
    assert [*list_unknown(known, traces.others)] == [
        "data/train/eve_as_ada: began with a checkpoint that lies nowhere here (SHA-256 ab)"
    ]


def test_clips_in_one_folder_of_two_people_stay() -> None:
    runs = [
        _sample("kim", "clips/kim", "both"),
        _sample("eve", "clips/kim", "both"),
        _sample("kim", "clips/kim", "old"),
    ]
    known = Known(lock=runs, runs=runs, added=[Run({}, {"clips/kim": _md5("both") + ".dir"})])
    traces = find_traces("kim", known, {"kim": "clips/kim/", "eve": "clips/kim"})
    assert (traces.folders, traces.here, traces.shared) == (set(), set(), {"clips/kim"})
    assert traces.others == [runs[1]]
    assert traces.objects == {_md5("kim both"), _md5("kim old"), _md5("old") + ".dir"}
    assert "clips/kim" in traces.theirs


@pytest.mark.parametrize("is_sampled", [True, False])
def test_a_clip_that_others_have_too_stays(*, is_sampled: bool) -> None:
    """Whether eve's clips are known from a run, or only from what DVC was given."""
    sampled, given = _sample("eve", "clips/eve", "hers"), Run({}, {"clips/eve": _md5("hers") + ".dir"})
    runs = [_sample("kim", "clips/kim", "his"), *([sampled] if is_sampled else [])]
    lists = {f"{_md5('his')}.dir": {"a": _md5("a"), "two": _md5("two")}, f"{_md5('hers')}.dir": {"two": _md5("two")}}
    known = Known(runs=runs, added=[] if is_sampled else [given], lists=dict(lists))
    traces = find_traces("kim", known, {})
    assert traces.objects == {_md5("kim his"), _md5("his") + ".dir", _md5("a")}
    assert traces.kept == {"clips/kim/two": "clips/eve/two"}


@pytest.mark.parametrize("is_in_params", [True, False])
def test_clips_are_found_where_params_or_runs_say(*, is_in_params: bool) -> None:
    runs = [] if is_in_params else [_sample("kim", "footage/kim", "now")]
    known = Known(lock=runs, runs=runs, added=[Run({}, {"footage/kim": _md5("never sampled") + ".dir"})])
    traces = find_traces("kim", known, {"kim": "footage/kim"} if is_in_params else {})
    assert traces.here == {"clips/kim", "footage/kim"}
    assert _md5("never sampled") + ".dir" in traces.objects


def test_a_record_of_others_names_no_folder_to_remove() -> None:
    record = replace(_sample("kim", "models", "x"), file="ab/cd")
    traces = find_traces("kim", Known(runs=[record], added=[Run({}, {"models/net": _md5("net")})]), {})
    assert traces.folders == {"clips/kim"}
    assert _md5("net") not in traces.objects


def test_clips_that_dvc_was_given_with_others_go_one_by_one() -> None:
    whole = _md5("whole") + ".dir"
    lists = {whole: {"kim/a.mp4": _md5("a"), "eve/b.mp4": _md5("b")}}
    traces = find_traces("kim", Known(added=[Run({}, {"clips": whole})], lists=dict(lists)), {"eve": "clips/eve"})
    assert (traces.objects, traces.around) == ({_md5("a")}, {"clips"})


def test_what_is_no_path_or_md5_is_passed_over() -> None:
    text = b"""
deps: 3
outs: [{path: [], md5: x}, 7, {path: ./data//x, md5: ABC}, {path: data/y, md5: [1]}, {path: z, files: [{relpath: q}]}]
params: {params.yaml: {train: {start: {sha256: [7]}}}}
"""
    assert parse_run(text, "a/b") == Run({}, {"data/x": "", "data/y": "", "z": ""}, file="a/b")


def test_a_folder_that_is_told_by_files_has_the_md5_that_dvc_gives_it(built_once: Show) -> None:
    lists = [*(built_once.root / ".dvc/cache/files/md5").glob("??/*.dir")]
    assert lists
    for file in lists:
        record = {"outs": [{"path": "data/x", "files": json.loads(file.read_text())[::-1]}]}
        run = parse_run(json.dumps(record).encode(), "")
        assert run is not None
        assert run.outs == {"data/x": file.parent.name + file.name}
        assert run.lists[run.outs["data/x"]]


def test_versions_that_a_merge_passed_over_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_git(tmp_path, "init", "--quiet", "--initial-branch", "one")
    _commit_lock(tmp_path, "first")
    run_git(tmp_path, "checkout", "--quiet", "-b", "two")
    _commit_lock(tmp_path, "second")
    run_git(tmp_path, "checkout", "--quiet", "one")
    run_git(tmp_path, "-c", "user.name=t", "-c", "user.email=t@t", "merge", "--quiet", "-s", "ours", "-m", "m", "two")
    run_git(tmp_path, "branch", "--quiet", "-D", "two")
    assert {path for run in read_locks() for path in run.outs} == {"data/first", "data/second"}


def _commit_lock(folder: Path, name: str) -> None:
    (folder / "dvc.lock").write_text(f"stages: {{x: {{outs: [{{path: data/{name}, md5: '{_md5(name)}'}}]}}}}")
    commit(folder, name)
