"""The page: everything inside it, nothing that runs, every figure explained."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from vision.figure_words import WORDS, format_figure, sum_up
from vision.report import Figure, Report, render_report

PNG = b"\x89PNG and the rest"
FIGURES: dict[str, float | int | None] = {
    **dict.fromkeys(WORDS, 0.5),
    "n_frames": 250,
    "n_swapped": 248,
    "swap_psnr_db": 27.123,
    "unswapped_psnr_db": 21.0,
    "floor_psnr_db": 28.5,
    "mouth_corr": 0.934,
    "eye_corr": None,
}


def _report(title: str = "demo", video: str = "../../convert/demo.mp4") -> Report:
    sheet = Figure("sheet", "What came out", "See the face.", PNG)
    curve = Figure("mouth", "Mouth", "It should move.", PNG + b"2")
    coverage = Figure("coverage", "What the source was seen to do", "Nothing <lacks>.", PNG + b"3")
    return Report(title, "clip", video, sheet, coverage, FIGURES, {"eye_corr": "no <mesh>"}, (curve,))


class _Reader(HTMLParser):
    """Collects what a page refers to, and that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    assert not reader.open
    return reader


def test_the_page_holds_its_pictures_and_links_only_the_video() -> None:
    page = _read(render_report(_report()))
    pictures = [link for link in page.links if link.startswith("data:image/png;base64,")]
    assert [base64.b64decode(link.split(",")[1]) for link in pictures] == [PNG, PNG + b"2", PNG + b"3"]
    assert set(page.links) - set(pictures) == {"../../convert/demo.mp4"}
    assert "script" not in page.tags


def test_what_the_source_shows_stands_in_a_table_under_its_picture() -> None:
    page = render_report(replace(_report(), covered={"covered_pose_ratio": 0.861, "covered_light_ratio": None}))
    assert re.findall(r"<td>(how [^<]+)</td><td class=\"value\">([^<]+)</td>", page) == [
        ("how the head is turned and tilted", "86 %"),
        ("how light the face is", "-"),
    ]
    assert page.index("What the source was seen to do") < page.index("how the head is turned")


def test_a_hostile_name_stays_text() -> None:
    page = render_report(_report('<img src=x onerror="alert(1)">', '"><script>alert(1)</script>'))
    assert "<img src=x" not in page
    assert "script" not in _read(page).tags


def test_every_figure_stands_with_its_value_and_its_words() -> None:
    page = render_report(_report())
    rows = re.findall(r'<td class="name">(\w+)</td><td class="value">([^<]*)</td><td>([^<]+)', page)
    assert [name for name, _, _ in rows] == list(WORDS)
    values = {name: value for name, value, _ in rows}
    assert (values["swap_psnr_db"], values["n_swapped"], values["eye_corr"]) == ("27.12", "248", "-")
    assert all(len(words) > 20 for _, _, words in rows)
    assert "Unknown: no &lt;mesh&gt;" in page


def test_the_summary_says_whether_the_swap_beats_both_comparisons() -> None:
    count, nearness = sum_up(FIGURES)
    assert count.startswith("248 of 250 frames")
    assert "6.1 dB nearer than the clip as it was" in nearness
    assert "1.4 dB farther off than a pasted still" in nearness


@pytest.mark.parametrize(
    ("mouth", "eyes", "says"),
    [
        (0.9, 0.6, "the clip that went in closely (0.90), the eyes loosely (0.60)"),
        (0.1, -0.5, "hardly or not at all (0.10), the eyes hardly or not at all (-0.50)"),
    ],
)
def test_the_summary_grades_expression(mouth: float, eyes: float, says: str) -> None:
    figures = {"n_frames": 9, "n_swapped": 9, "mouth_corr_to_target": mouth, "eye_corr_to_target": eyes}
    assert says in sum_up(figures)[-1]


def test_figures_are_written_in_their_own_form() -> None:
    assert format_figure("n_frames", 1200) == "1200"
    assert format_figure("heldout_dssim_source", 0.12345) == "0.1235"
    assert format_figure("floor_psnr_db", float("nan")) == "-"
