"""The reader: true times, upright pictures, right colors; what is no video or damaged is named, never passed over."""

import gc
import itertools
import os
import struct
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from errors import ClipError
from tests.footage import (
    BRIGHT,
    DARK,
    HEIGHT,
    REAL,
    WIDTH,
    encode_clip,
    encode_sound,
    fill_plane,
    find_box,
    measure_growth,
    needs_footage,
    numbered,
    paint_luma,
    patch,
    read_number,
)
from vision.clip import Frame, Part
from vision.clip_read import probe_clip, read_frames
from vision.hashing import hash_file, hash_picture
from vision.orientation import Orientation, read_display_matrix
from vision.planes import Array, Layout, Matrix, rgb_to_planes

N = 24
COLORS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (250, 200, 30))


def _read_until_error(path: Path) -> tuple[list[Frame], str]:
    """The frames that come before an error, and the error."""
    frames: list[Frame] = []
    with pytest.raises(ClipError) as caught:
        frames.extend(read_frames(path))  # keeps what came
    return frames, str(caught.value)


def _read_good_frames(path: Path) -> tuple[list[int], str]:
    """The numbers of the frames that come before an error, and the error."""
    frames, message = _read_until_error(path)
    return [read_number(frame.planes[0]) for frame in frames], message


# ---- times and order


def test_frames_come_in_order_of_presentation_with_their_times(tmp_path: Path) -> None:
    clip = encode_clip(tmp_path / "a.mp4", numbered(range(N)))
    frames = list(read_frames(clip))
    info = probe_clip(clip)
    assert [read_number(frame.planes[0]) for frame in frames] == list(range(N))
    assert [frame.index for frame in frames] == list(range(N))
    assert [frame.pts * info.time_base for frame in frames] == [Fraction(i, 25) for i in range(N)]


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_uneven_times_are_kept(tmp_path: Path, name: str) -> None:
    times = [0, 40, 80, 90, 300, 310, 700, 1500, 1501, 36_000_000]
    clip = encode_clip(tmp_path / name, numbered(range(10)), times=(times, Fraction(1, 1000)), options={"bf": "0"})
    info = probe_clip(clip)
    assert [frame.pts * info.time_base for frame in read_frames(clip)] == [Fraction(time, 1000) for time in times]


def test_a_clip_of_one_frame_is_a_clip(tmp_path: Path) -> None:
    frames = list(read_frames(encode_clip(tmp_path / "one.mp4", numbered([77]))))
    assert [read_number(frame.planes[0]) for frame in frames] == [77]


def test_a_bare_stream_gets_times_from_its_rate_and_says_so(tmp_path: Path) -> None:
    clip = encode_clip(tmp_path / "a.h264", numbered(range(5)), options={"bf": "0"})
    info = probe_clip(clip)
    assert [frame.pts * info.time_base for frame in read_frames(clip)] == [Fraction(i, 25) for i in range(5)]
    assert any("no time stamps" in note for note in info.notes)


def test_two_frames_at_one_time_are_an_error(tmp_path: Path) -> None:
    made = encode_clip(tmp_path / "made.mkv", numbered(range(6)), codec="ffv1")
    clip = tmp_path / "a.mkv"
    with av.open(str(made)) as source, av.open(str(clip), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for index, packet in enumerate(packet for packet in source.demux(video=0) if packet.size):
            packet.pts = packet.dts = index // 2 * 80
            packet.stream = stream
            out.mux(packet)
    numbers, message = _read_good_frames(clip)
    assert numbers == [0]
    assert "frame 1 is not later" in message


# ---- geometry


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize(("pix_fmt", "size"), [("yuv420p", (64, 96)), ("yuv422p", (64, 96)), ("yuv444p", (65, 97))])
def test_turned_and_mirrored_clips_come_upright(
    tmp_path: Path, degrees: int, is_mirrored: bool, pix_fmt: str, size: tuple[int, int]
) -> None:
    clip = encode_clip(
        tmp_path / "a.mp4",
        numbered([5], size),
        pix_fmt=pix_fmt,
        tune=lambda stream: stream.set_display_rotation(degrees, hflip=is_mirrored),
    )
    # What was asked for: a turn counter-clockwise, then the mirror.
    shown = np.rot90(paint_luma(5, size), degrees // 90)[:, :: -1 if is_mirrored else 1]
    frame = next(iter(read_frames(clip)))
    info = probe_clip(clip)
    assert (info.is_mirrored, info.rotation) == (is_mirrored, (degrees if is_mirrored else -degrees) % 360)
    assert np.abs(frame.planes[0].astype(int) - shown).max() < 50
    assert (info.height, info.width) == shown.shape
    assert frame.to_rgb().shape == (*shown.shape, 3)


def test_orientation_agrees_with_the_mathematics_of_its_matrix() -> None:
    stored = np.arange(15).reshape(3, 5)
    for a, b, c, d in ((1, 0, 0, 1), (-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, -1, 0), (0, -1, 1, 0), (0, 1, 1, 0)):
        turned = read_display_matrix(struct.pack("<9i", *(x << 16 for x in (a, b, 0, c, d, 0, 0, 0, 1)))).turn(stored)
        points = {(a * x + c * y, b * x + d * y): stored[y, x] for y in range(3) for x in range(5)}
        left, top = min(x for x, _ in points), min(y for _, y in points)
        assert all(turned[y - top, x - left] == value for (x, y), value in points.items())


def test_a_slanted_matrix_is_refused() -> None:
    with pytest.raises(ValueError, match="no quarter turn"):
        read_display_matrix(struct.pack("<9i", 46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30))
    assert Orientation(True, True, False).degrees == 90


def test_the_shape_of_pixels_turns_with_the_picture(tmp_path: Path) -> None:
    def tune(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(90)

    clip = encode_clip(tmp_path / "a.mp4", numbered([1]), tune=tune)
    assert probe_clip(clip).sample_aspect_ratio == Fraction(3, 4)


def test_a_change_of_size_in_the_middle_is_an_error(tmp_path: Path) -> None:
    parts = [
        encode_clip(tmp_path / f"{i}.h264", numbered([i] * 6, size)) for i, size in enumerate(((64, 96), (96, 64)))
    ]
    clip = tmp_path / "a.h264"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    numbers, message = _read_good_frames(clip)
    assert numbers == [0] * 6
    assert "frame 6: changes from 96 x 64 yuv420p to 64 x 96" in message


# ---- colors


@pytest.mark.parametrize(
    ("code", "matrix"),
    [(1, Matrix.BT709), (6, Matrix.BT601), (9, Matrix.BT2020), (7, Matrix.SMPTE240M)],
)
@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("pix_fmt", ["yuv444p", "yuv420p10le"])
def test_colors_follow_the_tags(tmp_path: Path, code: int, matrix: Matrix, is_full: bool, pix_fmt: str) -> None:
    def tune(stream: Any) -> None:
        stream.codec_context.colorspace, stream.codec_context.color_range = code, 2 if is_full else 1

    wanted = np.kron(np.array([COLORS], np.uint8), np.ones((64, 24, 1), np.uint8))
    layout = Layout(*((1, 1, 8) if pix_fmt == "yuv444p" else (2, 2, 10)), matrix, is_full)
    picture = av.VideoFrame(WIDTH, HEIGHT, pix_fmt)
    for plane, samples in zip(picture.planes, rgb_to_planes(wanted, layout), strict=True):
        fill_plane(plane, samples)
    clip = encode_clip(tmp_path / "a.mp4", [picture], pix_fmt=pix_fmt, tune=tune, options={"crf": "1"})
    info = probe_clip(clip)
    assert (info.layout.matrix, info.layout.is_full_range) == (matrix, is_full)
    shown = next(iter(read_frames(clip))).to_rgb()
    assert [np.abs(shown[20, 12 + 24 * i].astype(int) - color).max() <= 6 for i, color in enumerate(COLORS)] == [
        True
    ] * 4


def test_rgb_and_gray_become_planes_without_loss_of_what_they_show(tmp_path: Path) -> None:
    wanted = np.kron(np.array([COLORS], np.uint8), np.ones((64, 24, 1), np.uint8))
    clip = encode_clip(tmp_path / "a.mov", [av.VideoFrame.from_ndarray(wanted, format="rgb24")], "qtrle", "rgb24")
    frame = next(iter(read_frames(clip)))
    assert (frame.layout.step_x, frame.layout.is_full_range) == (1, True)
    assert np.abs(frame.to_rgb().astype(int) - wanted).max() <= 2
    gray = av.VideoFrame.from_ndarray(paint_luma(9), format="gray")
    shown = next(iter(read_frames(encode_clip(tmp_path / "g.mkv", [gray], "ffv1", "gray")))).to_rgb()
    assert np.array_equal(shown, np.repeat(paint_luma(9)[..., None], 3, axis=2))


def test_planes_are_the_decoded_samples(tmp_path: Path, rng: np.random.Generator) -> None:
    samples = rng.integers(64, 940, (HEIGHT, WIDTH)).astype(np.uint16)
    picture = av.VideoFrame(WIDTH, HEIGHT, "yuv422p10le")
    for plane, width in zip(picture.planes, (WIDTH, WIDTH // 2, WIDTH // 2), strict=True):
        fill_plane(plane, samples[:, :width])
    clip = encode_clip(tmp_path / "a.mkv", [picture], "ffv1", "yuv422p10le")
    frame = next(iter(read_frames(clip)))
    assert [plane.dtype for plane in frame.planes] == [np.uint16] * 3
    assert np.array_equal(frame.planes[0], samples)
    assert np.array_equal(frame.planes[1], samples[:, : WIDTH // 2])


def test_hdr_is_refused(tmp_path: Path) -> None:
    def tune(stream: Any) -> None:
        stream.codec_context.color_trc = 16

    clip = encode_clip(tmp_path / "a.mp4", numbered([0]), tune=tune)
    _, message = _read_until_error(clip)
    assert "HDR (PQ)" in message


# ---- what is no video


def _hls(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\ngood.mp4\n#EXT-X-ENDLIST\n")


def _png(path: Path) -> None:
    encode_clip(path, numbered([0]), "png", "rgb24", container="image2pipe")


def _cut_before_index(path: Path) -> None:
    encode_clip(path, numbered(range(N)))
    data = path.read_bytes()
    path.write_bytes(data[: find_box(data, "moov")[0] - 40])


NO_VIDEO: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda _: None, "cannot be opened"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "text": (lambda path: path.write_text("This is not a video.\n" * 50), "no video that can be read"),
    "subtitles": (
        lambda path: path.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n"),
        "no video that can be read",
    ),
    "sound only": (encode_sound, "no moving picture"),
    "HLS list": (_hls, "no video that can be read"),
    "concat list": (lambda path: path.write_text("ffconcat version 1.0\nfile good.mp4\n"), "no video that can be read"),
    "PNG": (_png, "no video that can be read"),
    "cut before the index": (_cut_before_index, "no video that can be read"),
    "folder": (lambda path: path.mkdir(), "is a folder without pictures"),
    "pipe": (os.mkfifo, "no plain file"),
    "dangling link": (lambda path: path.symlink_to("nowhere.mp4"), "cannot be opened"),
    "tiny": (lambda path: encode_clip(path, numbered([0], (8, 8)), "ffv1", container="matroska"), "too small"),
}


@pytest.mark.parametrize("kind", NO_VIDEO)
def test_what_is_no_video_is_refused_by_its_name(tmp_path: Path, kind: str) -> None:
    encode_clip(tmp_path / "good.mp4", numbered([0]))
    clip = tmp_path / "bad.mp4"
    make, reason = NO_VIDEO[kind]
    make(clip)
    for read in (probe_clip, lambda path: list(read_frames(path))):
        with pytest.raises(ClipError) as caught:
            read(clip)
        assert str(clip) in str(caught.value)
        assert reason in str(caught.value)
        assert "\n" not in str(caught.value)


def test_what_a_file_holds_counts_not_its_name(tmp_path: Path) -> None:
    for name in ("concat:good.mp4", "%05d.mp4", "-i.mp4", "matroska.mp4"):
        clip = encode_clip(tmp_path / name, numbered([3, 4]), "ffv1", container="matroska")
        assert [read_number(frame.planes[0]) for frame in read_frames(clip)] == [3, 4]


def test_a_clip_is_read_from_a_folder_given_relatively(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode_clip(tmp_path / "data:a.mp4", numbered([3]))
    monkeypatch.chdir(tmp_path)
    assert len(list(read_frames(Path("data:a.mp4")))) == 1


# ---- damage


def test_damage_in_the_middle_ends_the_reading_after_the_good_frames(tmp_path: Path) -> None:
    clip = encode_clip(tmp_path / "a.mp4", numbered(range(N)), options={"g": "8", "crf": "1"})
    start, length = find_box(clip.read_bytes(), "mdat")
    patch(clip, start + length // 2, np.random.default_rng(0).bytes(200))
    numbers, message = _read_good_frames(clip)
    assert 0 < len(numbers) < N
    assert numbers == list(range(len(numbers)))
    assert f"frame {len(numbers)} " in message
    assert str(clip) in message


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_cut_off_end_is_not_taken_for_the_end(tmp_path: Path, name: str) -> None:
    codec = "ffv1" if name.endswith("mkv") else "libx264"
    muxing = {"movflags": "faststart"} if name.endswith("mp4") else {}
    clip = encode_clip(tmp_path / name, numbered(range(N)), codec, options={"g": "6"}, muxing=muxing)
    data = clip.read_bytes()
    clip.write_bytes(data[: int(len(data) * 0.85) // 188 * 188 + 77])
    for _ in range(2):  # the second time libav's log repeats itself
        numbers, message = _read_good_frames(clip)
        assert 0 < len(numbers) < N
        assert "damaged" in message


def test_damage_that_only_a_checksum_shows_is_found_each_time(tmp_path: Path) -> None:
    options = {"level": "3", "slicecrc": "1", "g": "1"}
    clip = encode_clip(tmp_path / "a.mkv", numbered(range(N)), "ffv1", options=options)
    with av.open(str(clip)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][12]
        place = packet.pos + packet.size - 30
    patch(clip, place, b"\x55" * 10)
    for _ in range(2):
        numbers, message = _read_good_frames(clip)
        assert numbers == list(range(12))
        assert "frame 12 " in message


def test_what_a_decoders_thread_reports_meanwhile_reaches_no_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clip = encode_clip(tmp_path / "a.mp4", numbered(range(N)))
    capture = av.logging.Capture

    def capture_meanwhile() -> Any:
        report = threading.Thread(target=av.logging.log, args=(av.logging.ERROR, "h264", "Invalid NAL unit size\n"))
        report.start()
        report.join()
        return capture()

    monkeypatch.setattr(av.logging, "Capture", capture_meanwhile)
    assert len(list(read_frames(clip))) == N
    assert not caplog.records


def test_samples_that_the_index_promises_and_the_file_lacks_are_missed(tmp_path: Path) -> None:
    clip = encode_clip(tmp_path / "a.mp4", numbered(range(N)), options={"bf": "0"})
    table, _ = find_box(clip.read_bytes(), "moov", "trak", "mdia", "minf", "stbl", "stsz")
    patch(clip, table + 20 + 4 * 5, struct.pack(">I", 0x7FFFFFF0))
    numbers, message = _read_good_frames(clip)
    assert numbers == [0, 1, 2, 3, 4]
    assert "declares 24 frames" in message


def test_a_header_that_lies_about_its_length_does_no_harm(tmp_path: Path) -> None:
    clip = encode_clip(tmp_path / "a.mp4", numbered(range(N)))
    for names in (("moov", "mvhd"), ("moov", "trak", "mdia", "mdhd")):
        place, _ = find_box(clip.read_bytes(), *names)
        patch(clip, place + 24, struct.pack(">I", 100_000_000))
    assert len(list(read_frames(clip))) == N


def test_a_stream_without_its_first_key_frame_says_what_is_missing(tmp_path: Path) -> None:
    whole = encode_clip(tmp_path / "whole.ts", numbered(range(N)), options={"g": "8", "bf": "0"})
    data = whole.read_bytes()
    packets = [data[i : i + 188] for i in range(0, len(data), 188)]
    starts = [i for i, packet in enumerate(packets) if packet[1] & 0x40 and packet[1:3] == b"\x41\x00"]
    clip = tmp_path / "cut.ts"
    clip.write_bytes(b"".join(packets[:3] + packets[starts[3] :]))
    assert [read_number(frame.planes[0]) for frame in read_frames(clip)] == list(range(8, N))
    assert probe_clip(clip).notes == (
        "begins between key frames: 0.20 s before the first one cannot be decoded and are left out",
    )
    assert probe_clip(whole).notes == ()


# ---- what is left out


def test_transparency_that_is_dropped_is_told(tmp_path: Path) -> None:
    pictures = [av.VideoFrame(WIDTH, HEIGHT, "argb")]
    assert probe_clip(encode_clip(tmp_path / "a.mov", pictures, "qtrle", "argb")).notes == (
        "argb is read as yuv444p, without its transparency",
    )


# ---- memory and hashes


def test_memory_does_not_grow_with_the_length_of_a_clip(tmp_path: Path) -> None:
    clip = encode_clip(tmp_path / "a.mkv", numbered([7], (480, 640)) * 300)
    n_frames, growth_mb = measure_growth(clip)
    assert n_frames == 280
    assert growth_mb < 20  # kept, they would be 129 MB


def test_a_clip_that_was_read_leaves_no_picture_for_the_garbage_collector(tmp_path: Path) -> None:
    """One picture left keeps its decoder's memory, at 1080p about 40 MB a reading."""
    clip = encode_clip(tmp_path / "a.mp4", numbered(range(8)))
    gc.collect()
    before = _count_pictures()
    gc.disable()
    try:
        for part in (None, Part(0, 4, 0)):
            probe_clip(clip)
            assert [frame.index for frame in read_frames(clip, part)][-1] == (3 if part else 7)
        left = _count_pictures()
    finally:
        gc.enable()
    assert left == before


def _count_pictures() -> int:
    return sum(type(thing) is av.VideoFrame for thing in gc.get_objects())


def test_hashes_tell_pictures_and_files_apart(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert hash_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(ClipError, match="missing"):
        hash_file(tmp_path / "missing")
    luma = np.arange(24, dtype=np.uint8).reshape(4, 6)
    pictures: list[tuple[Array, ...]] = [
        (luma,),
        (luma.reshape(6, 4),),
        (luma.astype(np.uint16),),
        (luma, luma),
        (luma[:, ::-1],),
    ]
    assert len({hash_picture(picture) for picture in pictures}) == len(pictures)
    assert hash_picture((luma.astype(">u2"),)) == hash_picture((luma.astype("<u2"),))


# ---- real clips


@needs_footage
def test_the_rotated_real_clip_shows_the_same_as_the_clip_it_was_made_from() -> None:
    rotated = next(iter(read_frames(REAL / "person_a_rot90.mp4")))
    original = next(frame for frame in read_frames(REAL / "person_a.mp4") if frame.index == 100)
    assert rotated.planes[0].shape == original.planes[0].shape
    assert np.abs(rotated.to_rgb().astype(int) - original.to_rgb()).mean() < 2


@needs_footage
def test_real_clips_of_variable_rate_keep_their_gaps() -> None:
    info = probe_clip(REAL / "speech_vfr.mp4")
    times = [frame.pts * info.time_base for frame in read_frames(REAL / "speech_vfr.mp4")]
    gaps = {after - before for before, after in itertools.pairwise(times)}
    assert len(times) == 89
    assert gaps == {Fraction(40 * i, 1000) for i in (1, 2, 3, 4)}
    hevc = [frame.index for frame in read_frames(REAL / "face_then_none.mov")]
    assert hevc == list(range(169))


def test_bright_and_dark_are_far_apart_in_the_painted_pictures() -> None:
    assert BRIGHT - DARK > 128
    assert [read_number(paint_luma(number)) for number in (0, 77, 255)] == [0, 77, 255]
