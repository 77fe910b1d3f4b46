"""The report of a take: one HTML page that needs no other file but the video it links, no script and no network."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from vision.figure_words import WORDS, Figures, format_figure, sum_up

# The page may load nothing but the pictures inside it and the video beside it, whatever stands in a name.
_POLICY = "default-src 'none'; img-src data:; media-src 'self' file:; style-src 'unsafe-inline'"
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 1280px;
       margin: 0 auto; padding: 1.5rem 2rem 4rem; }
h1 { font-size: 1.7rem; margin: 0; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
p { margin: .4rem 0; max-width: 60rem; }
.lead { font-size: 1.1rem; }
.note, figcaption { color: #666; font-size: .9rem; }
figure { margin: .6rem 0 1rem; }
img, video { max-width: 100%; height: auto; border: 1px solid #ddd; }
video { max-height: 420px; }
table { border-collapse: collapse; }
td, th { text-align: left; padding: .35rem 1.2rem .35rem 0; border-bottom: 1px solid #e5e5e5; vertical-align: top; }
td.value { text-align: right; font-variant-numeric: tabular-nums; font-weight: 600; }
td.name { font-family: ui-monospace, monospace; font-size: .85rem; white-space: nowrap; }
"""


@dataclass(frozen=True)
class Figure:
    """A picture of the page: PNG bytes under a title, and what to see in it. `name` is a file's, without its ending."""

    name: str
    title: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class Report:
    """All that the page shows, from top to bottom. `video` is relative to the page's folder."""

    title: str
    subtitle: str
    video: str
    sheet: Figure
    figures: Figures
    reasons: Mapping[str, str] = field(default_factory=dict)
    curves: tuple[Figure, ...] = ()
    training: tuple[Figure, ...] = ()


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
        *(_render_figure(figure) for figure in (*report.curves, *report.training)),
        '<p class="note">The person shown did not say or do this: the face is replaced.</p>',
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(report.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _render_video(path: str) -> str:
    source = escape(path)
    return (
        f'<h2>The video</h2>\n<video src="{source}" controls muted loop preload="metadata"></video>\n'
        f'<p class="note">The video lies beside this page\'s folder: <a href="{source}">{source}</a></p>'
    )


def _render_figure(figure: Figure) -> str:
    data = base64.b64encode(figure.png).decode("ascii")
    return (
        f"<h2>{escape(figure.title)}</h2>\n<figure>\n<figcaption>{escape(figure.caption)}</figcaption>\n"
        f'<img alt="{escape(figure.title)}" src="data:image/png;base64,{data}">\n</figure>'
    )


def _render_table(figures: Figures, reasons: Mapping[str, str]) -> str:
    rows = [
        f'<tr><td class="name">{escape(name)}</td><td class="value">{format_figure(name, figures[name])}</td>'
        f"<td>{escape(word.says)}{_render_reason(reasons.get(name))}</td></tr>"
        for name, word in WORDS.items()
        if name in figures
    ]
    return "<table>\n<tr><th>name</th><th>value</th><th>what it says</th></tr>\n" + "\n".join(rows) + "\n</table>"


def _render_reason(reason: str | None) -> str:
    return f' <span class="note">Unknown: {escape(reason)}</span>' if reason else ""
