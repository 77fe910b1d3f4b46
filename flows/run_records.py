"""The records of what was made: dvc.lock and `.dvc` files in all versions that git knows, and DVC's records of runs.

What others wrote is read with care: a path or MD5 that is none is passed over. A door to DVC's own code, which reads
YAML as DVC does and finds the `.dvc` files here.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.utils.serialize import YAMLFileCorruptedError, parse_yaml

from errors import FlowError
from flows.command import run_command

LOCK = Path("dvc.lock")
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


@dataclass(frozen=True)
class Run:
    """One run of a stage: the MD5 of each dependency and result by path, and the checkpoint that it began with.

    An MD5 that the record does not tell is empty. `file` is the record's place below the folder of runs; empty for one
    of dvc.lock. `lists`: what folders hold, by their MD5, where the record itself tells it.
    """

    deps: Mapping[str, str]
    outs: Mapping[str, str]
    start_sha256: str = ""
    file: str = ""
    lists: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def results(self) -> set[tuple[str, str]]:
        """Path and MD5 of each result, where it is told."""
        return {(path, md5) for path, md5 in self.outs.items() if md5}

    @property
    def needs(self) -> set[tuple[str, str]]:
        """The same of each dependency."""
        return {(path, md5) for path, md5 in self.deps.items() if md5}


def read_locks() -> Iterator[Run]:
    """What every version of dvc.lock that git knows, and the one here, say of each stage."""
    yield from read_lock()
    for _, text in _read_versions(str(LOCK)):
        yield from _parse_lock(text)


def read_lock() -> list[Run]:
    """What the dvc.lock here says of each stage."""
    return list(_parse_lock(LOCK.read_bytes())) if LOCK.exists() else []


def read_added() -> Iterator[Run]:
    """What was given to DVC by hand (`dvc add`), here and in all versions that git knows: as runs without dependencies.

    Raises FlowError.
    """
    try:
        with Repo(_wait_for_lock=True) as repo:
            names = {stage.path_in_repo for stage in repo.index.stages}
    except DvcException as error:
        raise FlowError(f"DVC cannot read what was given to it: {error}") from error
    here = [(name, Path(name).read_bytes()) for name in names if name.endswith(".dvc")]
    for name, text in (*here, *_read_versions("*.dvc")):
        outs = _parse(text).get("outs")
        yield _to_run({"outs": outs}, folder=str(PurePosixPath(name).parent))


def _read_versions(pattern: str) -> Iterator[tuple[str, bytes]]:
    """Name and text of every version that git knows of files, also of those that a merge passed over."""
    how = ("--all", "--full-history", "-m", "--raw", "--no-abbrev", "--no-renames", "--relative", "-z", "--format=")
    listed = _ask_git("-c", "log.showRoot=true", "log", *how, "--", pattern)
    changes = re.findall(rb":\d+ \d+ [0-9a-f]+ ([0-9a-f]+) [AMT]\0([^\0]+)\0", listed)
    for blob, name in sorted(set(changes)):
        yield name.decode(errors="replace"), _ask_git("cat-file", "blob", blob.decode())


def _parse_lock(text: bytes) -> Iterator[Run]:
    stages = _parse(text).get("stages")
    for stage in stages.values() if isinstance(stages, dict) else []:
        yield _to_run(stage)


def parse_run(text: bytes, file: str) -> Run | None:
    """DVC's record of a run; None where it cannot be read."""
    stage = _parse(text)
    return _to_run(stage, file) if stage else None


def _parse(text: bytes) -> dict[str, Any]:
    """A record as it was read; empty where a kill or a merge has broken it."""
    try:
        found = parse_yaml(text.decode(errors="replace"), str(LOCK))
    except YAMLFileCorruptedError:
        return {}
    return found if isinstance(found, dict) else {}


def _to_run(stage: Any, file: str = "", folder: str = "") -> Run:
    """A record as a run, its paths (below `folder`) in plain form; what is no path or MD5 is passed over."""
    lists: dict[str, dict[str, str]] = {}
    parts = [_read_parts(stage, kind, lists) for kind in ("deps", "outs")]
    deps, outs = ({str(PurePosixPath(folder, path)): md5 for path, md5 in of} for of in parts)
    start = _dig(stage, "params", "params.yaml", "train", "start", "sha256")
    return Run(deps, outs, start if isinstance(start, str) else "", file, lists)


def _read_parts(stage: Any, kind: str, lists: dict[str, dict[str, str]]) -> Iterator[tuple[str, str]]:
    """Path and MD5 of each part; of a folder that is told file by file, that of its list, which goes into `lists`."""
    parts = _dig(stage, kind)
    for part in parts if isinstance(parts, list) else []:
        path, md5 = _dig(part, "path"), _dig(part, "md5")
        files = read_list(_dig(part, "files"))
        if files:
            md5 = _hash_list(files)
            lists[md5] = files
        if isinstance(path, str):
            yield path, md5 if _is_md5(md5) else ""


def _dig(found: Any, *keys: str) -> Any:
    """What lies below keys of maps in maps; None where there is none."""
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def read_list(entries: Any) -> dict[str, str]:
    """A folder's list as MD5 by name; what is no entry is passed over."""
    known = entries if isinstance(entries, list) else []
    pairs = [(_dig(entry, "relpath"), _dig(entry, "md5")) for entry in known]
    return {name: md5 for name, md5 in pairs if isinstance(name, str) and _is_md5(md5)}


def _hash_list(files: Mapping[str, str]) -> str:
    """The MD5 that DVC gives to a folder with these files."""
    entries = [{"md5": md5, "relpath": name} for name, md5 in sorted(files.items())]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _is_md5(text: Any) -> bool:
    return isinstance(text, str) and MD5.fullmatch(text) is not None


def _ask_git(*arguments: str) -> bytes:
    """What git says; nothing in a folder without it."""
    try:
        return run_command(["git", *arguments])
    except FlowError:
        return b""
