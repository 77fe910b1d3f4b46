"""Tables: checked on writing and reading, the same bytes from the same content, whole or absent."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from errors import TableError
from vision.faceset import FacesetWriter, read_faceset
from vision.tables import (
    CONVERSIONS,
    FACESET,
    POSE,
    SHOTS,
    TableWriter,
    make_table,
    outlines,
    read_batches,
    read_table,
    write_table,
)


def shot(index: int) -> dict[str, object]:
    return {
        "clip": "a.mp4",
        "clip_sha256": "00",
        "shot": index,
        "first_frame": index * 10,
        "end_frame": index * 10 + 10,
    }


def face(frame: int, picture: bytes = b"png") -> dict[str, object]:
    points = np.arange(10, dtype=np.float32)
    pose = dict.fromkeys((*(column.name for column in POSE), "sharpness"), 1.5)
    place = {"clip": "a.mp4", "clip_sha256": "00", "frame": frame, "pts": frame, "track": 0, "kind": "five"}
    shape = {"outline": points, "covers": [points, points[:6]], "covered_ratio": 0.5}
    return (
        place | pose | shape | {"picture": picture, "landmarks": points, "frame_to_crop": np.arange(6.0), "reason": ""}
    )


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    table = make_table([shot(0), shot(1)], SHOTS)
    write_table(table, tmp_path / "shots.parquet", SHOTS)
    pd.testing.assert_frame_equal(read_table(tmp_path / "shots.parquet", SHOTS), table)


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_table(make_table([shot(0)], SHOTS), tmp_path / name, SHOTS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_column_and_a_wrong_type_are_refused(tmp_path: Path) -> None:
    good = make_table([shot(0)], SHOTS)
    with pytest.raises(TableError, match="columns"):
        write_table(good.drop(columns="shot"), tmp_path / "t", SHOTS)
    with pytest.raises(TableError, match="shots"):
        write_table(good.assign(shot="first"), tmp_path / "t", SHOTS)
    assert list(tmp_path.iterdir()) == []


def test_another_table_s_file_is_refused_by_name(tmp_path: Path) -> None:
    write_table(make_table([shot(0)], SHOTS), tmp_path / "t.parquet", SHOTS)
    with pytest.raises(TableError, match=r"t\.parquet"):
        read_table(tmp_path / "t.parquet", CONVERSIONS)


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(TableError, match=r"t\.parquet.*rerun"):
        read_table(tmp_path / "t.parquet", SHOTS)


def test_an_error_while_writing_leaves_the_old_table(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(make_table([shot(0)], SHOTS), path, SHOTS)
    with pytest.raises(KeyError), TableWriter(path, SHOTS) as writer:
        writer.write(make_table([shot(1)], SHOTS))
        raise KeyError
    assert read_table(path, SHOTS)["shot"].tolist() == [0]
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


def test_batches_together_are_the_table(tmp_path: Path) -> None:
    write_table(make_table([shot(i) for i in range(10)], SHOTS), tmp_path / "t", SHOTS)
    batches = list(read_batches(tmp_path / "t", SHOTS, n_rows=4))
    assert [len(b) for b in batches] == [4, 4, 2]
    assert pd.concat(batches)["shot"].tolist() == list(range(10))


def test_a_face_set_is_few_shards_with_pictures_stored_as_they_are(tmp_path: Path) -> None:
    writer = FacesetWriter(tmp_path)
    for frame in range(501):
        writer.write(face(frame, b"\x89PNG" + bytes([frame % 256]) * 50))
    writer.close()
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["part-00000.parquet", "part-00001.parquet"]
    records = pd.concat(read_faceset(tmp_path))
    assert records["frame"].tolist() == list(range(501))
    assert [cover.tolist() for cover in outlines(records["covers"].iloc[7])] == [
        [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]],
        [[0, 1], [2, 3], [4, 5]],
    ]
    assert records["picture"].iloc[300] == b"\x89PNG" + bytes([300 % 256]) * 50
    group = pq.ParquetFile(tmp_path / "part-00000.parquet").metadata.row_group(0)
    compressions = {group.column(i).path_in_schema: group.column(i).compression for i in range(group.num_columns)}
    assert group.num_rows == FACESET.row_group_size == 16
    assert compressions["picture"] == "UNCOMPRESSED"
    assert compressions["clip"] == "ZSTD"


def test_an_empty_face_set_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="align"):
        list(read_faceset(tmp_path))
