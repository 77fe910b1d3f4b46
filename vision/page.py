"""An HTML page of this project: no script, no network, its pictures inside it."""

import base64
from collections.abc import Iterable
from html import escape

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
code { font-size: .8rem; word-break: break-all; user-select: all; }
td.faces { white-space: nowrap; }
td.faces img { max-width: none; }
tr.used { background: #eef8ee; }
td.name { font-family: ui-monospace, monospace; font-size: .85rem; white-space: nowrap; }
"""


def render_page(title: str, parts: Iterable[str]) -> str:
    """The page as HTML text from its parts, which are HTML already."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def embed_picture(data: bytes, says: str) -> str:
    """A PNG or JPEG as an element of the page; `says` is what stands where it is not shown."""
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    text = base64.b64encode(data).decode("ascii")
    return f'<img alt="{escape(says)}" src="data:image/{kind};base64,{text}">'
