"""Clips whatever they are stored as: a folder of pictures gives frames, times, parts and hashes as a video does."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import vision.hashing
import vision.parts
from errors import ClipError
from tests.footage import HEIGHT, WIDTH, encode_clip, measure_growth, numbered, read_number
from tests.made_pictures import paint_rgb, save_pictures
from vision.clip import Frame, Part
from vision.clip_read import list_clips, probe_clip, read_frames
from vision.hashing import check_clip, hash_file, hash_once
from vision.parts import PartFinder
from vision.planes import Matrix
from vision.video_write import VideoWriter

NAMES = [f"f{number:03d}.png" for number in range(98, 110)]


def _read_until_error(path: Path) -> tuple[list[int], str]:
    """The numbers of the frames that come before an error, and the error."""
    frames: list[Frame] = []
    with pytest.raises(ClipError) as caught:
        frames.extend(read_frames(path))  # keeps what came
    return [read_number(frame.planes[0]) for frame in frames], str(caught.value)


@pytest.mark.parametrize("ending", ["png", "TIF", "jpeg"])
def test_a_sequence_has_its_rate_and_its_frames_in_order(tmp_path: Path, ending: str) -> None:
    clip = save_pictures(tmp_path / "a", [f"{i}.{ending}" for i in range(7, 13)], rate="24000/1001")
    info, frames = probe_clip(clip), list(read_frames(clip))
    assert (info.rate, info.time_base, info.is_stills) == (Fraction(24000, 1001), Fraction(1001, 24000), False)
    assert (info.height, info.width, info.has_sound, info.path) == (HEIGHT, WIDTH, False, clip)
    assert [read_number(frame.planes[0]) for frame in frames] == list(range(6))
    times = [(frame.index, frame.pts, frame.duration, frame.is_key) for frame in frames]
    assert times == [(i, i, 1, True) for i in range(6)]


def test_pictures_become_planes_that_show_the_same(tmp_path: Path) -> None:
    rgb = np.asarray(cv2.resize(np.random.default_rng(2).integers(0, 256, (6, 9, 3)).astype(np.uint8), (90, 60)))
    Image.fromarray(rgb).save(save_pictures(tmp_path / "a", [], rate="25") / "1.png")
    frame, info = next(read_frames(tmp_path / "a")), probe_clip(tmp_path / "a")
    assert frame.layout == info.layout
    assert (info.layout.step_x, info.layout.step_y, info.layout.bits, info.layout.is_full_range) == (1, 1, 8, True)
    assert (info.layout.matrix, info.color.matrix, info.color.range) == (Matrix.BT709, 1, 2)
    assert np.abs(frame.to_rgb().astype(int) - rgb).max() <= 1


def test_stills_have_each_their_size_and_their_notes_are_counted(tmp_path: Path) -> None:
    clip = save_pictures(tmp_path / "a", ["b.png"])
    Image.fromarray(paint_rgb(1, (40, 48))).save(clip / "c.jpg")
    for name in ("a.png", "d.png"):
        Image.fromarray(paint_rgb(2, (80, 64))).convert("RGBA").save(clip / name)
    info, frames = probe_clip(clip), list(read_frames(clip))
    assert info.is_stills
    assert info.notes == ("2 of 4 pictures: transparency is dropped",)
    assert [frame.planes[0].shape for frame in frames] == [(80, 64), (HEIGHT, WIDTH), (40, 48), (80, 64)]
    assert [read_number(frame.planes[0]) for frame in frames] == [2, 0, 1, 2]


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (Image.fromarray(paint_rgb(0, (40, 48))), "is 48 x 40 RGB of 8 bits, the pictures before it are 96 x 64 RGB"),
        (Image.fromarray(paint_rgb(0)).convert("L"), "is 96 x 64 L of 8 bits, the pictures before it are 96 x 64 RGB"),
    ],
)
def test_a_sequence_of_unlike_pictures_ends_where_they_change(tmp_path: Path, odd: Image.Image, said: str) -> None:
    clip = save_pictures(tmp_path / "a", NAMES, rate="25")
    odd.save(clip / NAMES[3])
    numbers, message = _read_until_error(clip)
    assert numbers == [0, 1, 2]
    assert message.startswith(f"{clip / NAMES[3]}: {said}")


@pytest.mark.parametrize("rate", ["25", None])
def test_a_damaged_picture_ends_the_reading_after_the_good_ones(tmp_path: Path, rate: str | None) -> None:
    clip = save_pictures(tmp_path / "a", [name.replace("png", "jpg") for name in NAMES], rate)
    damaged = clip / "f103.jpg"
    damaged.write_bytes(damaged.read_bytes()[:-400])
    numbers, message = _read_until_error(clip)
    assert numbers == [0, 1, 2, 3, 4]
    assert message.startswith(f"{damaged}: is damaged (")


@pytest.mark.parametrize("rate", ["25", None])
def test_the_parts_of_a_folder_together_are_the_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: str | None
) -> None:
    monkeypatch.setattr(vision.parts, "PART_FRAMES", 5)
    clip = save_pictures(tmp_path / "a", NAMES, rate)
    finder = PartFinder(clip)
    for frame in read_frames(clip):
        finder.see(frame)
    parts = finder.find()
    assert parts == [Part(0, 5, 0), Part(5, 10, 5), Part(10, 12, 10)]
    joined = [frame for part in parts for frame in read_frames(clip, part)]
    assert [(frame.index, read_number(frame.planes[0])) for frame in joined] == [(i, i) for i in range(12)]


@pytest.mark.parametrize("part", [Part(10, 13, 10), Part(5, 10, 6)])
def test_a_part_that_a_folder_does_not_have_is_an_error(tmp_path: Path, part: Part) -> None:
    clip = save_pictures(tmp_path / "a", NAMES, rate="25")
    with pytest.raises(ClipError, match=f"a: has no frames {part.first_frame} to {part.end_frame - 1}; run its stage"):
        list(read_frames(clip, part))


def test_a_video_with_a_sequence_s_sound_is_silent(tmp_path: Path) -> None:
    clip = save_pictures(tmp_path / "a", NAMES, rate="23.976")
    with VideoWriter(tmp_path / "out.mp4", probe_clip(clip), crf=0, sound=clip) as writer:
        for frame in read_frames(clip):
            writer.write(frame.planes, frame.pts, frame.duration)
    info = probe_clip(tmp_path / "out.mp4")
    assert (info.has_sound, info.rate) == (False, Fraction(2997, 125))
    times = [frame.pts * info.time_base for frame in read_frames(tmp_path / "out.mp4")]
    assert times == [Fraction(125 * i, 2997) for i in range(12)]


# ---- hashes


def test_a_folder_s_hash_is_that_of_its_names_and_bytes(tmp_path: Path) -> None:
    first = save_pictures(tmp_path / "a", NAMES, rate="25")
    sha256 = hash_file(first)
    (first / ".DS_Store").write_text("not of the clip")
    assert hash_file(first) == hash_file(save_pictures(tmp_path / "b", NAMES, rate="25")) == sha256
    changes: dict[str, Callable[[Path], object]] = {
        "rate": lambda clip: (clip / "rate.txt").write_text("24"),
        "no rate": lambda clip: (clip / "rate.txt").unlink(),
        "name": lambda clip: (clip / NAMES[0]).rename(clip / "f097.png"),
        "picture": lambda clip: Image.fromarray(paint_rgb(9)).save(clip / NAMES[5]),
        "fewer": lambda clip: (clip / NAMES[-1]).unlink(),
    }
    hashes = {sha256}
    for name, change in changes.items():
        clip = save_pictures(tmp_path / name, NAMES, rate="25")
        change(clip)
        hashes.add(hash_file(clip))
    assert len(hashes) == 1 + len(changes)


def test_a_folder_is_read_anew_for_its_hash_only_where_a_file_of_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = save_pictures(tmp_path / "a", NAMES, rate="25")
    sha256 = hash_once(clip)
    with monkeypatch.context() as patched:
        patched.setattr(vision.hashing, "hash_file", lambda path: f"read anew: {path}")
        check_clip(clip, sha256)
    Image.fromarray(paint_rgb(200)).save(clip / NAMES[5])
    with pytest.raises(ClipError, match="a: is not the clip that the tables were made from"):
        check_clip(clip, sha256)


# ---- memory


def test_memory_does_not_grow_with_the_length_of_a_sequence(tmp_path: Path) -> None:
    clip = save_pictures(tmp_path / "a", ["0.png"], rate="25")
    Image.fromarray(paint_rgb(7, (480, 640))).save(clip / "0.png")
    for number in range(1, 100):
        (clip / f"{number}.png").symlink_to("0.png")
    n_frames, growth_mb = measure_growth(clip)
    assert n_frames == 80
    assert growth_mb < 20  # kept, they would be 74 MB


# ---- an identity's folder


def test_videos_sequences_and_stills_stand_side_by_side(tmp_path: Path) -> None:
    encode_clip(tmp_path / "b.mp4", numbered([0]))
    save_pictures(tmp_path / "a", ["1.png"], rate="25")
    save_pictures(tmp_path / "c", ["kim.png"])
    save_pictures(tmp_path / ".trash", ["kim.png"])
    clips = list_clips(tmp_path)
    assert [path.name for path in clips] == ["a", "b.mp4", "c"]
    assert [probe_clip(path).is_stills for path in clips] == [False, False, True]
    assert [read_number(next(read_frames(path)).planes[0]) for path in clips] == [0, 0, 0]


def test_an_identity_s_clips_are_listed_by_name(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.mov", ".gitignore", ".hidden.mp4", "a.mov.dvc"):
        (tmp_path / name).touch()
    assert [path.name for path in list_clips(tmp_path)] == ["a.mov", "b.mp4"]


def test_a_folder_without_clips_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="no such folder"):
        list_clips(tmp_path / "ada")
    (tmp_path / ".gitignore").touch()
    with pytest.raises(ClipError, match="holds no clip"):
        list_clips(tmp_path)


@pytest.mark.parametrize("name", ["new\nline.mp4", "\u202egnp.4pm.mp4", "not-utf8-\udcff.mp4"])
def test_a_name_that_cannot_be_shown_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ClipError, match="characters that cannot be shown") as caught:
        list_clips(tmp_path)
    assert str(caught.value).isprintable()
