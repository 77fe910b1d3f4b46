"""What DVC keeps, in the cache and in remotes: its records of all runs, and taking objects away.

With graph.py and grid.py a door to DVC's own code.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo, lock_repo
from dvc.utils.serialize import YAMLFileCorruptedError, parse_yaml

from errors import FlowError
from flows.command import run_command
from flows.graph import list_remote_errors

LOCK = Path("dvc.lock")
_MD5_OF_RUNS = "md5-dos2unix"  # by this name DVC finds the folder of its records of runs


@dataclass(frozen=True)
class Run:
    """One run of a stage: the MD5 of each dependency and result by path, and the checkpoint that it began with.

    `file` is the record's place below the folder of runs; empty for one of dvc.lock.
    """

    deps: Mapping[str, str]
    outs: Mapping[str, str]
    start_sha256: str = ""
    file: str = ""


class Store:
    """A place that holds objects and records of runs: the cache, or a remote."""

    def __init__(self, name: str, objects: Any, runs: Any) -> None:
        self.name = name
        self._objects = objects
        self._runs_fs, self._runs = runs.fs, runs.fs.join(runs.path, "runs")

    def read_runs(self) -> Iterator[Run]:
        """The records of runs that can be read."""
        if not self._runs_fs.exists(self._runs):
            return
        for path in sorted(self._runs_fs.find(self._runs)):
            with self._runs_fs.open(path, "rb") as file:
                run = _parse_run(file.read(), path.removeprefix(self._runs).lstrip("/"))
            if run is not None:
                yield run

    def list_files(self, md5: str) -> dict[str, str]:
        """The MD5 of each file of a folder's list, by name; empty where the list is not here."""
        path = self._objects.oid_to_path(md5)
        if not md5.endswith(".dir") or not self._objects.fs.exists(path):
            return {}
        with self._objects.fs.open(path, "rb") as file:
            return {entry["relpath"]: entry["md5"] for entry in json.load(file)}

    def find_object(self, md5: str) -> str:
        """Where an object lies; empty where it is not here."""
        path = str(self._objects.oid_to_path(md5))
        return path if self._objects.fs.exists(path) else ""

    def drop(self, md5s: Iterable[str], runs: Iterable[Run]) -> int:
        """Take away objects, and the records of runs; how many objects there were."""
        found = [path for path in map(self.find_object, md5s) if path]
        for path in found:
            self._objects.fs.remove(path)
        for run in runs:
            self._runs_fs.remove(self._runs_fs.join(self._runs, run.file))
        return len(found)


def read_locks() -> Iterator[Run]:
    """What every version of dvc.lock that git knows, and the one here, say of each stage."""
    texts = [LOCK.read_bytes()] if LOCK.exists() else []
    commits = _ask_git("log", "--all", "--format=%H", "--", str(LOCK)).decode().split()
    texts += [_ask_git("show", f"{commit}:./{LOCK}") for commit in commits]
    for text in texts:
        yield from _parse_lock(text)


def read_lock() -> list[Run]:
    """What the dvc.lock here says of each stage."""
    return list(_parse_lock(LOCK.read_bytes())) if LOCK.exists() else []


def visit_stores(visit: Callable[[Store], None]) -> list[str]:
    """Visit the cache and then each remote, with DVC held still; of the remotes that failed, why. Raises FlowError."""
    try:
        with Repo(_wait_for_lock=True) as repo, lock_repo(repo):
            visit(Store("cache", repo.cache.local, repo.cache.legacy))
            return [trouble for name in repo.config["remote"] if (trouble := _visit_remote(repo, name, visit))]
    except DvcException as error:
        raise FlowError(f"DVC cannot tell where results are kept: {error}") from error


def _visit_remote(repo: Any, name: str, visit: Callable[[Store], None]) -> str:
    try:
        runs = repo.cloud.get_remote_odb(name, hash_name=_MD5_OF_RUNS)
        visit(Store(f"remote {name}", repo.cloud.get_remote_odb(name), runs))
    except list_remote_errors() as error:
        return f"remote {name}: {' '.join(str(error).split())}"
    return ""


def _parse_lock(text: bytes) -> Iterator[Run]:
    stages = _parse(text).get("stages")
    for stage in stages.values() if isinstance(stages, dict) else []:
        yield _to_run(stage, "")


def _parse_run(text: bytes, file: str) -> Run | None:
    stage = _parse(text)
    return _to_run(stage, file) if stage else None


def _parse(text: bytes) -> dict[str, Any]:
    """A record as it was read; empty where a kill or a merge has broken it."""
    try:
        found = parse_yaml(text.decode(errors="replace"), str(LOCK))
    except YAMLFileCorruptedError:
        return {}
    return found if isinstance(found, dict) else {}


def _to_run(stage: Mapping[str, Any], file: str) -> Run:
    deps, outs = (
        {str(part["path"]): str(part.get("md5", "")) for part in stage.get(kind, [])} for kind in ("deps", "outs")
    )
    params = stage.get("params", {}).get("params.yaml", {})
    start = params.get("train", {}).get("start") if isinstance(params.get("train"), dict) else None
    return Run(deps, outs, start_sha256=start["sha256"] if isinstance(start, dict) else "", file=file)


def _ask_git(*arguments: str) -> bytes:
    """What git says; nothing in a folder without it."""
    try:
        return run_command(["git", *arguments])
    except FlowError:
        return b""


def list_md5s(runs: Collection[Run]) -> set[str]:
    """The MD5s of all results of runs."""
    return {md5 for run in runs for md5 in run.outs.values() if md5}
