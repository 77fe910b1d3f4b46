"""The report of a take: one HTML page that needs no other file but the video it links, no script and no network."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from vision.figure_words import WORDS, Figures, format_figure, sum_up
from vision.page import embed_picture, render_page


@dataclass(frozen=True)
class Figure:
    """A picture of the page: PNG bytes under a title, and what to see in it. `name` is a file's, without its ending."""

    name: str
    title: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class Report:
    """All that the page shows. `video` is relative to the page's folder; `covered`: shares, by the names of metrics."""

    title: str
    subtitle: str
    video: str
    sheet: Figure
    coverage: Figure
    figures: Figures
    reasons: Mapping[str, str] = field(default_factory=dict)
    curves: tuple[Figure, ...] = ()
    training: tuple[Figure, ...] = ()
    covered: Mapping[str, float | None] = field(default_factory=dict)


def render_report(report: Report) -> str:
    """The page as HTML text; every name is escaped."""
    parts = [
        f"<h1>{escape(report.title)}</h1>",
        f'<p class="note">{escape(report.subtitle)}</p>',
        *(f'<p class="lead">{escape(sentence)}</p>' for sentence in sum_up(report.figures)),
        _render_figure(report.sheet),
        _render_video(report.video),
        "<h2>The figures</h2>",
        _render_table(report.figures, report.reasons),
        *(_render_figure(figure) for figure in (*report.curves, report.coverage)),
        _render_covered(report.covered),
        *(_render_figure(figure) for figure in report.training),
        '<p class="note">The person shown did not say or do this: the face is replaced.</p>',
    ]
    return render_page(report.title, parts)


def _render_video(path: str) -> str:
    source = escape(path)
    return (
        f'<h2>The video</h2>\n<video src="{source}" controls muted loop preload="metadata"></video>\n'
        f'<p class="note">The video lies beside this page\'s folder: <a href="{source}">{source}</a></p>'
    )


def _render_figure(figure: Figure) -> str:
    return (
        f"<h2>{escape(figure.title)}</h2>\n<figure>\n<figcaption>{escape(figure.caption)}</figcaption>\n"
        f"{embed_picture(figure.png, figure.title)}\n</figure>"
    )


def _render_table(figures: Figures, reasons: Mapping[str, str]) -> str:
    rows = [
        f'<tr><td class="name">{escape(name)}</td><td class="value">{format_figure(name, figures[name])}</td>'
        f"<td>{escape(word.says)}{_render_reason(reasons.get(name))}</td></tr>"
        for name, word in WORDS.items()
        if name in figures
    ]
    return "<table>\n<tr><th>name</th><th>value</th><th>what it says</th></tr>\n" + "\n".join(rows) + "\n</table>"


_COVERED = {
    "covered_pose_ratio": "how the head is turned and tilted",
    "covered_mouth_open_ratio": "how far the mouth is open",
    "covered_eye_open_ratio": "how far the eyes are open",
    "covered_light_ratio": "how light the face is",
}


def _render_covered(covered: Mapping[str, float | None]) -> str:
    """What share of the target's frames the source's faces show, each kind a row."""
    shares = {name: "-" if share is None else f"{100 * share:.0f} %" for name, share in covered.items()}
    rows = [
        f'<tr><td>{says}</td><td class="value">{shares[name]}</td></tr>'
        for name, says in _COVERED.items()
        if name in shares
    ]
    return "\n".join(
        ["<table>\n<tr><th>the source's faces show</th><th>of the target's frames</th></tr>", *rows, "</table>"]
    )


def _render_reason(reason: str | None) -> str:
    return f' <span class="note">Unknown: {escape(reason)}</span>' if reason else ""
