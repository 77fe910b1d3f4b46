"""Where a clip may be cut into parts that are read on their own, by several workers: at key frames that prove it.

A part's frames must not tell that the clip was not read from its start. So a cut is kept only where reading from it
gives, bit for bit, the picture that the whole clip gave there; what refers to frames before it (streams that refresh
bit by bit, containers whose time stamps lead elsewhere) stays in one part.
"""

from pathlib import Path

from errors import ClipError
from vision.hashing import hash_picture
from vision.video_read import Frame, Part, read_frames

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
