"""The page of tracks: every track is on it with its verdict, and its line decides otherwise."""

import re
from html import escape, unescape
from pathlib import Path

from tests.made_clip import Dots, align_clip, gather_clips, make_clip
from vision.tables import TRACKS, read_table

PERSON = Dots(tuple(range(12)), 20, 10)
PASSER_BY = Dots(tuple(range(3, 10)), 100, 40, side=60, disk=(90, 160, 90))


def _read_page(place: Path) -> str:
    return (place / "tracks.html").read_text(encoding="utf-8")


def _rows(page: str) -> list[str]:
    return re.findall(r'<tr class="(?:used|ignored)".*?</tr>', page, re.DOTALL)


def _lines(html: str) -> list[str]:
    return [unescape(line) for line in re.findall(r"<code>(.*?)</code>", html)]


def test_each_track_has_its_faces_frames_verdict_and_reason(tmp_path: Path) -> None:
    make_clip(tmp_path, "a <b>.mp4", [PERSON, PASSER_BY])
    align_clip(tmp_path)
    page = _read_page(tmp_path)
    rows = _rows(page)
    assert [row.count("<img") for row in rows] == [3, 3]
    assert "a &lt;b&gt;.mp4<br>frames 0 to 11" in rows[0]
    assert "frames 3 to 9" in rows[1]
    tracks = read_table(tmp_path / "tracks.parquet", TRACKS)
    for row, (_, track) in zip(rows, tracks.groupby("track"), strict=True):
        word = "used" if track["is_used"].iloc[0] else "ignored"
        assert f"<strong>{word}</strong><br>{escape(track['reason'].iloc[0])}" in row
    assert "<b>" not in page


def test_tracks_stand_under_their_people_the_identity_s_first_and_the_short_last(tmp_path: Path) -> None:
    dark = (20, 20, 20)
    make_clip(tmp_path / "1", "a.mp4", [Dots(tuple(range(6)), 100, 40, 60, disk=dark), Dots((9,), 20, 10)])
    make_clip(tmp_path / "2", "b.mp4", [PERSON])
    make_clip(tmp_path / "3", "c.mp4", [PERSON, Dots(tuple(range(6)), 130, 70, 50, disk=dark)])
    gather_clips(tmp_path, [tmp_path / name for name in "123"])
    align_clip(tmp_path)
    parts = re.split("<h2>", _read_page(tmp_path))[1:]
    heads = [re.sub("<.*?>", "", part.split("</h2>")[0]) for part in parts]
    assert heads == [
        "The identity's person 2 tracks in 2 clips",
        "Person 1 2 tracks in 2 clips",
        "Too short to tell 1 track in 1 clip",
    ]
    clips = [re.findall(r"<td>(\w\.mp4)<br>", part) for part in parts]
    assert clips == [["b.mp4", "c.mp4"], ["a.mp4", "c.mp4"], ["a.mp4"]]


def test_a_copied_line_turns_the_verdict_over_whatever_number_the_track_has(tmp_path: Path) -> None:
    make_clip(tmp_path, "a.mp4", [PERSON, PASSER_BY])
    align_clip(tmp_path)
    before = read_table(tmp_path / "tracks.parquet", TRACKS).groupby("track")["is_used"].all()
    assert before.tolist() == [True, False]
    lines = [line for row in _rows(_read_page(tmp_path)) for line in _lines(row)]
    assert [line.rsplit(",", 1)[1] for line in lines] == ["ignore", "use"]
    align_clip(tmp_path, tuple(lines))
    after = read_table(tmp_path / "tracks.parquet", TRACKS)
    assert after.groupby("track")["is_used"].all().tolist() == [False, True]
    assert set(after["reason"]) == {"by hand"}


def test_with_the_line_above_the_table_a_track_is_added_and_without_it_becomes_the_person(tmp_path: Path) -> None:
    make_clip(tmp_path / "1", "a.mp4", [PERSON])
    make_clip(tmp_path / "2", "b.mp4", [Dots(tuple(range(6)), 60, 30, 80, disk=(20, 20, 20))])
    gather_clips(tmp_path, [tmp_path / name for name in "12"])
    align_clip(tmp_path)
    page = _read_page(tmp_path)
    keep, *_ = _lines(page)
    (add,) = (line for line in _lines(page)[1:] if line.endswith(",use"))
    for lines, used in (((add,), [False, True]), ((keep, add), [True, True])):
        align_clip(tmp_path, lines)
        assert read_table(tmp_path / "tracks.parquet", TRACKS).groupby("clip")["is_used"].all().tolist() == used
        assert len(_lines(_read_page(tmp_path))) == 2


def test_the_same_tracks_give_the_same_page(tmp_path: Path) -> None:
    pages = []
    for name in ("one", "two"):
        (tmp_path / name / "ada").mkdir(parents=True)
        make_clip(tmp_path / name / "ada", "a.mp4", [PERSON, PASSER_BY])
        align_clip(tmp_path / name / "ada")
        pages.append(_read_page(tmp_path / name / "ada"))
    assert pages[0] == pages[1]
    assert "edits/ada/tracks.csv" in pages[0]
