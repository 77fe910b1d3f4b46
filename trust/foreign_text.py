"""Text that anybody may have written, such as a manifest's, made fit to stand in a line of this program's own."""

import re

LONGEST, LONGEST_REASON = 100, 300
_WORD = re.compile(r"[\w.-]+")


def show_text(value: object, longest: int = LONGEST) -> str:
    """One line without control characters: what cannot be printed is escaped, what is too long is cut."""
    text = " ".join(str(value).split())
    cut = text if len(text) <= longest else f"{text[:longest]}..."
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in cut)


def quote(value: object, longest: int = LONGEST) -> str:
    """A word as it is, all else in quotes: nobody shall take it for what this program says."""
    if not isinstance(value, str):
        return "(no text)"
    shown = show_text(value, longest)
    return shown if _WORD.fullmatch(shown) else '"{}"'.format(shown.replace('"', "'"))
