"""The writer: every frame at its own time, planes as given, sound untouched, and a file that is whole or not there."""

import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from errors import ClipError, WorkerError
from tests.footage import (
    REAL,
    encode_clip,
    encode_sound,
    find_box,
    needs_footage,
    numbered,
    paint_luma,
    read_number,
    read_packets,
)
from vision.clip import Part
from vision.clip_read import probe_clip, read_frames
from vision.planes import Array, Layout, Matrix, Planes, planes_to_rgb, rgb_to_planes
from vision.video_encode import Segment, SegmentEncoder
from vision.video_format import ColorTags, VideoFormat
from vision.video_write import VideoWriter, footage_format

LAYOUT = Layout(2, 2, 8, Matrix.BT709, is_full_range=False)
FORMAT = VideoFormat(64, 96, LAYOUT, ColorTags(1, 1, 1, 1), Fraction(1), Fraction(1, 1000), Fraction(25))


def _paint(number: int, form: VideoFormat) -> Planes:
    """The numbered picture in a format's layout, with colors across."""
    luma = paint_luma(number, (form.height, form.width))
    ramp = np.linspace(0, 255, form.width).astype(np.uint8)[None].repeat(form.height, axis=0)
    return rgb_to_planes(np.dstack([luma, ramp, luma[::-1]]), form.layout)


def _write(path: Path, form: VideoFormat, times: list[int], crf: int = 0, last: int | None = None) -> list[Planes]:
    pictures = [_paint(number, form) for number in range(len(times))]
    with VideoWriter(path, form, crf=crf) as writer:
        for planes, pts in zip(pictures, times, strict=True):
            writer.write(planes, pts, last if pts == times[-1] else None)
    return pictures


# ---- times


@pytest.mark.parametrize("time_base", [Fraction(1, 1000), Fraction(1, 90000), Fraction(1001, 30000), Fraction(1, 25)])
def test_every_frame_keeps_its_own_time_though_b_frames_reorder_them(tmp_path: Path, time_base: Fraction) -> None:
    times = [7, 8, 10, 11, 12, 40, 41, 45, 46, 47, 48, 49, 60, 61, 62, 90, 91, 92, 93, 200]
    form = replace(FORMAT, time_base=time_base)
    _write(tmp_path / "a.mp4", form, times, crf=30)
    info = probe_clip(tmp_path / "a.mp4")
    assert [frame.pts * info.time_base for frame in read_frames(tmp_path / "a.mp4")] == [t * time_base for t in times]
    with av.open(str(tmp_path / "a.mp4")) as clip:
        kinds = {picture.pict_type for picture in clip.decode(video=0)}
    assert av.video.frame.PictureType.B in kinds


@pytest.mark.parametrize("last", [1, 40, 500])
def test_the_last_frame_lasts_as_long_as_it_is_told_to(tmp_path: Path, last: int) -> None:
    times = [0, 40, 80, 200, 240, 280, 320, 700, 740]
    _write(tmp_path / "a.mp4", FORMAT, times, crf=30, last=last)
    data = (tmp_path / "a.mp4").read_bytes()
    header, _ = find_box(data, "moov", "mvhd")
    scale, length = struct.unpack_from(">II", data, header + 20)
    assert Fraction(length, scale) == Fraction(740 + last, 1000)


def test_one_frame_is_enough_and_none_is_an_error(tmp_path: Path) -> None:
    _write(tmp_path / "one.mp4", FORMAT, [3])
    assert [frame.pts for frame in read_frames(tmp_path / "one.mp4")] == [3]
    with pytest.raises(ClipError, match="no frame to write"), VideoWriter(tmp_path / "none.mp4", FORMAT, crf=20):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["one.mp4"]


def test_a_time_that_mp4_cannot_hold_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="negative"):
        _write(tmp_path / "a.mp4", FORMAT, [-40, 0, 40])
    assert not list(tmp_path.iterdir())


# ---- pictures


@pytest.mark.parametrize("steps", [(2, 2), (2, 1), (1, 1)])
@pytest.mark.parametrize("is_full", [False, True])
def test_planes_come_back_bit_for_bit_at_crf_0(tmp_path: Path, steps: tuple[int, int], is_full: bool) -> None:
    form = replace(FORMAT, layout=Layout(*steps, 8, Matrix.BT709, is_full), color=ColorTags(1, 1 + is_full, 1, 1))
    pictures = _write(tmp_path / "a.mp4", form, list(range(0, 400, 40)))
    frames = list(read_frames(tmp_path / "a.mp4"))
    assert [frame.layout for frame in frames] == [form.layout] * 10
    for frame, planes in zip(frames, pictures, strict=True):
        assert all(np.array_equal(new, old) for new, old in zip(frame.planes, planes, strict=True))


@pytest.mark.parametrize("steps", [(2, 2), (2, 1), (1, 1)])
def test_ten_bits_stay_ten_bits(tmp_path: Path, steps: tuple[int, int]) -> None:
    form = replace(FORMAT, layout=Layout(*steps, 10, Matrix.BT709, is_full_range=False))
    pictures = _write(tmp_path / "a.mp4", form, [0, 40, 80], crf=1)
    for frame, planes in zip(read_frames(tmp_path / "a.mp4"), pictures, strict=True):
        assert frame.layout == form.layout
        assert max(np.abs(new.astype(int) - old).max() for new, old in zip(frame.planes, planes, strict=True)) <= 8


@pytest.mark.parametrize("layout", [replace(LAYOUT, step_x=4, step_y=1), replace(LAYOUT, step_x=1, step_y=2), LAYOUT])
def test_what_h264_cannot_hold_is_repeated_to_444_without_a_change_of_color(tmp_path: Path, layout: Layout) -> None:
    form = replace(FORMAT, height=65, width=97, layout=layout)
    pictures = _write(tmp_path / "a.mp4", form, [0, 40])
    frames = list(read_frames(tmp_path / "a.mp4"))
    for frame, planes in zip(frames, pictures, strict=True):
        assert frame.layout == replace(layout, step_x=1, step_y=1)
        assert np.array_equal(frame.to_rgb(), planes_to_rgb(planes, layout))


def test_tags_and_the_shape_of_pixels_are_copied(tmp_path: Path) -> None:
    form = replace(FORMAT, color=ColorTags(6, 1, 5, 4), sample_aspect_ratio=Fraction(16, 15))
    with VideoWriter(tmp_path / "a.mp4", form, crf=20, metadata={"comment": "made here"}) as writer:
        writer.write(_paint(0, form), 0)
    info = probe_clip(tmp_path / "a.mp4")
    assert (info.color, info.sample_aspect_ratio, info.time_base) == (form.color, Fraction(16, 15), Fraction(1, 1000))
    with av.open(str(tmp_path / "a.mp4")) as clip:
        assert clip.metadata["comment"] == "made here"


def test_the_same_pictures_give_the_same_video(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        _write(tmp_path / name, FORMAT, list(range(0, 2000, 40)), crf=23)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


# ---- sound


@pytest.mark.parametrize("seconds", [0.3, 3.0])
@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "aac"), ("a.mov", "pcm_s16le"), ("b.mp4", "mp3")]
)
def test_sound_is_copied_packet_for_packet(tmp_path: Path, name: str, codec: str, seconds: float) -> None:
    clip = encode_clip(tmp_path / name, numbered(range(24)), sound=(codec, seconds))
    info = probe_clip(clip)
    out = tmp_path / "out.mp4"
    with VideoWriter(out, info, crf=30, sound=clip) as writer:
        for frame in read_frames(clip):
            writer.write(frame.planes, frame.pts, frame.duration)
    before, after = read_packets(clip), read_packets(out)
    assert info.has_sound
    assert [data for data, *_ in after] == [data for data, *_ in before]
    # Matroska counts milliseconds, MP4 samples.
    assert max(abs(new - old) for (_, new, _), (_, old, _) in zip(after, before, strict=True)) < Fraction(1, 10000)
    assert [read_number(frame.planes[0]) for frame in read_frames(out)] == list(range(24))


def test_a_sound_that_mp4_cannot_hold_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    clip = encode_clip(tmp_path / "a.avi", numbered([0]), sound=("adpcm_ms", 1.0))
    with pytest.raises(ClipError, match=r"MP4 cannot hold its sound \(adpcm_ms\)") as caught:
        VideoWriter(tmp_path / "out.mp4", probe_clip(clip), crf=30, sound=clip)
    assert str(clip) in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.avi"]


def test_a_clip_without_sound_gives_a_video_without(tmp_path: Path) -> None:
    clip = encode_clip(tmp_path / "a.mp4", numbered([0, 1]))
    with VideoWriter(tmp_path / "out.mp4", probe_clip(clip), crf=30, sound=clip) as writer:
        for frame in read_frames(clip):
            writer.write(frame.planes, frame.pts)
    assert not probe_clip(tmp_path / "out.mp4").has_sound


def test_made_footage_has_its_pictures_at_a_constant_rate_and_its_sound(tmp_path: Path) -> None:
    form = footage_format((64, 96), Fraction(30000, 1001))
    tone = np.sin(2 * np.pi * 1000 * np.arange(24000) / 24000).astype(np.float32) / 2
    pictures = [np.full((64, 96, 3), (40 + 10 * i, 200, 90), np.uint8) for i in range(15)]
    with VideoWriter(tmp_path / "a.mp4", form, crf=10) as writer:
        writer.write_sound(tone, 24000)
        for index, picture in enumerate(pictures):
            writer.write_rgb(picture, index)
    info = probe_clip(tmp_path / "a.mp4")
    frames = list(read_frames(tmp_path / "a.mp4"))
    assert [f.pts * info.time_base for f in frames] == [i * Fraction(1001, 30000) for i in range(15)]
    assert max(np.abs(f.to_rgb().astype(int) - p).max() for f, p in zip(frames, pictures, strict=True)) <= 6
    heard = _read_sound(tmp_path / "a.mp4")
    loudest = np.abs(np.fft.rfft(heard[2000:22000])).argmax() * 24000 / 20000
    assert abs(len(heard) - 24000) <= 2048
    assert loudest == pytest.approx(1000, abs=2)


def _read_sound(path: Path) -> Array:
    with av.open(str(path)) as clip:
        return np.concatenate([frame.to_ndarray()[0] for frame in clip.decode(audio=0)])


# ---- whole or not at all


def test_an_error_on_the_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.mp4"
    _write(target, FORMAT, [0, 40])
    before = target.read_bytes()
    with pytest.raises(RuntimeError, match="on the way"), VideoWriter(target, FORMAT, crf=20) as writer:
        writer.write(_paint(0, FORMAT), 0)
        assert target.read_bytes() == before
        raise RuntimeError("on the way")
    assert target.read_bytes() == before
    assert [path.name for path in target.parent.iterdir()] == ["a.mp4"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ClipError, match="cannot be written") as caught:
        VideoWriter(tmp_path / "file" / "a.mp4", FORMAT, crf=20)
    assert "\n" not in str(caught.value)


def test_sound_alone_is_no_clip_to_copy_from(tmp_path: Path) -> None:
    sound = encode_sound(tmp_path / "a.m4a")
    with VideoWriter(tmp_path / "a.mp4", FORMAT, crf=20, sound=sound) as writer:
        writer.write(_paint(0, FORMAT), 0)
    assert read_packets(tmp_path / "a.mp4") == read_packets(sound)


# ---- segments


def _encode(form: VideoFormat, numbers: range, times: list[int], crf: int = 0) -> Segment:
    encoder = SegmentEncoder(form, crf)
    for number in numbers:
        encoder.add(_paint(number, form), times[number], None)
    return encoder.finish()


def _join(path: Path, form: VideoFormat, segments: list[Segment], crf: int = 0) -> None:
    with VideoWriter(path, form, crf=crf) as writer:
        for segment in segments:
            writer.join(segment)


TIMES = [7, 8, 10, 11, 12, 40, 41, 45, 46, 47, 48, 49, 60, 61, 62, 90, 91, 92, 93, 200]


@pytest.mark.parametrize("time_base", [Fraction(1, 90000), Fraction(1001, 30000)])
@pytest.mark.parametrize("cuts", [[20], [1, 20], [2, 20], [9, 19, 20], [1, 2, 3, 5, 20]])
def test_joined_segments_are_one_video_with_every_picture_at_its_time(
    tmp_path: Path, cuts: list[int], time_base: Fraction
) -> None:
    form = replace(FORMAT, time_base=time_base)
    starts = [0, *cuts[:-1]]
    segments = [_encode(form, range(a, b), TIMES) for a, b in zip(starts, cuts, strict=True)]
    _join(tmp_path / "a.mp4", form, segments)
    frames = list(read_frames(tmp_path / "a.mp4"))
    unit = probe_clip(tmp_path / "a.mp4").time_base
    assert [frame.pts * unit for frame in frames] == [time * time_base for time in TIMES]
    for number, frame in enumerate(frames):
        assert all(np.array_equal(a, b) for a, b in zip(frame.planes, _paint(number, form), strict=True)), number
    assert {frame.index for frame in frames if frame.is_key} >= set(starts)
    with av.open(str(tmp_path / "a.mp4")) as clip:
        packets = [packet for packet in clip.demux(video=0) if packet.size]
    decoded = [packet.dts for packet in packets]
    assert decoded == sorted(set(decoded))
    assert all(packet.dts <= packet.pts for packet in packets)


def test_one_segment_is_what_is_written_picture_by_picture(tmp_path: Path) -> None:
    _write(tmp_path / "a.mp4", FORMAT, TIMES, crf=20)
    _join(tmp_path / "b.mp4", FORMAT, [_encode(FORMAT, range(20), TIMES, crf=20)], crf=20)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_each_segment_can_be_read_on_its_own(tmp_path: Path) -> None:
    _join(tmp_path / "a.mp4", FORMAT, [_encode(FORMAT, range(9), TIMES), _encode(FORMAT, range(9, 20), TIMES)])
    frames = list(read_frames(tmp_path / "a.mp4", Part(9, 20, TIMES[9])))
    assert [frame.index for frame in frames] == list(range(9, 20))
    assert all(np.array_equal(frame.planes[0], _paint(frame.index, FORMAT)[0]) for frame in frames)


def test_the_last_picture_of_all_lasts_as_long_as_it_is_told_to(tmp_path: Path) -> None:
    form = FORMAT
    encoder = SegmentEncoder(form, 30)
    encoder.add(_paint(9, form), 400, 300)
    _join(tmp_path / "a.mp4", form, [_encode(form, range(9), TIMES, 30), encoder.finish()], 30)
    data = (tmp_path / "a.mp4").read_bytes()
    header, _ = find_box(data, "moov", "mvhd")
    scale, length = struct.unpack_from(">II", data, header + 20)
    assert Fraction(length, scale) == Fraction(700, 1000)


def test_a_segment_of_another_format_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    other = _encode(replace(FORMAT, width=128), range(3), TIMES)
    with pytest.raises(WorkerError, match=r"a\.mp4: a part of it comes from another encoder"):
        _join(tmp_path / "a.mp4", FORMAT, [_encode(FORMAT, range(3), TIMES), other])
    assert list(tmp_path.iterdir()) == []


# ---- real clips


@needs_footage
@pytest.mark.parametrize("name", ["speech.mp4", "speech_vfr.mp4", "crowd.mp4"])
def test_a_real_clip_goes_through_with_its_times_and_its_sound_untouched(tmp_path: Path, name: str) -> None:
    clip, out = REAL / name, tmp_path / "out.mp4"
    info = probe_clip(clip)
    times = []
    with VideoWriter(out, info, crf=30, sound=clip, preset="ultrafast") as writer:
        for frame in read_frames(clip):
            writer.write(frame.planes, frame.pts, frame.duration)
            times.append(frame.pts)
    assert [frame.pts for frame in read_frames(out)] == times
    assert (probe_clip(out).time_base, probe_clip(out).color) == (info.time_base, info.color)
    assert read_packets(out) == read_packets(clip)
