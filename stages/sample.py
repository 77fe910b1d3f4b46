"""Clips of one identity -> shots (cuts), parts (that can be read on their own) and frames (each with why the face set
may not use it), as Parquet tables. Of a folder of stills every picture is a shot.

No pictures are written: later stages decode the clip. Times are exact fractions; sharpness and differences are in grey
levels of luma with 8 bits.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np

from errors import ClipError, ParamsError, one_line_errors
from stages.originals import register_originals
from stages.params import Sample, pick, read_key, read_params
from stages.permission import is_recorded, require_consent
from vision.ahead import read_ahead
from vision.clip import ClipInfo, Frame
from vision.clip_read import list_clips, probe_clip
from vision.hashing import hash_file
from vision.parts import PartFinder
from vision.picture_hash import EVERY, hash_look
from vision.planes import Array
from vision.tables import FRAMES, PARTS, SHOTS, TableWriter

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
ROWS_PER_WRITE = 4096


def sample(
    clips: Path,
    shots: Path,
    parts: Path,
    frames: Path,
    interval_s: float,
    faceset: Literal["all"] | list[str],
    params: Sample,
) -> None:
    """Write the tables of shots, parts and frames of all clips in a folder. Raises ClipError, ParamsError."""
    paths = list_clips(clips)
    check_faceset(faceset, paths, clips)
    known: dict[str, Path] = {}
    with (
        TableWriter(shots, SHOTS) as of_shots,
        TableWriter(parts, PARTS) as of_parts,
        TableWriter(frames, FRAMES) as of_frames,
    ):
        for path in paths:
            info = probe_clip(path)
            # Stills have no time.
            picker = Picker(0 if info.is_stills else interval_s, params, faceset == "all" or path.name in faceset)
            _sample_clip(info, known, picker, Cuts(params.cut_threshold), _Writers(of_shots, of_parts, of_frames))


def check_faceset(faceset: Literal["all"] | list[str], clips: list[Path], folder: Path) -> None:
    """Raises ParamsError for a name in the face set's list that is none of the folder's clips."""
    names = [clip.name for clip in clips]
    unknown = [] if faceset == "all" else [name for name in faceset if name not in names]
    if unknown:
        raise ParamsError(f"faceset: there is no clip {unknown[0]!r} in {folder}; there are: {', '.join(names)}")


class _Writers(NamedTuple):
    shots: TableWriter
    parts: TableWriter
    frames: TableWriter


def _sample_clip(info: ClipInfo, known: dict[str, Path], picker: "Picker", cuts: "Cuts", writers: _Writers) -> None:
    """Write one clip's rows. `known` holds the clips before it by their hashes, and then this one."""
    clip = info.path
    parts = PartFinder(clip)
    key = {"clip": clip.name, "clip_sha256": _hash_new(clip, known)}
    starts: list[int] = []
    rows: list[dict[str, object]] = []
    n_frames = n_used = 0
    for frame in read_ahead(clip):
        parts.see(frame)
        luma = scale_luma(frame)
        small = shrink_luma(luma)
        if info.is_stills or cuts.is_cut(small):
            starts.append(frame.index)
        row = picker.judge(frame.pts * info.time_base, luma, small)
        look = hash_look(frame.planes[0]) if frame.index % EVERY == 0 else 0
        rows.append({**key, "frame": frame.index, "pts": frame.pts, "shot": len(starts) - 1, "look": look, **row})
        n_frames, n_used = n_frames + 1, n_used + (not row["reason"])
        if len(rows) == ROWS_PER_WRITE:
            writers.frames.write_rows(rows)
            rows.clear()
    writers.frames.write_rows(rows)
    writers.shots.write_rows(list(_shot_rows(key, starts, n_frames)))
    writers.parts.write_rows([{**key, "part": index, **asdict(part)} for index, part in enumerate(parts.find())])
    counted = f"{n_frames} stills" if info.is_stills else f"{n_frames} frames, {len(starts) - 1} cuts"
    print(f"{clip}: {counted}, {n_used} used")
    for note in info.notes:
        print(f"{clip}: note: {note}")


def _hash_new(clip: Path, known: dict[str, Path]) -> str:
    """The hash of a clip that is none of `known`: twins' faces would be trained on and validated with."""
    sha256 = hash_file(clip)
    if sha256 in known:
        raise ClipError(f"{clip}: has the same bytes as {known[sha256].name}; remove one of them")
    known[sha256] = clip
    return sha256


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

    def __init__(self, interval_s: float, params: Sample, is_in_faceset: bool) -> None:
        # The decimal that params.yaml says, not the binary number nearest to it: 0.04 s is a frame at 25 a second.
        self._interval = Fraction(str(interval_s))
        self._params = params
        self._is_in_faceset = is_in_faceset
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
        if not self._is_in_faceset:
            return "not in face set"
        if self._taken is not None and time - self._taken_time < self._interval:
            return "interval"
        if sharpness < self._params.min_sharpness:
            return "blurred"
        return "duplicate" if difference < self._params.duplicate_threshold else ""


def _shot_rows(key: dict[str, str], starts: list[int], n_frames: int) -> Iterator[dict[str, object]]:
    for shot, (first, end) in enumerate(zip(starts, [*starts[1:], n_frames], strict=True)):
        yield {**key, "shot": shot, "first_frame": first, "end_frame": end}


def main() -> None:
    with one_line_errors():
        key = read_key("sample")
        params = read_params()
        require_consent("sample", key, params)
        sample(
            clips=Path(pick(params.identities, "identities", key).clips),
            shots=Path(f"data/sample/{key}/shots.parquet"),
            parts=Path(f"data/sample/{key}/parts.parquet"),
            frames=Path(f"data/sample/{key}/frames.parquet"),
            interval_s=params.identities[key].interval_s,
            faceset=params.identities[key].faceset,
            params=params.sample,
        )
        if is_recorded(params.identities[key].consent):
            register_originals(key, Path(f"data/sample/{key}/frames.parquet"))


if __name__ == "__main__":
    main()
