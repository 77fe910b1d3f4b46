"""The one way out of this project for a swapped video: labelled, marked in the container, whole or not at all.

A video is published in parts, which may be made anywhere, and are then joined.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trust.label import Label, Style
from vision.hashing import hash_picture
from vision.planes import Planes
from vision.video_encode import Segment, SegmentEncoder
from vision.video_format import VideoFormat
from vision.video_write import VideoWriter

METADATA = {"comment": "synthetic: face replaced"}


class Picture(Protocol):
    """A picture of a video: upright planes in the video's layout, its time stamp and duration (None: unknown)."""

    @property
    def planes(self) -> Planes: ...
    @property
    def pts(self) -> int: ...
    @property
    def duration(self) -> int | None: ...


@dataclass(frozen=True)
class PublishedPart:
    """Labelled and encoded pictures; of each the SHA-256 of the labelled planes that went to the encoder."""

    segment: Segment
    picture_sha256: tuple[str, ...]


def publish_part(
    pictures: Iterable[Picture], form: VideoFormat, label: Style, first_pts: int, crf: int
) -> PublishedPart:
    """Label and encode some pictures in a row of a video whose first one is shown at `first_pts`."""
    burner = Label(label, form, first_pts)
    encoder = SegmentEncoder(form, crf)
    digests = []
    for picture in pictures:
        planes = burner.burn(picture.planes, picture.pts)
        encoder.add(planes, picture.pts, picture.duration)
        digests.append(hash_picture(planes))
    return PublishedPart(encoder.finish(), tuple(digests))


def publish_video(parts: Iterable[PublishedPart], path: Path, form: VideoFormat, clip: Path, crf: int) -> None:
    """Join the parts of a clip's swap, in order, with the clip's own sound, as an H.264 video.

    The file stands at `path` only when the last part was taken: after an error nothing does. Raises ClipError where the
    clip's sound does not fit into MP4 or the file cannot be written, WorkerError for parts of different encoders.
    """
    with VideoWriter(path, form, crf=crf, sound=clip, metadata=METADATA) as writer:
        for part in parts:
            writer.join(part.segment)
