"""Augment: split by time, keyed variants, masks that fit, and a limit that holds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import FaceError, SizeError
from stages.augment import augment, split_by_time
from stages.params import Augment
from vision.alignment import canonical_landmarks, invert, transform, view_matrix
from vision.crops import encode_png
from vision.expression import EXPRESSION
from vision.faceset import FacesetWriter
from vision.masks import RIM_RATIO, face_outline
from vision.packed import FACE, MARGIN_RATIO, open_expressions, open_packed, stored_px
from vision.tables import FACES, FACESET, POSE, make_table, read_table

PARAMS = {
    "face_px": 32,
    "coverage_ratio": 0.75,
    "variants": 3,
    "validation_ratio": 0.2,
    "brightness_ratio": 0.2,
    "hue_shift": 10,
    "max_gb": 1.0,
}


def record(frame: int, clip: str = "a.mp4", reason: str = "") -> dict[str, object]:
    """A face whose crop is a ramp of its frame's own brightness."""
    crop = np.full((128, 128, 3), 80 + 5 * frame, np.uint8)
    crop[:, :, 0] += np.linspace(0, 60, 128).astype(np.uint8)
    place = {"clip": clip, "clip_sha256": clip, "frame": frame, "pts": frame, "track": 0, "kind": "five"}
    pose = dict.fromkeys((*(column.name for column in POSE), "sharpness"), 0.5)
    points = (canonical_landmarks("five") * 128 - 0.5).astype(np.float32)
    shape = {"outline": face_outline(points, "five", np.eye(2, 3), 128).ravel(), "covers": [], "covered_ratio": 0.0}
    return (
        place
        | pose
        | shape
        | {
            "picture": encode_png(crop),
            "landmarks": points.ravel(),
            "frame_to_crop": np.eye(2, 3).ravel(),
            "reason": reason,
        }
    )


def write_faceset(folder: Path, records: list[dict[str, object]]) -> Path:
    folder.mkdir()
    writer = FacesetWriter(folder)
    for row in records:
        writer.write(row)
    writer.close()
    return folder


def run(tmp_path: Path, name: str = "out", seed: int = 1, n: int = 20, **changes: float) -> Path:
    faceset = tmp_path / "faceset"
    if not faceset.exists():
        write_faceset(faceset, [record(i) for i in range(n)])
    augment(faceset, tmp_path / name, Augment.model_validate(PARAMS | changes), seed)
    return tmp_path / name


def test_the_last_part_of_the_time_line_is_held_out_with_a_gap_before_it(tmp_path: Path) -> None:
    faces = read_table(run(tmp_path) / "faces.parquet", FACES)
    frames = {split: rows["frame"].tolist() for split, rows in faces.groupby("split")}
    assert frames == {"train": list(range(15)), "gap": [15], "validation": [16, 17, 18, 19]}


def test_each_face_stands_in_its_row_first_as_it_is_then_changed(tmp_path: Path) -> None:
    out = run(tmp_path)
    train, validation = open_packed(out / "train.npy"), open_packed(out / "validation.npy")
    assert train.shape == (45, stored_px(32), stored_px(32), 4)
    assert validation.shape[0] == 4
    faces = read_table(out / "faces.parquet", FACES)
    for face in faces[faces["split"] == "train"].itertuples():
        plain, first, second = (train[face.row + i].astype(int) for i in range(3))
        assert (plain[..., 1] == 80 + 5 * face.frame).all()
        assert np.abs(first[..., :3] - plain[..., :3]).max() > 0
        assert np.abs(first[..., :3] - second[..., :3]).max() > 0
        assert np.array_equal(first[..., 3], plain[..., 3])


def test_each_row_has_the_expression_of_its_face(tmp_path: Path) -> None:
    rows = [record(frame) | {"mouth_open": frame / 100, "yaw": -frame} for frame in range(20)]
    write_faceset(tmp_path / "faceset", rows[::-1])  # as the table sorts them, not as they come
    augment(tmp_path / "faceset", tmp_path / "out", Augment.model_validate(PARAMS), 1)
    for split, variants in (("train", 3), ("validation", 1)):
        faces = open_packed(tmp_path / "out" / f"{split}.npy")
        expressions = open_expressions(tmp_path / "out" / f"{split}-expressions.npy", len(faces))
        plain = faces[::variants, ..., 1].reshape(-1, faces[0, ..., 1].size)
        frames = np.repeat((plain.mean(1) - 80) / 5, variants)
        np.testing.assert_allclose(expressions[:, EXPRESSION.index("mouth_open")], frames / 100, atol=1e-6)
        np.testing.assert_allclose(expressions[:, EXPRESSION.index("yaw")], -frames, atol=1e-6)


def test_the_mask_is_the_face_inside_the_view(tmp_path: Path) -> None:
    mask = open_packed(run(tmp_path) / "train.npy")[0, ..., 3]
    side = mask.shape[0]
    assert mask[side // 2, side // 2] == FACE
    assert mask[:2].max() == 0
    assert mask[:, :2].max() == 0
    assert 0.2 < (mask > 127).mean() < 0.5


def test_the_outline_s_rim_is_no_part_of_the_mask(tmp_path: Path) -> None:
    mask = open_packed(run(tmp_path, face_px=96) / "train.npy")[0, ..., 3] > 64
    outline_px = 2 * 7.2 / (0.75 * 28) * 96  # the canonical ellipse's width
    assert mask.sum(1).max() == pytest.approx(outline_px - 2 * RIM_RATIO * 96, abs=1.5)


def test_what_covers_a_face_is_no_part_of_the_mask(tmp_path: Path) -> None:
    cover = np.array([[60, 50], [90, 50], [90, 78], [60, 78]], np.float32)  # of the crop of 128
    plain, covered = (_augment_one(tmp_path / name, covers) for name, covers in (("a", []), ("b", [cover.ravel()])))
    lost = np.argwhere((plain > 0) & (covered == 0))
    to_crop = invert(view_matrix(128, 0.75 * (1 + 2 * MARGIN_RATIO), len(plain)))
    spots = transform(to_crop, lost[:, ::-1].astype(np.float32))
    assert len(lost) > 40
    assert (spots > cover.min(0) - 2).all()
    assert (spots < cover.max(0) + 2).all()


def _augment_one(place: Path, covers: list[np.ndarray]) -> np.ndarray:
    """The mask of a face with covers."""
    place.mkdir()
    faceset = write_faceset(place / "faceset", [record(0) | {"covers": covers}])
    augment(faceset, place / "out", Augment.model_validate(PARAMS), 1)
    mask: np.ndarray = open_packed(place / "out" / "train.npy")[0, ..., 3]
    return mask


def test_the_seed_decides_the_changes_and_nothing_else_does(tmp_path: Path) -> None:
    first, again, other = (run(tmp_path, name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert (first / "train.npy").read_bytes() == (again / "train.npy").read_bytes()
    assert (first / "train.npy").read_bytes() != (other / "train.npy").read_bytes()


def test_a_face_s_changes_do_not_depend_on_the_faces_before_it(tmp_path: Path) -> None:
    whole = open_packed(run(tmp_path) / "train.npy")
    (tmp_path / "part").mkdir()
    write_faceset(tmp_path / "part" / "faceset", [record(i) for i in range(3, 20)])
    part = open_packed(run(tmp_path / "part") / "train.npy")
    assert np.array_equal(part[0:3], whole[9:12])


def test_more_than_the_limit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(SizeError, match=r"max_gb"):
        run(tmp_path, max_gb=0.01, face_px=512)
    assert not (tmp_path / "out").exists()


def test_more_than_the_disk_has_free_is_refused_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.augment.find_free", lambda _: 100_000)
    with pytest.raises(
        SizeError, match=r"augment: the faces take 0\.00 GB, too much for / \(.* GB are free\); free some"
    ):
        run(tmp_path)
    assert not (tmp_path / "out").exists()


def test_faces_with_a_reason_are_left_out_and_none_left_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    write_faceset(tmp_path / "some" / "faceset", [record(i, reason="blurred" if i < 5 else "") for i in range(20)])
    faces = read_table(run(tmp_path / "some") / "faces.parquet", FACES)
    assert faces["frame"].min() == 5
    write_faceset(tmp_path / "faceset", [record(0, reason="blurred")])
    with pytest.raises(FaceError, match="reason"):
        run(tmp_path)


def test_one_face_alone_serves_both_splits(tmp_path: Path) -> None:
    out = run(tmp_path, n=1)
    assert len(open_packed(out / "train.npy")) == 3
    assert len(open_packed(out / "validation.npy")) == 1


@given(st.integers(2, 300), st.floats(0.02, 0.5), st.integers(1, 4))
def test_any_split_is_disjoint_in_time_and_rows_do_not_overlap(n: int, ratio: float, variants: int) -> None:
    columns = [c.name for c in FACESET.columns if c.name in {f.name for f in FACES.columns}]
    base = make_table([record(0)], FACESET)[columns]
    records = pd.concat([base] * n).assign(frame=np.arange(n))
    faces = split_by_time(records, ratio, variants)
    train, validation = faces[faces["split"] == "train"], faces[faces["split"] == "validation"]
    assert len(train) > 0
    assert len(validation) > 0
    assert train["frame"].max() < validation["frame"].min()
    assert train["row"].tolist() == list(range(0, len(train) * variants, variants))
    assert validation["row"].tolist() == list(range(len(validation)))
