"""The one way out of this project for a swapped video: labelled, marked, signed, verified, registered; whole or not at
all.

A video is published in parts, which may be made anywhere, and are then joined and signed in one place.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from errors import TrustError
from trust.credentials import MP4, require_trusted, sign_video
from trust.key_check import require_usable
from trust.keys import Signing, load_signing
from trust.label import Label, Style
from trust.mark import Marker
from trust.mark_read import STRENGTHEN, read_mark
from trust.origin import Origin, format_mark
from trust.register import NewEntry, open_register
from vision.clip_read import read_frames
from vision.hashing import hash_file, hash_picture
from vision.picture_hash import EVERY, hash_look, pack_hashes
from vision.planes import Planes
from vision.video_encode import Segment, SegmentEncoder
from vision.video_format import VideoFormat
from vision.video_write import VideoWriter
from vision.whole import whole_file

METADATA = {"comment": "synthetic: face replaced"}


class Picture(Protocol):
    """A picture of a video: its place in it, upright planes in the video's layout, its time stamp and duration (None:
    unknown)."""

    @property
    def index(self) -> int: ...
    @property
    def planes(self) -> Planes: ...
    @property
    def pts(self) -> int: ...
    @property
    def duration(self) -> int | None: ...


@dataclass(frozen=True)
class Marking:
    """What every picture of a video is given: the label, which tells a face without a record, and the mark."""

    label: Style
    is_verified: bool
    mark_id: int
    strength: float


@dataclass(frozen=True)
class PublishedPart:
    """Labelled, marked and encoded pictures; of each the SHA-256 of the planes that went to the encoder, and of every
    fifth of the video's the perceptual hash."""

    segment: Segment
    picture_sha256: tuple[str, ...]
    looks: tuple[int, ...]


class Publisher:
    """What publishing needs of this clone: its keys, and its register. Raises TrustError where what they sign would not
    be trusted here, RegisterError where nothing could be registered."""

    def __init__(self) -> None:
        self.signing: Signing = load_signing()
        require_usable(self.signing)
        self.register = open_register()
        self.register.require_sound()


def publish_part(
    pictures: Iterable[Picture], form: VideoFormat, marking: Marking, first_pts: int, crf: int
) -> PublishedPart:
    """Label, mark and encode some pictures in a row of a video whose first one is shown at `first_pts`."""
    label = Label(marking.label, form, first_pts, is_verified=marking.is_verified)
    marker = Marker(marking.mark_id, form, marking.strength)
    encoder = SegmentEncoder(form, crf)
    digests, looks = [], []
    for picture in pictures:
        planes = marker.embed(label.burn(picture.planes, picture.pts))
        encoder.add(planes, picture.pts, picture.duration)
        digests.append(hash_picture(planes))
        if picture.index % EVERY == 0:
            looks.append(hash_look(planes[0]))
    return PublishedPart(encoder.finish(), tuple(digests), tuple(looks))


def publish_video(
    parts: Iterable[PublishedPart], path: Path, form: VideoFormat, crf: int, origin: Origin, publisher: Publisher
) -> None:
    """Join the parts of a clip's swap, in order, with the clip's own sound, as an H.264 video that tells its origin.

    The file stands at `path` only when it was signed, found to be trusted and to carry its mark, and registered: after
    an error nothing does. Raises ClipError where the clip's sound does not fit into MP4 or the file cannot be written,
    WorkerError for parts of different encoders, TrustError where it cannot be signed or does not keep its mark,
    RegisterError where it cannot be registered.
    """
    unsigned = path.with_name(f".{path.name}.unsigned.partial")
    try:
        looks: list[int] = []
        with VideoWriter(unsigned, form, crf=crf, sound=origin.target_clip, metadata=METADATA) as writer:
            for part in parts:
                writer.join(part.segment)
                looks += part.looks
        with whole_file(path) as partial:
            sign_video(unsigned, partial, origin, path.name, publisher.signing)
            require_trusted(partial, MP4)
            if not _carries_mark(partial, origin.mark_id):
                raise TrustError(f"{path}: the mark does not survive crf {crf} in this clip; {STRENGTHEN}")
            publisher.register.append(_to_entry(partial, path.name, origin, looks))
    finally:
        unsigned.unlink(missing_ok=True)


def _carries_mark(video: Path, mark_id: int) -> bool:
    """Whether the mark is read back from the encoded pictures."""
    return read_mark(frame.planes[0] for frame in read_frames(video)).mark_id == mark_id


def _to_entry(video: Path, title: str, origin: Origin, looks: list[int]) -> NewEntry:
    return NewEntry(
        kind="made",
        sha256=hash_file(video),
        title=title,
        identities=tuple(origin.consent),
        hashes=pack_hashes(looks),
        mark_id=format_mark(origin.mark_id),
        of=origin.target_sha256,
        checkpoint_sha256=origin.checkpoint_sha256,
    )
