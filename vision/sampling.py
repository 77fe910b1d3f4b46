"""The frames of a clip, looked at one by one: where shots start, and which of them the face set may use, and why not.

Times are exact fractions; sharpness and differences are in grey levels of luma with 8 bits.
"""

from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from vision.ahead import read_ahead
from vision.clip import ClipInfo, Frame, Part
from vision.clip_read import probe_clip
from vision.hashing import check_clip
from vision.parts import PartFinder
from vision.picture_hash import EVERY, hash_look
from vision.planes import Array
from vision.tables import FRAMES, make_table

SHARPNESS_LINES = 360
MAX_ENLARGING = 2  # of pictures with fewer lines: 16 lines would become a picture of any width
SMALL_SIZE = (64, 36)
# A frame that differs from the one before this many times as much as any of the last frames did is a jump in a scene.
JUMP_FACTOR = 8
JUMP_FRAMES = 12
# Differences below this are noise, to jumps.
JUMP_FLOOR = 0.004
# Variance of luma (grey levels squared) that is taken for noise of a flat picture.
FLAT_VARIANCE = 1.0
_PIECE_ROWS = 4096


@dataclass(frozen=True)
class Rules:
    """Which frames of a clip the face set takes, and from how unlike frames on there is a cut."""

    interval_s: float
    is_in_faceset: bool
    cut_threshold: float
    duplicate_threshold: float
    min_sharpness: float


@dataclass(frozen=True)
class Sampling:
    """A clip that is to be sampled: work that can be spread."""

    clip: Path
    clip_sha256: str
    rules: Rules

    def __str__(self) -> str:
        return str(self.clip)


@dataclass(frozen=True)
class Sampled:
    """A sampled clip: the first frames of its shots, its parts, and the rows of FRAMES in pieces."""

    info: ClipInfo
    starts: list[int]
    parts: list[Part]
    pieces: list[pd.DataFrame]


def sample_clip(sampling: Sampling) -> Sampled:
    """Look at every frame of a clip. Raises ClipError."""
    check_clip(sampling.clip, sampling.clip_sha256)
    info = probe_clip(sampling.clip)
    key = {"clip": sampling.clip.name, "clip_sha256": sampling.clip_sha256}
    picker, cuts = Picker(sampling.rules, is_stills=info.is_stills), Cuts(sampling.rules.cut_threshold)
    parts = PartFinder(sampling.clip)
    starts: list[int] = []
    rows: list[dict[str, object]] = []
    pieces: list[pd.DataFrame] = []
    for frame in read_ahead(sampling.clip):
        parts.see(frame)
        luma = scale_luma(frame)
        small = shrink_luma(luma)
        if info.is_stills or cuts.is_cut(small):
            starts.append(frame.index)
        row = picker.judge(frame.pts * info.time_base, luma, small)
        look = hash_look(frame.planes[0]) if frame.index % EVERY == 0 else 0
        rows.append({**key, "frame": frame.index, "pts": frame.pts, "shot": len(starts) - 1, "look": look, **row})
        if len(rows) == _PIECE_ROWS:
            pieces.append(make_table(rows, FRAMES))
            rows.clear()
    pieces.append(make_table(rows, FRAMES))
    return Sampled(info, starts, parts.find(), pieces)


def scale_luma(frame: Frame) -> Array:
    """Luma of 360 lines at most, float32 (H, W), in grey levels of 8 bits."""
    luma = frame.planes[0].astype(np.float32)
    scaled = _scale(luma, SHARPNESS_LINES, cv2.INTER_AREA) if len(luma) > SHARPNESS_LINES else luma
    return np.asarray(scaled / (1 << (frame.layout.bits - 8)), np.float32)


def shrink_luma(luma: Array) -> Array:
    """The luma at 64 x 36 pixels, float32 (36, 64)."""
    return np.asarray(cv2.resize(luma, SMALL_SIZE, interpolation=cv2.INTER_AREA), np.float32)


def measure_sharpness(luma: Array) -> float:
    """Variance of the Laplacian of a luma of 360 lines; of fewer it is enlarged to them, or to twice its own."""
    lines = min(SHARPNESS_LINES, MAX_ENLARGING * len(luma))
    scaled = luma if lines == len(luma) else _scale(luma, lines, cv2.INTER_LINEAR)
    return float(cv2.Laplacian(scaled, cv2.CV_32F).var())


def _scale(luma: Array, lines: int, method: int) -> Array:
    height, width = luma.shape
    return np.asarray(cv2.resize(luma, (max(1, round(width * lines / height)), lines), interpolation=method))


@dataclass
class Cuts:
    """Finds the first frames of shots, from small lumas in order.

    Two frames are as unlike as the part of their contrast that they do not share: 1 - 2<a, b> / (<a, a> + <b, b>), each
    with its mean removed, which leaves changes of exposure out. A cut is at least `threshold` unlike, or a jump.
    """

    threshold: float
    _last: Array | None = None
    _history: deque[float] = field(default_factory=lambda: deque(maxlen=JUMP_FRAMES))

    def is_cut(self, small: Array) -> bool:
        """Whether a shot starts with this frame; the first frame of a clip starts one."""
        contrast = small - small.mean()
        last, self._last = self._last, contrast
        if last is None:
            return True
        unlike = _measure_unlikeness(last, contrast)
        is_known = len(self._history) == JUMP_FRAMES
        is_jump = is_known and unlike > JUMP_FACTOR * (max(self._history) + JUMP_FLOOR)
        is_cut = is_jump or unlike >= self.threshold
        self._history.append(unlike)
        if is_cut:
            self._history.clear()
        return is_cut


def _measure_unlikeness(first: Array, second: Array) -> float:
    shared = 2 * float((first * second).mean()) + FLAT_VARIANCE
    return min(1 - shared / (float((first * first).mean() + (second * second).mean()) + FLAT_VARIANCE), 1.0)


class Picker:
    """Decides frame by frame whether the face set may use it."""

    def __init__(self, rules: Rules, *, is_stills: bool) -> None:
        # The decimal that params.yaml says, not the binary number nearest to it: 0.04 s is a frame at 25 a second.
        # Stills have no time.
        self._interval = Fraction(0) if is_stills else Fraction(str(rules.interval_s))
        self._rules = rules
        self._taken: Array | None = None
        self._taken_time = Fraction(0)

    def judge(self, time: Fraction, luma: Array, small: Array) -> dict[str, object]:
        """Sharpness, difference to the last frame taken, and the reason against this one (empty: it is taken).

        `time` in seconds; `luma` and `small` as `scale_luma` and `shrink_luma` give them.
        """
        sharpness = measure_sharpness(luma)
        difference = float("nan") if self._taken is None else float(np.abs(small - self._taken).mean())
        reason = self._find_reason(time, sharpness, difference)
        if not reason:
            self._taken, self._taken_time = small, time
        return {"sharpness": sharpness, "difference": difference, "reason": reason}

    def _find_reason(self, time: Fraction, sharpness: float, difference: float) -> str:
        if not self._rules.is_in_faceset:
            return "not in face set"
        if self._taken is not None and time - self._taken_time < self._interval:
            return "interval"
        if sharpness < self._rules.min_sharpness:
            return "blurred"
        return "duplicate" if difference < self._rules.duplicate_threshold else ""
