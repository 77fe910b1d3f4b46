"""Landmarks smoothed along their track, forward and backward alike, so that nothing lags.

A quadratic is fitted through a few frames about each (Savitzky and Golay 1964): narrowly where a point moves, widely
where it does so by no more than the noise of its landmarks. So a still face does not tremble, and a blink stays one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import savgol_filter

from vision.bridge import TrackedFace

NARROW, WIDE = 5, 11  # frames
MOTION_SIGMAS = 2.0  # between what the wide and the narrow window give, in noise's deviations, where both count half
SPREAD = 5  # frames over which a motion counts before and after
NOISE_FLOOR_PX = 0.02
BLOCK, MARGIN = 250, 16  # frames that are smoothed together, and those that are looked at beside them

Track = NDArray[np.float64]


def smooth_faces(faces: Iterable[TrackedFace]) -> Iterator[TrackedFace]:
    """The faces, in order of frames, with smoothed landmarks; memory does not grow with their number."""
    waiting: list[TrackedFace] = []
    start = 0
    for face in faces:
        while face.frame >= start + BLOCK + MARGIN:
            yield from _smooth_block(waiting, start)
            start += BLOCK
            waiting = [one for one in waiting if one.frame >= start - MARGIN]
        waiting.append(face)
    while waiting and waiting[-1].frame >= start:
        yield from _smooth_block(waiting, start)
        start += BLOCK


def smooth_track(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """The landmarks (N, P, 2 or 3) of one face in N frames in a row, smoothed; fewer than five stay as they are."""
    if len(landmarks) < NARROW:
        return landmarks
    raw = landmarks.astype(np.float64)
    narrow = savgol_filter(raw, NARROW, 2, axis=0, mode="interp")
    wide = savgol_filter(raw, min(WIDE, len(raw) - 1 + len(raw) % 2), 2, axis=0, mode="interp")
    weight = _find_motion(narrow - wide, _measure_noise(raw - narrow))[..., None]
    smoothed: NDArray[np.float32] = (wide + weight * (narrow - wide)).astype(np.float32)
    return smoothed


def _smooth_block(waiting: list[TrackedFace], start: int) -> Iterator[TrackedFace]:
    """Those of the faces that lie in the block, smoothed with what lies beside it."""
    places = {(face.frame, face.track): index for index, face in enumerate(waiting)}
    smoothed: dict[int, NDArray[np.float32]] = {}
    for run in _find_runs(waiting):
        landmarks = smooth_track(np.stack([face.landmarks for face in run]))
        smoothed |= {places[face.frame, face.track]: points for face, points in zip(run, landmarks, strict=True)}
    for index, face in enumerate(waiting):
        if start <= face.frame < start + BLOCK:
            yield replace(face, landmarks=smoothed[index])


def _find_runs(faces: list[TrackedFace]) -> Iterator[list[TrackedFace]]:
    """The faces by track, cut where frames are missing or the landmarks are of another kind."""
    runs: dict[int, list[TrackedFace]] = {}
    for face in faces:
        run = runs.setdefault(face.track, [])
        if run and (run[-1].frame != face.frame - 1 or run[-1].kind != face.kind):
            yield run
            run = runs[face.track] = []
        run.append(face)
    yield from runs.values()


def _measure_noise(residuals: Track) -> Track:
    """The deviation of each point's x and y, (P, 2), from what the narrow window leaves: robust against motion."""
    kept = 1 - 17 / 35  # of the noise's variance, by a quadratic through five
    deviation: Track = 1.4826 * np.median(np.abs(residuals[..., :2]), axis=0) / np.sqrt(kept)
    return np.maximum(deviation, NOISE_FLOOR_PX)


def _find_motion(difference: Track, noise: Track) -> Track:
    """For each frame and point (N, P) how far it moves, from 0 (not at all) to 1."""
    sigmas = np.sqrt(((difference[..., :2] / noise) ** 2).mean(axis=2))
    motion = 1 / (1 + (MOTION_SIGMAS / np.maximum(sigmas, 1e-6)) ** 4)
    spread: Track = uniform_filter1d(maximum_filter1d(motion, SPREAD, axis=0), SPREAD, axis=0)
    return spread
