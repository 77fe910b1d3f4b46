"""Publishing: the label is burnt in and readable, the container is marked, and what is hashed is what was encoded."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from errors import TrustError
from tests.footage import encode_clip, numbered, read_packets
from tests.published import describe_origin
from trust.label import Label, Style
from trust.mark import Marker
from trust.origin import Origin
from trust.publish import METADATA, Marking, PublishedPart, Publisher, publish_part, publish_video
from vision.clip_read import read_frames
from vision.hashing import hash_picture
from vision.planes import Layout, Matrix, Planes, planes_to_rgb, rgb_to_planes
from vision.video_format import ColorTags, VideoFormat

LAYOUT = Layout(2, 2, 8, Matrix.BT709, is_full_range=False)
FORMAT = VideoFormat(180, 320, LAYOUT, ColorTags(1, 1, 1, 1), Fraction(1), Fraction(1, 25), Fraction(25))
ID = 0x0123_4567_89AB_CDEF
TIMES = [5, 6, 30, 54, 55, 56, 80]  # 2 s after the first, at 5, is 55


@dataclass(frozen=True)
class Composite:
    planes: Planes
    pts: int
    index: int = 0
    duration: int | None = None


def _flat(gray: int, form: VideoFormat = FORMAT) -> Planes:
    return rgb_to_planes(np.full((form.height, form.width, 3), gray, np.uint8), form.layout)


def _composites() -> Iterator[Composite]:
    for index, pts in enumerate(TIMES):
        yield Composite(_flat(120), pts, index)


@pytest.fixture
def clip(tmp_path: Path, keyed: Path) -> Path:
    del keyed
    return encode_clip(tmp_path / "clip.mp4", numbered(range(4)), sound=("aac", 1.0))


def _is_labelled(planes: Planes) -> bool:
    return bool(planes[0].max() > 200)


def _publish(composites: Iterable[Composite], label: Style) -> PublishedPart:
    return publish_part(composites, FORMAT, Marking(label, is_verified=True, mark_id=ID, strength=1.0), TIMES[0], crf=0)


def _origin(clip: Path) -> Origin:
    return replace(describe_origin(clip), mark_id=ID)


@pytest.mark.parametrize(("label", "labelled"), [("opening", [5, 6, 30, 54]), ("corner", TIMES), ("off", [])])
@pytest.mark.parametrize("n_first", [7, 2])
def test_what_leaves_is_labelled_hashed_marked_and_has_the_clip_s_sound(
    tmp_path: Path, clip: Path, label: Style, labelled: list[int], n_first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the video is cut into parts."""
    out, pictures = tmp_path / "out.mp4", list(_composites())
    monkeypatch.setattr("trust.publish._carries_mark", lambda *_: True)
    monkeypatch.setattr(Marker, "embed", lambda _, planes: planes)  # a flat picture tells label from mark at a glance
    parts = [_publish(part, label) for part in (pictures[:n_first], pictures[n_first:]) if part]
    publish_video(parts, out, FORMAT, 0, _origin(clip), Publisher())
    frames = list(read_frames(out))
    assert [frame.pts for frame in frames] == TIMES
    assert [digest for part in parts for digest in part.picture_sha256] == [hash_picture(f.planes) for f in frames]
    assert [frame.pts for frame in frames if _is_labelled(frame.planes)] == labelled
    assert read_packets(out) == read_packets(clip)
    with av.open(str(out)) as container:
        assert container.metadata["comment"] == METADATA["comment"] == "synthetic: face replaced"


def test_a_failure_leaves_no_file(tmp_path: Path, clip: Path) -> None:
    def failing() -> Iterator[PublishedPart]:
        yield _publish(_composites(), "opening")
        raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        publish_video(failing(), tmp_path / "out.mp4", FORMAT, 0, _origin(clip), Publisher())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "keyed"]
    assert not Path("register").exists()


def test_a_video_that_loses_its_mark_is_neither_registered_nor_left(tmp_path: Path, clip: Path) -> None:
    marking = Marking("off", is_verified=True, mark_id=ID, strength=0.5)
    part = publish_part(_composites(), FORMAT, marking, TIMES[0], crf=40)
    with pytest.raises(TrustError, match=r"out\.mp4: the mark does not survive crf 40 .*; lower convert\.crf or"):
        publish_video([part], tmp_path / "out.mp4", FORMAT, 40, _origin(clip), Publisher())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "keyed"]
    assert not Path("register").exists()


def test_the_label_carries_the_mark_as_all_of_the_picture_does() -> None:
    """Marked after it was labelled: the label shows no hole in the mark."""
    composite = next(_composites())
    labelled = Label("opening", FORMAT, TIMES[0], is_verified=True).burn(composite.planes, composite.pts)
    marked = Marker(ID, FORMAT, 1.0).embed(labelled)
    assert _publish([composite], "opening").picture_sha256 == (hash_picture(marked),)


SIZES = [(180, 320), (288, 360), (1080, 1920), (640, 360), (64, 96)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("gray", [0, 128, 255])
def test_the_opening_label_is_readable_on_any_ground(size: tuple[int, int], gray: int) -> None:
    form = replace(FORMAT, height=size[0], width=size[1])
    before = planes_to_rgb(_flat(gray, form), LAYOUT).astype(int)
    after = planes_to_rgb(Label("opening", form, 0, is_verified=True).burn(_flat(gray, form), 0), LAYOUT).astype(int)
    touched = np.abs(after - before).max(axis=2) > 20
    white, dark = after.min(axis=2) > 220, after.max(axis=2) < 60
    assert touched.any()
    # Light letters with something dark beside them, or the other way about.
    assert (white & (touched | (gray == 255))).sum() > 0.002 * touched.size
    assert dark.sum() > 0.002 * touched.size
    rows, columns = np.flatnonzero(touched.any(axis=1)), np.flatnonzero(touched.any(axis=0))
    assert rows[0] >= size[0] / 2 or size[0] < 100
    assert columns[-1] - columns[0] > size[1] / 3
    assert columns[0] > 0
    assert columns[-1] < size[1] - 1


@pytest.mark.parametrize("size", SIZES)
def test_letters_of_the_opening_label_are_a_twentieth_of_the_short_side(size: tuple[int, int]) -> None:
    form = replace(FORMAT, height=size[0], width=size[1])
    luma = Label("opening", form, 0, is_verified=True).burn(_flat(0, form), 0)[0]
    _, _, letters, _ = cv2.connectedComponentsWithStats((luma > 120).astype(np.uint8))
    heights = letters[1:, cv2.CC_STAT_HEIGHT]
    assert 0.05 * min(size) <= heights.max() <= max(0.12 * min(size), 16)


def test_the_label_leaves_the_rest_of_the_picture_bit_for_bit(rng: np.random.Generator) -> None:
    noise: Planes = (
        rng.integers(16, 236, (180, 320)).astype(np.uint8),
        rng.integers(16, 241, (90, 160)).astype(np.uint8),
        rng.integers(16, 241, (90, 160)).astype(np.uint8),
    )
    for style in ("opening", "corner"):
        burnt = Label(style, FORMAT, 0, is_verified=True).burn(noise, 0)
        assert np.array_equal(burnt[0][:110], noise[0][:110])
        assert not np.array_equal(burnt[0], noise[0])
        changed = np.abs(burnt[0].astype(int) - noise[0]) > 0
        assert changed.mean() < 0.12
    assert Label("off", FORMAT, 0, is_verified=True).burn(noise, 0) is noise


def test_the_corner_label_is_smaller_than_the_opening_one() -> None:
    form = replace(FORMAT, height=720, width=1280)
    small, large = (
        Label(style, form, 0, is_verified=True).burn(_flat(0, form), 0)[0] > 150 for style in ("corner", "opening")
    )
    assert 0 < small.sum() < large.sum() / 3
    assert np.flatnonzero(small.any(axis=0))[0] < 40
    assert np.flatnonzero(small.any(axis=1))[0] > 650


def test_ten_bit_pictures_take_the_label_too() -> None:
    form = replace(FORMAT, layout=replace(LAYOUT, bits=10))
    burnt = Label("opening", form, 0, is_verified=True).burn(_flat(100, form), 0)
    assert burnt[0].dtype == np.uint16
    assert burnt[0].max() == 940


def test_the_label_tells_that_a_person_has_no_record() -> None:
    known, unknown = (Label("corner", FORMAT, 0, is_verified=is_verified) for is_verified in (True, False))
    widths = [np.flatnonzero((label.burn(_flat(0), 0)[0] > 120).any(axis=0))[-1] for label in (known, unknown)]
    assert widths[1] > 1.4 * widths[0]
