"""Reading a folder of pictures as a clip: a numbered sequence at its rate, or stills, each picture a key frame.

Pictures become planes as RGB video does: 4:4:4 of 8 bits in full range, by BT.709's matrix. A sequence's time base is
one over its rate, a frame's time its index. Stills have no time: theirs is their index too, a unit apart.
"""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from errors import ClipError
from vision.clip import ClipInfo, Frame, Part
from vision.picture_folder import PictureFolder, read_folder
from vision.picture_read import StoredPicture, read_notes, read_picture
from vision.planes import Layout, Matrix, rgb_to_planes
from vision.video_format import ColorTags

LAYOUT = Layout(1, 1, 8, Matrix.BT709, is_full_range=True)
COLOR = ColorTags(matrix=1, range=2, primaries=1, transfer=1)
STILLS_RATE = Fraction(1)


def probe_pictures(path: Path) -> ClipInfo:
    """What a folder of pictures is as a clip, from its names and its first picture. Raises ClipError."""
    folder = read_folder(path)
    first = read_picture(folder.pictures[0])
    height, width, _ = first.rgb.shape
    rate = folder.rate or STILLS_RATE
    return ClipInfo(
        height=height,
        width=width,
        layout=LAYOUT,
        color=COLOR,
        sample_aspect_ratio=Fraction(1),
        time_base=1 / rate,
        rate=rate,
        path=path,
        rotation=0,
        is_mirrored=False,
        pixel_format=first.kind,
        codec=first.codec,
        has_sound=False,
        is_interlaced=False,
        is_stills=folder.rate is None,
        duration=len(folder.pictures),
        notes=_note_stills(folder) if folder.rate is None else first.notes,
    )


def read_pictures(path: Path, part: Part | None = None) -> Iterator[Frame]:
    """The frames of a folder of pictures, or of a part of it, in order, one at a time.

    Raises ClipError, for a damaged picture when it is reached, and where there is no such part.
    """
    folder = read_folder(path)
    span = range(part.first_frame, part.end_frame) if part else range(len(folder.pictures))
    if span.stop > len(folder.pictures) or (part and part.first_pts != span.start):
        raise ClipError(f"{path}: has no frames {span.start} to {span.stop - 1}; run its stage sample again")
    first_look = ""
    for index in span:
        picture = read_picture(folder.pictures[index])
        look = _describe(picture)
        first_look = first_look or look
        if folder.rate is not None and look != first_look:
            where = folder.pictures[index]
            raise ClipError(f"{where}: is {look}, the pictures before it are {first_look}; save all of them alike")
        yield Frame(index, index, 1, rgb_to_planes(picture.rgb, LAYOUT), LAYOUT, is_key=True)


def _describe(picture: StoredPicture) -> str:
    height, width, _ = picture.rgb.shape
    return f"{width} x {height} {picture.kind}"


def _note_stills(folder: PictureFolder) -> tuple[str, ...]:
    """The notes of all stills, each with the number of pictures that it is for."""
    counts = Counter(note for picture in folder.pictures for note in read_notes(picture))
    return tuple(f"{count} of {len(folder.pictures)} pictures: {note}" for note, count in sorted(counts.items()))
