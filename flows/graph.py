"""The graph of stages as DVC reads it from dvc.yaml: with grid, object_store and run_records the door to its code."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from dvc.dvcfile import LOCK_FILE, Lockfile
from dvc.exceptions import DvcException
from dvc.fs import generic
from dvc.repo import Repo, lock_repo
from dvc.scm import NoSCM

from errors import FlowError

Value = TypeVar("Value")


@dataclass(frozen=True)
class Footprint:
    """The bytes of results: by stage and path as dvc.lock has them, 0 where it has none; and where DVC keeps them.

    `is_copied`: a result in the workspace takes its bytes besides those that it takes in the cache.
    """

    results: Mapping[str, Mapping[Path, int]]
    cache: Path
    is_copied: bool


@dataclass(frozen=True)
class Graph:
    """Stages by DVC's name (`train@ben_as_ada`), each with those that it needs; their results.

    `changes`: of each changed stage what DVC's status says.
    """

    upstreams: Mapping[str, frozenset[str]]
    changes: Mapping[str, list[Any]]
    footprint: Footprint | None = None

    @property
    def changed(self) -> Set[str]:
        """The stages that differ from dvc.lock."""
        return self.changes.keys()

    def select(self, names: Iterable[str], *, downstream: bool = False) -> "Graph":
        """The stages of these names (`align` means all of `align@...`) and all that they need. Raises FlowError.

        `downstream`: also what needs them, with all that this needs in turn.
        """
        wanted = [stage for name in names for stage in self.find(name)]
        if downstream:
            wanted.extend(self._needing(wanted))
        found: set[str] = set()
        while wanted:
            stage = wanted.pop()
            if stage not in found:
                found.add(stage)
                wanted.extend(self.upstreams[stage])
        return replace(self, upstreams={name: needed for name, needed in self.upstreams.items() if name in found})

    def _needing(self, stages: Iterable[str]) -> set[str]:
        """Whatever needs one of the stages, directly or not."""
        waiting, found = list(stages), set[str]()
        while waiting:
            stage = waiting.pop()
            new = {name for name, needed in self.upstreams.items() if stage in needed} - found
            found |= new
            waiting.extend(new)
        return found

    def spell_out(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Values given by names as in `find`, by stage. Raises FlowError."""
        return {stage: value for name, value in values.items() for stage in self.find(name)}

    def find(self, name: str) -> list[str]:
        """The stages that `name` means: one, or all keys of a stage. Raises FlowError."""
        found = [stage for stage in self.upstreams if stage == name or stage.split("@")[0] == name]
        if not found:
            raise FlowError(f"there is no stage {name!r}; known: {', '.join(sorted(self.upstreams))}")
        return found


def read_graph() -> Graph:
    """Read the graph, and compare every stage with dvc.lock once. Raises FlowError."""
    try:
        with Repo(_wait_for_lock=True) as repo, lock_repo(repo):
            graph = repo.index.graph
            upstreams = {stage.addressing: frozenset(s.addressing for s in graph[stage]) for stage in graph}
            return Graph(upstreams, repo.status(check_updates=False), _read_footprint(repo))
    except DvcException as error:
        raise FlowError(f"DVC cannot read the graph of stages: {error}") from error


def _read_footprint(repo: Repo) -> Footprint:
    results = {
        stage.addressing: {Path(out.def_path): out.meta.size or 0 for out in stage.outs}
        for stage in repo.index.stages
        if stage.cmd  # what DVC only watches is made by nobody here
    }
    return Footprint(results, Path(repo.cache.local.path), not _has_links(repo))


def _has_links(repo: Repo) -> bool:
    """Whether the file system can link a result to its copy in the cache, in a way that the project allows."""
    odb = repo.cache.local
    kinds = [kind for kind in odb.cache_types if kind != "copy"]
    try:
        return bool(generic.test_links(kinds, odb.fs, odb.path, repo.fs, f"{repo.root_dir}/data/link"))
    except OSError:  # a full disk: what follows tells
        return False


@contextmanager
def hold_dvc() -> Iterator[tuple[Path, Path]]:
    """Hold DVC's lock for the block, in which no command of DVC's writes here; the folders of its objects and runs."""
    with Repo(_wait_for_lock=True) as repo, lock_repo(repo):
        yield Path(repo.cache.local.path), Path(repo.stage_cache.cache_dir)


def tell_lock_error() -> str:
    """Why DVC cannot read dvc.lock; empty where it can."""
    try:
        with Repo() as repo:
            Lockfile(repo, LOCK_FILE).load()
    except DvcException as error:
        return " ".join(str(error).split())
    return ""


def compare_metrics() -> Iterator[tuple[str, str, float | None, float | None]]:
    """(file, metric, value at the last commit, value now) of every metric; None where there is none.

    In a project whose metrics no git keeps, the values now alone. Raises FlowError.
    """
    try:
        with Repo(_wait_for_lock=True) as repo:
            now = _read_metrics(repo.metrics.show())
            committed = {} if isinstance(repo.scm, NoSCM) else _read_metrics(repo.metrics.show(revs=["HEAD"]), "HEAD")
    except DvcException as error:
        raise FlowError(f"DVC cannot compare the metrics: {error}") from error
    for file, metric in sorted(now.keys() | committed.keys()):
        yield file, metric, committed.get((file, metric)), now.get((file, metric))


def _read_metrics(shown: Mapping[str, Any], revision: str = "") -> dict[tuple[str, str], float]:
    """DVC's answer as {(file, metric): value}; a file that cannot be read has none."""
    files = shown.get(revision, {}).get("data", {})
    return {
        (file, metric): value
        for file, answer in files.items()
        if isinstance(answer.get("data"), dict)
        for metric, value in answer["data"].items()
    }


def push_results() -> None:
    """Give the default remote this project's results and DVC's record of runs. Raises FlowError."""
    if trouble := _reach():
        raise FlowError(f"the results could not be pushed: {trouble}; see dvc remote list, and docs/team.md")
    try:
        with Repo(_wait_for_lock=True) as repo:
            repo.push(run_cache=True)
            # DVC leaves out what git keeps (metrics); without them a run with such results is restored nowhere else.
            rest = {out.hash_info for out in repo.index.outs if not out.use_cache and out.hash_info}
            if failed := repo.cloud.push(rest).failed:
                raise FlowError(f"{len(failed)} metrics could not be pushed; try again, and see dvc remote list")
    except list_remote_errors() as error:
        raise FlowError(f"the results could not be pushed: {error}; see dvc remote list") from error


@dataclass(frozen=True)
class Recorded:
    """What dvc.lock says of a stage: the MD5 of each dependency and result by path; of a folder it ends with .dir."""

    deps: Mapping[str, str]
    outs: Mapping[str, str]


def read_recorded() -> dict[str, Recorded]:
    """What dvc.lock says of each stage of the graph. Raises FlowError."""
    try:
        with Repo(_wait_for_lock=True) as repo:
            return {
                stage.addressing: Recorded(
                    *({part.def_path: _md5(part) for part in p} for p in (stage.deps, stage.outs))
                )
                for stage in repo.index.stages
            }
    except DvcException as error:
        raise FlowError(f"DVC cannot read dvc.lock: {error}") from error


def _md5(part: Any) -> str:
    """Of params, and of what was never built, empty."""
    return str(part.hash_info.value or "") if part.hash_info.name == "md5" else ""


@dataclass(frozen=True)
class Storage:
    """Where DVC keeps results: its cache, and by name each remote's reach, which says what is wrong or nothing."""

    cache: Path
    remotes: Mapping[str, Callable[[], str]]


def read_storage() -> Storage:
    """Read where results are kept. Raises FlowError."""
    try:
        with Repo(_wait_for_lock=True) as repo:
            reaches = {name: partial(_reach, name) for name in repo.config["remote"]}
            return Storage(Path(repo.cache.local.path), reaches)
    except DvcException as error:
        raise FlowError(f"DVC cannot tell where results are kept: {error}") from error


def _reach(name: str | None = None) -> str:
    """Ask a remote (None: the default) whether its folder is there; one that the first push will make is none yet."""
    try:
        with Repo() as repo:
            odb = repo.cloud.get_remote_odb(name)
            odb.fs.exists(odb.path)
    except list_remote_errors() as error:
        return " ".join(str(error).split())
    return ""


def list_remote_errors() -> tuple[type[Exception], ...]:
    """What goes wrong with a remote: as DVC says it, and as the library for S3 does where it is installed."""
    errors: tuple[type[Exception], ...] = (DvcException, ImportError, OSError, ValueError)
    if find_spec("botocore"):
        of_s3 = import_module("botocore.exceptions")
        errors += (of_s3.BotoCoreError, of_s3.ClientError)
    return errors
