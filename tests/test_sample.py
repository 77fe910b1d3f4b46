"""sample: shots are found, frames are picked by exact times, and every frame says why it is not used."""

import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pandas as pd
import pytest

from errors import ClipError, ParamsError
from stages.params import Sample
from stages.sample import sample
from stages.spread import ENGINE
from tests.footage import REAL, encode_clip, encode_sound, needs_footage, numbered
from vision.clip_read import read_frames
from vision.crops import encode_png
from vision.hashing import hash_file
from vision.planes import Array
from vision.sampling import Rules, Sampling, measure_sharpness, sample_clip, scale_luma
from vision.tables import FRAMES, SHOTS, read_table
from vision.video_write import VideoWriter, footage_format

ROOT = Path(__file__).resolve().parent.parent
PARAMS = Sample(cut_threshold=0.5, duplicate_threshold=0.1, min_sharpness=0.0)
SIZE = (90, 160)


def _scene(seed: int, size: tuple[int, int] = (120, 220)) -> Array:
    """A textured wall, larger than a frame, so that a camera can move over it."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 22, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC))


def _view(scene: Array, shift: int) -> Array:
    return scene[shift // 2 : shift // 2 + SIZE[0], shift : shift + SIZE[1]]


def _write(path: Path, pictures: list[Array], times: list[int] | None = None, rate: Fraction = Fraction(25)) -> None:
    with VideoWriter(path, footage_format(SIZE, rate), crf=8, preset="ultrafast") as writer:
        for index, picture in enumerate(pictures):
            writer.write_rgb(picture, index if times is None else times[index])


def _save(folder: Path, pictures: list[Array], rate: str | None = None) -> None:
    folder.mkdir()
    for index, picture in enumerate(pictures):
        (folder / f"{index:03d}.png").write_bytes(encode_png(picture))
    if rate is not None:
        (folder / "rate.txt").write_text(rate)


def _sample(
    folder: Path, interval_s: float = 0.0, faceset: Literal["all"] | list[str] = "all", params: Sample = PARAMS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    out = folder.parent / "out"
    shots, parts, frames = (out / f"{name}.parquet" for name in ("shots", "parts", "frames"))
    sample(folder, shots, parts, frames, interval_s, faceset, params)
    return read_table(out / "shots.parquet", SHOTS), read_table(out / "frames.parquet", FRAMES)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    (tmp_path / "clips").mkdir()
    return tmp_path / "clips"


def test_cuts_are_found_and_camera_moves_and_changes_of_light_are_none(clips: Path) -> None:
    first, second = _scene(1), _scene(2)
    moving = [_view(first, shift) for shift in range(20)]
    flashing = [np.clip(_view(first, 20).astype(float) * gain, 0, 255).astype(np.uint8) for gain in (1, 0.6, 1, 0.4)]
    _write(clips / "a.mp4", [*moving, *flashing, *[_view(second, shift) for shift in range(0, 30, 2)]])
    shots, frames = _sample(clips)
    assert shots[["shot", "first_frame", "end_frame"]].to_numpy().tolist() == [[0, 0, 24], [1, 24, 39]]
    assert frames["shot"].tolist() == [0] * 24 + [1] * 15
    assert set(shots["clip_sha256"]) == set(frames["clip_sha256"]) == {hash_file(clips / "a.mp4")}


def test_a_jump_in_one_scene_is_found_where_the_scene_was_quiet(clips: Path) -> None:
    scene = _scene(3)
    _write(clips / "a.mp4", [_view(scene, 0)] * 20 + [_view(scene, 4)] * 10)
    shots, _ = _sample(clips)
    assert shots["first_frame"].tolist() == [0, 20]


@pytest.mark.parametrize(
    ("rate", "interval_s", "expected"),
    [
        (Fraction(25), 0.0, list(range(12))),
        (Fraction(25), 0.04, list(range(12))),
        (Fraction(25), 0.05, [0, 2, 4, 6, 8, 10]),
        (Fraction(25), 0.12, [0, 3, 6, 9]),
        (Fraction(30000, 1001), 0.1, [0, 3, 6, 9]),
        (Fraction(30), 0.1, [0, 3, 6, 9]),
        (Fraction(30000, 1001), 0.1002, [0, 4, 8]),
    ],
)
def test_frames_are_taken_by_exact_times(clips: Path, rate: Fraction, interval_s: float, expected: list[int]) -> None:
    _write(clips / "a.mp4", [_view(_scene(4), shift) for shift in range(0, 24, 2)], rate=rate)
    _, frames = _sample(clips, interval_s)
    assert frames.loc[frames["reason"] == "", "frame"].tolist() == expected
    assert set(frames["reason"]) <= {"", "interval"}


def test_uneven_frames_are_taken_by_their_own_times(clips: Path) -> None:
    times = [0, 1, 2, 10, 11, 12, 13, 30]
    _write(clips / "a.mp4", [_view(_scene(4), 2 * i) for i in range(8)], times)
    _, frames = _sample(clips, 0.12)
    assert frames.loc[frames["reason"] == "", "pts"].tolist() == [0, 10, 13, 30]


def test_near_duplicates_are_left_out_and_measured(clips: Path) -> None:
    scene = _scene(5)
    _write(clips / "a.mp4", [_view(scene, shift) for shift in (0, 0, 0, 6, 6, 12)])
    _, frames = _sample(clips, params=PARAMS.model_copy(update={"duplicate_threshold": 0.5}))
    assert frames["reason"].tolist() == ["", "duplicate", "duplicate", "", "duplicate", ""]
    assert np.isnan(frames["difference"][0])
    assert frames["difference"][1] < 0.5
    assert frames["difference"][3] > 2


def test_blurred_frames_are_less_sharp_and_left_out(clips: Path) -> None:
    noise = np.random.default_rng(6).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    pictures = [noise, cv2.GaussianBlur(noise, (0, 0), 3), noise[::-1]]
    _write(clips / "a.mp4", pictures)
    _, frames = _sample(clips)
    sharp, blurred, again = frames["sharpness"]
    assert blurred < 0.1 * min(sharp, again)
    _, frames = _sample(clips, params=PARAMS.model_copy(update={"min_sharpness": (sharp + blurred) / 2}))
    assert frames["reason"].tolist() == ["", "blurred", ""]


def test_sharpness_hardly_depends_on_the_size_of_the_picture(clips: Path) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (180, 320, 3)).astype(np.uint8)
    scene = cv2.resize(noise, (1280, 720), interpolation=cv2.INTER_CUBIC)
    for name, size in (("a.mp4", (640, 360)), ("b.mp4", (1280, 720))):
        with VideoWriter(clips / name, footage_format(size[::-1], Fraction(25)), crf=4) as writer:
            writer.write_rgb(cv2.resize(scene, size, interpolation=cv2.INTER_AREA), 0)
    _, frames = _sample(clips)
    assert frames["sharpness"][0] == pytest.approx(frames["sharpness"][1], rel=0.25)


def test_a_wide_strip_of_a_picture_is_not_enlarged_without_bounds(clips: Path) -> None:
    frame = next(read_frames(encode_clip(clips / "a.mkv", numbered([0], (16, 4096)), "ffv1")))
    tracemalloc.start()
    assert measure_sharpness(scale_luma(frame)) > 0
    assert tracemalloc.get_traced_memory()[1] < 8e6  # at 360 lines it would be 133 MB
    tracemalloc.stop()


def test_two_clips_of_the_same_bytes_are_refused_and_both_are_named(clips: Path) -> None:
    _write(clips / "a.mp4", [_view(_scene(8), 0)])
    shutil.copy(clips / "a.mp4", clips / "b.mov")
    with pytest.raises(ClipError, match=r"clips/b.mov: has the same bytes as a.mp4; remove one of them"):
        _sample(clips)
    assert not (clips.parent / "out").exists()


def test_a_clip_that_is_another_where_the_work_is_done_is_refused(clips: Path) -> None:
    _write(clips / "a.mp4", [_view(_scene(8), 0)])
    with pytest.raises(ClipError, match=r"a\.mp4: is not the clip that the tables were made from"):
        sample_clip(Sampling(clips / "a.mp4", "0" * 64, Rules(0.0, True, 0.5, 0.1, 0.0)))


def test_clips_are_work_that_others_may_do_with_the_same_tables(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed, name in enumerate(("a.mp4", "b.mp4", "c.mp4")):
        _write(clips / name, [_view(_scene(8 + seed), shift) for shift in range(0, 12, 3)])
    written = []
    for engine in ("serial", "processes:2"):
        monkeypatch.setenv(ENGINE, engine)
        _, frames = _sample(clips)
        assert frames["clip"].unique().tolist() == ["a.mp4", "b.mp4", "c.mp4"]
        written.append([path.read_bytes() for path in sorted((clips.parent / "out").iterdir())])
    assert written[0] == written[1]


def test_clips_outside_the_face_set_keep_their_frames_and_say_so(clips: Path) -> None:
    for seed, name in enumerate(("a.mp4", "b.mp4")):
        _write(clips / name, [_view(_scene(8 + seed), shift) for shift in range(0, 12, 3)])
    _, frames = _sample(clips, faceset=["b.mp4"])
    assert frames.groupby("clip")["reason"].unique().map(list).to_dict() == {
        "a.mp4": ["not in face set"],
        "b.mp4": [""],
    }
    with pytest.raises(ParamsError, match=r"no clip 'c.mp4' in .*clips; there are: a.mp4, b.mp4"):
        _sample(clips, faceset=["a.mp4", "c.mp4"])


def test_one_frame_gives_one_shot_and_one_frame(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(clips / "a.mp4", [_view(_scene(9), 0)])
    shots, frames = _sample(clips, 0.04)
    assert shots[["first_frame", "end_frame"]].to_numpy().tolist() == [[0, 1]]
    assert frames[["frame", "pts", "reason"]].to_numpy().tolist() == [[0, 0, ""]]
    assert capsys.readouterr().out == f"{clips / 'a.mp4'}: 1 frames, 0 cuts, 1 used\n"


def test_every_still_is_a_shot_and_time_plays_no_part(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(10).integers(0, 256, (4, *SIZE, 3)).astype(np.uint8)
    again, blurred = noise[0], cv2.GaussianBlur(noise[2], (0, 0), 3)
    _save(clips / "stills", [noise[0], again, noise[1][:60], blurred, noise[3]])
    _write(clips / "a.mp4", list(noise))
    shots, frames = _sample(clips, interval_s=3600, params=PARAMS.model_copy(update={"min_sharpness": 20}))
    of_stills = frames[frames["clip"] == "stills"]
    assert of_stills["reason"].tolist() == ["", "duplicate", "", "blurred", ""]
    assert of_stills["shot"].tolist() == [0, 1, 2, 3, 4]
    assert shots.loc[shots["clip"] == "stills", ["first_frame", "end_frame"]].to_numpy().tolist() == [
        [i, i + 1] for i in range(5)
    ]
    assert frames.loc[frames["clip"] == "a.mp4", "reason"].tolist() == ["", "interval", "interval", "interval"]
    assert f"{clips / 'stills'}: 5 stills, 3 used\n" in capsys.readouterr().out


def test_a_sequence_is_sampled_as_the_video_of_its_pictures(clips: Path) -> None:
    pictures = [_view(_scene(seed), shift) for seed in (1, 2) for shift in range(15)]
    _save(clips / "take", pictures, rate="30000/1001")
    shots, frames = _sample(clips, interval_s=0.1, faceset=["take"])
    assert shots["first_frame"].tolist() == [0, 15]
    assert frames.loc[frames["reason"] == "", "frame"].tolist() == list(range(0, 30, 3))
    assert set(frames["clip_sha256"]) == {hash_file(clips / "take")}


def test_what_is_said_of_a_picture_is_told(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clips / "take").mkdir()
    cv2.imwrite(str(clips / "take/1.png"), _view(_scene(1), 0).astype(np.uint16) << 8)
    _sample(clips)
    said = f"{clips / 'take'}: note: 1 of 1 pictures: of 16 bits the upper 8 are used\n"
    assert said in capsys.readouterr().out


def _truncate(path: Path) -> None:
    encode_clip(path, numbered(range(24)), muxing={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[:-300])


BAD: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no video\n" * 40),
    "sound only": encode_sound,
    "truncated": _truncate,
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_clip_is_named_and_leaves_no_table(clips: Path, kind: str) -> None:
    _write(clips / "a.mp4", [_view(_scene(9), 0)] * 3)
    BAD[kind](clips / "bad.mp4")
    with pytest.raises(ClipError, match=r"clips/bad\.mp4"):
        _sample(clips)
    assert not [path for path in (clips.parent / "out").rglob("*") if path.is_file()]


def test_the_command_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(
        (ROOT / "params.yaml").read_text().replace("consent: record", "consent: unverified")
    )
    for key, message in (("ada", "clips/ada: no such folder"), ("../../x", "identities has no '../../x'")):
        command = [sys.executable, "-m", "stages.sample", key]
        run = subprocess.run(
            command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
        )
        assert run.returncode == 1
        assert message in run.stderr
        assert run.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@needs_footage
@pytest.mark.parametrize(
    ("name", "cuts"),
    [
        ("crowd.mp4", [20, 82, 211]),
        ("speech.mp4", [75]),
        ("face_then_none.mov", [72, 73]),
        *((name, []) for name in ("person_a.mp4", "person_b.mp4", "person_c.mp4")),
    ],
)
def test_the_cuts_of_real_clips_are_found_and_no_others(clips: Path, name: str, cuts: list[int]) -> None:
    (clips / name).symlink_to(REAL / name)
    shots, frames = _sample(clips)
    assert shots["first_frame"].tolist() == [0, *cuts]
    assert (frames["reason"] == "").mean() > 0.4
