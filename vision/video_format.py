"""What a video's pictures are like, as the reader tells and the writer asks: size, planes, color, pixel shape, time."""

from dataclasses import dataclass
from fractions import Fraction

from vision.planes import Layout


@dataclass(frozen=True)
class ColorTags:
    """A stream's color tags as the codes of ITU-T H.273, 2 unspecified; `range`: 1 limited, 2 full, 0 unspecified."""

    matrix: int
    range: int
    primaries: int
    transfer: int


@dataclass(frozen=True)
class VideoFormat:
    """Upright pictures of one size, with time stamps in units of `time_base` seconds."""

    height: int
    width: int
    layout: Layout
    color: ColorTags
    sample_aspect_ratio: Fraction
    time_base: Fraction
    rate: Fraction
