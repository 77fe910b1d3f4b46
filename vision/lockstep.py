"""Several videos of one performance read frame by frame together; where they part, an error says which and where."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from errors import ClipError
from vision.clip import ClipInfo, Frame, Part
from vision.clip_read import probe_clip, read_frames


def read_lockstep(paths: tuple[Path, ...], part: Part | None = None) -> Iterator[tuple[Frame, ...]]:
    """The n-th frame of each video, in order. All must have the size, the times and the number of frames of the first.

    `part`: only these frames, its time being the first video's; each video must have a key frame where it begins, and
    whether one goes on after the last is not looked at. Times are compared in seconds, to half a tick of the coarser
    time base. Raises ClipError.
    """
    infos = tuple(probe_clip(path) for path in paths)
    for info in infos[1:]:
        if (info.height, info.width) != (infos[0].height, infos[0].width):
            raise ClipError(
                f"{info.path}: is {info.width} x {info.height}, but {infos[0].path} is "
                f"{infos[0].width} x {infos[0].height}; the two must show the same pictures"
            )
    parts = [part and replace(part, first_pts=_move_pts(part.first_pts, infos[0], info)) for info in infos]
    reading = (read_frames(path, own) for path, own in zip(paths, parts, strict=True))
    for index, frames in enumerate(zip_longest(*reading), part.first_frame if part else 0):
        yield _check_frames(index, frames, infos)


def _move_pts(pts: int, first: ClipInfo, other: ClipInfo) -> int:
    """A time of the first video in another one's time base."""
    return round(pts * first.time_base / other.time_base)


def _check_frames(index: int, frames: tuple[Frame | None, ...], infos: tuple[ClipInfo, ...]) -> tuple[Frame, ...]:
    """The frames, none of which is missing or at another time than the first video's."""
    present = tuple(frame for frame in frames if frame is not None)
    if len(present) < len(frames):
        short = next(info for frame, info in zip(frames, infos, strict=True) if frame is None)
        more = next(info for frame, info in zip(frames, infos, strict=True) if frame is not None)
        raise ClipError(f"{short.path}: ends after {index} frames, {more.path} goes on; rerun what made the shorter")
    for frame, info in zip(present, infos, strict=True):
        first, own = present[0].pts * infos[0].time_base, frame.pts * info.time_base
        if abs(own - first) * 2 > max(infos[0].time_base, info.time_base):
            raise ClipError(
                f"{info.path}: frame {index} is shown at {float(own):.4f} s, in {infos[0].path} at "
                f"{float(first):.4f} s; rerun what made it"
            )
    return present
