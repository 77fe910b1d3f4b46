"""What can be told of a video file, from anywhere: its credentials, its mark, its place in the register, and what was
altered since. Each answer stands by itself, `unknown` included.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from errors import ClipError, RegisterError, TrustError
from trust.credentials import Credentials, read_credentials
from trust.mark_read import MIN_CERTAINTY, STRENGTHEN, Reading, read_mark
from trust.origin import format_mark
from trust.register import Entry, Index, Match, check_register
from vision.clip_read import read_frames
from vision.hashing import hash_file
from vision.picture_hash import hash_look
from vision.planes import Array

REGISTER, INDEX = Path("register"), Path(".work/register.sqlite")
MAX_LOOKS = 500  # frames whose looks are asked for
CONVERT_AGAIN = "run its stage convert again"
Verdict: TypeAlias = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Answer:
    """One question's answer: `yes` speaks for the file, `no` against it; and why, in words."""

    verdict: Verdict
    words: str


@dataclass(frozen=True)
class Inspection:
    """What was found of a file. `altered`: whether it is as it was published, as far as can be told."""

    credentials: Answer
    mark: Answer
    register: Answer
    altered: Answer

    @property
    def is_verified(self) -> bool:
        """Trusted credentials, and nothing that speaks against them."""
        return self.credentials.verdict == "yes" and not self.is_contradicted

    @property
    def is_contradicted(self) -> bool:
        return "no" in {answer.verdict for answer in (self.credentials, self.mark, self.register, self.altered)}


@dataclass(frozen=True)
class _Pictures:
    """What was read of a video's pictures: their mark, the looks of up to MAX_LOOKS frames, and why no more was."""

    reading: Reading
    looks: tuple[int, ...]
    problem: str


def inspect_video(path: Path) -> Inspection:
    """All answers on a file. Raises ClipError where it cannot be opened at all."""
    sha256 = hash_file(path)
    credentials = read_credentials(path)
    pictures = _read_pictures(path)
    index = Index(REGISTER, INDEX)
    known, matches = index.by_sha256(sha256), index.nearest(list(pictures.looks), step=1)
    marked = index.by_mark(format_mark(pictures.reading.mark_id)) if pictures.reading.mark_id is not None else []
    return Inspection(
        credentials=_judge_credentials(credentials),
        mark=_judge_mark(pictures, credentials.mark),
        register=_judge_register(known, marked, matches, credentials),
        altered=_judge_altered(known, credentials, pictures.reading),
    )


def require_marked(path: Path) -> None:
    """A video that was made here must be trusted, and carry the mark that its credentials tell. Raises TrustError."""
    credentials = read_credentials(path)
    signed = _judge_credentials(credentials)
    if signed.verdict != "yes":
        raise TrustError(f"{path}: {signed.words}; {CONVERT_AGAIN}")
    mark = _judge_mark(_read_pictures(path, n_looks=0), credentials.mark)
    if mark.verdict != "yes":
        raise TrustError(f"{path}: {mark.words}; {STRENGTHEN if mark.verdict == 'unknown' else CONVERT_AGAIN}")


def _read_pictures(path: Path, n_looks: int = MAX_LOOKS) -> _Pictures:
    """Read the mark and the looks of the first frames, as far as they can be read."""
    problems: list[str] = []
    looks: list[int] = []
    lumas = _read_lumas(path, looks, n_looks, problems)
    reading = read_mark(lumas)
    for _ in islice(lumas, n_looks - len(looks)):
        pass  # read_mark wants fewer
    return _Pictures(reading, tuple(looks), "".join(problems))


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


def _judge_credentials(found: Credentials) -> Answer:
    if found.state == "none":
        return Answer("unknown", "no content credentials: they were never there, or were taken off")
    if found.state == "unreadable":
        return Answer("unknown", f"whether there are content credentials cannot be read ({', '.join(found.problems)})")
    if found.state == "invalid":
        return Answer("no", f"content credentials that do not fit the file: {', '.join(found.problems) or 'damaged'}")
    tells = "says that a model changed the picture" if found.is_synthetic else "says nothing of a model"
    if found.state == "unknown signer":
        return Answer("unknown", f"sound content credentials of a signer unknown here ({found.signer}), which {tells}")
    return Answer("yes", f"trusted content credentials by {found.signer}, which {tells}{_tell_origin(found)}")


def _tell_origin(found: Credentials) -> str:
    origin = found.provenance
    if origin is None:
        return ""
    consent = ", ".join(f"{who}: {record}" for who, record in dict(origin.get("consent", {})).items())
    return f"; take {origin.get('take')}, made to {origin.get('purpose')}, consent {consent}"


def _judge_mark(pictures: _Pictures, wanted: str | None) -> Answer:
    mark_id = pictures.reading.mark_id
    if mark_id is None:
        why = f" ({pictures.problem})" if pictures.problem else ""
        if wanted is not None:
            return Answer("unknown", f"the mark {wanted} that the credentials tell was not found{why}")
        return Answer("unknown", f"no mark was found{why}: there was none, or it was lost")
    found = format_mark(mark_id)
    if wanted is not None and wanted != found:
        return Answer("no", f"the mark {found} was found, the credentials tell {wanted}")
    certainty = f"certainty {pictures.reading.certainty:.0f} ({MIN_CERTAINTY:.0f} needed)"
    return Answer("yes", f"the mark {found} was found, {certainty}")


def _judge_register(known: list[Entry], marked: list[Entry], near: list[Match], found: Credentials) -> Answer:
    try:
        faults = check_register(REGISTER)
    except RegisterError as error:
        faults = [str(error)]
    if faults:
        return Answer("no", f"the register itself is not in order: {faults[0]}")
    if known:
        return Answer("yes", f"registered as {_name(known[0])}")
    if marked:
        return Answer("unknown", f"not this file, but one with its mark is registered: {_name(marked[0])}")
    if near:
        return Answer("unknown", f"not this file, but its pictures look like {_name(near[0].entry)}{_tell(near[0])}")
    if found.state == "trusted":
        return Answer("unknown", "registered elsewhere: merge the register of the clone that made it")
    return Answer("unknown", "not registered here, nor is anything that looks like it")


def _name(entry: Entry) -> str:
    kind = "the original" if entry.kind == "original" else "made here:"
    return f"{kind} {entry.title} ({', '.join(entry.identities)}; {entry.time})"


def _tell(match: Match) -> str:
    return f" ({match.share:.0%} of its frames, {match.median_bits:.0f} of 64 bits apart)"


def _judge_altered(known: list[Entry], credentials: Credentials, reading: Reading) -> Answer:
    if credentials.state == "invalid":
        return Answer("no", "the bytes are not those that were signed")
    if known or credentials.state in ("trusted", "unknown signer"):
        return Answer("yes", "every byte is as it was signed or registered")
    if reading.missing:
        boxes = ", ".join(f"x {box[0]} to {box[2]}, y {box[1]} to {box[3]}" for box in reading.missing)
        return Answer(
            "unknown", f"the mark is missing in a part of the pictures ({boxes}): look whether it was replaced"
        )
    if reading.mark_id is not None:
        return Answer("unknown", "the mark is there in all parts of the pictures; what else was changed cannot be told")
    return Answer("unknown", "there is nothing to hold the pictures against")
