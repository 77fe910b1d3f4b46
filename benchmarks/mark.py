"""The invisible mark after what happens to videos: how often its id is found, its false readings, PSNR and time.

    python -m benchmarks.mark CLIP ... [--pieces 6] [--unmarked 1000] [--patterned 200] [--only NAME ...]

Each clip gives up to so many pieces of 50 pictures, evenly over its length. Each is marked at strength 1 with an id of
its own, treated, and read without anything else being known. Crops cut off a tenth: of the left, of the top, or a
twentieth of each of the four sides. Unmarked readings are of 50 pictures from evenly spread places of all clips, in
turns as they are, mirrored, halved, cropped and after CRF 28: windows that overlap where clips are few. Patterned
readings are of what looks most like a mark and is none: checkers, stripes and random tiles, repeated over a gray ground
with grain, half of them after CRF 28. For `missing` a square of another clip is pasted over a
part of the marked piece before CRF 23; it counts as found where a region covers it with at least 0.3 of their union.
x264 and x265 with preset medium. PSNR is that of the marked picture, before any encoding, in luma.
"""

import argparse
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from tests import treat_lumas
from tests.treat_lumas import Change, Lumas, cut_left, cut_sides, cut_top, halve, keep, make_form, overlap
from trust.mark import Marker
from trust.mark_read import Reading, read_mark
from vision.clip_read import read_frames
from vision.planes import Array, Box

N_PICTURES = 50
SAME_REGION = 0.3
PASTED_PARTS = (3, 4, 6)  # of the picture's short side


@dataclass(frozen=True)
class Piece:
    """Some luma pictures in a row of a clip."""

    clip: str
    first: int
    lumas: Lumas


@dataclass(frozen=True)
class Result:
    """What came out for a piece: its PSNR (mean over its pictures, lowest picture), and the readings by treatment."""

    piece: str
    mark_id: int
    psnr: tuple[float, float]
    readings: dict[str, Reading]
    pasted: dict[int, tuple[Box, Reading]]


encode = partial(treat_lumas.encode, preset="medium")

TREATMENTS: dict[str, tuple[Change, str, int]] = {
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


def read_lumas(clip: Path) -> Lumas:
    return [frame.planes[0] for frame in read_frames(clip)]


def cut_pieces(clips: dict[str, Lumas], n_most: int) -> Iterator[Piece]:
    for name, lumas in clips.items():
        n_whole = max(1, len(lumas) // N_PICTURES)
        for place in np.linspace(0, n_whole - 1, min(n_most, n_whole)).astype(int):
            first = int(place) * N_PICTURES
            yield Piece(name, first, lumas[first : first + N_PICTURES])


def draw_id(piece: Piece) -> int:
    """An id of 64 random bits, the same in every run."""
    rng = np.random.default_rng([piece.first, *piece.clip.encode()])
    return int.from_bytes(rng.bytes(8))


def try_piece(task: tuple[Piece, Lumas, list[str]]) -> Result:
    """Mark a piece, treat and read it; `task`: the piece, another clip's pictures to paste, names of treatments."""
    piece, others, names = task
    marker = Marker(draw_id(piece), make_form(piece.lumas[0]), strength=1.0)
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


def _paste_and_read(piece: Piece, marked: Lumas, others: Lumas, part: int) -> tuple[Box, Reading]:
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


VARIANTS: list[Change] = [
    keep,
    lambda lumas: [luma[:, ::-1] for luma in lumas],
    halve,
    cut_sides,
    lambda lumas: encode(lumas, "libx264", 28),
]


def read_unmarked(task: tuple[int, Lumas]) -> Reading:
    """Read pictures that hold no mark, changed by one of VARIANTS, in turns."""
    index, lumas = task
    return read_mark(VARIANTS[index % len(VARIANTS)](lumas))


def spread_unmarked(clips: dict[str, Lumas], n_readings: int) -> Iterator[tuple[int, Lumas]]:
    """Places of N_PICTURES pictures, evenly over all places where they could begin in all clips."""
    starts = [(name, first) for name, lumas in clips.items() for first in range(len(lumas) - N_PICTURES + 1)]
    for index, place in enumerate(np.linspace(0, len(starts) - 1, n_readings).astype(int)):
        name, first = starts[place]
        yield index, clips[name][first : first + N_PICTURES]


def read_patterned(index: int) -> Reading:
    """Read made pictures with a pattern that repeats itself and is no mark."""
    rng = np.random.default_rng(index)
    lumas = [np.clip(_draw_pattern(index, rng) + rng.normal(0, 1, (360, 640)), 0, 255).astype(np.uint8)] * 10
    return read_mark(encode(lumas, "libx264", 28) if index % 2 else lumas)


def _draw_pattern(index: int, rng: np.random.Generator) -> Array:
    """A checker, stripes, or a random tile of some chips on gray, float (360, 640); chips measure 3 to 12 pixels."""
    side, chip_px = int(rng.integers(4, 60)), rng.uniform(3, 12)
    checker = np.indices((side, side)).sum(axis=0) % 2 * 2 - 1
    stripes = np.broadcast_to(np.arange(side) % 2 * 2 - 1, (side, side))
    tile = (checker, stripes, rng.choice([-1, 1], (side, side)))[index // 2 % 3]
    rows, columns = ((np.arange(length) / chip_px).astype(int) % side for length in (360, 640))
    pattern: Array = 120 + rng.uniform(1, 30) * tile[np.ix_(rows, columns)]
    return pattern


def time_marking(luma: Array, n_times: int = 60) -> tuple[float, float]:
    """Milliseconds by the clock for a 1080p picture on one thread: lowest and median."""
    rng = np.random.default_rng(1)
    large = cv2.resize(luma, (1920, 1080), interpolation=cv2.INTER_CUBIC) + rng.normal(0, 4, (1080, 1920))
    chroma = np.full((540, 960), 128, np.uint8)
    planes = (np.clip(large, 0, 255).astype(np.uint8), chroma, chroma)
    marker = Marker(1, make_form(planes[0]), strength=1.0)
    n_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    times = []
    for _ in range(n_times):
        start = time.perf_counter()
        marker.embed(planes)
        times.append(1000 * (time.perf_counter() - start))
    cv2.setNumThreads(n_threads)
    return min(times), float(np.median(times))


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


def show_false(name: str, readings: Iterable[Reading]) -> None:
    known = list(readings)
    n_false = sum(reading.mark_id is not None for reading in known)
    highest = max((reading.certainty for reading in known), default=0.0)
    print(f"{name}: {n_false} false of {len(known)} readings, highest certainty {highest:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP")
    parser.add_argument("--pieces", type=int, default=6)
    parser.add_argument("--unmarked", type=int, default=1000)
    parser.add_argument("--patterned", type=int, default=200)
    parser.add_argument("--only", nargs="*", default=list(TREATMENTS), choices=list(TREATMENTS), metavar="NAME")
    arguments = parser.parse_args()
    clips = {f"{clip.parent.name}/{clip.stem}": read_lumas(clip) for clip in arguments.clips}
    lowest_ms, median_ms = time_marking(next(iter(clips.values()))[0])
    print(f"marking a 1080p picture on one thread: {lowest_ms:.1f} ms at least, {median_ms:.1f} ms in the median")
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
        show_false("unmarked", pool.map(read_unmarked, spread_unmarked(clips, arguments.unmarked)))
        show_false("patterned", pool.map(read_patterned, range(arguments.patterned)))


if __name__ == "__main__":
    main()
