"""What a video's pictures tell: their looks, the invisible mark in them, and whether that is the one it should be."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from errors import ClipError
from trust.answer import Answer
from trust.foreign_text import LONGEST_REASON, quote, show_text
from trust.mark_read import MIN_CERTAINTY, Reading, read_mark
from trust.origin import format_mark
from vision.clip_read import read_frames
from vision.picture_hash import hash_look
from vision.planes import Array

MAX_LOOKS = 500  # frames whose looks are asked for


@dataclass(frozen=True)
class Pictures:
    """What was read of a video's pictures: their mark, the looks of the first frames, and why no more was."""

    reading: Reading
    looks: tuple[int, ...]
    problem: str

    @property
    def mark(self) -> str | None:
        """The id of the mark, 16 hexadecimal digits."""
        return None if self.reading.mark_id is None else format_mark(self.reading.mark_id)


def read_pictures(path: Path, n_looks: int = MAX_LOOKS) -> Pictures:
    """Read the mark and the looks of the first `n_looks` frames, as far as they can be read."""
    problems: list[str] = []
    looks: list[int] = []
    lumas = _read_lumas(path, looks, n_looks, problems)
    reading = read_mark(lumas)
    for _ in islice(lumas, n_looks - len(looks)):
        pass  # read_mark wants fewer
    return Pictures(reading, tuple(looks), "".join(problems))


def judge_mark(pictures: Pictures, wanted: str | None) -> Answer:
    """`wanted`: what the credentials tell of the mark, whoever wrote them; None where they tell nothing."""
    found, told = pictures.mark, quote(wanted)
    if found is None:
        why = f" ({show_text(pictures.problem, LONGEST_REASON)})" if pictures.problem else ""
        if wanted is not None:
            return Answer("unknown", f"the mark {told} that the credentials tell was not found{why}")
        return Answer("unknown", f"no mark was found{why}: there was none, or it was lost")
    if wanted is not None and wanted != found:
        return Answer("no", f"the mark {found} was found, the credentials tell {told}")
    certainty = f"certainty {pictures.reading.certainty:.0f} ({MIN_CERTAINTY:.0f} needed)"
    return Answer("yes", f"the mark {found} was found, {certainty}")


def _read_lumas(path: Path, looks: list[int], n_looks: int, problems: list[str]) -> Iterator[Array]:
    """The luma of each frame, of the first one's size; looks go to `looks`, why there are no more to `problems`."""
    size: tuple[int, ...] = ()
    try:
        for frame in read_frames(path):
            luma = np.ascontiguousarray(frame.planes[0])
            size = size or luma.shape
            if luma.shape == size:
                if len(looks) < n_looks:
                    looks.append(hash_look(luma))
                yield luma
    except ClipError as error:
        problems.append(str(error))
