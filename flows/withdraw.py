"""List what was made of a person, and with --purge take it away: face sets, checkpoints, videos, clips.

    python -m flows.withdraw NAME [--purge] [--dry-run]

Looks at every version of dvc.lock that git knows, at DVC's records of runs in the cache and the remotes, and at the
register. --purge removes the results here, clips, edits and scratch, and the objects in cache and remotes; what others'
results hold too stays. --dry-run only says what it would remove. The consent record stays: it tells of the
withdrawal.
"""

import argparse
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from errors import FlowError, one_line_errors
from flows.checkout import hold_checkout
from flows.environment import WORK
from flows.object_store import Run, Store, list_md5s, read_lock, read_locks, visit_stores
from flows.terminal import say
from stages.params import KEY
from trust.publish import REGISTER
from trust.register import Entry, read_register
from vision.hashing import hash_file

OF_PEOPLE = ("sample", "detect", "align", "augment")
CHECKPOINT = "checkpoint.safetensors"
OUT_OF_REACH = (
    "colleagues' clones and their caches: each runs this command as well",
    "backups, and copies of videos that were given away",
    "git's history: dvc.lock (hashes), edits, params and records of consent",
    "the register, which is append-only: titles, hashes of files and of the pictures' coarse look",
)


@dataclass(frozen=True)
class Traces:
    """What was made of a person: runs, and entries of the register; and all other runs. `clips`: where theirs lie."""

    clips: str
    runs: tuple[Run, ...]
    others: tuple[Run, ...]
    entries: tuple[Entry, ...]

    @property
    def paths(self) -> list[str]:
        """The results' paths."""
        return sorted({path for run in self.runs for path in run.outs})


def withdraw(name: str, *, purge: bool, dry_run: bool) -> None:
    """List what was made of `name`, and where `purge` says so remove it. Raises FlowError."""
    if not KEY.fullmatch(name):
        raise FlowError(f"{name!r} is no identity's name; it must match {KEY.pattern}")
    with hold_checkout(lambda line: say("withdraw", line)):
        runs = list(read_locks())
        checkpoints: dict[str, str] = {}
        troubles = visit_stores(lambda store: _look(store, runs, checkpoints))
        traces = find_traces(name, runs, checkpoints)
        _tell(name, traces)
        for trouble in troubles:
            say("withdraw", f"not looked at: {trouble}")
        if purge:
            _purge(name, traces, is_dry=dry_run)


def find_traces(name: str, runs: Iterable[Run], checkpoints: dict[str, str]) -> Traces:
    """The runs that a person's clips went into, directly or by way of other runs' results or checkpoints.

    `checkpoints`: the MD5 of trainings' results by the SHA-256 of their checkpoint.
    """
    waiting, found = list(runs), list[Run]()
    seeds = (f"clips/{name}", f"edits/{name}", *(f"data/{stage}/{name}" for stage in OF_PEOPLE))
    tainted: set[tuple[str, str]] = set()
    while True:
        new = [run for run in waiting if _is_touched(run, seeds, tainted, checkpoints)]
        if not new:
            break
        found += new
        waiting = [run for run in waiting if run not in new]
        tainted |= {out for run in new for out in run.outs.items()}
    entries = [entry for entry in read_register(REGISTER) if name in entry.identities]
    return Traces(f"clips/{name}", tuple(found), tuple(waiting), tuple(entries))


def _is_touched(run: Run, seeds: Iterable[str], tainted: set[tuple[str, str]], checkpoints: dict[str, str]) -> bool:
    paths = (*run.deps, *run.outs)
    is_of_person = any(_is_in(path, seeds) for path in paths)
    began_with = checkpoints.get(run.start_sha256, "")
    return is_of_person or bool(tainted & set(run.deps.items())) or began_with in {md5 for _, md5 in tainted}


def _is_in(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _look(store: Store, runs: list[Run], checkpoints: dict[str, str]) -> None:
    """Add a store's records to `runs`, and the checkpoints that lie in the cache to `checkpoints`."""
    runs += store.read_runs()
    for md5 in list_md5s(runs):
        path = Path(store.find_object(store.list_files(md5).get(CHECKPOINT, "none")))
        if path.is_file():
            checkpoints[hash_file(path)] = md5


def _tell(name: str, traces: Traces) -> None:
    say("withdraw", f"{len(traces.runs)} runs were made of {name}; their results:")
    for path in traces.paths:
        is_here = "here, and " if Path(path).exists() else ""
        versions = len({run.outs[path] for run in traces.runs if path in run.outs})
        print(f"  {path}: {is_here}{versions} recorded")
    for entry in traces.entries:
        kind = "clip" if entry.kind == "original" else "video"
        print(f"  registered {kind} {entry.title} ({entry.time}, SHA-256 {entry.sha256})")


def _purge(name: str, traces: Traces, *, is_dry: bool) -> None:
    here = _list_here(name, traces)
    what = "would remove" if is_dry else "removed"
    if not is_dry:
        for path in here:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for path in here:
        say("withdraw", f"{what} {path}")
    for trouble in visit_stores(lambda store: _purge_store(store, traces, is_dry=is_dry)):
        say("withdraw", f"NOT removed: {trouble}; run this again when it can be reached")
    say("withdraw", "out of reach:")
    for place in OUT_OF_REACH:
        print(f"  {place}")
    say("withdraw", f"next: take {name} out of params.yaml, and commit")


def _list_here(name: str, traces: Traces) -> list[Path]:
    """What lies in the project: results, unless they are somebody else's by now; clips, edits, scratch."""
    of_others = {path for run in read_lock() if run not in traces.runs for path in run.outs}
    results = [Path(path) for path in traces.paths if path not in of_others]
    trained = [path.name for path in results if path.parent == Path("data/train") and not path.suffix]
    scratch = [WORK / f"train@{pair}" for pair in trained]
    own = [Path("clips", name), Path("clips", f"{name}.dvc"), Path("edits", name)]
    return [path for path in (*results, *own, *scratch) if path.exists() or path.is_symlink()]


def _purge_store(store: Store, traces: Traces, *, is_dry: bool) -> None:
    of_person, of_others = (_spell_out(store, runs) for runs in (traces.runs, traces.others))
    clips = {md5 for run in traces.runs for path, md5 in run.deps.items() if _is_in(path, [traces.clips]) and md5}
    wanted = sorted((of_person | _expand(store, clips)) - of_others)
    if is_dry:
        n = sum(bool(store.find_object(md5)) for md5 in wanted)
        say("withdraw", f"would remove {n} objects from {store.name}")
        return
    known = {frozenset(run.outs.items()) for run in traces.runs}
    runs = [run for run in store.read_runs() if frozenset(run.outs.items()) in known]
    say("withdraw", f"removed {store.drop(wanted, runs)} objects and {len(runs)} records of runs from {store.name}")


def _spell_out(store: Store, runs: Iterable[Run]) -> set[str]:
    """The MD5s of all results of runs, and of all files in those that are folders."""
    return _expand(store, list_md5s(list(runs)))


def _expand(store: Store, md5s: set[str]) -> set[str]:
    return md5s | {file for md5 in md5s for file in store.list_files(md5).values()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m flows.withdraw", description="What was made of a person.")
    parser.add_argument("name", metavar="NAME", help="the identity")
    parser.add_argument("--purge", action="store_true", help="take it away, here and in cache and remotes")
    parser.add_argument("--dry-run", action="store_true", help="with --purge: only say what would be removed")
    arguments = parser.parse_args()
    with one_line_errors():
        withdraw(arguments.name, purge=arguments.purge, dry_run=arguments.dry_run)


if __name__ == "__main__":
    main()
