"""Reading ahead: the same frames and errors, no more of them than may be, and nothing after the reader has gone."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import vision.ahead
from errors import ClipError
from vision.ahead import FRAMES_AHEAD, PIXELS_AHEAD, read_ahead
from vision.clip import Part
from vision.clip_read import read_frames

CLIP = Path(__file__).resolve().parent.parent / "clips/ada/take1.mp4"
BROKEN = 5


@dataclass
class Source:
    """Frames of so many pixels each, of which one is damaged; it counts those that were read."""

    pixels: int
    broken: int = BROKEN
    n_read: int = 0

    def read_frames(self, _: Path, _part: Part | None) -> Iterator["FakeFrame"]:
        for index in range(100):
            if index == self.broken:
                raise ClipError("frame 5 is damaged")
            self.n_read += 1
            yield FakeFrame(index, (np.broadcast_to(np.uint8(0), self.pixels),))


@dataclass
class FakeFrame:
    index: int
    planes: tuple[np.ndarray, ...]


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    made = Source(pixels=1)
    monkeypatch.setattr(vision.ahead, "read_frames", made.read_frames)
    return made


def test_frames_are_those_of_the_clip_in_order() -> None:
    part = Part(0, 20, 0)
    for found, wanted in zip(read_ahead(CLIP, part), read_frames(CLIP, part), strict=True):
        assert (found.index, found.pts) == (wanted.index, wanted.pts)
        assert all(np.array_equal(*pair) for pair in zip(found.planes, wanted.planes, strict=True))


@pytest.mark.usefixtures("source")
def test_damage_is_told_after_the_frames_before_it() -> None:
    frames = read_ahead(Path("clip"))
    assert [next(frames).index for _ in range(BROKEN)] == list(range(BROKEN))
    with pytest.raises(ClipError, match="damaged"):
        next(frames)


@pytest.mark.parametrize(("pixels", "n_ahead"), [(1, FRAMES_AHEAD), (PIXELS_AHEAD // 3, 3), (2 * PIXELS_AHEAD, 1)])
def test_large_frames_are_read_less_far_ahead(source: Source, pixels: int, n_ahead: int) -> None:
    source.pixels, source.broken = pixels, -1
    frames = read_ahead(Path("clip"))
    next(frames)
    _wait_for(source, 1 + n_ahead)
    next(frames)
    _wait_for(source, 2 + n_ahead)
    frames.close()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("source")
def test_its_thread_ends_with_the_reader() -> None:
    before = threading.active_count()
    frames = read_ahead(Path("clip"))
    next(frames)
    assert threading.active_count() == before + 1
    frames.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def _wait_for(source: Source, n_frames: int) -> None:
    """Until so many were read; then none is read on its own."""
    end = time.monotonic() + 20
    while source.n_read < n_frames and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.05)
    assert source.n_read == n_frames
