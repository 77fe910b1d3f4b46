"""The evaluate stage on a small made take: a bright oval that moves, opens its mouth and blinks."""

import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

import vision.take_measure
from errors import ClipError, ParamsError, TableError
from stages.evaluate import TakeFiles, evaluate
from stages.params import Evaluate, Truth
from vision.alignment import Points, align_face, canonical_landmarks, invert, transform
from vision.clip_read import probe_clip, read_frames
from vision.crops import Picture, decode_png, encode_png
from vision.hashing import hash_file
from vision.masks import face_outline
from vision.mesh_regions import LEFT_EYE, LEFT_IRIS, LOWER_INNER_LIP, MOUTH_CORNERS, REGIONS, RIGHT_EYE, RIGHT_IRIS
from vision.tables import CONVERSIONS, PARTS, TRACKS, TRUTH, make_table, write_table
from vision.video_encode import SegmentEncoder
from vision.video_write import VideoWriter, footage_format

HEIGHT, WIDTH, N_FRAMES, CROP_PX = 96, 128, 10, 64
RATE = Fraction(25)
SETTINGS = Evaluate(sheet_rows=2, sheet_px=64)
HELD_OUT = {
    "heldout_dssim_source": 0.11,
    "heldout_dssim_target": 0.12,
    "floor_heldout_dssim_source": 0.21,
    "floor_heldout_dssim_target": 0.22,
}
# Where the fake mesh below reads how far mouth and eyes are open: the grey level of two spots of the face.
MOUTH, EYE = (0, 12), (-8, -8)


def _center(frame: int) -> tuple[int, int]:
    return 56 + 2 * frame, 46 + (frame % 3)


def _mask(frame: int, *, of_truth: bool = False) -> NDArray[np.bool_]:
    """An ellipse that shrinks with time; the truth's is narrower and higher than the target's."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(
        mask, _center(frame), (20 - frame, 32 - frame) if of_truth else (24 - frame, 28 - frame), 0, 0, 360, 1, -1
    )
    return mask > 0


def _paint(frame: int, tint: int, mouth: int, eye: int) -> Picture:
    """A textured scene with a face of one tint, whose mouth and eye spots have given grey levels."""
    noise = np.random.default_rng(5).integers(60, 120, (HEIGHT // 4, WIDTH // 4)).astype(np.uint8)
    gray = cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    x, y = _center(frame)
    gray[_mask(frame)] = gray[_mask(frame)] // 2 + tint
    for (dx, dy), level in ((MOUTH, mouth), (EYE, eye)):
        cv2.circle(gray, (x + dx, y + dy), 4, level, -1)
    return np.repeat(gray[..., None], 3, axis=2).astype(np.uint8)


def _mouth(frame: int) -> int:
    return 40 + 60 * (frame % 4)


def _eye(frame: int) -> int:
    return 200 if frame % 5 else 60


def _write_video(path: Path, pictures: list[Picture], step: int = 1) -> None:
    with VideoWriter(path, footage_format((HEIGHT, WIDTH), RATE), crf=0) as writer:
        for index, picture in enumerate(pictures):
            writer.write_rgb(picture, index * step)


def _read_video(path: Path) -> list[Picture]:
    return [frame.to_rgb() for frame in read_frames(path)]


def _landmarks(frame: int) -> Points:
    """The five points of a face of the ellipse's size."""
    unit = canonical_landmarks("five") - 0.5
    return np.asarray(unit * 110 + np.array(_center(frame)), np.float32)


class FakeMesh:
    """Reads the openings from the grey levels of the two spots, at the place that the box names."""

    def fit(self, picture: Picture, box: Points, five: Points | None = None) -> Points | None:
        assert five is not None
        x, y = (five[:2].mean(axis=0) - _EYES).round().astype(int)
        assert box[0] < x < box[2]
        assert box[1] < y < box[3]
        levels = [float(picture[y + dy, x + dx, 0]) for dx, dy in (MOUTH, EYE)]
        return _mesh_of(*(level / 255 for level in levels))


_EYES = _landmarks(0)[:2].mean(axis=0) - np.array(_center(0))  # from the ellipse's middle


def _mesh_of(mouth: float, eye: float) -> Points:
    mesh = np.zeros((478, 3), np.float32)
    mesh[MOUTH_CORNERS[1], 0] = 1
    mesh[list(LOWER_INNER_LIP), 1] = mouth
    for side, (outer, _, _, lower), iris in ((-1, LEFT_EYE, LEFT_IRIS), (1, RIGHT_EYE, RIGHT_IRIS)):
        mesh[outer, 0] = side
        mesh[iris, 0] = side / 2 + 0.3 * mouth
        mesh[list(lower), 1] = eye
    for brow in REGIONS["brows"]:
        mesh[list(brow), 1] = -0.3 - mouth
    return mesh


@dataclass(frozen=True)
class Case:
    """A made take: its files, its truth, and where the results go."""

    files: TakeFiles
    truth: Truth
    folder: Path

    def run(self, *, with_truth: bool = True) -> dict[str, Any]:
        truth = self.truth if with_truth else None
        evaluate(self.files, truth, SETTINGS, self.metrics, self.curves, self.report)
        found: dict[str, Any] = json.loads(self.metrics.read_text())
        return found

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics/take.json"

    @property
    def curves(self) -> Path:
        return self.folder / "plots/frames.csv"

    @property
    def report(self) -> Path:
        return self.folder / "report"

    def with_swap(self, pictures: list[Picture], step: int = 1) -> "Case":
        _write_video(self.files.swap, pictures, step)
        return self

    def with_conversions(self, swapped: list[bool]) -> "Case":
        _write_conversions(self.files.conversions, swapped)
        return self


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The made videos carry neither mark nor credentials: of which ones they were asked."""
    paths: list[Path] = []
    monkeypatch.setattr("stages.evaluate.require_marked", paths.append)
    return paths


@pytest.fixture(scope="session")
def made_take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a take whose swap has the truth's movement and comes ever nearer to its tint."""
    folder = tmp_path_factory.mktemp("take")
    numbers = range(N_FRAMES)
    _write_video(folder / "clip.mp4", [_paint(n, 20, _mouth(n), _eye(n)) for n in numbers])
    _write_video(folder / "swap.mp4", [_paint(n, 60 + 3 * n, _mouth(n) // 2, _eye(n) - 30) for n in numbers])
    _write_video(folder / "truth.mp4", [_paint(n, 100, _mouth(n), _eye(n)) for n in numbers])
    write_table(make_table([_truth_row(n) for n in numbers], TRUTH), folder / "truth.parquet", TRUTH)
    _write_parts(folder, [0])
    write_table(make_table([_track_row(n) for n in numbers], TRACKS), folder / "tracks.parquet", TRACKS)
    _write_conversions(folder / "conversions.parquet", [True] * N_FRAMES)
    _write_checkpoint(folder / "checkpoint.safetensors", np.full((32, 32, 3), 120, np.uint8))
    lacks = ["No source face looks up; 14 % of the target's frames need it."]
    (folder / "compare.json").write_text(json.dumps({"covered": {"covered_pose_ratio": 0.86}, "lacks": lacks}))
    (folder / "coverage.png").write_bytes(encode_png(np.zeros((4, 4, 3), np.uint8)))
    (folder / "train.json").write_text(json.dumps({**HELD_OUT, "steps": 3}))
    (folder / "loss.csv").write_text("step,train,validation\n1,0.5,\n2,0.4,0.45\n3,0.3,0.41\n")
    return folder


@pytest.fixture
def case(made_take: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setattr(vision.take_measure, "share_mesh", FakeMesh)
    folder = tmp_path / "take"
    shutil.copytree(made_take, folder)
    files = TakeFiles(
        take="demo",
        pair="ben_as_ada",
        clip=folder / "clip.mp4",
        parts=folder / "parts.parquet",
        tracks=folder / "tracks.parquet",
        checkpoint=folder / "checkpoint.safetensors",
        coverage=folder / "compare.json",
        coverage_picture=folder / "coverage.png",
        previews=folder / "previews",
        loss=folder / "loss.csv",
        strip=folder / "strip.png",
        train_metrics=folder / "train.json",
        swap=folder / "swap.mp4",
        conversions=folder / "conversions.parquet",
    )
    video, table = folder / "truth.mp4", folder / "truth.parquet"
    return Case(files, _name_truth(video, table), tmp_path / "out")


def _name_truth(video: Path, table: Path) -> Truth:
    """As params.yaml names it, but with absolute paths."""
    video_sha256, table_sha256 = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (video, table))
    return Truth.model_construct(
        video=str(video), video_sha256=video_sha256, table=str(table), table_sha256=table_sha256
    )


def _truth_row(frame: int) -> dict[str, object]:
    return {
        "frame": frame,
        **dict.fromkeys(("yaw", "pitch", "roll", "mouth_open", "eye_open"), 0.0),
        "target_mask": encode_png(_mask(frame).astype(np.uint8) * 255),
        "truth_mask": encode_png(_mask(frame, of_truth=True).astype(np.uint8) * 255),
        "target_landmarks": _landmarks(frame).ravel(),
        "truth_landmarks": _landmarks(frame).ravel(),
    }


def _track_row(frame: int) -> dict[str, object]:
    to_crop = align_face(_landmarks(frame), "five", CROP_PX)
    return {
        "clip": "clip.mp4",
        "clip_sha256": "0" * 64,
        "frame": frame,
        "pts": frame,
        "shot": 0,
        "track": 0,
        "person": 0,
        "is_used": True,
        "reason": "the person",
        "is_bridged": False,
        **dict.fromkeys(("x1", "y1", "x2", "y2"), 0.0),
        "kind": "five",
        "landmarks": _landmarks(frame).ravel(),
        "frame_to_crop": to_crop.ravel(),
        "yaw": 3.0 * frame,
        "pitch": 0.0,
        "roll": 0.0,
        "mouth_open": _mouth(frame) / 255,
        **dict.fromkeys(("eye_open", "left_eye_open", "right_eye_open"), _eye(frame) / 255),
        "mouth_width": 0.6,
        **dict.fromkeys(("mouth_lift", "brow_height", "gaze"), 0.0),
        "outline": face_outline(_landmarks(frame), "five", to_crop, CROP_PX).ravel(),
        "covers": [],
        "covered_ratio": 0.0,
    }


def _write_conversions(path: Path, swapped: list[bool]) -> None:
    rows = [
        {"frame": n, "pts": n, "is_swapped": done, "reason": "" if done else "no face", "picture_sha256": ""}
        for n, done in enumerate(swapped)
    ]
    write_table(make_table([dict(row) for row in rows], CONVERSIONS), path, CONVERSIONS)


def _write_parts(folder: Path, starts: list[int]) -> None:
    """The table of the parts that begin with these frames."""
    clip = {"clip": "clip.mp4", "clip_sha256": hash_file(folder / "clip.mp4")}
    rows = [
        clip | {"part": n, "first_frame": first, "end_frame": end, "first_pts": first}
        for n, (first, end) in enumerate(zip(starts, [*starts[1:], N_FRAMES], strict=True))
    ]
    write_table(make_table(rows, PARTS), folder / "parts.parquet", PARTS)


def _cut_video(path: Path, starts: list[int]) -> None:
    """Write a video's very pictures anew with a key frame where each part starts."""
    form, frames = probe_clip(path), list(read_frames(path))
    with VideoWriter(path, form, crf=0) as writer:
        for first, end in zip(starts, [*starts[1:], N_FRAMES], strict=True):
            encoder = SegmentEncoder(form, 0)
            for frame in frames[first:end]:
                encoder.add(frame.planes, frame.pts, frame.duration)
            writer.join(encoder.finish())


def _write_checkpoint(path: Path, mean_face: Picture) -> None:
    metadata = {"size_px": "32", "coverage_ratio": "0.8", "crop_px": str(CROP_PX)}
    save_file({"mean_face.source": mean_face, "mean_face.target": 255 - mean_face}, path, metadata=metadata)


def _slow_psnr(first: Path, second: Path) -> float:
    """PSNR by the definition: all frames' squared errors in one array, inside both masks."""
    pairs = zip(_read_video(first), _read_video(second), strict=True)
    errors = [(a.astype(float) - b)[_mask(n) & _mask(n, of_truth=True)].ravel() ** 2 for n, (a, b) in enumerate(pairs)]
    return float(10 * np.log10(255**2 / np.concatenate(errors).mean()))


def test_psnr_is_pooled_over_all_frames_inside_both_masks(case: Case) -> None:
    found = case.run()
    truth = Path(case.truth.video)
    assert found["swap_psnr_db"] == pytest.approx(_slow_psnr(case.files.swap, truth), abs=1e-5)
    assert found["unswapped_psnr_db"] == pytest.approx(_slow_psnr(case.files.clip, truth), abs=1e-5)
    assert found["swap_psnr_db"] > found["unswapped_psnr_db"] + 3


def test_a_label_outside_the_face_changes_no_figure(case: Case) -> None:
    before = case.run()
    labelled = _read_video(case.files.swap)
    for picture in labelled:
        picture[-14:, -60:] = 255
    assert case.with_swap(labelled).run() == before


def test_the_floor_is_the_mean_face_inside_the_mask(case: Case) -> None:
    pasted = _read_video(case.files.clip)
    for n, picture in enumerate(pasted):
        picture[_mask(n) & _mask(n, of_truth=True)] = 120
    expected = case.folder / "pasted.mp4"
    _write_video(expected, pasted)
    floor = case.run()["floor_psnr_db"]
    assert floor == pytest.approx(_slow_psnr(expected, Path(case.truth.video)), abs=0.02)


def test_the_floor_follows_the_track(case: Case) -> None:
    """A mean face that is bright on its left half only must land on the face's left, wherever the face is."""
    half = np.zeros((32, 32, 3), np.uint8)
    half[:, :16] = 255
    _write_checkpoint(case.files.checkpoint, half)
    pictures = [_paint(n, 100, 0, 0) for n in range(N_FRAMES)]
    for n, picture in enumerate(pictures):
        x, _ = _center(n)
        picture[:, :x], picture[:, x:] = 255, 0
    _write_video(Path(case.truth.video), pictures)
    truth = _name_truth(Path(case.truth.video), Path(case.truth.table))
    assert replace(case, truth=truth).run()["floor_psnr_db"] > 18


def test_a_swap_equal_to_the_truth_is_perfect_and_says_so(case: Case) -> None:
    shutil.copy(case.truth.video, case.files.swap)
    found = case.run()
    assert (found["swap_psnr_db"], found["swap_ssim"], found["sharpness_ratio"]) == (None, 1, 1)
    assert found["mouth_corr"] == found["eye_corr"] == pytest.approx(1)
    assert found["gaze_corr"] == found["brow_corr"] == pytest.approx(1)
    reasons = json.loads(case.metrics.read_text())["reasons"]
    assert reasons == {"swap_psnr_db": "the pictures are equal"}


def test_a_blurred_swap_is_less_sharp(case: Case) -> None:
    sharp = case.run()["sharpness_ratio"]
    blurred = [np.asarray(cv2.GaussianBlur(picture, (0, 0), 2)) for picture in _read_video(case.files.swap)]
    assert case.with_swap(blurred).run()["sharpness_ratio"] < 0.6 * sharp


def test_mouth_and_eyes_are_compared_with_truth_and_clip(case: Case) -> None:
    still = [_paint(n, 70, _mouth(n), 100 + n * 10) for n in range(N_FRAMES)]
    found = case.with_swap(still).run()
    assert found["mouth_corr"] > 0.99
    assert found["mouth_corr_to_target"] > 0.99
    ramp, blinks = np.arange(N_FRAMES), [_eye(n) for n in range(N_FRAMES)]
    assert found["eye_corr"] == pytest.approx(np.corrcoef(ramp, blinks)[0, 1], abs=0.02)


def test_a_still_mouth_has_no_correlation(case: Case) -> None:
    found = case.with_swap([_paint(n, 70, 128, _eye(n)) for n in range(N_FRAMES)]).run()
    assert found["mouth_corr"] is None
    assert "without any change" in json.loads(case.metrics.read_text())["reasons"]["mouth_corr"]


def test_without_the_mesh_openings_are_unknown_for_a_stated_reason(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ParamsError("the face mesh needs mediapipe")

    monkeypatch.setattr(vision.take_measure, "share_mesh", refuse)
    found = case.run()
    assert found["mouth_corr"] is found["eye_corr"] is found["mouth_corr_to_target"] is None
    assert json.loads(case.metrics.read_text())["reasons"]["eye_corr"] == "the face mesh needs mediapipe"
    assert found["swap_psnr_db"] > 0
    assert "the face mesh needs mediapipe" in (case.report / "report.html").read_text()


def test_without_truth_only_what_needs_none_is_told(case: Case) -> None:
    found = case.run(with_truth=False)
    assert set(found) == {
        "n_frames",
        "n_swapped",
        "mouth_corr_to_target",
        "eye_corr_to_target",
        "gaze_corr_to_target",
        "brow_corr_to_target",
        "flicker_ratio",
        *HELD_OUT,
    }
    assert found["mouth_corr_to_target"] > 0.99
    assert {name: found[name] for name in HELD_OUT} == HELD_OUT


def test_the_parts_of_a_clip_give_what_the_whole_gives_but_for_flicker_across_cuts(case: Case) -> None:
    whole = case.run(with_truth=False)
    files = [case.curves, case.report / "sheet.png", case.report / "mouth.png"]
    of_whole = [file.read_bytes() for file in files]
    starts = [0, 4, 7]
    for video in (case.files.clip, case.files.swap):
        _cut_video(video, starts)
    _write_parts(case.files.clip.parent, starts)
    found = case.run(with_truth=False)
    assert [file.read_bytes() for file in files] == of_whole
    assert found.pop("flicker_ratio") == pytest.approx(whole.pop("flicker_ratio"), rel=0.5)
    assert found == whole


def test_a_swap_that_another_clip_s_parts_do_not_fit_is_refused(case: Case) -> None:
    starts = [0, 4]
    _cut_video(case.files.clip, starts)
    _write_parts(case.files.clip.parent, starts)
    with pytest.raises(ClipError, match=r"swap\.mp4: cannot be read from frame 4 on"):
        case.with_swap(_read_video(case.files.swap)[:-1]).run(with_truth=False)
    assert not case.folder.exists()


def test_frames_that_were_passed_through_are_counted_and_marked(case: Case) -> None:
    swapped = [n not in (4, 5) for n in range(N_FRAMES)]
    found = case.with_conversions(swapped).run()
    assert (found["n_frames"], found["n_swapped"]) == (N_FRAMES, N_FRAMES - 2)
    assert pd.read_csv(case.curves)["is_swapped"].tolist() == [int(done) for done in swapped]


def test_the_curves_have_a_row_a_frame(case: Case) -> None:
    case.run()
    curves = pd.read_csv(case.curves)
    assert curves["frame"].tolist() == list(range(N_FRAMES))
    assert (curves["psnr"] > curves["unswapped_psnr"]).all()
    clip = [level / 255 for level in map(_mouth, range(N_FRAMES))]
    assert curves["mouth_target"].to_numpy() == pytest.approx(clip, abs=0.02)
    assert curves["eye_swap"].to_numpy() == pytest.approx([(_eye(n) - 30) / 255 for n in range(N_FRAMES)], abs=0.02)


def test_the_same_take_gives_the_same_bytes(case: Case) -> None:
    def digest() -> list[tuple[str, str]]:
        files = [case.metrics, case.curves, *sorted(case.report.iterdir())]
        return [(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files]

    case.run()
    first = digest()
    case.run()
    assert digest() == first
    assert [name for name, _ in first[2:]] == [
        "coverage.png",
        "eye.png",
        "loss.png",
        "mouth.png",
        "psnr.png",
        "report.html",
        "sheet.png",
    ]


def test_the_sheet_shows_the_decoded_pictures(case: Case) -> None:
    """Row by row: clip, result, truth in their own tints, at the face's place."""
    case.run()
    sheet = decode_png((case.report / "sheet.png").read_bytes())
    width = WIDTH * 64 // HEIGHT
    left, top = 128, 30
    levels = [
        sheet[top + 20 : top + 40, left + n * (width + 6) : left + n * (width + 6) + width].mean() for n in range(3)
    ]
    assert levels[0] + 5 < levels[1] < levels[2] - 3


@pytest.mark.parametrize("kind", ["video", "table"])
def test_a_truth_that_is_not_the_named_one_is_refused(case: Case, kind: str) -> None:
    Path(getattr(case.truth, kind)).write_bytes(b"another")
    with pytest.raises(ParamsError, match=f"takes.demo.truth.{kind}_sha256.*restore"):
        case.run()
    assert not case.folder.exists()


def test_a_truth_that_is_missing_is_named(case: Case) -> None:
    Path(case.truth.table).unlink()
    with pytest.raises(ParamsError, match=r"takes.demo.truth.table: .*truth.parquet cannot be read"):
        case.run()


def test_a_swap_with_fewer_frames_is_refused(case: Case) -> None:
    with pytest.raises(ClipError, match=r"swap.mp4: ends after 9 frames"):
        case.with_swap(_read_video(case.files.swap)[:-1]).run()
    assert not case.folder.exists()


def test_a_swap_with_other_times_is_refused(case: Case) -> None:
    with pytest.raises(ClipError, match=r"swap.mp4: frame 1 is shown at 0.0800 s, .*clip.mp4 at 0.0400 s"):
        case.with_swap(_read_video(case.files.swap), step=2).run()


def test_a_table_of_another_length_is_refused(case: Case) -> None:
    with pytest.raises(TableError, match=r"conversions.parquet: ends before frame 9"):
        case.with_conversions([True] * 9).run(with_truth=False)
    with pytest.raises(ClipError, match=r"swap.mp4: has 10 frames, its table 11"):
        case.with_conversions([True] * 11).run(with_truth=False)
    with pytest.raises(TableError, match=r"truth.parquet: its 10 rows are not the 11 frames"):
        case.with_conversions([True] * 11).run()


@pytest.mark.parametrize("content", ["", "{}", "[1]", json.dumps({**HELD_OUT, "heldout_dssim_target": None})])
def test_missing_held_out_figures_are_an_error(case: Case, content: str) -> None:
    case.files.train_metrics.write_text(content)
    with pytest.raises(TableError, match=r"train.json: the held-out figures .*rerun train"):
        case.run()


def test_faces_of_other_clips_and_tracks_are_left_out(case: Case) -> None:
    rows = [{**_track_row(n), "clip": "other.mp4"} for n in range(N_FRAMES)]
    rows += [{**_track_row(n), "is_used": False} for n in range(N_FRAMES)]
    write_table(make_table([dict(row) for row in rows], TRACKS), case.files.tracks, TRACKS)
    found = case.run()
    assert found["mouth_corr"] is None
    assert found["flicker_ratio"] is None
    assert found["floor_psnr_db"] == found["unswapped_psnr_db"]


def test_the_video_s_mark_and_credentials_are_asked_for_first(case: Case, asked: list[Path]) -> None:
    case.files.train_metrics.unlink()
    with pytest.raises(TableError):
        case.run()
    assert asked == [case.files.swap]


def test_a_take_without_any_swapped_frame_still_gets_its_sheet(case: Case) -> None:
    found = case.with_conversions([False] * N_FRAMES).run()
    assert found["n_swapped"] == 0
    sheet = decode_png((case.report / "sheet.png").read_bytes())
    assert sheet.shape[0] == 30 + (SETTINGS.sheet_rows + 3) * 70


def test_transform_helper_places_the_face_where_the_picture_has_it() -> None:
    """The made tracks' alignment is that of the made pictures: the crop's middle lies on the face."""
    to_frame = invert(align_face(_landmarks(3), "five", CROP_PX))
    middle = transform(to_frame, np.array([[CROP_PX / 2 - 0.5, CROP_PX / 2 - 0.5]]))[0]
    assert middle == pytest.approx(_center(3), abs=4)
