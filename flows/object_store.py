"""What DVC keeps, in the cache and in remotes: objects and records of runs, to read and to take away.

With graph.py, grid.py and run_records.py a door to DVC's own code.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo, lock_repo

from errors import FlowError
from flows.graph import list_remote_errors
from flows.run_records import Run, parse_run, read_list

_MD5_OF_RUNS = "md5-dos2unix"  # by this name DVC finds the folder of its records of runs


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
                run = parse_run(file.read(), path.removeprefix(self._runs).lstrip("/"))
            if run is not None:
                yield run

    def list_files(self, md5: str) -> dict[str, str]:
        """The MD5 of each file of a folder's list, by name; empty where the list is not here, or damaged."""
        path = self.find_object(md5)
        if not path:
            return {}
        with self._objects.fs.open(path, "rb") as file:
            try:
                return read_list(json.load(file))
            except ValueError:
                return {}

    def hash_object(self, md5: str) -> str:
        """SHA-256, hex, of an object; empty where it is not here."""
        path = self.find_object(md5)
        if not path:
            return ""
        with self._objects.fs.open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

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


def visit_stores(*visits: Callable[[Store], None]) -> list[str]:
    """Make each visit to the cache and then to each remote, with DVC held still; of the remotes that failed, why.

    A remote that failed is not visited again. Raises FlowError.
    """
    troubles: dict[str, str] = {}
    try:
        with Repo(_wait_for_lock=True) as repo, lock_repo(repo):
            for visit in visits:
                visit(Store("cache", repo.cache.local, repo.cache.legacy))
                for name in [name for name in repo.config["remote"] if name not in troubles]:
                    if trouble := _visit_remote(repo, name, visit):
                        troubles[name] = trouble
    except DvcException as error:
        raise FlowError(f"DVC cannot tell where results are kept: {error}") from error
    return list(troubles.values())


def _visit_remote(repo: Any, name: str, visit: Callable[[Store], None]) -> str:
    try:
        runs = repo.cloud.get_remote_odb(name, hash_name=_MD5_OF_RUNS)
        visit(Store(f"remote {name}", repo.cloud.get_remote_odb(name), runs))
    except list_remote_errors() as error:
        return f"remote {name}: {' '.join(str(error).split())}"
    return ""
