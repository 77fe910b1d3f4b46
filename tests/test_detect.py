"""The detect stage: a row for every face of every frame, of the clips that sample saw and of no others."""

import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

import models.face_search
import stages.detect
import stages.progress
import vision.ahead
from errors import ClipError, FaceError
from models.mtcnn import Detection
from stages.detect import detect
from stages.params import Detect
from vision.alignment import transform
from vision.clip import Part
from vision.clip_read import read_frames
from vision.crops import crop_frame, encode_png
from vision.hashing import hash_file
from vision.planes import Layout, Matrix
from vision.tables import DETECTIONS, PARTS, SHOTS, make_table, points, read_table, write_table
from vision.video_write import VideoWriter, footage_format
from vision.view import VIEW_PX, read_view

ROOT = Path(__file__).resolve().parent.parent
STILLS = ROOT / "../shared/footage/stills"
PARAMS = Detect(
    engine="torch", landmarks="mesh", min_face_ratio=0.2, thresholds=[0.6, 0.7, 0.8], search_s=0.2, profiles=True
)
LAYOUT = Layout(1, 1, 8, Matrix.BT709, is_full_range=True)
FACE = Detection(np.array([2, 3, 12, 15], np.float32), 0.9, np.arange(10, dtype=np.float32).reshape(5, 2))

needs_footage = pytest.mark.skipif(not STILLS.is_dir(), reason="the test footage is not beside the repository")


@dataclass
class Person:
    """An identity's files in a temporary folder."""

    root: Path

    @property
    def clips(self) -> Path:
        return self.root / "clips/ada"

    @property
    def shots(self) -> Path:
        return self.root / "data/sample/ada/shots.parquet"

    @property
    def parts(self) -> Path:
        return self.root / "data/sample/ada/parts.parquet"

    @property
    def detections(self) -> Path:
        return self.root / "data/detect/ada/detections.parquet"

    def add_clip(self, name: str, pictures: list[np.ndarray]) -> None:
        form = footage_format(pictures[0].shape[:2], Fraction(25))
        with VideoWriter(self.clips / name, form, crf=10, preset="ultrafast") as writer:
            for index, picture in enumerate(pictures):
                writer.write_rgb(picture, index + 2 * (index > 2))  # a gap of time before the fourth frame

    def sample(self, n_frames: int = 6, part_frames: int = 100, shot_frames: int = 100) -> None:
        """Write the tables of shots and parts that sample would."""
        shots: list[dict[str, object]] = [
            {"clip": path.name, "clip_sha256": hash_file(path), "shot": first // shot_frames}
            | {"first_frame": first, "end_frame": min(first + shot_frames, n_frames)}
            for path in sorted(self.clips.iterdir())
            for first in range(0, n_frames, shot_frames)
        ]
        write_table(make_table(shots, SHOTS), self.shots, SHOTS)
        rows: list[dict[str, object]] = [
            {"clip": path.name, "clip_sha256": hash_file(path), "part": first // part_frames}
            | {"first_frame": first, "end_frame": min(first + part_frames, n_frames), "first_pts": 40 * first}
            for path in sorted(self.clips.iterdir())
            for first in range(0, n_frames, part_frames)
        ]
        write_table(make_table(rows, PARTS), self.parts, PARTS)

    def detect(self, **changes: object) -> pd.DataFrame:
        detect(self.clips, self.shots, self.parts, self.detections, PARAMS.model_copy(update=changes))
        return read_table(self.detections, DETECTIONS)


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


@pytest.fixture
def sitter(person: Person) -> Person:
    """With a clip: four frames of a face that moves by 5 px to the right, two without one."""
    picture = cv2.resize(read_still("single.png")[:300, 60:360], (240, 240), interpolation=cv2.INTER_AREA)
    nothing = np.full_like(picture, 128)
    person.add_clip("take1.mp4", [np.roll(picture, 5 * i, axis=1) for i in range(4)] + [nothing, nothing])
    person.sample()
    return person


@needs_footage
def test_every_frame_with_a_face_has_a_row_with_its_time_place_and_mesh(sitter: Person) -> None:
    table = sitter.detect()
    assert table["frame"].tolist() == [0, 1, 2, 3]
    assert np.ptp(np.diff(table["pts"][:3])) == 0
    assert table["pts"][3] - table["pts"][2] == 3 * (table["pts"][1] - table["pts"][0])
    assert set(table["clip"]) == {"take1.mp4"}
    assert set(table["clip_sha256"]) == {hash_file(sitter.clips / "take1.mp4")}
    np.testing.assert_allclose(np.diff((table["x1"] + table["x2"]) / 2), 5, atol=1.5)
    middles = np.array([points(five).mean(0) for five in table["five"]])
    np.testing.assert_allclose(np.diff(middles[:, 0]), 5, atol=1.5)
    meshes = np.stack([np.reshape(mesh, (478, 3)) for mesh in table["mesh"]])
    np.testing.assert_allclose(np.diff(meshes[..., 0], axis=0).mean(axis=1), 5, atol=0.5)
    np.testing.assert_allclose(meshes[:, [468, 473, 1, 61, 291], :2].mean(axis=1), middles, atol=4)


@needs_footage
def test_the_faces_of_a_frame_are_counted_by_falling_confidence_and_clips_follow_by_name(sitter: Person) -> None:
    four = cv2.resize(read_still("multi_four.png"), (360, 288), interpolation=cv2.INTER_AREA)
    sitter.add_clip("a_group.mp4", [four] * 6)
    sitter.sample()
    table = sitter.detect(landmarks="five", min_face_ratio=0.15)
    assert table["clip"].tolist() == ["a_group.mp4"] * 24 + ["take1.mp4"] * 4
    assert table["face"].tolist() == [0, 1, 2, 3] * 6 + [0] * 4
    assert (table["confidence"].diff()[[1, 2, 3, 5, 6, 7]] <= 0).all()


@needs_footage
def test_between_searches_faces_are_followed_to_where_a_search_would_find_them(sitter: Person) -> None:
    followed, searched = sitter.detect(), sitter.detect(search_s=0.0)
    assert followed["is_searched"].tolist()[:3] == [True, False, False]
    assert searched["is_searched"].all()
    assert followed["frame"].tolist() == searched["frame"].tolist() == [0, 1, 2, 3]
    (left, right, *_) = points(searched.loc[0, "five"])
    for column, tolerance in (("five", 0.05), ("mesh", 0.03)):
        error = np.abs(np.stack(list(followed[column])) - np.stack(list(searched[column]))).mean(axis=1)
        assert error.max() < tolerance * np.hypot(*(right - left)), column


@needs_footage
def test_the_same_clip_gives_the_same_bytes(sitter: Person) -> None:
    sitter.detect()
    digest = hash_file(sitter.detections)
    sitter.detect()
    assert hash_file(sitter.detections) == digest


@needs_footage
def test_five_landmarks_need_no_mediapipe(sitter: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    table = sitter.detect(landmarks="five")
    assert len(table) == 4
    assert table["mesh"].isna().all()


@needs_footage
def test_a_clip_without_any_face_is_an_error_that_leaves_nothing_behind(sitter: Person) -> None:
    sitter.add_clip("view.mp4", [cv2.resize(read_still("no_face.jpg"), (128, 128))] * 3)
    sitter.sample(n_frames=3)
    with pytest.raises(FaceError, match=r"view\.mp4: no face in any of its 3 frames; lower .*min_face_ratio \(0\.2\)"):
        sitter.detect()
    assert list(sitter.detections.parent.iterdir()) == []


@needs_footage
def test_the_command_writes_the_table_of_the_identity_it_is_called_for(sitter: Person) -> None:
    params = (ROOT / "params.yaml").read_text().replace("consent: record", "consent: unverified")
    (sitter.root / "params.yaml").write_text(params)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DVC_STAGE": "detect@ada"}
    command = [sys.executable, "-m", "stages.detect"]
    done = subprocess.run(command, cwd=sitter.root, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(read_table(sitter.detections, DETECTIONS)) == 4
    sitter.parts.unlink()
    done = subprocess.run(command, cwd=sitter.root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: data/sample/ada/parts.parquet: ")


def test_a_clip_that_changed_since_sample_is_refused(faked: Person) -> None:
    (faked.clips / "take1.mp4").write_bytes(b"other frames")
    with pytest.raises(ClipError, match=r"take1\.mp4: is not the clip that .*; run sample@ada again"):
        faked.detect()


@pytest.mark.parametrize("change", ["one more", "one less"])
def test_other_clips_than_sample_saw_are_refused(faked: Person, change: str) -> None:
    (faked.clips / "take2.mp4").write_bytes(b"more frames")
    if change == "one less":
        faked.sample()
        (faked.clips / "take2.mp4").unlink()
    with pytest.raises(ClipError, match=r"other clips than those that .*; run sample@ada again"):
        faked.detect()


def test_the_packages_engine_fills_the_same_table(faked: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.face_search, "PackageDetector", FakeDetector)
    monkeypatch.setattr(models.face_search, "FaceDetector", None)
    table = faked.detect(engine="mtcnn", landmarks="five")
    assert len(table) == 100
    assert table.loc[7, ["x1", "y1", "x2", "y2"]].tolist() == FACE.box.tolist()
    assert table.loc[7, "confidence"] == pytest.approx(0.9)
    np.testing.assert_array_equal(points(table.loc[7, "five"]), FACE.five)


def test_a_long_clip_is_never_held_whole(faked: Person) -> None:
    faked.detect(landmarks="five")
    assert FakeFrame.n_made == 100
    assert FakeFrame.most_alive <= 6 * vision.ahead.FRAMES_AHEAD


def test_progress_is_a_line_for_each_clip_and_for_every_few_seconds(
    faked: Person, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    faked.detect(landmarks="five")
    assert capsys.readouterr().out == "detect: take1.mp4: 100 faces in 100 frames\n"
    monkeypatch.setattr(stages.progress, "EVERY_S", 0)
    faked.sample(n_frames=100, part_frames=30)
    faked.detect(landmarks="five")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines[:-1]] == [f"detect: take1.mp4: {n} frames" for n in (30, 60, 90, 100)]


@needs_footage
def test_in_the_pictures_of_a_video_the_same_faces_are_found(sitter: Person) -> None:
    pictures = sitter.clips / "take2"
    pictures.mkdir()
    (pictures / "rate.txt").write_text("25")
    for frame in read_frames(sitter.clips / "take1.mp4"):
        (pictures / f"{frame.index}.png").write_bytes(encode_png(frame.to_rgb()))
    sitter.sample()
    table = sitter.detect()
    video, sequence = (table[table["clip"] == name] for name in ("take1.mp4", "take2"))
    assert sequence["frame"].tolist() == video["frame"].tolist() == [0, 1, 2, 3]
    assert sequence["is_searched"].tolist() == video["is_searched"].tolist()
    np.testing.assert_allclose(np.stack(list(sequence["mesh"])), np.stack(list(video["mesh"])), atol=1)


@needs_footage
def test_a_view_is_the_head_small_and_aligned(sitter: Person) -> None:
    table = sitter.detect()
    frames = {frame.index: frame for frame in read_frames(sitter.clips / "take1.mp4")}
    for row in table.itertuples():
        view = read_view(row.view, points(row.five))
        assert np.array_equal(view.picture, crop_frame(frames[row.frame], view.frame_to_view, VIEW_PX))
        eyes = transform(view.frame_to_view, points(row.five)[:2])
        assert abs(eyes[0, 1] - eyes[1, 1]) < 4
        np.testing.assert_allclose(eyes.mean(axis=0), (VIEW_PX / 2, 0.4 * VIEW_PX), atol=6)


@pytest.mark.parametrize(("n_frames", "every"), [(100, 1), (200, 2), (1000, 5)])
def test_of_a_short_clip_views_are_taken_more_often(faked: Person, n_frames: int, every: int) -> None:
    faked.sample(n_frames=n_frames, part_frames=n_frames)
    table = faked.detect(landmarks="five")
    assert table.loc[table["view"].notna(), "frame"].tolist() == list(range(0, n_frames, every))


def test_a_shot_begins_with_a_view(faked: Person) -> None:
    faked.sample(n_frames=1000, part_frames=1000, shot_frames=503)
    table = faked.detect(landmarks="five")
    assert table.loc[table["view"].notna(), "frame"].tolist() == sorted({*range(0, 1000, 5), 503})


@needs_footage
@pytest.mark.parametrize("landmarks", ["mesh", "five"])
def test_every_still_is_searched_on_its_own_whatever_its_size_and_one_may_show_nobody(
    person: Person, landmarks: str
) -> None:
    single = read_still("single.png")[:300, 60:360]
    stills = person.clips / "stills"
    stills.mkdir(parents=True)
    shown = [single, single[:, 40:], np.full((90, 120, 3), 128, np.uint8), single]
    for index, picture in enumerate(shown):
        (stills / f"{index}.png").write_bytes(encode_png(picture))
    person.sample(n_frames=4, shot_frames=1)
    table = person.detect(search_s=10, landmarks=landmarks)
    assert table["frame"].tolist() == [0, 1, 3]
    assert table["is_searched"].all()
    assert table["view"].notna().all()
    five = [points(row) for row in table["five"]]
    np.testing.assert_allclose(five[1], five[0] - (40, 0), atol=4)
    np.testing.assert_array_equal(five[2], five[0])


class FakeFrame:
    """A frame that is counted while it lives, and so is its picture."""

    n_made = n_alive = most_alive = 0

    def __init__(self, index: int) -> None:
        self.index, self.pts, self.layout = index, 40 * index, LAYOUT
        FakeFrame.n_made += 1
        FakeFrame._count(self)

    @property
    def planes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        picture = np.zeros((3, 32, 32), np.uint8)
        FakeFrame._count(picture)
        return picture[0], picture[1], picture[2]

    @staticmethod
    def _count(thing: object) -> None:
        FakeFrame.n_alive += 1
        FakeFrame.most_alive = max(FakeFrame.most_alive, FakeFrame.n_alive)
        weakref.finalize(thing, FakeFrame._forget)

    @staticmethod
    def _forget() -> None:
        FakeFrame.n_alive -= 1


class FakeDetector:
    def __init__(self, *_: object) -> None:
        pass

    def find(self, pictures: list[np.ndarray]) -> list[list[Detection]]:
        return [[FACE] for _ in pictures]


@pytest.fixture
def faked(person: Person, monkeypatch: pytest.MonkeyPatch) -> Person:
    """With a clip that is no video: frames and faces are made up."""

    def read_frames(_: Path, part: Part) -> Iterator[FakeFrame]:
        return (FakeFrame(index) for index in range(part.first_frame, part.end_frame))

    models.face_search._make_detector.cache_clear()
    FakeFrame.n_made = FakeFrame.n_alive = FakeFrame.most_alive = 0
    monkeypatch.setattr(vision.ahead, "read_frames", read_frames)
    monkeypatch.setattr(models.face_search, "FaceDetector", FakeDetector)
    monkeypatch.setattr(stages.detect, "probe_clip", lambda _: footage_format((32, 32), Fraction(25)))
    person.clips.mkdir(parents=True)
    (person.clips / "take1.mp4").write_bytes(b"frames")
    person.sample(n_frames=100)
    return person


def read_still(name: str) -> np.ndarray:
    picture: np.ndarray = cv2.cvtColor(cv2.imread(str(STILLS / name)), cv2.COLOR_BGR2RGB)
    return picture
