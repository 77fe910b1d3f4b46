"""What a stage will need of each disk, against what is free there: asked before it runs, not after hours."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from disk import FREE_SOME, find_existing, find_free, name_disk, tell_full_disk
from errors import FlowError
from flows.graph import Footprint

FLOOR = 100_000_000  # bytes that anything takes: logs, databases, a stage of which nothing is known
# A training's resumable states lie in .work/: three files, each as large as the one that is among its results.
STATES = 3


@dataclass(frozen=True)
class Lack:
    """A disk, by a path on it, that has less free space than a stage needs."""

    path: Path
    needed: int

    def __str__(self) -> str:
        return f"about {self.needed / 1e9:.2f} GB are needed on {name_disk(self.path)}; {FREE_SOME}"


@contextmanager
def guarded_against_full_disk() -> Iterator[None]:
    """Begin the block only with some space, and say so where Prefect's server fails in it for want of space.

    Raises FlowError.
    """
    places = [Path(), Path(os.environ["PREFECT_HOME"])]
    lacks = [Lack(place, FLOOR) for place in places if find_free(place) < FLOOR]
    if lacks:
        raise FlowError(str(lacks[0]))
    try:
        yield
    except httpx.HTTPError as error:
        if min(map(find_free, places)) >= FLOOR:
            raise
        raise FlowError(tell_full_disk(places)) from error


def find_lack(stage: str, footprint: Footprint) -> Lack | None:
    """The first disk that has less free space than the stage will need, as far as dvc.lock tells."""
    needed: dict[int, Lack] = {}
    for path, size in _list_needs(stage, footprint):
        disk = find_existing(path).stat().st_dev
        known = needed.get(disk, Lack(path, 0))
        needed[disk] = Lack(known.path, known.needed + size)
    lacks = (Lack(lack.path, max(lack.needed, FLOOR)) for lack in needed.values())
    return next((lack for lack in lacks if find_free(lack.path) < lack.needed), None)


def _list_needs(stage: str, footprint: Footprint) -> Iterator[tuple[Path, int]]:
    """Where the stage will write, and how many bytes more than it has there: results, their copies, states."""
    yield footprint.cache, 0
    for path, size in _estimate(stage, footprint).items():
        # DVC takes an old result away before the stage runs; of one that is a link, no byte is freed.
        yield path, size - min(_measure(path), size) if footprint.is_copied else size
        is_kept_elsewhere = find_existing(path).stat().st_dev != find_existing(footprint.cache).stat().st_dev
        if footprint.is_copied or is_kept_elsewhere:
            yield footprint.cache, size
        if stage.startswith("train@"):
            yield Path(".work"), STATES * size


def _estimate(stage: str, footprint: Footprint) -> dict[Path, int]:
    """The bytes of each result of a stage: as recorded, else those of the largest of its kind."""
    results = dict(footprint.results[stage])
    if any(results.values()) or not results:
        return results
    kind = stage.split("@", maxsplit=1)[0]
    known = (sum(others.values()) for name, others in footprint.results.items() if name.split("@")[0] == kind)
    results[next(iter(results))] = max(known)
    return results


def _measure(path: Path) -> int:
    """The bytes of a file or folder; 0 where there is none."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if file.is_file())
