"""Parts: where a clip is cut, its frames are the same as when it is read from its start, and else it is not cut."""

from pathlib import Path

import pytest

import vision.parts
from errors import ClipError
from tests.footage import encode_clip, numbered, read_number
from vision.clip import Frame, Part
from vision.clip_read import read_frames
from vision.hashing import hash_picture
from vision.parts import PartFinder

N_FRAMES = 60
# Name of the file, codec, options; and the first frames of the parts, of 10 frames at least, with a key frame every 12.
CLOSED = {"g": "12", "bf": "2", "x264-params": "scenecut=0:keyint=12:min-keyint=12"}
OPEN = {"g": "12", "bf": "3", "preset": "medium", "x264-params": "open-gop=1:scenecut=0:keyint=12:min-keyint=12"}
CLIPS: dict[str, tuple[str, dict[str, str], list[int]]] = {
    "closed.mp4": ("libx264", CLOSED, [0, 12, 24, 36, 48]),
    "closed.mkv": ("libx264", CLOSED, [0, 12, 24, 36, 48]),
    "one_key_frame.mp4": ("libx264", CLOSED | {"x264-params": "scenecut=0:keyint=250"}, [0]),
    "no_times.h264": ("libx264", CLOSED, [0]),
    "closed.ts": ("libx264", CLOSED, [0, 12, 24, 36, 48]),
    "open.mp4": ("libx264", OPEN, [0, 12, 24, 36, 48]),
    "open.ts": ("libx264", OPEN, [0, 12, 24, 36, 48]),
    "all_key_frames.avi": ("mjpeg", {}, [0, 10, 20, 30, 40, 50]),
}


def _encode(folder: Path, name: str) -> Path:
    codec, options, _ = CLIPS[name]
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    return encode_clip(folder / name, numbered(range(N_FRAMES)), codec, pix_fmt, options=options)


def _find(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Frame], list[Part]]:
    """The frames of a clip, read as a whole, and its parts of 10 frames at least."""
    monkeypatch.setattr(vision.parts, "PART_FRAMES", 10)
    finder = PartFinder(path)
    frames = list(read_frames(path))
    for frame in frames:
        finder.see(frame)
    return frames, finder.find()


def _describe(frame: Frame) -> tuple[int, int, str]:
    return frame.index, frame.pts, hash_picture(frame.planes)


@pytest.mark.parametrize("name", CLIPS)
def test_the_parts_together_are_the_clip_frame_by_frame(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _encode(tmp_path, name)
    frames, parts = _find(path, monkeypatch)
    assert [read_number(frame.planes[0]) for frame in frames] == list(range(N_FRAMES))
    joined = [frame for part in parts for frame in read_frames(path, part)]
    assert list(map(_describe, joined)) == list(map(_describe, frames))
    assert parts[0].first_frame == 0
    assert [part.first_frame for part in parts] == CLIPS[name][2]


def test_a_cut_that_gives_another_picture_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _encode(tmp_path, "closed.mp4")
    other = next(read_frames(path))

    def read_another(path: Path, part: Part) -> object:
        return iter([other]) if part.first_frame == 24 else read_frames(path, part)

    monkeypatch.setattr(vision.parts, "read_frames", read_another)
    _, parts = _find(path, monkeypatch)
    assert [(part.first_frame, part.end_frame) for part in parts] == [(0, 12), (12, 36), (36, 48), (48, 60)]


def test_a_part_that_the_clip_does_not_have_is_an_error(tmp_path: Path) -> None:
    path = _encode(tmp_path, "closed.mp4")
    frames = list(read_frames(path))
    for part in (Part(12, 24, frames[12].pts + 1), Part(48, 70, frames[48].pts)):
        with pytest.raises(ClipError, match=rf"closed\.mp4: cannot be read from frame {part.first_frame} on"):
            list(read_frames(path, part))
