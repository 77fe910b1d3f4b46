"""Writing video: H.264 in MP4, every frame at its own time, the sound's packets as they are; whole or not at all.

Pictures are encoded one by one as they come, or have been encoded before, in segments that are joined.
"""

import contextlib
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np

from errors import ClipError, WorkerError
from vision.planes import Array, Layout, Matrix, Planes, rgb_to_planes
from vision.video_encode import CODEC, PRESET, REORDER, Packet, Segment, configure, to_picture
from vision.video_format import ColorTags, VideoFormat
from vision.video_read import open_clip
from vision.whole import Whole

AAC_SAMPLES = 1024


def footage_format(size: tuple[int, int], rate: Fraction) -> VideoFormat:
    """The format of made footage of `size` (height, width): 4:2:0, 8 bits, BT.709, limited range; PTS count frames."""
    layout = Layout(2, 2, 8, Matrix.BT709, is_full_range=False)
    time_base = 1 / rate
    return VideoFormat(*size, layout, ColorTags(1, 1, 1, 1), Fraction(1), time_base, rate)


class VideoWriter:
    """Writes one video; the file appears whole at the end of the `with` block, after an error not at all.

    Frames come in order of presentation, by `write` as planes of the format's layout or by `write_rgb`; or all of them
    by `join`. `sound` names a clip whose sound is copied packet for packet, where it has any; `write_sound` encodes
    samples instead. `metadata` goes into the container. Raises ClipError for a sound that MP4 cannot hold.
    """

    def __init__(
        self,
        path: Path,
        form: VideoFormat,
        *,
        crf: int,
        sound: Path | None = None,
        metadata: dict[str, str] | None = None,
        preset: str = PRESET,
    ) -> None:
        self._form = form
        self._whole = Whole(path)
        self._last_pts: int | None = None
        self._last_duration = 1
        self._joined: list[int] = []
        has_sound = sound is not None and not sound.is_dir()  # a folder of pictures has none
        self._sound = _SoundCopy(sound) if sound is not None and has_sound else None
        scales = self._sound.time_scales if self._sound is not None else []
        with self._one_line_errors():
            self._container = _open(self._whole.open(), form.time_base, scales)
        try:
            self._container.metadata.update(metadata or {})
            self._stream = _add_video(self._container, form, crf, preset)
            if self._sound is not None:
                self._sound.add_to(self._container)
        except BaseException:
            self._close(keep=False)
            raise

    def write(self, planes: Planes, pts: int, duration: int | None = None) -> None:
        """Encode a picture's planes, shown at `pts` and, where it is known, for `duration` units of the time base."""
        picture = to_picture(planes, self._form, pts)
        unit = self._form.time_base.numerator
        self._note_duration(picture.pts, None if duration is None else duration * unit)
        with self._one_line_errors():
            self._mux(self._stream.encode(picture))

    def write_rgb(self, picture: Array, pts: int, duration: int | None = None) -> None:
        """Encode an RGB uint8 picture (H, W, 3)."""
        self.write(rgb_to_planes(picture, self._form.layout), pts, duration)

    def join(self, segment: Segment) -> None:
        """Add a stretch that was encoded in this writer's format and CRF, after those before it.

        Raises WorkerError where its encoder was another one, so that the stretches make no one video.
        """
        with self._one_line_errors():
            self._container.start_encoding()
            if segment.headers != bytes(self._stream.codec_context.extradata or b""):
                raise WorkerError(f"{self._whole.path}: a part of it comes from another encoder; install one version")
            times = self._place(segment)
            for packet, dts in zip(segment.packets, times, strict=False):
                self._mux([self._to_packet(packet, dts)])
        self._joined = times[-REORDER:]

    def write_sound(self, samples: Array, rate: int) -> None:
        """Encode mono sound, float32 (n,) in [-1, 1] at `rate` a second, as AAC. Before the first frame, and once."""
        stream = self._container.add_stream("aac", rate=rate, layout="mono")
        for start in range(0, len(samples), AAC_SAMPLES):
            piece = np.ascontiguousarray(samples[None, start : start + AAC_SAMPLES], np.float32)
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            self._container.mux(stream.encode(frame))
        self._container.mux(stream.encode(None))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_done = False
        try:
            if kind is None:
                with self._one_line_errors():
                    self._finish()
                is_done = True
        finally:
            self._close(keep=is_done)

    def _place(self, segment: Segment) -> list[int]:
        """When each packet of a segment is decoded, in order: as many pictures before being shown as x264 wants."""
        shown = sorted(packet.pts for packet in segment.packets)
        for pts in shown:
            self._note_duration(pts, None)
        self._last_duration = segment.last_duration or self._last_duration
        if self._joined:
            return self._joined + shown
        lead = shown[REORDER] - shown[0] if len(shown) > REORDER else REORDER
        first = shown if len(shown) > REORDER else range(shown[0], shown[0] + REORDER)
        return [pts - lead for pts in first[:REORDER]] + shown

    def _to_packet(self, packet: Packet, dts: int) -> Any:
        """The container's packet of a coded picture; the last one's duration is told, others last until the next."""
        coded = av.Packet(packet.data)
        coded.pts, coded.dts, coded.is_keyframe = packet.pts, dts, packet.is_key
        coded.time_base = Fraction(1, self._form.time_base.denominator)
        coded.stream = self._stream
        if packet.pts == self._last_pts:
            coded.duration = self._last_duration
        return coded

    def _note_duration(self, pts: int, duration: int | None) -> None:
        """Keep the last frame's time and duration; where that is unknown, as long as the one before."""
        if pts < 0:
            raise ClipError(
                f"{self._whole.path}: a frame's time is negative ({pts / self._form.time_base.denominator:.2f} s); "
                "MP4 cannot show it: remux the clip so that it starts at 0"
            )
        if self._last_pts is not None:
            self._last_duration = pts - self._last_pts
        self._last_duration = duration or self._last_duration
        self._last_pts = pts

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            if self._sound is not None:
                self._sound.copy_until(packet.dts * packet.time_base)
            self._container.mux(packet)

    def _finish(self) -> None:
        if self._last_pts is None:
            raise ClipError(f"{self._whole.path}: there is no frame to write; give at least one")
        packets = [] if self._joined else self._stream.encode(None)
        for packet in packets:
            # Other frames last until the next; the last one's duration would be guessed.
            if packet.pts == self._last_pts:
                packet.duration = self._last_duration
        self._mux(packets)
        if self._sound is not None:
            self._sound.copy_until(None)

    def _close(self, *, keep: bool) -> None:
        try:
            if self._sound is not None:
                self._sound.close()
            with self._one_line_errors():
                self._container.close()
        except BaseException:
            keep = False
            raise
        finally:
            self._whole.close(keep=keep)

    @contextlib.contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        """Name the file where the disk is full or the folder cannot be written; anything else is a bug and passes."""
        try:
            with av.logging.Capture():
                yield
        except OSError as error:
            raise ClipError(f"{self._whole.path}: cannot be written ({error.strerror}); make room for it") from error


class _SoundCopy:
    """The sound streams of a clip, copied without decoding."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = contextlib.ExitStack()
        container = self._stack.enter_context(open_clip(path))
        self._streams = list(container.streams.audio)
        self._packets = container.demux(*self._streams) if self._streams else iter(())
        self._waiting: Any = None
        self._outs: dict[int, Any] = {}

    @property
    def time_scales(self) -> list[int]:
        """Time stamps in a second, as the clip counts them and as the copy will."""
        rates = [stream.codec_context.sample_rate for stream in self._streams if stream.codec_context]
        return [*rates, *(stream.time_base.denominator for stream in self._streams)]

    def add_to(self, container: Any) -> None:
        for stream in self._streams:
            name = stream.codec.canonical_name if stream.codec_context else "unknown"
            if name not in container.supported_codecs:
                raise ClipError(f"{self._path}: MP4 cannot hold its sound ({name}); convert the clip's sound to AAC")
            self._outs[stream.index] = container.add_stream_from_template(stream)
        self._target = container

    def copy_until(self, seconds: Fraction | None) -> None:
        """Mux the packets that start before a time (None: all that are left)."""
        while (packet := self._waiting or self._next()) is not None:
            self._waiting = packet
            if seconds is not None and packet.dts * packet.time_base > seconds:
                return
            packet.stream = self._outs[packet.stream_index]
            self._target.mux(packet)
            self._waiting = None

    def close(self) -> None:
        self._stack.close()

    def _next(self) -> Any:
        try:
            # The empty packet at the end is for flushing a decoder.
            packet = next((packet for packet in self._packets if packet.dts is not None), None)
        except av.FFmpegError as error:
            raise ClipError(f"{self._path}: its sound is damaged ({error.strerror}); copy the clip again") from error
        if packet is not None and packet.is_corrupt:
            raise ClipError(f"{self._path}: its sound is cut off; copy the clip again")
        return packet


def _open(path: Path, time_base: Fraction, sound_scales: list[int]) -> Any:
    """Open the container with time scales that hold every time stamp and start exactly."""
    scale = time_base.denominator
    common = math.lcm(scale, *sound_scales)
    options = {
        "video_track_timescale": str(scale),
        "movie_timescale": str(common if common < 2**31 else scale),
        "use_editlist": "1",
        "movflags": "+faststart",
        "fflags": "+bitexact",
    }
    return av.open(str(path.absolute()), "w", format="mp4", options=options)


def _add_video(container: Any, form: VideoFormat, crf: int, preset: str) -> Any:
    stream = container.add_stream(CODEC, rate=form.rate)
    configure(stream.codec_context, form, crf, preset)
    return stream
