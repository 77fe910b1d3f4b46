"""The invisible mark after what happens to videos: how often its id is found, its false readings, PSNR and time.

    python -m benchmarks.mark CLIP ... [--pieces 6] [--unmarked 1000] [--only NAME ...]

Each clip gives up to so many pieces of 50 pictures, evenly over its length. Each is marked at strength 1 with an id of
its own, treated, and read without anything else being known. Crops cut off a tenth: of the left, of the top, or a
twentieth of each of the four sides. Unmarked readings are of 50 pictures from evenly spread places of all clips, in
turns as they are, mirrored, halved, cropped and after CRF 28. For `missing` a square of another clip is pasted over a
part of the marked piece before CRF 23; it counts as found where a region covers it with at least 0.3 of their union.
x264 and x265 with preset medium. PSNR is that of the marked picture, before any encoding, in luma.
"""

import argparse
import io
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np

from trust.mark import Marker
from trust.mark_read import Reading, read_mark
from vision.clip_read import read_frames
from vision.planes import Array, Box, Layout, Matrix
from vision.video_format import ColorTags, VideoFormat

N_PICTURES = 50
LAYOUT = Layout(2, 2, 8, Matrix.BT709, is_full_range=False)
SAME_REGION = 0.3
PASTED_PARTS = (3, 4, 6)  # of the picture's short side

Pictures = list[Array]


@dataclass(frozen=True)
class Piece:
    """Some luma pictures in a row of a clip."""

    clip: str
    first: int
    lumas: Pictures


@dataclass(frozen=True)
class Result:
    """What came out for a piece: its PSNR (mean over its pictures, lowest picture), and the readings by treatment."""

    piece: str
    mark_id: int
    psnr: tuple[float, float]
    readings: dict[str, Reading]
    pasted: dict[int, tuple[Box, Reading]]


def encode(lumas: Pictures, codec: str, crf: int) -> Pictures:
    """Luma pictures after encoding and decoding, with gray chroma, cut to even sizes."""
    height, width = (length // 2 * 2 for length in lumas[0].shape)
    options = {"crf": str(crf), "preset": "medium"} | ({"x265-params": "log-level=none"} if codec == "libx265" else {})
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for luma in lumas:
            chroma = np.full((height // 2, width), 128, np.uint8)
            samples = np.concatenate([luma[:height, :width], chroma])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(_pack(samples, height, width), format="yuv420p")))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as clip:
        return [frame.to_ndarray()[:height] for frame in clip.decode(video=0)]


def _pack(samples: Array, height: int, width: int) -> Array:
    """Planes one below the other, as PyAV takes yuv420p: (height * 3 / 2, width)."""
    return np.ascontiguousarray(samples.reshape(height * 3 // 2, width))


def halve(lumas: Pictures) -> Pictures:
    height, width = lumas[0].shape
    return [cv2.resize(luma, (width // 4 * 2, height // 4 * 2), interpolation=cv2.INTER_AREA) for luma in lumas]


def cut(lumas: Pictures, left: float = 0, top: float = 0, right: float = 0, bottom: float = 0) -> Pictures:
    """Cut off these shares."""
    height, width = lumas[0].shape
    rows = slice(round(top * height), height - round(bottom * height))
    columns = slice(round(left * width), width - round(right * width))
    return [luma[rows, columns] for luma in lumas]


cut_left = partial(cut, left=0.1)
cut_top = partial(cut, top=0.1)
cut_sides = partial(cut, left=0.05, top=0.05, right=0.05, bottom=0.05)


def keep(lumas: Pictures) -> Pictures:
    return lumas


TREATMENTS: dict[str, tuple[Callable[[Pictures], Pictures], str, int]] = {
    "CRF 23": (keep, "libx264", 23),
    "CRF 28": (keep, "libx264", 28),
    "half size, CRF 23": (halve, "libx264", 23),
    "10 % of the left, CRF 23": (cut_left, "libx264", 23),
    "10 % of the top, CRF 23": (cut_top, "libx264", 23),
    "5 % of each side, CRF 23": (cut_sides, "libx264", 23),
    "HEVC CRF 28": (keep, "libx265", 28),
    "10 % of the left, CRF 28": (cut_left, "libx264", 28),
    "10 % of the top, CRF 28": (cut_top, "libx264", 28),
    "5 % of each side, CRF 28": (cut_sides, "libx264", 28),
    "half size, CRF 28": (halve, "libx264", 28),
}


def read_lumas(clip: Path) -> Pictures:
    return [frame.planes[0] for frame in read_frames(clip)]


def make_form(size: tuple[int, ...]) -> VideoFormat:
    return VideoFormat(size[0], size[1], LAYOUT, ColorTags(1, 1, 1, 1), Fraction(1), Fraction(1, 25), Fraction(25))


def cut_pieces(clips: dict[str, Pictures], n_most: int) -> Iterator[Piece]:
    for name, lumas in clips.items():
        n_whole = max(1, len(lumas) // N_PICTURES)
        for place in np.linspace(0, n_whole - 1, min(n_most, n_whole)).astype(int):
            first = int(place) * N_PICTURES
            yield Piece(name, first, lumas[first : first + N_PICTURES])


def draw_id(piece: Piece) -> int:
    """An id of 64 random bits, the same in every run."""
    rng = np.random.default_rng([piece.first, *piece.clip.encode()])
    return int.from_bytes(rng.bytes(8))


def try_piece(task: tuple[Piece, Pictures, list[str]]) -> Result:
    """Mark a piece, treat and read it; `task`: the piece, another clip's pictures to paste, names of treatments."""
    piece, others, names = task
    marker = Marker(draw_id(piece), make_form(piece.lumas[0].shape), strength=1.0)
    chroma = np.full((1, 1), 128, np.uint8)
    marked = [marker.embed((luma, chroma, chroma))[0] for luma in piece.lumas]
    psnrs = [cv2.PSNR(old, new) for old, new in zip(piece.lumas, marked, strict=True)]
    readings = {}
    for name in names:
        change, codec, crf = TREATMENTS[name]
        readings[name] = read_mark(encode(change(marked), codec, crf))
    pasted = {part: _paste_and_read(piece, marked, others, part) for part in PASTED_PARTS}
    psnr = (float(np.mean(psnrs)), min(psnrs))
    return Result(f"{piece.clip}@{piece.first}", draw_id(piece), psnr, readings, pasted)


def _paste_and_read(piece: Piece, marked: Pictures, others: Pictures, part: int) -> tuple[Box, Reading]:
    """Paste a square of another clip, read after CRF 23; the square's box and the reading."""
    height, width = marked[0].shape
    side = min(height, width) // part
    rng = np.random.default_rng([part, piece.first, *piece.clip.encode()])
    left, top = int(rng.integers(width - side)), int(rng.integers(height - side))
    pictures = []
    for index, luma in enumerate(marked):
        other = cv2.resize(others[index % len(others)], (width, height))
        picture = luma.copy()
        y, x = (height - side) // 2, (width - side) // 2
        picture[top : top + side, left : left + side] = other[y : y + side, x : x + side]
        pictures.append(picture)
    return (left, top, left + side, top + side), read_mark(encode(pictures, "libx264", 23))


VARIANTS: list[Callable[[Pictures], Pictures]] = [
    keep,
    lambda lumas: [luma[:, ::-1] for luma in lumas],
    halve,
    cut_sides,
    lambda lumas: encode(lumas, "libx264", 28),
]


def read_unmarked(task: tuple[int, Pictures]) -> Reading:
    """Read pictures that hold no mark, changed by one of VARIANTS, in turns."""
    index, lumas = task
    return read_mark(VARIANTS[index % len(VARIANTS)](lumas))


def spread_unmarked(clips: dict[str, Pictures], n_readings: int) -> Iterator[tuple[int, Pictures]]:
    """Places of N_PICTURES pictures, evenly over all places where they could begin in all clips."""
    starts = [(name, first) for name, lumas in clips.items() for first in range(len(lumas) - N_PICTURES + 1)]
    for index, place in enumerate(np.linspace(0, len(starts) - 1, n_readings).astype(int)):
        name, first = starts[place]
        yield index, clips[name][first : first + N_PICTURES]


def time_marking(luma: Array, n_times: int = 60) -> tuple[float, float]:
    """Milliseconds for a 1080p picture: the median by the clock, and the mean of the processor's time."""
    rng = np.random.default_rng(1)
    large = cv2.resize(luma, (1920, 1080), interpolation=cv2.INTER_CUBIC) + rng.normal(0, 4, (1080, 1920))
    chroma = np.full((540, 960), 128, np.uint8)
    planes = (np.clip(large, 0, 255).astype(np.uint8), chroma, chroma)
    marker = Marker(1, make_form((1080, 1920)), strength=1.0)
    marker.embed(planes)
    times, began = [], time.process_time()
    for _ in range(n_times):
        start = time.perf_counter()
        marker.embed(planes)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times)), 1000 * (time.process_time() - began) / n_times


def overlap(box: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    common = max(0, width) * max(0, height)
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (box, other)]
    return common / (sum(areas) - common)


def show_treatments(results: list[Result], names: list[str]) -> None:
    print(f"{'treatment':28}{'found':>9}{'share':>8}{'wrong':>7}{'lowest certainty found':>25}  not found")
    for name in names:
        found = [result for result in results if result.readings[name].mark_id == result.mark_id]
        others = [result for result in results if result.readings[name].mark_id != result.mark_id]
        n_wrong = sum(result.readings[name].mark_id is not None for result in others)
        lowest = min((result.readings[name].certainty for result in found), default=0.0)
        share = len(found) / len(results)
        missed = " ".join(result.piece for result in others)
        print(f"{name:28}{len(found):>4}/{len(results):<4}{share:>8.3f}{n_wrong:>7}{lowest:>25.1f}  {missed}")


def show_missing(results: list[Result]) -> None:
    """Of what was pasted how much was found, and the regions that touch nothing pasted."""
    for name in ("CRF 23", "CRF 28"):
        clean = [result.readings[name].missing for result in results if name in result.readings]
        words = f"{sum(map(len, clean))} regions in {sum(map(bool, clean))} of {len(clean)} pieces"
        print(f"missing, nothing pasted, {name}: {words}")
    for part in PASTED_PARTS:
        pairs = [result.pasted[part] for result in results]
        best = [max((overlap(box, region) for region in reading.missing), default=0.0) for box, reading in pairs]
        n_found = sum(value >= SAME_REGION for value in best)
        n_false = sum(overlap(box, region) == 0 for box, reading in pairs for region in reading.missing)
        words = f"found in {n_found}/{len(pairs)}, mean overlap {np.mean(best):.2f}, {n_false} regions elsewhere"
        print(f"missing, a square of 1/{part} of the short side: {words}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP")
    parser.add_argument("--pieces", type=int, default=6)
    parser.add_argument("--unmarked", type=int, default=1000)
    parser.add_argument("--only", nargs="*", default=list(TREATMENTS), choices=list(TREATMENTS), metavar="NAME")
    arguments = parser.parse_args()
    clips = {f"{clip.parent.name}/{clip.stem}": read_lumas(clip) for clip in arguments.clips}
    clock_ms, processor_ms = time_marking(next(iter(clips.values()))[0])
    print(f"marking a 1080p picture: {clock_ms:.1f} ms (median), {processor_ms:.1f} ms of processor time")
    pieces = list(cut_pieces(clips, arguments.pieces))
    names = list(clips)
    others = [clips[names[names.index(piece.clip) - 1]][:N_PICTURES] for piece in pieces]
    tasks = [(piece, other, arguments.only) for piece, other in zip(pieces, others, strict=True)]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(try_piece, tasks))
        print(f"{len(pieces)} pieces of {len(clips)} clips")
        show_treatments(results, arguments.only)
        psnrs = [result.psnr for result in results]
        print(f"PSNR, dB: mean {np.mean(psnrs, axis=0)[0]:.1f}, lowest of a piece {min(psnrs)[0]:.2f}, ", end="")
        print(f"lowest of a picture {min(low for _, low in psnrs):.2f}")
        show_missing(results)
        readings = list(pool.map(read_unmarked, spread_unmarked(clips, arguments.unmarked)))
    n_false = sum(reading.mark_id is not None for reading in readings)
    highest = max((reading.certainty for reading in readings), default=0.0)
    print(f"unmarked: {n_false} false of {len(readings)} readings, highest certainty {highest:.1f}")


if __name__ == "__main__":
    main()
