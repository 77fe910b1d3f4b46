"""The performers: their clips are what the code renders, their truth is true, and the script moves what it says."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from performers import render
from performers.camera import DISTANCE_CM, FOCAL_PX, HEIGHT, WIDTH, place_camera
from performers.figure import Figure
from performers.frame import Frame, render_frame
from performers.identity import ADA, BEN, Identity
from performers.landmarks import LANDMARKS, find_landmarks
from performers.march import find_hits, find_normals
from performers.script import FRAMES_PER_S, Moment, write_script
from performers.truth import SOURCE_TRUTH, encode_mask
from performers.voice import SAMPLES_PER_S, speak_aloud
from vision.clip_read import probe_clip, read_frames
from vision.tables import TRUTH, read_table

ROOT = Path(__file__).parents[1]
TRUTH_FOLDER = ROOT / "performers/truth"
CLIPS = {
    "target": ROOT / "clips/ada/take1.mp4",
    "truth": TRUTH_FOLDER / "demo.mp4",
    "source": ROOT / "clips/ben/take1.mp4",
    "range": ROOT / "clips/ben/take2.mp4",
    "turned": ROOT / "clips/ben/take3.mp4",
}
MIN_PSNR_DB = 32.0
MIN_IOU = 0.98


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """One thread: on busy machines two of torch's wait for each other longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def demo() -> pd.DataFrame:
    return read_table(TRUTH_FOLDER / "demo.parquet", TRUTH)


@pytest.fixture(scope="module")
def source() -> pd.DataFrame:
    return read_table(TRUTH_FOLDER / "source.parquet", SOURCE_TRUTH)


def decode_mask(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)


def overlap(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Intersection over union of two masks."""
    return float(((first > 0) & (second > 0)).sum() / ((first > 0) | (second > 0)).sum())


def psnr_db(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    error = np.mean((first.astype(float) - second.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / error))


def point(landmarks: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    return np.asarray(landmarks[LANDMARKS.index(name)])


def points_of(column: pd.Series) -> NDArray[np.float32]:
    """All landmarks of a column: (frames, points, 2)."""
    return np.stack([np.asarray(flat, np.float32).reshape(-1, 2) for flat in column])


def decoded(clip: str, index: int) -> NDArray[np.uint8]:
    return next(frame.to_rgb() for frame in read_frames(CLIPS[clip]) if frame.index == index)


def at_rest(**changes: float) -> Moment:
    """Ada's first moment, looking ahead with mouth shut and eyes open, but for `changes`."""
    rest = dict.fromkeys(
        ("yaw", "pitch", "roll", "mouth_open", "mouth_width", "smile", "gaze_x", "gaze_y", "brow"), 0.0
    )
    return Moment(**{**vars(write_script("ada")[0]), **rest, "eye_open": 1.0, **changes})


def landmarks_of(identity: Identity, **changes: float) -> NDArray[np.float32]:
    moment = at_rest(**changes)
    return find_landmarks(Figure(identity, moment), place_camera(moment, 1.0))


@pytest.mark.parametrize(
    ("clip", "identity", "script", "index"),
    [("target", ADA, "ada", 63), ("truth", BEN, "ada", 63), ("source", BEN, "ben", 40)],
)
def test_a_clip_in_git_shows_what_the_code_renders(
    clip: str, identity: Identity, script: str, index: int, demo: pd.DataFrame, source: pd.DataFrame
) -> None:
    frame = render_frame(identity, write_script(script)[index])
    table, prefix = (source, "") if clip == "source" else (demo, f"{clip}_")
    assert psnr_db(frame.picture, decoded(clip, index)) >= MIN_PSNR_DB
    assert overlap(frame.mask, decode_mask(table[f"{prefix}mask"][index])) >= MIN_IOU
    np.testing.assert_allclose(frame.landmarks.ravel(), table[f"{prefix}landmarks"][index], atol=0.5)


@pytest.mark.parametrize(("clip", "indices"), [("range", (40, 700)), ("turned", (60, 200))])
def test_the_further_takes_in_git_are_what_the_code_renders(clip: str, indices: tuple[int, ...]) -> None:
    moments = write_script(f"ben_{clip}")
    for index in indices:
        assert psnr_db(render_frame(BEN, moments[index]).picture, decoded(clip, index)) >= MIN_PSNR_DB
    assert sum(1 for _ in read_frames(CLIPS[clip])) == len(moments)


@pytest.mark.parametrize("clip", ["target", "truth", "source"])
def test_the_table_has_one_row_a_frame(clip: str, demo: pd.DataFrame, source: pd.DataFrame) -> None:
    table = source if clip == "source" else demo
    frames = [(frame.index, frame.planes[0].shape) for frame in read_frames(CLIPS[clip])]
    assert [index for index, _ in frames] == table["frame"].tolist()
    assert {shape for _, shape in frames} == {(HEIGHT, WIDTH)}
    assert probe_clip(CLIPS[clip]).rate == FRAMES_PER_S


def test_the_tables_say_what_the_scripts_say(demo: pd.DataFrame, source: pd.DataFrame) -> None:
    for name, table in (("ada", demo), ("ben", source)):
        for column in ("yaw", "pitch", "roll", "mouth_open", "eye_open"):
            script = [getattr(moment, column) for moment in write_script(name)]
            np.testing.assert_allclose(table[column], script, atol=1e-4)


def test_target_and_truth_are_two_faces_in_one_pose(demo: pd.DataFrame) -> None:
    target, truth = points_of(demo["target_landmarks"]), points_of(demo["truth_landmarks"])
    eyes = [points[:, 1] - points[:, 0] for points in (target, truth)]
    tilts = [np.degrees(np.arctan2(line[:, 1], line[:, 0])) for line in eyes]
    assert np.abs(tilts[0] - tilts[1]).max() < 1.0
    assert np.abs(target[:, :2] - truth[:, :2]).max() < 4.0
    overlaps = [
        overlap(decode_mask(a), decode_mask(b)) for a, b in zip(demo["target_mask"], demo["truth_mask"], strict=True)
    ]
    assert min(overlaps) > 0.6
    assert max(overlaps) < 0.95


def test_masks_hold_the_face_and_leave_out_the_rest(demo: pd.DataFrame) -> None:
    for index in range(0, len(demo), 40):
        mask = decode_mask(demo["target_mask"][index])
        points = points_of(demo["target_landmarks"])[index]
        assert set(np.unique(mask)) == {0, 255}
        for name in ("left_eye", "right_eye", "nose_tip", "lip_top", "lip_bottom"):
            x, y = point(points, name).round().astype(int)
            assert mask[y, x] == 255, (index, name)
        assert not mask[int(point(points, "chin")[1]) + 30 :].any()


def test_the_source_covers_what_the_target_does(demo: pd.DataFrame, source: pd.DataFrame) -> None:
    for column in ("yaw", "pitch", "roll", "mouth_open", "eye_open"):
        assert source[column].min() <= demo[column].min() + 0.05, column
        assert source[column].max() >= demo[column].max() - 0.05, column
    assert demo["yaw"].min() < -33
    assert demo["yaw"].max() > 33
    assert demo["eye_open"].min() == 0


def test_the_second_take_shows_together_what_the_first_shows_apart() -> None:
    """Pairs of turn and nod, in steps of 7 and 5 degrees."""

    def count_pairs(name: str) -> int:
        return len({(moment.yaw // 7, moment.pitch // 5) for moment in write_script(name)})

    assert count_pairs("ben_range") > 1.5 * count_pairs("ben")


def test_the_third_take_speaks_to_both_sides_twice_as_often_as_the_others_do() -> None:
    def count_wide(name: str, side: int) -> float:
        moments = write_script(name)
        return sum(moment.yaw * side > 30 and moment.mouth_open > 0.5 for moment in moments) / len(moments)

    for side in (-1, 1):
        assert count_wide("ben_turned", side) > 2 * max(count_wide("ben", side), count_wide("ben_range", side))


@pytest.mark.parametrize("identity", [ADA, BEN])
def test_angles_have_the_signs_of_the_conventions(identity: Identity) -> None:
    front = landmarks_of(identity)
    nose = {
        name: point(landmarks_of(identity, **{name: 15.0}), "nose_tip") - point(front, "nose_tip")
        for name in ("yaw", "pitch")
    }
    assert nose["yaw"][0] > 10
    assert nose["pitch"][1] < -10
    rolled = landmarks_of(identity, roll=12.0)
    across = point(rolled, "right_eye") - point(rolled, "left_eye")
    assert np.degrees(np.arctan2(across[1], across[0])) == pytest.approx(12.0, abs=0.6)


@pytest.mark.parametrize("identity", [ADA, BEN])
def test_the_script_moves_mouth_and_lids(identity: Identity) -> None:
    cm_px = FOCAL_PX / DISTANCE_CM
    gap = [np.linalg.norm(np.subtract(*landmarks_of(identity, mouth_open=v)[[10, 11]])) for v in (0.0, 0.5, 1.0)]
    assert gap[0] < 0.1 * cm_px
    assert 0.8 * cm_px < gap[1] < gap[2]
    lids = [np.subtract(*landmarks_of(identity, eye_open=v)[[6, 5]])[1] for v in (0.0, 1.0)]
    assert abs(lids[0]) < 0.1 * cm_px
    assert lids[1] > 0.7 * cm_px


def test_what_moves_in_the_picture_is_what_the_script_moves() -> None:
    shut, open_, blink = (
        render_frame(ADA, at_rest(**changes), scale=0.35) for changes in ({}, {"mouth_open": 0.8}, {"eye_open": 0.0})
    )
    mouth, eyes = darkness(open_, "mouth") - darkness(shut, "mouth"), darkness(blink, "eyes") - darkness(shut, "eyes")
    assert mouth > 30
    assert eyes < -8
    assert abs(darkness(open_, "eyes") - darkness(shut, "eyes")) < 3


def darkness(frame: Frame, where: str) -> float:
    """How dark the middle of the mouth or of the eyes is, in gray levels below white."""
    centers = frame.landmarks[[10, 11]].mean(0, keepdims=True) if where == "mouth" else frame.landmarks[:2]
    patches = [frame.picture[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] for x, y in centers]
    return float(255 - np.mean(patches))


def test_the_voice_is_loud_where_the_mouth_is_open() -> None:
    opening = np.array([moment.mouth_open for moment in write_script("ada")])
    samples = speak_aloud("ada")
    assert len(samples) == len(opening) * SAMPLES_PER_S // FRAMES_PER_S
    center = (np.arange(len(opening)) * SAMPLES_PER_S / FRAMES_PER_S).astype(int)
    loudness = [np.sqrt(np.mean(samples[max(0, at - 500) : at + 500] ** 2)) for at in center]
    assert np.corrcoef(opening, loudness)[0, 1] > 0.8
    assert 0.2 < np.abs(samples).max() < 1
    assert probe_clip(CLIPS["target"]).has_sound
    assert not probe_clip(CLIPS["source"]).has_sound


def test_rays_meet_a_sphere_where_it_is() -> None:
    camera = place_camera(at_rest(), 0.25)
    depth = find_hits(lambda points: points.norm(dim=1) - 10.0, camera, 120, 160)
    rows, columns = torch.nonzero(depth.isfinite(), as_tuple=True)
    points = camera.position + camera.rays(columns.float(), rows.float()) * depth[rows, columns, None]
    assert (points.norm(dim=1) - 10.0).abs().max() < 0.05
    assert 0.95 < len(rows) / (np.pi * (10 * camera.focal_px / 95.0) ** 2) < 1.1
    normals = find_normals(lambda p: p.norm(dim=1) - 10.0, points)
    assert (normals * points).sum(1).min() > 9.9
    np.testing.assert_allclose(camera.project(points).numpy(), torch.stack([columns, rows], 1).numpy(), atol=1e-2)


def test_a_mask_is_a_png_of_its_own_values() -> None:
    mask = (np.random.default_rng(5).random((37, 53)) > 0.5).astype(np.uint8) * 255
    np.testing.assert_array_equal(decode_mask(encode_mask(mask)), mask)


@pytest.mark.heavy
def test_the_command_writes_clips_and_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["render", "--scenes", "demo", "--first", "5", "--end", "7", "--scale", "0.1", "--jobs", "1"]
    monkeypatch.setattr("sys.argv", [*command, "--out", str(tmp_path)])
    monkeypatch.setattr(render, "ProcessPoolExecutor", lambda jobs, *_: ThreadPoolExecutor(jobs))
    render.main()
    table = read_table(tmp_path / "performers/truth/demo.parquet", TRUTH)
    assert table["frame"].tolist() == [5, 6]
    frames = [frame.to_rgb() for frame in read_frames(tmp_path / "clips/ada/take1.mp4")]
    assert len(frames) == 2
    assert frames[0].shape == (HEIGHT // 10, WIDTH // 10, 3)
