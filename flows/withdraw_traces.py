"""What was made of a person, as git, DVC's stores and the register tell; and what of it is somebody else's as well."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from flows.object_store import Store, visit_stores
from flows.run_records import Run, read_added, read_lock, read_locks
from trust.consent import CONSENT
from trust.places import register_folder
from trust.register import Entry, read_register

OF_PEOPLE = ("sample", "detect", "align", "augment")
CHECKPOINT = "checkpoint.safetensors"
Pair = tuple[str, str]  # a path and its MD5


@dataclass
class Known:
    """What git and DVC's stores tell of everybody.

    `lock`: the runs of the dvc.lock here. `added`: what was given to DVC by hand. `lists`: by a folder's MD5, that of
    each file by name. `sha256s`: of checkpoints, by their MD5. `troubles`: of the remotes that failed, why.
    """

    lock: list[Run] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    added: list[Run] = field(default_factory=list)
    lists: dict[str, Mapping[str, str]] = field(default_factory=dict)
    sha256s: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def visit_runs(self, store: Store) -> None:
        """Read a store's records of runs."""
        self.runs += store.read_runs()

    def visit_lists(self, store: Store) -> None:
        """Read what folders hold, of those of which no store before told it."""
        parts = {pair for run in (*self.runs, *self.added) for pair in run.results | run.needs}
        for md5 in {md5 for _, md5 in parts if md5.endswith(".dir")} - self.lists.keys():
            if files := store.list_files(md5):
                self.lists[md5] = files

    def visit_checkpoints(self, store: Store) -> None:
        """Hash a store's checkpoints, until all that trainings began with are known."""
        starts = {run.start_sha256 for run in self.runs if run.start_sha256}
        for md5 in {files[CHECKPOINT] for files in self.lists.values() if CHECKPOINT in files} - self.sha256s.keys():
            if starts <= set(self.sha256s.values()):
                return
            if sha256 := store.hash_object(md5):
                self.sha256s[md5] = sha256

    def spell_out(self, pairs: Iterable[Pair]) -> set[Pair]:
        """Paths and MD5s, also of all files in those that are folders."""
        parts = set(pairs)
        return parts | {(f"{path}/{name}", md5) for path, of in parts for name, md5 in self.lists.get(of, {}).items()}

    def list_checkpoints(self, run: Run) -> set[str]:
        """The SHA-256 of the checkpoints that a run made."""
        files = (self.lists.get(md5, {}).get(CHECKPOINT, "") for md5 in run.outs.values())
        return {self.sha256s[md5] for md5 in files if md5 in self.sha256s}


@dataclass(frozen=True)
class Traces:
    """What was made of a person: runs, and entries of the register; and all other runs.

    `folders`: where their clips, and nobody else's, lie or lay; `here`: those of them that params.yaml or the dvc.lock
    here name; `shared`: where somebody else's lie too; `around`: what DVC was given as a whole and they lie in.
    `theirs`: paths of others' results and clips. `objects`: the MD5s of the person's results and clips that none of
    others' holds; `kept`: the clips that one does hold, each with that one's path.
    """

    runs: list[Run]
    others: list[Run]
    entries: list[Entry]
    folders: set[str]
    here: set[str]
    shared: set[str]
    around: set[str]
    theirs: set[str]
    objects: set[str]
    kept: dict[str, str]

    @property
    def paths(self) -> list[str]:
        """The results' paths."""
        return sorted({path for run in self.runs for path in run.outs})


def read_known() -> Known:
    """Read git's versions of dvc.lock and `.dvc` files, and all stores. Raises FlowError."""
    known = Known(read_lock(), list(read_locks()), list(read_added()))
    known.lists |= {md5: files for run in (*known.runs, *known.added) for md5, files in run.lists.items()}
    known.troubles += visit_stores(known.visit_runs, known.visit_lists, known.visit_checkpoints)
    return known


def find_traces(name: str, known: Known, clips: Mapping[str, str]) -> Traces:
    """What was made of a person. `clips`: where params.yaml says that everybody's clips lie."""
    runs, others = _split_runs(name, known)
    entries = [entry for entry in read_register(register_folder()) if name in entry.identities]
    in_git = [run for run in known.runs if not run.file]
    folders, here = ({f"clips/{name}"} | find_folders(told, clips)[name] for told in (in_git, known.lock))
    foreign = {folder for key, of in find_folders(known.runs, clips).items() if key != name for folder in of}
    shared = {folder for folder in folders if any(overlap(folder, other) for other in foreign)}
    own = folders - shared
    added = {path for run in known.added for path in run.outs if not lies_in(path, own)}
    around = {path for path in added if any(lies_in(folder, {path}) for folder in own)}
    lying_here = {path for run in known.lock if run in runs for path in run.outs}
    theirs = {path for run in others for path in run.outs} - lying_here | foreign | added - around
    objects, kept = _find_objects(name, known, runs, others, own)
    kept = {path: other for path, other in kept.items() if not lies_in(path, shared)}
    return Traces(runs, others, entries, own, here & own, shared, around, theirs, objects, kept)


def _find_objects(
    name: str, known: Known, runs: list[Run], others: list[Run], folders: set[str]
) -> tuple[set[str], dict[str, str]]:
    """The MD5s of what was made of a person by `runs` and of their clips, unless others' hold it as well.

    And the clips of which that is so, each with the other's path.
    """
    added = known.spell_out(pair for run in known.added for pair in run.results)
    given = {(path, md5) for path, md5 in added if lies_in(path, folders)}
    of_clips = given | known.spell_out(pair for run in runs for pair in _list_clips(run, name))
    of_others = (added - given) | known.spell_out(pair for run in others for pair in run.results | run.needs)
    held = {md5: path for path, md5 in sorted(of_others, reverse=True)}
    results = known.spell_out(pair for run in runs for pair in run.results)
    objects = {md5 for _, md5 in results | of_clips} - held.keys()
    return objects, {path: held[md5] for path, md5 in sorted(of_clips) if md5 in held}


def _split_runs(name: str, known: Known) -> tuple[list[Run], list[Run]]:
    """The runs that a person's clips went into, directly or by way of results or checkpoints; and all others."""
    found, waiting = list[Run](), known.runs
    seeds = {f"edits/{name}", *(f"data/{stage}/{name}" for stage in OF_PEOPLE)}
    tainted, starts = set[Pair](), set[str]()
    while True:
        marked = [(run, _is_touched(run, seeds, tainted, starts)) for run in waiting]
        new = [run for run, is_touched in marked if is_touched]
        if not new:
            return found, waiting
        found += new
        waiting = [run for run, is_touched in marked if not is_touched]
        tainted = {pair for run in new for pair in run.results}
        starts = {sha256 for run in new for sha256 in known.list_checkpoints(run)}


def _is_touched(run: Run, seeds: set[str], tainted: set[Pair], starts: set[str]) -> bool:
    is_of_person = any(lies_in(path, seeds) for path in (*run.deps, *run.outs))
    return is_of_person or bool(tainted & run.needs) or run.start_sha256 in starts


def find_folders(runs: Iterable[Run], clips: Mapping[str, str]) -> dict[str, set[str]]:
    """Where each identity's clips lie or lay, as params.yaml and the runs of `sample` tell."""
    folders = defaultdict[str, set[str]](set)
    for key, folder in clips.items():
        folders[key].add(str(PurePosixPath(folder)))
    for run in runs:
        for key in {PurePosixPath(path).parts[2] for path in run.outs if path.startswith("data/sample/")}:
            folders[key] |= {path for path, _ in _list_clips(run, key)}
    return folders


def _list_clips(run: Run, name: str) -> set[Pair]:
    """The clips that a person's stage `sample` depends on: its one folder besides that of the consent record."""
    if not any(lies_in(path, {f"data/sample/{name}"}) for path in run.outs):
        return set()
    return {(path, md5) for path, md5 in run.needs if md5.endswith(".dir") and not lies_in(path, {str(CONSENT)})}


def list_unknown(known: Known, others: Iterable[Run]) -> Iterator[str]:
    """What could not be followed: remotes, results without MD5, checkpoints that lie nowhere."""
    yield from known.troubles
    parts = [part for run in (*known.runs, *known.added) for part in (*run.deps.items(), *run.outs.items())]
    for path, n in sorted(Counter(path for path, md5 in parts if not md5).items()):
        yield f"{path}: {n} records tell no MD5 of it"
    starts = {(run.start_sha256, min(run.outs, default="a run")) for run in others if run.start_sha256}
    for sha256, path in sorted(starts):
        if sha256 not in known.sha256s.values():
            yield f"{path}: began with a checkpoint that lies nowhere here (SHA-256 {sha256})"


def lies_in(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of the folders, or below one."""
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def overlap(one: str, other: str) -> bool:
    """Whether one path is the other, or lies in it."""
    return lies_in(one, {other}) or lies_in(other, {one})
