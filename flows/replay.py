"""Compute a small case by the code of the last build and by today's, and compare the results byte for byte.

Everything that a stage needs is made by the code of the last build, so that each edited stage gets the same inputs
twice: what it writes may differ by its own code alone.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from errors import FlowError
from flows.command import run_module
from flows.environment import ROOT
from flows.graph import Graph, Recorded
from flows.history import read_version
from flows.small_case import N_FRAMES, Piece, make_case
from trust.places import PRIVATE, REGISTER
from vision.clip_read import probe_clip, read_frames
from vision.video_read import open_clip

CODE = ("models", "stages", "trust", "vision", "disk.py", "errors.py")  # all that a stage can import
Code = Mapping[str, bytes]
_OWN_PLACES = {PRIVATE: "", REGISTER: ""}  # in the folder that a stage runs in


def replay(stages: Iterable[str], graph: Graph, recorded: Mapping[str, Recorded]) -> None:
    """Compare what the old and the new code of `stages` make of a small case.

    Raises FlowError that names the first result that differs, or says why there is nothing to compare.
    """
    edited = set(stages)
    order = _order(edited, graph)
    old = {stage: _read_old_code(stage, recorded[stage].deps) for stage in order}
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        case, twin = Path(folder) / "old", Path(folder) / "new"
        sample = _describe(make_case(case, order))
        _make_keys(case)
        print(f"replay: {sample}", flush=True)
        for stage in order:
            if stage in edited:
                shutil.copytree(case, twin)
            _run(stage, case, old[stage], f"{stage}: the code of the last build fails on the sample, {sample}")
            if stage in edited:
                _run(stage, twin, {}, f"{stage}: today's code fails on the sample, {sample}")
                _compare(stage, recorded[stage].outs, case, twin)
                shutil.rmtree(twin)


def _order(edited: set[str], graph: Graph) -> list[str]:
    """The stages to run, in order; `check` writes nothing that others read, and what DVC only watches is no stage."""
    needed = graph.select(edited)
    everything = TopologicalSorter(needed.upstreams).static_order()
    return [s for s in everything if s in edited or (s != "check" and _module(s).exists())]


def _module(stage: str) -> Path:
    return Path("stages") / f"{stage.partition('@')[0]}.py"


def _read_old_code(stage: str, deps: Mapping[str, str]) -> dict[str, bytes]:
    """A stage's Python files as they were when it last ran; without those that are new."""
    return {path: read_version(stage, path, md5) for path, md5 in deps.items() if path.endswith(".py") and md5}


def _describe(pieces: list[Piece]) -> str:
    return f"{N_FRAMES} frames of {' and of '.join(map(str, pieces))}"


def _make_keys(folder: Path) -> None:
    """Keys of the case's own: a sample is no release, and this clone's key goes on signing one register alone."""
    environment = os.environ | _OWN_PLACES | {"PYTHONPATH": str(ROOT)}
    run_module("trust.keys", "init", "--name", "replay", folder=folder, environment=environment)


def _run(stage: str, folder: Path, code: Code, what: str) -> None:
    """Run a stage in `folder` with today's code but for the files in `code`. Raises FlowError: `what`, and why."""
    for name in CODE:
        if Path(name).is_dir():
            shutil.copytree(name, folder / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(name, folder / name)
    for path, text in code.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text)
    print(f"replay: {stage}, {'the code of the last build' if code else 'code of today'}", flush=True)
    try:
        run_module(f"stages.{stage.partition('@')[0]}", folder=folder, environment=_environment(stage))
    except FlowError as error:
        raise FlowError(f"{what}: {str(error).partition(' failed: ')[2]}; run the stage") from error


def _environment(stage: str) -> dict[str, str]:
    """No module is found but in the stage's folder, and none of an earlier version (DVC_STAGE: as DVC names a run)."""
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and Path(path) != ROOT]
    changed = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1", "DVC_STAGE": stage}
    changed |= {"UNDERSTUDY_ENGINE": "serial"}  # flows, where another may lie, is not in that folder
    return os.environ | _OWN_PLACES | changed


def _compare(stage: str, outs: Iterable[str], old: Path, new: Path) -> None:
    for out in sorted(outs):
        for file in _list_files(out, old, new):
            if not is_same_result(old / file, new / file):
                raise FlowError(
                    f"{stage}: {file} differs between the old code and the new on the sample; run the stage"
                )


def _list_files(out: str, *folders: Path) -> list[str]:
    """The files of a result, a file or a folder, that are in any of the folders."""
    found: set[str] = set()
    for folder in folders:
        place = folder / out
        files = [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]
        found |= {str(path.relative_to(folder)) for path in files}
    return sorted(found)


def is_same_result(old: Path, new: Path) -> bool:
    """Whether two results are the same: byte for byte, or where one program writes varying bytes, all that they say."""
    if not (old.is_file() and new.is_file()):
        return False
    if old.read_bytes() == new.read_bytes():
        return True
    return old.suffix == ".mp4" and _is_same_video(old, new)


def _is_same_video(old: Path, new: Path) -> bool:
    if _read_rest(old) != _read_rest(new):
        return False
    pairs = zip_longest(read_frames(old), read_frames(new))
    return all(
        a is not None
        and b is not None
        and (a.pts, a.duration, a.layout) == (b.pts, b.duration, b.layout)
        and all(np.array_equal(*planes) for planes in zip(a.planes, b.planes, strict=True))
        for a, b in pairs
    )


def _read_rest(video: Path) -> tuple[Any, ...]:
    """What a video holds besides pictures: its format, its container's words, its sound."""
    info = probe_clip(video)
    with open_clip(video) as container:
        sound = [bytes(packet) for packet in container.demux() if packet.stream.type == "audio"]
        return info.layout, info.color, info.time_base, info.rate, info.notes, dict(container.metadata), sound
