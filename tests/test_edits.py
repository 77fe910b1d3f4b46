"""Hand edits: read strictly, applied where they point."""

from pathlib import Path

import pandas as pd
import pytest

from errors import TableError
from vision.edits import HEADER, Edit, find_edited, point_at, read_edits


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


def _faces(track: int, boxes: dict[int, float]) -> pd.DataFrame:
    """A track's faces, 30 x 50 each: frames and their boxes' left edges."""
    rows = [("abc", track, frame, x, 40, x + 30, 90) for frame, x in boxes.items()]
    return pd.DataFrame(rows, columns=["clip_sha256", "track", "frame", "x1", "y1", "x2", "y2"])


def test_a_track_s_own_line_holds_in_the_frames_around_its_middle_and_for_no_other_track() -> None:
    walker = {frame: 3.0 * frame for frame in range(40)}
    del walker[18]
    passing = {frame: 160.0 - 4 * frame for frame in range(40)}  # past the walker about frame 22
    clip = pd.concat([_faces(0, walker), _faces(1, passing)], ignore_index=True)
    for track, boxes in ((0, walker), (1, passing)):
        rows = clip[clip["track"] == track]
        edit = point_at(rows, clip, is_used=False)
        found = clip[find_edited(edit, clip)]
        assert found["track"].unique().tolist() == [track]
        assert len(found) >= 4, "also where a new detection misses a face or two"
        assert edit.end_frame - edit.first_frame <= 11, "the box holds the point no longer"
        assert min(boxes) <= edit.first_frame < edit.end_frame <= max(boxes) + 1


def test_a_face_that_rests_is_named_in_all_its_frames() -> None:
    rests, beside = (
        _faces(0, dict.fromkeys((*range(5, 12), *range(14, 30)), 50.0)),
        _faces(1, dict.fromkeys(range(60), 90.0)),
    )
    clip = pd.concat([rests, beside], ignore_index=True)
    edit = point_at(clip[clip["track"] == 0], clip, is_used=True)
    assert edit == Edit("abc", 5, 30, 65, 65, True)


@pytest.mark.parametrize(
    ("line", "message"),
    [("abc,1,2,3,4,maybe", "use or ignore"), ("abc,one,2,3,4,use", "line 2"), ("abc,1,2,,4,use", "line 2")],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_edits(write(tmp_path, line))


def test_blank_lines_are_none_and_count(tmp_path: Path) -> None:
    edits = read_edits(write(tmp_path, "", "abc,10,20,55,60.5,ignore", "", "abc,10,20,55,60.5,use", ""))
    assert [(edit.line, edit.is_used) for edit in edits] == [(3, False), (5, True)]


def test_a_wrong_header_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text("clip,decision\n")
    with pytest.raises(TableError, match="first line"):
        read_edits(path)
