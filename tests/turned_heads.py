"""The performers with their heads turned by given angles: pictures with the place of the face."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from multiprocessing import get_context

import numpy as np
import torch

from performers.frame import render_frame
from performers.identity import IDENTITIES
from performers.script import FRAMES_PER_S, write_script
from vision.clip import Frame
from vision.planes import rgb_to_planes
from vision.video_write import footage_format


@dataclass(frozen=True)
class Turned:
    """A performer's frame of their script, with the head's yaw replaced."""

    name: str
    moment: int
    yaw: float
    scale: float


@dataclass(frozen=True)
class TurnedHead:
    """The frame, and the middle of the face's visible part, pixels."""

    turned: Turned
    frame: Frame
    middle: tuple[float, float]

    def is_in(self, box: np.ndarray) -> bool:
        """Whether a box (4,) holds the face's middle."""
        x, y = self.middle
        return bool(box[0] < x < box[2] and box[1] < y < box[3])


def list_turned(yaws: tuple[float, ...], n_moments: int, scale: float) -> list[Turned]:
    """Both performers, both sides, `n_moments` moments each."""
    moments = np.linspace(5, 235, n_moments).astype(int).tolist()
    return [
        Turned(name, moment, side * yaw, scale)
        for name in IDENTITIES
        for yaw in yaws
        for side in (-1, 1)
        for moment in moments
    ]


def render_turned(turned: list[Turned], jobs: int = 1) -> Iterator[TurnedHead]:
    """Render them, in order, on so many processes."""
    if jobs == 1:
        yield from map(_render, turned)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        yield from pool.map(_render, turned)


def _render(turned: Turned) -> TurnedHead:
    moment = replace(write_script(turned.name)[turned.moment], yaw=float(turned.yaw))
    rendered = render_frame(IDENTITIES[turned.name], moment, turned.scale)
    layout = footage_format(rendered.mask.shape, Fraction(FRAMES_PER_S)).layout
    frame = Frame(0, 0, 1, rgb_to_planes(rendered.picture, layout), layout, is_key=True)
    rows, columns = np.nonzero(rendered.mask)
    middle = ((columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2)
    return TurnedHead(turned, frame, middle)
