"""List what was made of a person, and with --purge take it away: face sets, checkpoints, videos, clips.

    python -m flows.withdraw NAME [--purge] [--dry-run]

Looks at every version of dvc.lock and of `.dvc` files that git knows, at DVC's records of runs in the cache and the
remotes, and at the register. --purge removes the results here, clips, edits and scratch, and the objects in cache and
remotes; what others' results or clips hold too stays, and is named. --dry-run only says what it would remove. The
consent record stays: it tells of the withdrawal.
"""

import argparse
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from errors import FlowError, one_line_errors
from flows.checkout import hold_checkout
from flows.environment import WORK
from flows.object_store import Store, visit_stores
from flows.terminal import say
from flows.withdraw_traces import Traces, find_traces, lies_in, list_unknown, overlap, read_known
from stages.params import KEY, read_params
from trust.consent import evidence_folder

PLACES = ("data", "metrics", "plots")  # results lie below these
OUT_OF_REACH = (
    "colleagues' clones and their caches: each runs this command as well",
    "backups, and copies of videos that were given away",
    "git's history: dvc.lock (hashes), edits, params, records of consent, and clips that git keeps",
    "the register, which is append-only: titles, hashes of files and of the pictures' coarse look",
    "Prefect's database ({prefect}, or a server's): its runs' artifacts hold sheets of faces; delete those runs there",
    "{evidence}: names, contacts and signed evidence, which may have to be kept as proof; remove them by hand",
)


def withdraw(name: str, *, purge: bool, dry_run: bool) -> None:
    """List what was made of `name`, and where `purge` says so remove it. Raises FlowError, ParamsError."""
    if not KEY.fullmatch(name):
        raise FlowError(f"{name!r} is no identity's name; it must match {KEY.pattern}")
    clips = {key: identity.clips for key, identity in read_params().identities.items()}
    with hold_checkout(lambda line: say("withdraw", line)):
        known = read_known()
        traces = find_traces(name, known, clips)
        _tell(name, traces)
        for unknown in list_unknown(known, traces.others):
            say("withdraw", f"not looked at: {unknown}")
        if purge:
            _purge(name, traces, is_dry=dry_run)


def _tell(name: str, traces: Traces) -> None:
    say("withdraw", f"{len(traces.runs)} runs were made of {name}; their results:")
    for path in traces.paths:
        is_here = "here, and " if Path(path).exists() else ""
        versions = len({run.outs[path] for run in traces.runs if path in run.outs})
        print(f"  {path}: {is_here}{versions} recorded")
    for folder in sorted(traces.folders):
        if Path(folder).exists():
            print(f"  {folder}: clips, here")
    for entry in traces.entries:
        kind = "clip" if entry.kind == "original" else "video"
        print(f"  registered {kind} {entry.title} ({entry.time}, SHA-256 {entry.sha256})")


def _purge(name: str, traces: Traces, *, is_dry: bool) -> None:
    going, left = _sort_here(name, traces)
    for path in going:
        if not is_dry:
            _remove(Path(path))
        say("withdraw", f"{'would remove' if is_dry else 'removed'} {path}")
    for path, reason in left.items():
        say("withdraw", f"left {path}: {reason}")
    for trouble in visit_stores(lambda store: _purge_store(store, traces, is_dry=is_dry)):
        say("withdraw", f"NOT removed: {trouble}; run this again when it can be reached")
    say("withdraw", "out of reach:")
    for place in _list_out_of_reach(name, traces):
        print(f"  {place}")
    for path in sorted(path for path in traces.around if Path(f"{path}.dvc").exists()):
        say("withdraw", f"next: dvc add {path}, whose list still names what was removed")
    say("withdraw", f"next: take {name} out of params.yaml, and commit")


def _sort_here(name: str, traces: Traces) -> tuple[list[str], dict[str, str]]:
    """What lies here and goes: results, clips, edits, scratch; and what stays, with the reason."""
    folders = sorted(traces.folders)
    found = [*traces.paths, *folders, *(f"{folder}.dvc" for folder in folders), f"edits/{name}"]
    found = [path for path in found if os.path.lexists(path)]
    left = {path: reason for path in found if (reason := _find_reason(path, traces))}
    going = [path for path in found if path not in left]
    trained = [path for path in map(Path, going) if path.parent == Path("data/train") and not path.suffix]
    scratch = [WORK / f"train@{path.name}" for path in trained]
    return going + [str(path) for path in scratch if path.exists()], left


def _find_reason(path: str, traces: Traces) -> str:
    """Why something stays here; empty where it may go. Paths come from records that others wrote."""
    if any(overlap(path, other) for other in traces.theirs):
        return "somebody else's results or clips lie there"
    if path in traces.paths and not _is_result(PurePosixPath(path)):
        return "is no place of results; if it is theirs, remove it by hand"
    if path.removesuffix(".dvc") in traces.folders - traces.here:
        return "their clips lay there once; if they still do, remove it by hand"
    return ""


def _is_result(path: PurePosixPath) -> bool:
    return len(path.parts) > 1 and path.parts[0] in PLACES and ".." not in path.parts


def _remove(path: Path) -> None:
    if not os.path.lexists(path):
        return  # it lay in what went before
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _list_out_of_reach(name: str, traces: Traces) -> Iterator[str]:
    for place in OUT_OF_REACH:
        yield place.format(prefect=os.environ["PREFECT_HOME"], evidence=evidence_folder(name))
    for folder in sorted(traces.shared):
        yield f"{folder}: somebody else's clips lie there too: it stays here, and in cache and remotes"
    for path, other in traces.kept.items():
        if not lies_in(str(PurePosixPath(path).parent), traces.kept):
            yield f"{path}: stays in cache and remotes as {other}"


def _purge_store(store: Store, traces: Traces, *, is_dry: bool) -> None:
    if is_dry:
        n = sum(bool(store.find_object(md5)) for md5 in traces.objects)
        say("withdraw", f"would remove {n} objects from {store.name}")
        return
    known = {(run.file, frozenset(run.outs.items())) for run in traces.runs}
    runs = [run for run in store.read_runs() if (run.file, frozenset(run.outs.items())) in known]
    n = store.drop(sorted(traces.objects), runs)
    say("withdraw", f"removed {n} objects and {len(runs)} records of runs from {store.name}")


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
