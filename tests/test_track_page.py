"""The page of tracks: every track is on it with its verdict, and its line decides otherwise."""

import re
from html import unescape
from pathlib import Path

from tests.made_clip import Dots, align_clip, make_clip
from vision.tables import TRACKS, read_table

PERSON = Dots(tuple(range(12)), 20, 10)
PASSER_BY = Dots(tuple(range(3, 10)), 100, 40, side=60, disk=(90, 160, 90))


def _read_page(place: Path) -> str:
    return (place / "tracks.html").read_text(encoding="utf-8")


def _lines(page: str) -> list[str]:
    return [unescape(line) for line in re.findall(r"<code>(.*?)</code>", page)]


def test_each_track_has_its_faces_frames_verdict_and_reason(tmp_path: Path) -> None:
    make_clip(tmp_path, "a <b>.mp4", [PERSON, PASSER_BY])
    align_clip(tmp_path)
    page = _read_page(tmp_path)
    rows = re.findall(r"<tr class=(.*?)</tr>", page, re.DOTALL)
    assert len(rows) == 2
    assert [row.count("<img") for row in rows] == [3, 3]
    assert "0 to 11" in rows[0]
    assert "3 to 9" in rows[1]
    tracks = read_table(tmp_path / "tracks.parquet", TRACKS)
    for row, (_, track) in zip(rows, tracks.groupby("track"), strict=True):
        word = "used" if track["is_used"].iloc[0] else "ignored"
        assert f"<strong>{word}</strong><br>{track['reason'].iloc[0]}" in row
    assert "a &lt;b&gt;.mp4" in page
    assert "<b>" not in page


def test_a_copied_line_turns_the_verdict_over_whatever_number_the_track_has(tmp_path: Path) -> None:
    make_clip(tmp_path, "a.mp4", [PERSON, PASSER_BY])
    align_clip(tmp_path)
    before = read_table(tmp_path / "tracks.parquet", TRACKS).groupby("track")["is_used"].all()
    assert before.tolist() == [True, False]
    lines = _lines(_read_page(tmp_path))
    assert [line.rsplit(",", 1)[1] for line in lines] == ["ignore", "use"]
    align_clip(tmp_path, tuple(lines))
    after = read_table(tmp_path / "tracks.parquet", TRACKS)
    assert after.groupby("track")["is_used"].all().tolist() == [False, True]
    assert set(after["reason"]) == {"by hand"}


def test_the_same_tracks_give_the_same_page(tmp_path: Path) -> None:
    pages = []
    for name in ("one", "two"):
        (tmp_path / name / "ada").mkdir(parents=True)
        make_clip(tmp_path / name / "ada", "a.mp4", [PERSON, PASSER_BY])
        align_clip(tmp_path / name / "ada")
        pages.append(_read_page(tmp_path / name / "ada"))
    assert pages[0] == pages[1]
    assert "edits/ada/tracks.csv" in pages[0]
