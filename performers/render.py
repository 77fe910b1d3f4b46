"""Render the performers' clips and their truth: `python -m performers.render`.

`demo` is ada's take, the truth of it played by ben's head, and the table of both; `source` is ben's own take and
its table; `range` and `turned` are ben's second and third take. Frames are independent of each other, so processes
share them.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import torch

from errors import one_line_errors
from performers.camera import HEIGHT, WIDTH
from performers.frame import Frame, render_frame
from performers.identity import IDENTITIES
from performers.script import FRAMES_PER_S, Moment, write_script
from performers.truth import SOURCE_TRUTH, record_demo, record_source
from performers.voice import SAMPLES_PER_S, speak_aloud
from vision.tables import TRUTH, make_table, write_table
from vision.video_write import VideoWriter, footage_format

TARGET, SOURCE, RANGE, TURNED = "ada", "ben", "ben_range", "ben_turned"
SCENES = ("demo", "source", "range", "turned")
CRF, TRUTH_CRF = 16, 12
PRESET = "slow"


class Order(NamedTuple):
    """What to render: frames [first, end) at `scale` times 640x360, on `jobs` processes, below `out`."""

    out: Path
    first: int
    end: int | None
    scale: float
    jobs: int

    def cut(self, script: tuple[Moment, ...]) -> tuple[Moment, ...]:
        """The moments asked for."""
        return script[self.first : self.end]


def main() -> None:
    """Read the command line and render."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=SCENES, help="what to render; without: all")
    parser.add_argument("--out", type=Path, default=Path(), help="folder below which clips/ and performers/ lie")
    parser.add_argument("--first", type=int, default=0, help="first frame")
    parser.add_argument("--end", type=int, default=None, help="one past the last frame")
    parser.add_argument("--scale", type=float, default=1.0, help="size, times 640x360")
    parser.add_argument("--jobs", type=int, default=2, help="processes, a thread each")
    options = vars(parser.parse_args())
    scenes = options.pop("scenes")
    with one_line_errors():
        render_scenes(scenes, Order(**options))


def render_scenes(scenes: list[str], order: Order) -> None:
    """Render the scenes named, sharing one set of processes."""
    with ProcessPoolExecutor(order.jobs, get_context("spawn"), use_one_thread) as pool:
        if "demo" in scenes:
            render_demo(pool, order)
        if "source" in scenes:
            render_source(pool, order)
        if "range" in scenes:
            render_own(pool, order, RANGE, "take2.mp4")
        if "turned" in scenes:
            render_own(pool, order, TURNED, "take3.mp4")


def use_one_thread() -> None:
    """Keep a process to one thread: processes share the frames already."""
    torch.set_num_threads(1)


def render_demo(pool: ProcessPoolExecutor, order: Order) -> None:
    """Ada's take with its sound, the truth of its swap, and the table of both."""
    moments = order.cut(write_script(TARGET))
    rows = []
    truth_folder = order.out / "performers/truth"
    with (
        open_clip(order.out / f"clips/{TARGET}/take1.mp4", CRF, order, sound_of=TARGET) as clip,
        open_clip(truth_folder / "demo.mp4", TRUTH_CRF, order) as truth_clip,
    ):
        for index, (target, truth) in enumerate(perform(pool, (TARGET, SOURCE), moments, order)):
            clip.write_rgb(target.picture, index)
            truth_clip.write_rgb(truth.picture, index)
            rows.append(record_demo(moments[index], target, truth))
    write_table(make_table(rows, TRUTH), truth_folder / "demo.parquet", TRUTH)


def render_source(pool: ProcessPoolExecutor, order: Order) -> None:
    """Ben's first take and its table."""
    rows = render_own(pool, order, SOURCE, "take1.mp4")
    write_table(make_table(rows, SOURCE_TRUTH), order.out / "performers/truth/source.parquet", SOURCE_TRUTH)


def render_own(pool: ProcessPoolExecutor, order: Order, take: str, clip: str) -> list[dict[str, object]]:
    """A take of ben's own, written to a clip of his; a row of `SOURCE_TRUTH` for each frame."""
    moments = order.cut(write_script(take))
    rows = []
    with open_clip(order.out / f"clips/{SOURCE}/{clip}", CRF, order) as writer:
        for index, (frame,) in enumerate(perform(pool, (SOURCE,), moments, order)):
            writer.write_rgb(frame.picture, index)
            rows.append(record_source(moments[index], frame))
    return rows


def perform(
    pool: ProcessPoolExecutor, names: tuple[str, ...], moments: tuple[Moment, ...], order: Order
) -> Iterator[list[Frame]]:
    """For each moment, in order, its frame as played by each of the performers named."""
    count = len(moments)
    return pool.map(play, [names] * count, moments, [order.scale] * count)


def play(names: tuple[str, ...], moment: Moment, scale: float) -> list[Frame]:
    """Frames of one moment, as played by each of the performers named."""
    return [render_frame(IDENTITIES[name], moment, scale) for name in names]


@contextmanager
def open_clip(path: Path, crf: int, order: Order, sound_of: str | None = None) -> Iterator[VideoWriter]:
    """A clip to write frames to, with the voice of a performer if one is named."""
    size = (round(HEIGHT * order.scale), round(WIDTH * order.scale))
    with VideoWriter(path, footage_format(size, Fraction(FRAMES_PER_S)), crf=crf, preset=PRESET) as writer:
        if sound_of is not None:
            samples = speak_aloud(sound_of)
            bounds = [None if n is None else n * SAMPLES_PER_S // FRAMES_PER_S for n in (order.first, order.end)]
            writer.write_sound(samples[slice(*bounds)], SAMPLES_PER_S)
        yield writer


if __name__ == "__main__":
    main()
