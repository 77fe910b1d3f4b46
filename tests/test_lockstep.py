"""Videos that belong together are read together; those that do not are named."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from errors import ClipError
from vision.clip import Part
from vision.lockstep import read_lockstep
from vision.video_write import VideoWriter, footage_format


def _write(path: Path, times: list[int], size: tuple[int, int] = (32, 48), scale: int = 1) -> Path:
    """A video whose n-th picture is shown at `times[n]` 25ths of a second, its time base `scale` times as fine."""
    form = replace(footage_format(size, Fraction(25)), time_base=Fraction(1, 25 * scale))
    with VideoWriter(path, form, crf=0) as writer:
        for index, time in enumerate(times):
            writer.write_rgb(np.full((*size, 3), 20 * index, np.uint8), time * scale)
    return path


def test_frames_of_equal_times_come_together(tmp_path: Path) -> None:
    paths = (_write(tmp_path / "a.mp4", [0, 1, 4]), _write(tmp_path / "b.mp4", [0, 1, 4], scale=512))
    groups = list(read_lockstep(paths))
    assert [[frame.index for frame in frames] for frames in groups] == [[0, 0], [1, 1], [2, 2]]
    levels = [[int(frame.to_rgb()[5, 5, 0]) for frame in frames] for frames in groups]
    assert levels == pytest.approx(np.array([[0, 0], [20, 20], [40, 40]]), abs=2)


def test_a_part_is_read_at_its_time_in_each_video_s_own_time_base(tmp_path: Path) -> None:
    paths = (_write(tmp_path / "a.mp4", [0, 1, 4, 5]), _write(tmp_path / "b.mp4", [0, 1, 4, 5], scale=512))
    groups = list(read_lockstep(paths, Part(1, 3, 1)))
    assert [[frame.index for frame in frames] for frames in groups] == [[1, 1], [2, 2]]
    levels = [[int(frame.to_rgb()[5, 5, 0]) for frame in frames] for frames in groups]
    assert levels == pytest.approx(np.array([[20, 20], [40, 40]]), abs=2)


def test_the_shorter_video_is_named(tmp_path: Path) -> None:
    paths = (_write(tmp_path / "a.mp4", [0, 1]), _write(tmp_path / "b.mp4", [0, 1, 2]))
    with pytest.raises(ClipError, match=r"a\.mp4: ends after 2 frames, .*b\.mp4 goes on"):
        list(read_lockstep(paths))


def test_a_time_that_differs_is_named_with_its_frame(tmp_path: Path) -> None:
    paths = (_write(tmp_path / "a.mp4", [0, 1, 2]), _write(tmp_path / "b.mp4", [0, 1, 3]))
    reader = read_lockstep(paths)
    assert [next(reader)[0].index, next(reader)[0].index] == [0, 1]
    with pytest.raises(ClipError, match=r"b\.mp4: frame 2 is shown at 0\.1200 s, in .*a\.mp4 at 0\.0800 s"):
        next(reader)


def test_another_size_is_refused_before_the_first_frame(tmp_path: Path) -> None:
    paths = (_write(tmp_path / "a.mp4", [0]), _write(tmp_path / "b.mp4", [0], size=(48, 48)))
    with pytest.raises(ClipError, match=r"b\.mp4: is 48 x 48, but .*a\.mp4 is 48 x 32"):
        next(read_lockstep(paths))
