"""Short gaps of the detector in a track: the landmarks between are interpolated."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TrackedFace:
    """A face of a track in one frame. `landmarks`: (478, 3) mesh or (5, 2) five, frame pixels."""

    frame: int
    track: int
    kind: str
    landmarks: NDArray[np.float32]
    is_bridged: bool = False


def bridge_gaps(faces: Iterable[TrackedFace], max_gap: int) -> Iterator[TrackedFace]:
    """Pass the faces on in order of frames, with those added that a track lacks for at most `max_gap` frames.

    Landmarks between two faces of one kind are interpolated linearly. Faces wait for at most `max_gap` frames, so
    memory does not grow with the clip.
    """
    last: dict[int, TrackedFace] = {}
    waiting: list[TrackedFace] = []
    for face in faces:
        before = last.get(face.track)
        if before and 1 < face.frame - before.frame <= max_gap + 1 and before.kind == face.kind:
            waiting += _between(before, face)
        waiting.append(face)
        last[face.track] = face
        waiting.sort(key=lambda f: (f.frame, f.track))
        while waiting and waiting[0].frame < face.frame - max_gap:
            yield waiting.pop(0)
    yield from waiting


def _between(first: TrackedFace, second: TrackedFace) -> list[TrackedFace]:
    n = second.frame - first.frame
    return [
        replace(
            first,
            frame=first.frame + i,
            landmarks=(first.landmarks * (1 - i / n) + second.landmarks * (i / n)).astype(np.float32),
            is_bridged=True,
        )
        for i in range(1, n)
    ]
