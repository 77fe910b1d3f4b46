"""What a clip is, whatever it is stored as: a video, a numbered sequence of pictures, or a folder of stills."""

from dataclasses import dataclass
from pathlib import Path

from errors import ClipError
from vision.planes import Array, Layout, Planes, planes_to_rgb
from vision.video_format import VideoFormat

MAX_PIXELS = 64_000_000
MIN_SIDE = 16


@dataclass(frozen=True)
class ClipInfo(VideoFormat):
    """What a clip is. Height and width are as shown; `rotation` (degrees clockwise) and `is_mirrored` lead there.

    Of pictures these two say nothing: each is turned by its own EXIF. `duration` is in units of the time base as the
    header states it (None: it does not), so only a hint. `is_stills`: the pictures follow each other by name only, each
    a shot of its own; the size is the first one's.
    """

    path: Path
    rotation: int
    is_mirrored: bool
    pixel_format: str
    codec: str
    has_sound: bool
    is_interlaced: bool
    is_stills: bool
    duration: int | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Frame:
    """One upright picture: its index in order of presentation, time stamp and duration (None: unknown), planes.

    `is_key`: it is coded without reference to others, so that a part of the clip may begin with it.
    """

    index: int
    pts: int
    duration: int | None
    planes: Planes
    layout: Layout
    is_key: bool

    def to_rgb(self) -> Array:
        """The picture as RGB uint8 (H, W, 3), by its own matrix and range."""
        return planes_to_rgb(self.planes, self.layout)


@dataclass(frozen=True)
class Part:
    """Some frames of a clip, from a key frame on: indices from `first_frame` up to, not with, `end_frame`."""

    first_frame: int
    end_frame: int
    first_pts: int

    def __str__(self) -> str:
        return f"frames {self.first_frame} to {self.end_frame - 1}"


def check_size(width: int, height: int, path: Path) -> None:
    """Raise ClipError for pictures that are too large or too small to work on."""
    if width * height > MAX_PIXELS:
        raise ClipError(f"{path}: {width} x {height} is more than {MAX_PIXELS} pixels; scale it down")
    if min(width, height) < MIN_SIDE:
        raise ClipError(f"{path}: {width} x {height} is too small; pictures need {MIN_SIDE} pixels a side")
