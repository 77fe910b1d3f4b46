"""The compare stage: two face sets become figures, cells, a picture and sentences."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.compare import compare
from stages.params import Compare
from tests.made_clip import Dots, align_clip, make_clip
from vision.crops import decode_png
from vision.faceset import FacesetWriter, read_faceset
from vision.tables import TRACKS, read_table, write_table


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two aligned clips of six used faces each, `source` darker than `target`."""
    place = tmp_path_factory.mktemp("pair")
    for name, disk in (("source", (70, 60, 60)), ("target", (150, 140, 130))):
        make_clip(place / name, "a.mp4", [Dots(tuple(range(12)), 20, 10, disk=disk)])
        align_clip(place / name, duplicate_levels=0)
    return place


def run(pair: Path, out: Path) -> tuple[dict[str, float | None], list[str]]:
    compare(
        source=pair / "source/faceset",
        target=pair / "target/faceset",
        tracks=pair / "target/tracks.parquet",
        metrics=out / "pair.json",
        plots=out / "plots",
        findings=out / "found.json",
        params=Compare(min_faces=3),
    )
    found = json.loads((out / "found.json").read_text())
    assert found["covered"] == json.loads((out / "pair.json").read_text())
    return found["covered"], found["lacks"]


def test_faces_that_are_lighter_than_the_source_s_are_told(pair: Path, tmp_path: Path) -> None:
    figures, lacks = run(pair, tmp_path)
    assert figures["covered_pose_ratio"] == 1
    assert figures["covered_light_ratio"] == 0
    assert figures["covered_mouth_open_ratio"] is None, "five landmarks know nothing of the mouth"
    assert len(lacks) == 1
    assert "is lighter than a mean of" in lacks[0]
    assert lacks[0].endswith("100 % of the target's frames need it.")


def test_the_target_s_frames_count_and_not_only_its_face_set(pair: Path, tmp_path: Path) -> None:
    tracks = read_table(pair / "target/tracks.parquet", TRACKS)
    yaw = tracks["yaw"].to_numpy().copy()
    yaw[1::2] = 60  # the face set takes every other frame
    place = tmp_path / "pair"
    place.mkdir()
    for name in ("source", "target"):
        (place / name).mkdir()
        (place / name / "faceset").symlink_to(pair / name / "faceset")
    write_table(tracks.assign(yaw=yaw), place / "target/tracks.parquet", TRACKS)
    figures, lacks = run(place, tmp_path)
    assert figures["covered_pose_ratio"] == 0.5
    assert any("right" in lack and "50 % of the target's frames" in lack for lack in lacks)


def test_a_face_that_training_leaves_out_shows_nothing(pair: Path, tmp_path: Path) -> None:
    place = tmp_path / "pair"
    (place / "source/faceset").mkdir(parents=True)
    (place / "target").symlink_to(pair / "target")
    faces = pd.concat(read_faceset(pair / "source/faceset"))
    faces["yaw"] = np.where(np.arange(len(faces)) < 3, 0.0, 40.0)
    for reasons, covered in (([""] * 6, 1.0), (["blurred"] * 3 + [""] * 3, 0.0)):
        writer = FacesetWriter(place / "source/faceset")
        for row in faces.assign(reason=reasons).to_dict("records"):
            writer.write({str(name): value for name, value in row.items()})
        writer.close()
        figures, lacks = run(place, tmp_path)
        assert figures["covered_pose_ratio"] == covered
        assert any("a pitch of" in lack or "further to" in lack for lack in lacks) == (covered == 0)


def test_the_cells_and_the_picture_are_written_the_same_each_time(pair: Path, tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        run(pair, tmp_path / name)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        contents.append([path.read_bytes() for path in files])
    assert contents[0] == contents[1]
    for name in ("source", "target"):
        assert pd.read_csv(tmp_path / f"one/plots/{name}.csv")["share"].sum() == 1
    picture = decode_png((tmp_path / "one/plots/coverage.png").read_bytes())
    assert picture.shape == (360, 1280, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
