"""What happens to videos on their way, done to their luma pictures; and which of two boxes lie on each other."""

import io
from collections.abc import Callable
from fractions import Fraction
from functools import partial

import av
import cv2
import numpy as np

from vision.planes import Array, Box
from vision.video_format import VideoFormat
from vision.video_write import footage_format

Lumas = list[Array]
Change = Callable[[Lumas], Lumas]


def make_form(luma: Array) -> VideoFormat:
    """The format of a video of 8 bits with pictures like this one."""
    return footage_format((luma.shape[0], luma.shape[1]), Fraction(25))


def encode(lumas: Lumas, codec: str, crf: int, preset: str = "fast") -> Lumas:
    """Luma pictures after encoding and decoding, with gray chroma, cut to even sizes."""
    height, width = (length // 2 * 2 for length in lumas[0].shape)
    options = {"crf": str(crf), "preset": preset} | ({"x265-params": "log-level=none"} if codec == "libx265" else {})
    gray = np.full((height // 2, width), 128, np.uint8)
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for luma in lumas:
            samples = np.concatenate([luma[:height, :width], gray])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(samples, format="yuv420p")))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as clip:
        return [frame.to_ndarray()[:height] for frame in clip.decode(video=0)]


def keep(lumas: Lumas) -> Lumas:
    return lumas


def halve(lumas: Lumas) -> Lumas:
    height, width = lumas[0].shape
    return [cv2.resize(luma, (width // 4 * 2, height // 4 * 2), interpolation=cv2.INTER_AREA) for luma in lumas]


def cut(lumas: Lumas, left: float = 0, top: float = 0, right: float = 0, bottom: float = 0) -> Lumas:
    """Cut off these shares."""
    height, width = lumas[0].shape
    rows = slice(round(top * height), height - round(bottom * height))
    columns = slice(round(left * width), width - round(right * width))
    return [luma[rows, columns] for luma in lumas]


cut_left = partial(cut, left=0.1)
cut_top = partial(cut, top=0.1)
cut_sides = partial(cut, left=0.05, top=0.05, right=0.05, bottom=0.05)


def overlap(box: Box, other: Box) -> float:
    """Intersection over union."""
    width = max(0, min(box[2], other[2]) - max(box[0], other[0]))
    height = max(0, min(box[3], other[3]) - max(box[1], other[1]))
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (box, other)]
    return width * height / (sum(areas) - width * height)
