"""Encoding pictures to H.264: how the encoder is set, and stretches of a video that are encoded on their own.

Planes are encoded in the layout they have, 4:2:0, 4:2:2 or 4:4:4 of 8 or 10 bits. Where H.264 cannot hold it (other
chroma steps, odd sizes of subsampled pictures) chroma samples are repeated to 4:4:4, which changes no sample. Rotation
is not written: pictures are upright. x264 runs with a fixed number of threads and without mbtree, so that it gives the
same pictures from run to run.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.codec.context import Flags

from vision.planes import Layout, Planes, to_444
from vision.video_format import VideoFormat

CODEC = "libx264"
PRESET = "medium"
X264 = {"threads": "2", "lookahead-threads": "1", "mbtree": "0"}
REORDER = 2  # pictures by which x264's order of coding runs ahead of that of showing, with its pyramid of B-frames
_FORMATS = {(2, 2): "yuv420p", (2, 1): "yuv422p", (1, 1): "yuv444p"}


@dataclass(frozen=True)
class Packet:
    """A coded picture: its bytes, when it is shown in units of one over `time_base.denominator` seconds."""

    data: bytes
    pts: int
    is_key: bool


@dataclass(frozen=True)
class Segment:
    """A stretch of a video, coded on its own: packets in order of coding, the first with a key frame.

    `headers` is what a decoder must know beforehand, `last_duration` how long the last picture is shown, if known.
    """

    headers: bytes
    packets: tuple[Packet, ...]
    last_duration: int | None


class SegmentEncoder:
    """Encodes a stretch of a video; pictures come in order of presentation."""

    def __init__(self, form: VideoFormat, crf: int) -> None:
        self._form = form
        self._context: Any = av.CodecContext.create(CODEC, "w")
        self._context.framerate = form.rate
        configure(self._context, form, crf, PRESET)
        self._context.flags |= Flags.global_header  # as in MP4: headers stand before the pictures
        self._packets: list[Packet] = []
        self._last: tuple[int, int | None] | None = None

    def add(self, planes: Planes, pts: int, duration: int | None) -> None:
        """Encode a picture's planes, shown at `pts` and, where it is known, for `duration` units of the time base."""
        picture = to_picture(planes, self._form, pts)
        known = None if duration is None else duration * self._form.time_base.numerator
        since = None if self._last is None else picture.pts - self._last[0]
        self._last = picture.pts, known or since
        self._keep(self._context.encode(picture))

    def finish(self) -> Segment:
        """What was encoded, at least one picture."""
        if self._last is None:
            raise ValueError("there is no picture in the segment")
        self._keep(self._context.encode(None))
        return Segment(bytes(self._context.extradata), tuple(self._packets), self._last[1])

    def _keep(self, packets: list[Any]) -> None:
        self._packets.extend(Packet(bytes(packet), packet.pts, bool(packet.is_keyframe)) for packet in packets)


def configure(context: Any, form: VideoFormat, crf: int, preset: str) -> None:
    """Set an encoder, not yet opened, to pictures of this format."""
    params = ":".join(f"{key}={value}" for key, value in X264.items())
    context.options = {"crf": str(crf), "preset": preset, "x264-params": params}
    context.width, context.height, context.pix_fmt = form.width, form.height, _pixel_format(_fit_layout(form))
    context.time_base = Fraction(1, form.time_base.denominator)
    context.sample_aspect_ratio = form.sample_aspect_ratio
    context.colorspace, context.color_range = form.color.matrix, form.color.range
    context.color_primaries, context.color_trc = form.color.primaries, form.color.transfer
    context.thread_count = int(X264["threads"])


def to_picture(planes: Planes, form: VideoFormat, pts: int) -> Any:
    """The encoder's picture of some planes, shown at `pts` units of the format's time base."""
    planes, layout = _fit(planes, form.layout)
    height, width = planes[0].shape
    picture = av.VideoFrame(width, height, _pixel_format(layout))
    for plane, samples in zip(picture.planes, planes, strict=True):
        lines = np.frombuffer(plane, layout.dtype).reshape(plane.height, -1)
        lines[:, : plane.width] = samples
    # The encoder's time base is one over a whole number, the format's may not be.
    picture.pts = pts * form.time_base.numerator
    picture.time_base = Fraction(1, form.time_base.denominator)
    return picture


def _is_held(form: VideoFormat) -> bool:
    """Whether H.264 can hold pictures of this layout and size as they are."""
    steps = (form.layout.step_x, form.layout.step_y)
    return steps in _FORMATS and form.width % steps[0] == 0 and form.height % steps[1] == 0


def _fit_layout(form: VideoFormat) -> Layout:
    return form.layout if _is_held(form) else replace(form.layout, step_x=1, step_y=1)


def _fit(planes: Planes, layout: Layout) -> tuple[Planes, Layout]:
    height, width = planes[0].shape
    is_whole = height % layout.step_y == 0 and width % layout.step_x == 0
    if (layout.step_x, layout.step_y) in _FORMATS and is_whole:
        return planes, layout
    return to_444(planes, layout)


def _pixel_format(layout: Layout) -> str:
    return _FORMATS[layout.step_x, layout.step_y] + ("" if layout.bits == 8 else "10le")
