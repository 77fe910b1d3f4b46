"""Results that appear whole or not at all."""

from pathlib import Path

import pytest

from vision.whole import whole_file, whole_folder


def test_a_file_appears_at_the_end_only(tmp_path: Path) -> None:
    with whole_file(tmp_path / "deep" / "a.txt") as path:
        path.write_text("new")
        assert not (tmp_path / "deep" / "a.txt").exists()
    assert (tmp_path / "deep" / "a.txt").read_text() == "new"
    assert len(list((tmp_path / "deep").iterdir())) == 1


def test_an_error_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(KeyError), whole_file(tmp_path / "a.txt") as path:
        path.write_text("half")
        raise KeyError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_replaces_the_old_one_as_a_whole(tmp_path: Path) -> None:
    for names in ("ab", "c"):
        with whole_folder(tmp_path / "set") as folder:
            for name in names:
                (folder / name).write_text(name)
    assert [p.name for p in (tmp_path / "set").iterdir()] == ["c"]
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_an_error_keeps_the_old_folder(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "set") as folder:
        (folder / "a").write_text("old")
    with pytest.raises(KeyError), whole_folder(tmp_path / "set") as folder:
        (folder / "b").write_text("half")
        raise KeyError
    assert [p.name for p in (tmp_path / "set").iterdir()] == ["a"]
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_what_a_killed_run_left_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".set.partial").mkdir()
    (tmp_path / ".set.partial" / "junk").write_text("junk")
    with whole_folder(tmp_path / "set") as folder:
        (folder / "a").write_text("a")
    assert [p.name for p in (tmp_path / "set").iterdir()] == ["a"]
