"""Hand edits: read strictly, applied where they point."""

from pathlib import Path

import pandas as pd
import pytest

from errors import TableError
from vision.edits import HEADER, find_edited, read_edits


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "tracks.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def test_a_file_with_only_its_header_holds_no_edit(tmp_path: Path) -> None:
    assert read_edits(write(tmp_path)) == []


def test_an_edit_speaks_of_the_faces_around_its_point_in_its_frames(tmp_path: Path) -> None:
    (edit,) = read_edits(write(tmp_path, "abc,10,20,55,60.5,ignore"))
    rows = [("abc", 9, 50), ("abc", 10, 50), ("abc", 19, 50), ("abc", 20, 50), ("abc", 15, 100), ("xyz", 15, 50)]
    faces = pd.DataFrame([(s, f, x, 40, x + 30, 90) for s, f, x in rows])
    faces.columns = ["clip_sha256", "frame", "x1", "y1", "x2", "y2"]
    assert find_edited(edit, faces).tolist() == [False, True, True, False, False, False]
    assert edit.is_used is False


@pytest.mark.parametrize(
    ("line", "message"),
    [("abc,1,2,3,4,maybe", "use or ignore"), ("abc,one,2,3,4,use", "line 2"), ("abc,1,2,,4,use", "line 2")],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_edits(write(tmp_path, line))


def test_a_wrong_header_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text("clip,decision\n")
    with pytest.raises(TableError, match="first line"):
        read_edits(path)
