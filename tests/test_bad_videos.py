"""131 broken, odd and hostile videos: each is sampled, or refused by its name, within its time and memory."""

import os
import subprocess
import sys
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.bad_videos import (
    LIMIT_MB,
    LIMIT_S,
    LINK_OUT,
    N_LOOKED_AT,
    OUTSIDE,
    ROOT,
    Trial,
    list_names,
    needs_bad_videos,
    try_bad_videos,
)
from vision.tables import FRAMES, PARTS, SHOTS, Table, read_table

pytestmark = needs_bad_videos

# What the manifest has read or skipped and this project refuses: what its error says, and why it does so.
REFUSED = {
    "hdr_pq.mp4": ("is HDR (PQ); convert it to SDR", "taken for ordinary gamma its pictures would be wrong"),
    "hlg.mp4": ("is HDR (HLG); convert it to SDR", "the same"),
    "size_changes.ts": ("frame 12: changes from 96 x 64 yuv420p to 64 x 96 yuv420p; cut", "a clip has one size"),
    "same_time_twice.mkv": ("frame 1 is not later than the frame before it", "a time is the key of a frame"),
    "two_by_two.mkv": ("2 x 2 is too small; pictures need 16 pixels a side", "no face fits"),
    "one_line.mkv": ("640 x 1 is too small; pictures need 16 pixels a side", "no face fits"),
    "twin_b.mp4": ("has the same bytes as twin_a.mp4; remove one", "its faces would be trained on and validated with"),
    "new\nline.mp4": ("has characters that cannot be shown; rename it", "errors and reports are lines of text"),
    "\u202egnp.4pm.mp4": ("has characters that cannot be shown; rename it", "it would be read as another name"),
    "not-utf8-\udcff\udcfe.mp4": ("has characters that cannot be shown; rename it", "tables hold text"),
}
# What it does not open, though the manifest has it read: git, DVC and desktops keep such files of their own in folders.
LEFT_OUT = ("..mp4", ".hidden.mp4")
# What it reads, though the manifest has it skipped: DVC links clips to a cache, which lies outside (docs/team.md).
FOLLOWED = (LINK_OUT,)
# Of those which may be read in part, what is read to its end: the numbers in the frames, and what is noted.
SHOWN = {
    "starts_between_key_frames.ts": ([*range(8, 24)], "0.20 s before the first one cannot be decoded and are left out"),
    "edit_plays_backwards_order.mp4": ([*range(12, 24), *range(12)], ""),  # as the edit list says, so without a note
}
RATE = 25
QUICK_S = 5
# Pictures that are not numbered from 0, which the manifest does not tell; None: AV1's coder blurs the lowest bits.
TWIN = [*range(40, 46)]
NUMBERS: dict[str, list[int] | None] = {"ok_av1.mp4": None} | {
    "twin_a.mp4": TWIN,
    "twin_c.mkv": TWIN,
    LINK_OUT: TWIN,
    "many_tiny_frames.mkv": [0] * N_LOOKED_AT,
}
# What must be noted of videos that are read, beyond what `_observe` compares.
NOTES = {
    "no_timestamps.h264": "has no time stamps, they are made from its rate",
    "see_through.mov": "argb is read as yuv444p, without its transparency",
    "see_through.mkv": "yuva420p is read as yuv420p, without its transparency",
    "grey_16_bit.mkv": "gray16le is read as yuv420p10le",
    "interlaced.mp4": "both fields together",
}
# Keys of the manifest that say how a file was made or how others read it; frames, sizes and numbers tell what matters.
NOT_COMPARED = {"action", "attached_pic", "container", "declared", "declared_seconds", "root_reads", "same_pictures_as"}
NOT_COMPARED |= {"target", "video_stream"}


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trial]:
    return {trial.name: trial for trial in try_bad_videos(tmp_path_factory.mktemp("bad"))}


@pytest.mark.heavy
@pytest.mark.parametrize("name", list_names())
def test_a_bad_video_is_read_or_refused_as_its_manifest_says(trials: dict[str, Trial], name: str) -> None:
    trial = trials[name]
    _check_conduct(trial)
    action = trial.entry["expect"]["action"]
    if name in REFUSED:
        _check_refused(trial)
        assert REFUSED[name][0] in trial.error
    elif name in LEFT_OUT:
        _check_left_out(trial)
    elif action == "read" or name in FOLLOWED or _is_open_to_root(trial):
        _check_read(trial)
    elif name in SHOWN:
        numbers, note = SHOWN[name]
        _check_whole(trial, numbers)
        assert note in trial.said
    elif action == "partial":
        _check_ended(trial)
    else:
        _check_refused(trial)
        assert not trial.seen.pts or "has the same bytes" in trial.error
        assert trial.seconds < trial.entry["expect"].get("seconds", QUICK_S)


@pytest.mark.heavy
def test_nothing_appears_outside_the_folder_of_a_trial(trials: dict[str, Trial]) -> None:
    folder = next(iter(trials.values())).place.parent
    assert sorted(folder.iterdir()) == sorted(trial.place for trial in trials.values())
    assert {path.name for path in folder.parent.iterdir()} == {"made", "told", "trials"}
    assert not Path("/climbed_out.mp4").exists()


@pytest.mark.heavy
def test_every_exception_is_of_a_video_that_there_is(trials: dict[str, Trial]) -> None:
    assert {*REFUSED, *LEFT_OUT, *FOLLOWED, *SHOWN, *NUMBERS, *NOTES} <= trials.keys()
    assert len(trials) == len(list_names())


def test_a_trial_is_refused_more_memory_than_its_limit() -> None:
    code = f"from tests.bad_videos import *; limit_memory(); bytearray({LIMIT_MB} << 20)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.rstrip().endswith("MemoryError")


def _check_conduct(trial: Trial) -> None:
    """What holds of every video: one line or none of error, within the limits, tables whole or not at all."""
    assert trial.is_orderly, f"code {trial.code} after {trial.seconds:.1f} s: {trial.error}"
    assert trial.error.rstrip("\n").isprintable()
    assert all(line.isprintable() for line in trial.said.splitlines())
    assert trial.seconds < LIMIT_S
    assert 0 < trial.peak_mb < min(LIMIT_MB, trial.entry["expect"].get("memory_mb", LIMIT_MB))
    clips, tables = trial.place / "clips", ["frames.parquet", "parts.parquet", "shots.parquet"]
    assert sorted(path.name for path in clips.iterdir()) == sorted({trial.name, trial.good})
    if "sha256" in trial.entry:
        assert sha256((clips / trial.name).read_bytes()).hexdigest() == trial.entry["sha256"]
    assert sorted(path.name for path in trial.place.glob("data/*")) == ([] if trial.code else tables)
    assert {path.name for path in trial.place.iterdir()} <= {"clips", "data", OUTSIDE}


def _is_open_to_root(trial: Trial) -> bool:
    path = trial.place / "clips" / trial.name
    return bool(trial.entry["expect"].get("root_reads")) and os.access(path, os.R_OK)


def _check_refused(trial: Trial) -> None:
    """One line that says which file, what of it, and what to do."""
    assert trial.code == 1
    assert trial.error.startswith("error: clips")
    assert (trial.name if trial.name.isprintable() else ascii(trial.name)) in trial.error
    assert "; " in trial.error


def _check_ended(trial: Trial) -> None:
    """Only good frames came, each with the number of its time, then the error that says where they end."""
    _check_refused(trial)
    n_frames = len(trial.seen.pts)
    assert n_frames <= trial.entry["expect"]["frames_max"]
    if n_frames:
        times = _times(trial)
        assert trial.seen.numbers == [(time - times[0]) * RATE for time in times]
    assert all(trial.seen.corners)
    assert f"frame {n_frames} (after" in trial.error or trial.seen.info is None


def _check_left_out(trial: Trial) -> None:
    assert trial.code == 0
    assert (trial.seen.info, trial.seen.pts) == (None, [])
    assert trial.name not in trial.said
    assert set(_read(trial, FRAMES)["clip"]) == {trial.good}


def _check_read(trial: Trial) -> None:
    expect = trial.entry["expect"]
    n_frames = expect.get("frames", len(trial.seen.pts))
    _check_whole(trial, expect.get("numbers", NUMBERS.get(trial.name, list(range(n_frames)))))
    assert NOTES.get(trial.name, "") in trial.said
    observed = _observe(trial)
    for key in expect.keys() - NOT_COMPARED:
        assert observed[key] == _round(expect[key]), key


def _check_whole(trial: Trial, numbers: list[int] | None) -> None:
    """All frames came, in order and upright; the tables hold them, and those of the good clip beside."""
    assert (trial.code, trial.error) == (0, "")
    seen, n_frames = trial.seen, len(trial.seen.pts)
    assert numbers is None or seen.numbers == numbers
    assert all(seen.corners)
    assert seen.sizes == [[_info(trial)["height"], _info(trial)["width"]]]
    assert seen.pts == sorted(set(seen.pts))
    assert f"clips/{trial.name}: {n_frames} frames, " in trial.said
    frames, shots, parts = (_read(trial, table) for table in (FRAMES, SHOTS, PARTS))
    assert set(frames["clip"]) == {trial.name, trial.good}
    assert frames.loc[frames["clip"] == trial.name, "frame"].tolist() == list(range(n_frames))
    assert frames.loc[frames["clip"] == trial.name, "pts"].tolist() == seen.pts
    for table in (shots, parts):
        assert table.loc[table["clip"] == trial.name, "end_frame"].max() == n_frames


def _observe(trial: Trial) -> dict[str, Any]:
    """What was read, under the manifest's names; width and height as stored, times to a millisecond."""
    info, pts = _info(trial), trial.seen.pts
    times = [float(time) for time in _times(trial)]
    shown = info["width"], info["height"]
    width, height = shown[::-1] if info["rotation"] % 180 else shown
    ratio = Fraction(info["sample_aspect_ratio"])
    n_streams = next((int(note.split()[0]) for note in info["notes"] if "video streams" in note), 1)
    return {
        "frames": len(pts),
        "numbers": trial.seen.numbers,
        "times": _round(times),
        "first_time": _round(times[0]),
        "monotonic": pts == sorted(set(pts)),
        "width": width,
        "height": height,
        "shown_width": shown[0],
        "shown_height": shown[1],
        "rotation": -info["rotation"] % 360,
        "mirrored": info["is_mirrored"],
        "interlaced": info["is_interlaced"],
        "sample_aspect": [ratio.numerator, ratio.denominator],
        "pix_fmt": info["pixel_format"],
        "full_range": info["layout"]["is_full_range"],
        "colorspace": info["color"]["matrix"],
        "audio": info["has_sound"],
        "subtitles": "subtitles are left out" in info["notes"],
        "video_streams": n_streams,
    }


def _times(trial: Trial) -> list[Fraction]:
    return [pts * Fraction(_info(trial)["time_base"]) for pts in trial.seen.pts]


def _round(value: Any) -> Any:
    if isinstance(value, list):
        return [_round(item) for item in value]
    return round(value, 3) if isinstance(value, float) else value


def _info(trial: Trial) -> dict[str, Any]:
    assert trial.seen.info is not None
    return trial.seen.info


def _read(trial: Trial, table: Table) -> Any:
    return read_table(trial.place / "data" / f"{table.name}.parquet", table)
