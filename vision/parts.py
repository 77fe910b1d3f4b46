"""Where a clip may be cut into parts that are read on their own, by several workers: at key frames that prove it.

A part's frames must not tell that the clip was not read from its start. So a cut is kept only where reading from it
gives, bit for bit, the picture that the whole clip gave there; what refers to frames before it (streams that refresh
bit by bit, containers whose time stamps lead elsewhere) stays in one part.
"""

from pathlib import Path

from errors import ClipError
from vision.clip import Frame, Part
from vision.clip_read import read_frames
from vision.hashing import check_clip, hash_picture
from vision.tables import PARTS, read_table

PART_FRAMES = 200  # of a part at least, the last one apart


class PartFinder:
    """Finds a clip's parts: shown every frame of it in order, it tells them at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._starts: list[tuple[int, int, str]] = []
        self._n_frames = 0

    def see(self, frame: Frame) -> None:
        """Take note of the clip's next frame."""
        if not self._starts or (frame.is_key and frame.index >= self._starts[-1][0] + PART_FRAMES):
            self._starts.append((frame.index, frame.pts, hash_picture(frame.planes)))
        self._n_frames = frame.index + 1

    def find(self) -> list[Part]:
        """The parts of the frames seen, in order."""
        starts = [(index, pts) for index, pts, digest in self._starts if self._is_start(index, pts, digest)]
        ends = [index for index, _ in starts[1:]] + [self._n_frames]
        return [Part(index, end, pts) for (index, pts), end in zip(starts, ends, strict=True)]

    def _is_start(self, index: int, pts: int, digest: str) -> bool:
        if not index:
            return True
        try:
            frame = next(read_frames(self._path, Part(index, index + 1, pts)))
        except ClipError:
            return False
        return hash_picture(frame.planes) == digest


def read_clips(parts: Path) -> dict[str, str]:
    """SHA-256 of a person's clips, by name."""
    table = read_table(parts, PARTS)
    return dict(zip(table["clip"], table["clip_sha256"], strict=True))


def read_parts(parts: Path, clip: Path) -> tuple[str, list[Part]]:
    """A clip's SHA-256 and its parts, in order, as the stage sample found them. Raises ClipError for another clip."""
    table = read_table(parts, PARTS)
    remedy = f"run sample@{parts.parent.name} again"
    known = table[table["clip"] == clip.name]
    if known.empty:
        raise ClipError(f"{clip}: {parts} does not know it; {remedy}")
    sha256 = str(known["clip_sha256"].iloc[0])
    check_clip(clip, sha256, remedy)
    return sha256, [Part(row.first_frame, row.end_frame, row.first_pts) for row in known.itertuples()]
