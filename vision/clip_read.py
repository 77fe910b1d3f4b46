"""The one door to clips, whether a video (`vision.video_read`) or a folder of pictures (`vision.sequence_read`)."""

from collections.abc import Iterator
from pathlib import Path

from errors import ClipError
from vision.clip import ClipInfo, Frame, Part
from vision.clip_files import list_entries
from vision.sequence_read import probe_pictures, read_pictures
from vision.video_read import probe_video, read_video


def list_clips(folder: Path) -> list[Path]:
    """The clips of an identity's folder by name; dot files and DVC's own are left out. Raises ClipError."""
    if not folder.is_dir():
        raise ClipError(f"{folder}: no such folder; make it and put the person's clips there")
    clips = list_entries(folder)
    if not clips:
        raise ClipError(
            f"{folder}: holds no clip (names with a dot in front do not count); put the person's clips there"
        )
    return clips


def probe_clip(path: Path) -> ClipInfo:
    """What a clip is, from its header and its first frame. Raises ClipError."""
    return probe_pictures(path) if path.is_dir() else probe_video(path)


def read_frames(path: Path, part: Part | None = None) -> Iterator[Frame]:
    """The frames of a clip, or of a part of it, in order of presentation, one at a time.

    Raises ClipError, for damage when it is reached, and where the clip cannot be read from the part's first frame on.
    """
    return read_pictures(path, part) if path.is_dir() else read_video(path, part)
