"""The one way out of this project for a swapped video: labelled, marked in the container, whole or not at all."""

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Protocol, TypeVar

from trust.label import Label, Style
from vision.hashing import hash_picture
from vision.planes import Planes
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


AnyPicture = TypeVar("AnyPicture", bound=Picture)


def publish_video(
    pictures: Iterable[AnyPicture], path: Path, form: VideoFormat, clip: Path, label: Style, crf: int
) -> Generator[tuple[AnyPicture, str], None, None]:
    """Write the swapped pictures of a clip, with the clip's own sound, as a labelled H.264 video.

    Yields each picture with the SHA-256 of the labelled planes that went to the encoder. The file stands at `path` only
    when the last one was taken: a caller that stops before, or fails, leaves nothing. Raises ClipError where the clip's
    sound does not fit into MP4 or the file cannot be written.
    """
    burner = Label(label, form)
    with VideoWriter(path, form, crf=crf, sound=clip, metadata=METADATA) as writer:
        for picture in pictures:
            planes = burner.burn(picture.planes, picture.pts)
            writer.write(planes, picture.pts, picture.duration)
            yield picture, hash_picture(planes)
