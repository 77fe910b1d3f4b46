"""Whether this clone's register knows a video: the very file, its mark, or something that looks like it."""

from pathlib import Path

from errors import RegisterError
from trust.answer import Answer
from trust.credentials import Credentials
from trust.foreign_text import LONGEST_REASON, quote, show_text
from trust.judge_mark import Pictures
from trust.places import register_folder
from trust.register import Entry, Index, Match, check_register

INDEX = Path(".work/register.sqlite")


def judge_register(sha256: str, pictures: Pictures, found: Credentials) -> Answer:
    """`no` where the register was altered. One that cannot be read costs this answer alone."""
    try:
        if faults := check_register(register_folder()):
            return Answer("no", f"the register itself is not in order: {show_text(faults[0], LONGEST_REASON)}")
        return _look_up(Index(register_folder(), INDEX), sha256, pictures, found)
    except (RegisterError, OSError) as error:
        return Answer("unknown", f"the register cannot be asked: {show_text(error, LONGEST_REASON)}")


def _look_up(index: Index, sha256: str, pictures: Pictures, found: Credentials) -> Answer:
    if known := index.by_sha256(sha256):
        return Answer("yes", f"registered as {_name(known[0])}")
    if pictures.mark is not None and (marked := index.by_mark(pictures.mark)):
        return Answer("unknown", f"not this file, but one with its mark is registered: {_name(marked[0])}")
    if near := index.nearest(list(pictures.looks), step=1):
        return Answer("unknown", f"not this file, but its pictures look like {_name(near[0].entry)}{_tell(near[0])}")
    if found.state == "trusted":
        return Answer("unknown", "registered elsewhere: merge the register of the clone that made it")
    return Answer("unknown", "not registered here, nor is anything that looks like it")


def _name(entry: Entry) -> str:
    kind = "the original" if entry.kind == "original" else "made here:"
    return f"{kind} {quote(entry.title)} ({', '.join(map(quote, entry.identities))}; {entry.time})"


def _tell(match: Match) -> str:
    return f" ({match.share:.0%} of its frames, {match.median_bits:.0f} of 64 bits apart)"
