"""Small clips that tests make: numbered pictures, in any codec and container.

Each picture has a bright top left quarter, the rest is dark; along the bottom runs a strip of eight blocks, the
picture's number in binary, highest bit left, bright is 1.
"""

import subprocess
import sys
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from vision.planes import Array

HEIGHT, WIDTH = 64, 96
BRIGHT, DARK = 220, 40
REAL = Path(__file__).resolve().parent.parent.parent / "shared" / "footage"
needs_footage = pytest.mark.skipif(not REAL.is_dir(), reason="the test footage of real people is not beside this clone")


def paint_luma(number: int, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Array:
    """The numbered picture's luma, uint8."""
    height, width = size
    luma = np.full(size, DARK, np.uint8)
    luma[: height // 2, : width // 2] = BRIGHT
    for bit in range(8):
        columns = slice(width * bit // 8, width * (bit + 1) // 8)
        luma[height - height // 4 :, columns] = BRIGHT if number >> (7 - bit) & 1 else DARK
    return luma


def read_number(luma: Array) -> int:
    """The number painted into a picture of 8 bits."""
    height, width = luma.shape
    row = luma[height - height // 8]
    return sum(int(row[int(width * (bit + 0.5) / 8)] > 128) << (7 - bit) for bit in range(8))


def paint_picture(number: int, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Any:
    """The numbered picture as a decoder would give it: yuv444p, chroma of a dull orange."""
    picture = av.VideoFrame(size[1], size[0], "yuv444p")
    fill_plane(picture.planes[0], paint_luma(number, size))
    for plane, sample in zip(picture.planes[1:], (118, 138), strict=True):
        fill_plane(plane, np.full(size, sample, np.uint8))
    return picture


def fill_plane(plane: Any, samples: Array) -> None:
    """Write samples (uint8 or uint16) into a plane of a picture."""
    lines = np.frombuffer(plane, samples.dtype).reshape(plane.height, -1)
    lines[:, : samples.shape[1]] = samples


def numbered(numbers: Iterable[int], size: tuple[int, int] = (HEIGHT, WIDTH)) -> list[Any]:
    return [paint_picture(number, size) for number in numbers]


def encode_clip(
    path: Path,
    pictures: list[Any],
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    container: str | None = None,
    times: tuple[list[int], Fraction] | None = None,
    tune: Callable[[Any], None] | None = None,
    options: dict[str, str] | None = None,
    muxing: dict[str, str] | None = None,
    sound: tuple[str, float] | None = None,
) -> Path:
    """Encode pictures, at 25 a second or at `times` (PTS and time base), with a tone of (codec, seconds)."""
    with av.open(str(path), "w", format=container, options={"fflags": "+bitexact", **(muxing or {})}) as out:
        params = {"preset": "ultrafast", "crf": "12", "bf": "2"} if codec == "libx264" else {}
        stream = out.add_stream(codec, rate=25, options={**params, **(options or {})})
        stream.width, stream.height, stream.pix_fmt = pictures[0].width, pictures[0].height, pix_fmt
        if times is not None:
            stream.codec_context.time_base = times[1]
        if tune is not None:
            tune(stream)
        tone = out.add_stream(sound[0], rate=16000, layout="mono") if sound is not None else None
        for index, picture in enumerate(pictures):
            if times is not None:
                picture.pts, picture.time_base = times[0][index], times[1]
            out.mux(stream.encode(picture.reformat(format=pix_fmt)))
        out.mux(stream.encode(None))
        if tone is not None and sound is not None:
            _encode_tone(out, tone, sound[1])
    return path


def encode_sound(path: Path, codec: str = "aac", seconds: float = 1.0) -> Path:
    """A file with a tone and no picture."""
    with av.open(str(path), "w") as out:
        _encode_tone(out, out.add_stream(codec, rate=16000, layout="mono"), seconds)
    return path


def _encode_tone(out: Any, stream: Any, seconds: float) -> None:
    samples = (8000 * np.sin(2 * np.pi * 440 * np.arange(int(16000 * seconds)) / 16000)).astype(np.int16)
    for start in range(0, len(samples), 1024):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, start, Fraction(1, 16000)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def measure_growth(clip: Path) -> tuple[int, float]:
    """Reading a clip in a process of its own: (frames after the first 20, MB that its peak grows by over them)."""
    code = (
        "import sys, resource; from pathlib import Path; from vision.clip_read import read_frames\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "frames = read_frames(Path(sys.argv[1])); [next(frames) for _ in range(20)]; before = peak()\n"
        "n = sum(1 for _ in frames); print(n, peak() - before)"
    )
    n_frames, growth_mb = subprocess.check_output([sys.executable, "-c", code, clip], text=True).split()
    return int(n_frames), float(growth_mb)


def read_packets(path: Path) -> list[tuple[bytes, Fraction, Fraction]]:
    """The bytes, time stamp and duration (seconds) of each packet of sound."""
    with av.open(str(path)) as clip:
        return [
            (bytes(packet), packet.pts * packet.time_base, packet.duration * packet.time_base)
            for packet in clip.demux(audio=0)
            if packet.dts is not None
        ]


def find_box(data: bytes, *names: str) -> tuple[int, int]:
    """Offset and length of an MP4 box by its path, as ("moov", "trak")."""
    low, high = 0, len(data)
    for name in names:
        offset = low
        while data[offset + 4 : offset + 8] != name.encode():
            offset += int.from_bytes(data[offset : offset + 4])
            assert offset < high, f"no box {name}"
        low, high = offset + 8, offset + int.from_bytes(data[offset : offset + 4])
    return low - 8, high - low + 8


def patch(path: Path, offset: int, new: bytes) -> None:
    """Overwrite bytes of a file."""
    data = bytearray(path.read_bytes())
    data[offset : offset + len(new)] = new
    path.write_bytes(data)
