"""Broken, odd and hostile videos, made by a script beside this clone, and what the stage sample does with each.

    python -m tests.bad_videos FOLDER     # what `try_bad_videos` starts: tries the videos in FOLDER/made one by one

Each lies in a folder with a good clip and is sampled in a child of its own, which may take `LIMIT_S` and `LIMIT_MB`.
The children are forked from one process that has imported the stage: to start Python 131 times would take minutes.

What counts as memory is what a process may write to and shares with nobody (RLIMIT_DATA), the imports included. All of
its address space (RLIMIT_AS) tells little: the imports alone map more than 600 MB. `CALM` keeps libraries from taking
what they never touch: Arrow a gigabyte, others a stack for a thread per core. The greatest resident memory, with mapped
files, is measured as well.
"""

import json
import os
import resource
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import stages.sample
import vision.sampling
from errors import one_line_errors
from stages.params import Sample
from tests.footage import read_number
from vision.ahead import read_ahead
from vision.clip import ClipInfo, Frame
from vision.clip_read import probe_clip

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT.parent / "shared" / "badvideos" / "make_badvideos.py"
MISSING = "" if SCRIPT.is_file() else "the script that makes the bad videos is not beside this clone"
needs_bad_videos = pytest.mark.skipif(bool(MISSING), reason=MISSING)

LIMIT_S, LIMIT_MB = 60, 500
CALM = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}
# The clip beside each video. Lists that name a neighbor name the first; the other stands in beside its copies.
GOOD, OTHER_GOOD = "ok_h264.mp4", "ok_ffv1.mkv"
LINK_OUT, OUTSIDE = "link_outside.mp4", "outside_the_set.mp4"
PARAMS = Sample(cut_threshold=0.5, duplicate_threshold=0.1, min_sharpness=0.0)
N_LOOKED_AT = 400  # frames whose pictures are looked at; the others' times only


@dataclass
class Seen:
    """What the stage read of the video: what it is (None: it could not tell), and its frames as far as they came.

    `numbers` are those painted in the first `N_LOOKED_AT` frames, `corners` say whether their bright quarter is at the
    top left, and `sizes` (height, width) are those that occur.
    """

    info: dict[str, Any] | None = None
    pts: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    corners: list[bool] = field(default_factory=list)
    sizes: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True)
class Trial:
    """A video, its entry in the manifest, and how the stage went.

    `place` holds the folder of clips, this one and a `good` one, and what the stage wrote. `code` is negative after a
    signal, and `peak_mb` 0 then. `said` and `error` are what came on stdout and stderr.
    """

    name: str
    entry: dict[str, Any]
    place: Path
    good: str
    code: int
    seconds: float
    peak_mb: float
    said: str
    error: str
    seen: Seen

    @property
    def is_orderly(self) -> bool:
        """Whether it ended with tables and no word of error, or with one line of it; not by a signal or a traceback."""
        return self.code in (0, 1) and self.error.count("\n") == self.code


def list_names() -> list[str]:
    """The names of all videos; without the script one that says so, for a test that is skipped."""
    if MISSING:
        return ["no script"]
    script = runpy.run_path(str(SCRIPT))
    return [os.fsdecode(name) for name, *_ in (*script["CASES"], *script["FS"])]


def try_bad_videos(folder: Path) -> Iterator[Trial]:
    """Make the videos in an empty folder and try each."""
    subprocess.run([sys.executable, str(SCRIPT), str(folder / "made")], check=True, capture_output=True)
    command = [sys.executable, "-m", "tests.bad_videos", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | CALM, stdout=subprocess.PIPE, text=True) as trials:
        for line in trials.stdout or ():
            told = json.loads(line)
            yield Trial(**told | {"place": Path(told["place"]), "seen": Seen(**told["seen"])})
    assert trials.returncode == 0, "tests.bad_videos ended early"


def limit_memory() -> None:
    """Refuse this process more than `LIMIT_MB` from now on."""
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_MB << 20, LIMIT_MB << 20))


def _try_all(folder: Path) -> Iterator[Trial]:
    made = folder / "made"
    entries = json.loads((made / "manifest.json").read_text(encoding="utf-8"))["files"]
    hashes = {entry["name"]: entry.get("sha256") for entry in entries}
    (folder / "told").mkdir()
    for index, entry in enumerate(entries):
        is_copy = entry.get("sha256") == hashes[GOOD]
        good = entry["expect"].get("same_bytes_as", OTHER_GOOD if is_copy else GOOD)
        place = folder / "trials" / f"{index:03}"
        _lay_out(place, made, entry["name"], good)
        yield _try(place, folder / "told" / f"{index:03}", entry, good)


def _lay_out(place: Path, made: Path, name: str, good: str) -> None:
    clips = place / "clips"
    clips.mkdir(parents=True)
    os.link(made / good, clips / good)
    if (made / name).is_dir() and not (made / name).is_symlink():
        (clips / name).mkdir()
    else:
        os.link(made / name, clips / name, follow_symlinks=False)
    if name == LINK_OUT:
        os.link(made / "twin_a.mp4", place / OUTSIDE)


def _try(place: Path, told: Path, entry: dict[str, Any], good: str) -> Trial:
    """Run the child, and kill it where it takes too long."""
    start = time.monotonic()
    child = get_context("fork").Process(target=_sample_limited, args=(place, told, entry["name"]))
    child.start()
    child.join(LIMIT_S)
    child.kill()
    child.join()
    seconds = time.monotonic() - start
    notes = told.with_suffix(".json")
    seen, peak_mb = json.loads(notes.read_text(encoding="utf-8")) if notes.exists() else ({}, 0.0)
    said, error = (told.with_suffix(f".{fd}").read_text(encoding="utf-8", errors="replace") for fd in (1, 2))
    code = child.exitcode if child.exitcode is not None else 1
    return Trial(entry["name"], entry, place, good, code, seconds, peak_mb, said, error, Seen(**seen))


def _sample_limited(place: Path, told: Path, name: str) -> None:
    """In the child: what the stage's main does with the folder, its words in files beside `told`."""
    limit_memory()
    os.chdir(place)
    for fd in (1, 2):
        os.dup2(os.open(told.with_suffix(f".{fd}"), os.O_CREAT | os.O_WRONLY), fd)
    seen = Seen()
    spies: dict[str, Any] = {"probe_clip": _watch_probe(seen, name), "read_ahead": _watch_frames(seen, name)}
    shots, parts, frames = (Path("data") / f"{table}.parquet" for table in ("shots", "parts", "frames"))
    try:
        with patch.multiple(vision.sampling, **spies), one_line_errors():
            stages.sample.sample(Path("clips"), shots, parts, frames, interval_s=0.04, faceset="all", params=PARAMS)
    finally:
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        told.with_suffix(".json").write_text(json.dumps((asdict(seen), peak_mb), default=str), encoding="utf-8")


def _watch_probe(seen: Seen, name: str) -> Callable[[Path], ClipInfo]:
    def probe_watched(path: Path) -> ClipInfo:
        info = probe_clip(path)
        if path.name == name:
            seen.info = asdict(info)
        return info

    return probe_watched


def _watch_frames(seen: Seen, name: str) -> Callable[[Path], Iterator[Frame]]:
    def read_watched(path: Path) -> Iterator[Frame]:
        for frame in read_ahead(path):
            if path.name == name:
                _note(seen, frame)
            yield frame

    return read_watched


def _note(seen: Seen, frame: Frame) -> None:
    luma = frame.planes[0]
    if list(luma.shape) not in seen.sizes:
        seen.sizes.append(list(luma.shape))
    if len(seen.pts) < N_LOOKED_AT:
        luma = luma >> (frame.layout.bits - 8)
        quarter, half = luma.shape[0] // 4, luma.shape[1] // 2
        seen.numbers.append(read_number(luma))
        seen.corners.append(bool(luma[quarter, half // 2] > 128 > luma[quarter, half + half // 2]))
    seen.pts.append(frame.pts)


def main() -> None:
    for trial in _try_all(Path(sys.argv[1])):
        print(json.dumps(asdict(trial), default=str), flush=True)


if __name__ == "__main__":
    main()
