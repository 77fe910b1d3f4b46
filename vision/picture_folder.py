"""A clip that is a folder of pictures: which they are, in which order and at what rate, as names and `rate.txt` say.

With a file `rate.txt` (one line, the frames per second: 25, 23.976 or 24000/1001) it is a numbered sequence: all names
are one prefix, a number and one ending, and no number is missing between. Without it, it is a folder of stills.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from errors import ClipError
from vision.clip_files import list_files

RATE_FILE = "rate.txt"
ENDINGS = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
MOST_PER_S = 1000  # frames; as exact a fraction as is taken here then fits MP4's time scale

_RATE = re.compile(r"\d{1,4}(\.\d{1,6})?|\d{1,7}/\d{1,7}", re.ASCII)
_NUMBERED = re.compile(r"(.*?)(\d+)", re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class PictureFolder:
    """The pictures of a folder in order, at least one, and their exact rate a second; None: they are stills."""

    path: Path
    pictures: tuple[Path, ...]
    rate: Fraction | None


def read_folder(path: Path) -> PictureFolder:
    """What a folder of pictures is; no picture is opened. Raises ClipError."""
    files = list_files(path)
    pictures = [file for file in files if file.name != RATE_FILE]
    for file in pictures:
        if file.suffix.lower() not in ENDINGS:
            raise ClipError(
                f"{file}: is no picture by its name ({', '.join(ENDINGS)}); take it out of the folder "
                f"(a video stands directly in {path.parent})"
            )
    if not pictures:
        raise ClipError(f"{path}: is a folder without pictures; put PNG, TIFF or JPEG pictures there, or take it away")
    if len(pictures) == len(files):
        return PictureFolder(path, tuple(pictures), None)
    return PictureFolder(path, tuple(_put_in_order(path, pictures)), _read_rate(path / RATE_FILE))


def refuse_stills(clip: Path, where: str = "") -> None:
    """Raise ClipError where a clip that is to be converted is a folder of stills; `where` begins the message."""
    if clip.is_dir() and not (clip / RATE_FILE).exists():
        raise ClipError(
            f"{where}{clip}: is a folder of stills, which feeds a face set and is not converted; "
            f"if it is a numbered sequence, put a file {RATE_FILE} with its frames per second there"
        )


def _put_in_order(folder: Path, pictures: Sequence[Path]) -> list[Path]:
    """The pictures by number. Raises ClipError where their names are not those of one sequence."""
    first_prefix, _, first_ending = _split_name(pictures[0])
    of_number: dict[int, Path] = {}
    for picture in pictures:
        prefix, number, ending = _split_name(picture)
        if (prefix, ending) != (first_prefix, first_ending):
            raise ClipError(
                f"{folder}: {pictures[0].name} and {picture.name} are of two sequences; "
                "give each a folder of its own, with one prefix and one ending"
            )
        if number in of_number:
            raise ClipError(f"{folder}: {of_number[number].name} and {picture.name} have one number; take one out")
        of_number[number] = picture
    numbers = sorted(of_number)
    for before, after in pairwise(numbers):
        if after != before + 1:
            raise ClipError(
                f"{folder}: between {of_number[before].name} and {of_number[after].name} "
                f"{after - before - 1} pictures are missing; add them, or cut the sequence there into two folders"
            )
    return [of_number[number] for number in numbers]


def _split_name(picture: Path) -> tuple[str, int, str]:
    """Prefix, number and ending (in small letters) of a picture's name."""
    match = _NUMBERED.fullmatch(picture.stem)
    if match is None:
        raise ClipError(f"{picture}: has no number before its ending; name a sequence's pictures like shot_0001.png")
    return match[1], int(match[2]), picture.suffix.lower()


def _read_rate(path: Path) -> Fraction:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        text = file.read(100).strip()
    rate = Fraction(text) if _RATE.fullmatch(text) and not re.search(r"/0+$", text) else Fraction(0)
    if not 1 <= rate <= MOST_PER_S:
        raise ClipError(
            f"{path}: says {text!a}, which is no rate; write one line with the frames per second, "
            f"from 1 to {MOST_PER_S}, such as 25, 23.976 or 24000/1001"
        )
    return rate
