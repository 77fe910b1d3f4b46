"""Reading a clip in a thread of its own, a few frames ahead of their use."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vision.clip import Frame, Part
from vision.clip_read import read_frames

FRAMES_AHEAD = 8
PIXELS_AHEAD = 1 << 26  # of these frames together at most, taking them to be as large as the last one


def read_ahead(path: Path, part: Part | None = None) -> Iterator[Frame]:
    """`read_frames`, whose next frames are decoded while the last one is in use. Raises ClipError."""
    frames = read_frames(path, part)
    thread = ThreadPoolExecutor(1)
    try:
        coming = deque([thread.submit(next, frames, None)])
        while (frame := coming.popleft().result()) is not None:
            n_ahead = min(max(PIXELS_AHEAD // frame.planes[0].size, 1), FRAMES_AHEAD)
            while len(coming) < n_ahead:
                coming.append(thread.submit(next, frames, None))
            yield frame
    finally:
        thread.shutdown(cancel_futures=True)
