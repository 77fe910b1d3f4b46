"""An answer to one question about a video file."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Answer:
    """`yes` speaks for the file, `no` against it; and why, in words."""

    verdict: Verdict
    words: str
