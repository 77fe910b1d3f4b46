"""Working as a team: clones of one project share results through a remote, and what one has run the other restores."""

import hashlib
import os
import re
import shutil
import stat
import warnings
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from errors import FlowError
from flows.graph import Graph, push_results, read_graph
from tests.project import Project
from tests.s3_server import BUCKET, KEYS, MISSING, serve_s3
from tests.show import Show, list_objects
from vision.whole import whole_file, whole_folder

needs_s3 = pytest.mark.skipif(
    bool(MISSING), reason=f"{' and '.join(MISSING)} not installed: tests/s3_server.py says how"
)


@pytest.fixture
def shared(project: Project, tmp_path: Path) -> Show:
    """A built show of fakes, with a folder as remote; pushed."""
    show = Show(project.root)
    show.start(str(tmp_path / "remote"))
    show.dvc("push", "--run-cache")
    return show


@pytest.mark.heavy
def test_a_second_clone_pulls_and_has_nothing_to_do(shared: Show, tmp_path: Path) -> None:
    clone = shared.clone(tmp_path / "clone")
    clone.dvc("pull")
    assert clone.repro() == []
    assert clone.dvc("status").strip() == "Data and pipelines are up to date."
    assert (clone.root / "data/convert/demo.mp4").read_bytes() == (shared.root / "data/convert/demo.mp4").read_bytes()


@pytest.mark.heavy
def test_what_a_colleague_has_run_and_pushed_is_restored_elsewhere(shared: Show, tmp_path: Path) -> None:
    clone = shared.clone(tmp_path / "clone")
    shared.change(lambda values: values["convert"].update(batch_frames=7))
    shared.build("--push")
    shutil.copy(shared.root / "params.yaml", clone.root / "params.yaml")  # the same change, made by somebody else
    said = clone.build("--pull")
    assert clone.read_runs() == []
    assert re.search(r"convert@demo +Restored", said)
    assert "dvc config" not in said, "DVC's hints are for whoever calls it"
    assert (clone.root / "data/convert/demo.mp4").read_bytes() == (shared.root / "data/convert/demo.mp4").read_bytes()
    assert not (clone.root / "data/detect").exists(), "what nobody needs was not downloaded"


@pytest.mark.heavy
def test_an_empty_clone_downloads_what_a_changed_stage_needs_and_only_that(shared: Show, tmp_path: Path) -> None:
    clone = shared.clone(tmp_path / "clone")
    clone.change(lambda values: values["evaluate"].update(sheet_px=64))
    assert clone.repro("--pull", "--allow-missing") == ["evaluate@demo"]
    graph = YAML(typ="safe").load((clone.root / "dvc.lock").read_text())["stages"]
    needed = {part["md5"] for part in graph["evaluate@demo"]["deps"] + graph["check"]["outs"]}
    needed |= {_md5(file) for made in ("data/train", "plots/compare") for file in (clone.root / made).rglob("part")}
    needed |= {_md5(file) for file in (clone.root / "data").glob("versions-*.txt")}
    came = clone.list_objects().keys() & list_objects(tmp_path / "remote").keys()
    downloaded = {name for name in came if not name.endswith(".dir")}  # which lists the files of a folder
    assert downloaded - needed == set()
    assert {_md5(clone.root / path) for path in ("clips/ada/take1.mp4", "data/convert/demo.mp4")} <= downloaded


def _md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()  # noqa: S324 (DVC's)


@needs_s3
@pytest.mark.heavy
def test_an_s3_server_serves_as_remote(project: Project, tmp_path: Path) -> None:
    with serve_s3() as server:
        show = Show(project.root)
        show.start(f"s3://{BUCKET}/show", endpointurl=server.address)
        show.build("--push", **KEYS)
        clone = show.clone(tmp_path / "clone")
        clone.dvc("pull", **KEYS)
        assert clone.repro() == []
        show.change(lambda values: values["convert"].update(batch_frames=7))
        show.build("convert", "--downstream", "--push", **KEYS)
        shutil.copy(show.root / "params.yaml", clone.root / "params.yaml")
        clone.dvc("repro", "--pull", **KEYS)
        assert clone.read_runs() == []
        video = Path("data/convert/demo.mp4")
        assert (clone.root / video).read_bytes() == (show.root / video).read_bytes()
        assert f"show/files/md5/{_md5(show.root / video)[:2]}/{_md5(show.root / video)[2:]}" in server.list_objects()


@pytest.mark.parametrize(
    ("remote", "said"),
    [("", ".*no remote specified in .*"), ("s3://understudy/show", ".*(dvc-s3|credentials|connect).*")],
)
def test_results_that_cannot_be_pushed_are_told_in_one_line(
    project: Project, remote: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if remote:
        _run_all(project, f"dvc remote add --default team {remote}")
        _run_all(project, "dvc remote modify team endpointurl http://127.0.0.1:9")  # nobody listens there
    monkeypatch.chdir(project.root)
    with warnings.catch_warnings(), pytest.raises(FlowError) as told:
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="dvc")  # pygtrie's, of DVC's use
        push_results()
    assert re.fullmatch(
        rf"the results could not be pushed: {said}; see dvc remote list, and docs/team\.md", str(told.value)
    )


@pytest.mark.heavy
def test_clones_on_one_host_share_a_cache_and_never_write_through_its_links(shared: Show, tmp_path: Path) -> None:
    (tmp_path / "remote").rename(tmp_path / "gone")  # nothing can be downloaded
    cache = tmp_path / "cache"
    shutil.copytree(shared.root / ".dvc/cache", cache)
    for folder in [cache, *(path for path in cache.rglob("*") if path.is_dir())]:
        folder.chmod(0o2775)
    clone = shared.clone(tmp_path / "clone")
    shared.dvc("cache", "dir", "--local", str(cache))
    shared.dvc("config", "--local", "cache.shared", "group")
    shared.dvc("config", "--local", "cache.type", "hardlink")
    shared.dvc("checkout", "--relink")
    shutil.copy(shared.root / ".dvc/config.local", clone.root / ".dvc/config.local")
    clone.dvc("checkout")
    assert clone.repro() == []
    known = _read_objects(cache)
    video = Path("data/convert/demo.mp4")
    assert (clone.root / video).samefile(shared.root / video)
    clone.change(lambda values: values["convert"].update(batch_frames=7))
    assert clone.repro() == ["convert@demo", "evaluate@demo"]
    assert {name: content for name, content in _read_objects(cache).items() if name in known} == known
    assert (clone.root / video).read_bytes() != (shared.root / video).read_bytes()
    shutil.copy(clone.root / "params.yaml", shared.root / "params.yaml")
    before = shared.read_runs()
    assert shared.repro() == []
    assert shared.read_runs() == before, "what a clone has run, another finds in the cache"
    assert (clone.root / video).samefile(shared.root / video)
    new = set(_read_objects(cache)) - set(known)
    assert {stat.S_IMODE((cache / name).stat().st_mode) for name in new if name.startswith("files")} == {0o444}
    assert all((cache / name).parent.stat().st_mode & stat.S_IWGRP for name in new), "the group adds objects"


def _read_objects(cache: Path) -> dict[str, bytes]:
    return {str(file.relative_to(cache)): file.read_bytes() for file in cache.rglob("*") if file.is_file()}


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_a_stage_run_by_hand_replaces_a_link_into_the_cache(tmp_path: Path, link: object) -> None:
    assert callable(link)
    kept = tmp_path / "object"
    kept.write_text("kept")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file", tmp_path / "folder/part"):
        link(kept, path)
    with whole_file(tmp_path / "file") as partial:
        partial.write_text("new")
    with whole_folder(tmp_path / "folder") as partial:
        (partial / "part").write_text("new")
    assert (tmp_path / "file").read_text() == (tmp_path / "folder/part").read_text() == "new"
    assert kept.read_text() == "kept"


@pytest.mark.heavy
def test_another_project_imports_a_face_set_and_gets_its_new_version(shared: Show, tmp_path: Path) -> None:
    other = Project(tmp_path / "other")
    (other.root / "sets").mkdir(parents=True)
    _run_all(other, "git init --quiet", "dvc init --quiet")
    _run_all(other, f"dvc import {shared.root} data/align/ada/faceset -o sets/ada")
    first = (other.root / "sets/ada/part").read_bytes()
    assert first == (shared.root / "data/align/ada/faceset/part").read_bytes()
    shared.write("clips/ada/take1.mp4", "other frames of ada")
    shared.dvc("add", "clips/ada")
    shared.repro()
    shared.dvc("push")
    shared.commit("a new take")
    shutil.rmtree(shared.root / ".dvc/cache")  # what others get comes from the remote
    _run_all(other, "dvc update sets/ada.dvc")
    assert (other.root / "sets/ada/part").read_bytes() == (shared.root / "data/align/ada/faceset/part").read_bytes()
    assert (other.root / "sets/ada/part").read_bytes() != first


@pytest.mark.heavy
def test_another_show_uses_a_person_of_the_registry_without_running_anything(
    shared: Show, built_once: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = Show(built_once.copy(tmp_path / "show").root)
    for made in ("clips/ada", "data", "plots", "metrics", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(show.root / made)
    (show.root / "dvc.lock").unlink()
    show.start(str(tmp_path / "remote"), registry=shared.root)
    show.write("fake/runs.txt", "")
    said = show.build("augment@ada", "--pull")
    outcomes = {words[0]: words[1] for words in map(str.split, said.splitlines()) if len(words) == 4}
    assert outcomes == {"check": "Restored", "clips/ada.dvc": "Cached"} | {
        f"{stage}@ada": "Restored" for stage in ("sample", "detect", "align", "augment")
    }
    assert show.read_runs() == []
    shared.root.rename(tmp_path / "gone")
    monkeypatch.chdir(show.root)
    assert "align@ada" not in _read_graph().changed, "a build asks no registry for news"


def _run_all(project: Project, *commands: str) -> None:
    for command in commands:
        done = project.run(*command.split())
        assert done.returncode == 0, done.stderr


@pytest.mark.heavy
def test_the_flow_has_the_graph_of_dvc_also_for_a_new_person(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("clips/eve/take1.mp4", "frames of eve")
    project.add("identities", "eve", like="ada", clips="clips/eve", consent="unverified")
    project.add("pairs", "eve_as_ada", like="ben_as_ada", source="eve")
    monkeypatch.chdir(project.root)
    drawn = project.run("dvc", "dag", "--mermaid").stdout.splitlines()
    names = {line.split("[")[0].strip(): line.split('"')[1] for line in drawn if '["' in line}
    arrows = {tuple(names[end] for end in line.strip().split("-->")) for line in drawn if "-->" in line}
    graph = _read_graph()
    assert {(needed, stage) for stage, all_needed in graph.upstreams.items() for needed in all_needed} == arrows
    assert "train@eve_as_ada" in graph.upstreams


def _read_graph() -> Graph:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="dvc")  # pygtrie's, of DVC's use
        return read_graph()
