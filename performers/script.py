"""What the performers do: a script is one `Moment` a frame, made from keyframes, syllables and blinks.

Everything follows from the name of the clip; nothing is drawn from a clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

FRAMES_PER_S = 24
Curve = NDArray[np.float64]
Keys = Sequence[tuple[float, float]]
BLINK = (0.72, 0.28, 0.0, 0.0, 0.22, 0.55, 0.85)


@dataclass(frozen=True)
class Moment:
    """One frame of a performance and its scene.

    Angles are degrees with the signs of `vision`; the face looks along (sin yaw cos pitch, sin pitch,
    cos yaw cos pitch) and rolls about that line. `mouth_open`, `smile` and `eye_open` lie in [0, 1],
    `mouth_width` (puckered to wide) and `brow` in [-1, 1]. Shifts are centimeters.
    """

    frame: int
    scene: str
    yaw: float
    pitch: float
    roll: float
    mouth_open: float
    mouth_width: float
    smile: float
    eye_open: float
    gaze_x: float
    gaze_y: float
    brow: float
    head_x: float
    head_y: float
    camera_x: float
    camera_y: float
    camera_z: float
    light_yaw: float
    light_pitch: float
    light: float
    warmth: float


@dataclass(frozen=True)
class Syllable:
    """One opening of the mouth: when it starts and how long it lasts (seconds), how wide, how rounded."""

    start_s: float
    length_s: float
    height: float
    width: float


@dataclass(frozen=True)
class Script:
    """Keyframes (second, value) of every curve, times of speech and of blinks (seconds)."""

    n_frames: int
    seed: int
    curves: dict[str, Keys]
    speech: tuple[tuple[float, float], ...]
    blinks_s: tuple[float, ...]


ADA_TAKE = Script(
    n_frames=240,
    seed=101,
    curves={
        "yaw": [(0, -4), (1.2, 3), (2.4, -33), (3.3, -34), (4.3, 0), (5.3, 33), (6.2, 34), (7.2, 4), (8.4, -12), (10, 6)],
        "pitch": [(0, 0), (1.5, 3), (3, -3), (4.2, 2), (5.6, 4), (6.6, -2), (7.4, 14), (8.4, -14), (9.3, -2), (10, 1)],
        "roll": [(0, 0), (1, 3), (2.6, -4), (4.4, 11), (5.6, 2), (7.0, -11), (8.2, 3), (10, -2)],
        "smile": [(0, 0.1), (1.8, 0.1), (2.9, 0.5), (3.8, 0.1), (6.3, 0.15), (7.0, 0.9), (7.7, 0.8), (8.4, 0.1), (9.4, 0.4), (10, 0.7)],
        "brow": [(0, 0), (1.0, 0.4), (2.0, 0), (4.4, 0.9), (5.0, 0.1), (6.6, -0.7), (7.4, 0.5), (8.4, -0.4), (10, 0.3)],
        "gaze_x": [(0, 0), (1.4, 2), (1.6, -10), (2.6, 8), (3.4, 14), (4.0, 0), (5.0, -8), (6.0, -16), (7.0, 0), (8.5, 10), (9.2, 0), (10, 0)],
        "gaze_y": [(0, 0), (2, 0), (3, 5), (4, 0), (7.3, -8), (8.3, 9), (9.2, 0), (10, 0)],
        "head_x": [(0, 0), (3, -1.2), (6, 1.3), (10, 0)],
        "camera_x": [(0, -3), (10, 3.5)],
        "camera_z": [(0, 0), (10, -4)],
        "light_yaw": [(0, -38), (5, -18), (10, -44)],
        "light": [(0, 1.0), (3.0, 1.08), (5.0, 0.86), (7.5, 1.05), (10, 0.95)],
        "warmth": [(0, 0.55), (5, 0.35), (10, 0.7)],
    },
    speech=((0.3, 2.1), (2.5, 3.7), (4.0, 6.7), (7.5, 9.3)),
    blinks_s=(0.9, 2.15, 3.55, 5.0, 6.0, 7.9, 9.1),
)

BEN_TAKE = Script(
    n_frames=300,
    seed=202,
    curves={
        "yaw": [(0, 5), (1.0, -5), (2.0, 18), (3.0, 38), (4.0, 36), (5.2, 4), (6.2, -22), (7.2, -38), (8.2, -36), (9.2, -8), (10.4, 10), (11.4, -12), (12.5, 0)],
        "pitch": [(0, 0), (0.8, 8), (1.7, -16), (2.6, 2), (3.5, 12), (4.4, -10), (5.2, 16), (6.1, -4), (7.0, 10), (7.9, -12), (8.8, 2), (9.8, 17), (10.9, -17), (11.8, 4), (12.5, 0)],
        "roll": [(0, 0), (1.2, -8), (2.4, 4), (3.4, -5), (4.8, 13), (6.0, -13), (7.4, 5), (8.4, -4), (9.4, 8), (10.6, -10), (12.5, 0)],
        "smile": [(0, 0), (1.2, 0.7), (2.0, 0.1), (3.2, 0.6), (4.2, 0), (5.4, 1.0), (6.2, 0.2), (7.5, 0.8), (8.5, 0), (10.0, 0.9), (10.8, 0.2), (11.6, 0.6), (12.5, 0.1)],
        "brow": [(0, 0), (1.5, 0.9), (2.5, -0.7), (4.0, 0.6), (5.5, 1.0), (6.5, -0.8), (8.0, 0.8), (9.5, 0), (10.5, 0.9), (12.5, -0.3)],
        "gaze_x": [(0, 0), (1.0, 12), (2.0, -12), (3.2, -16), (4.0, 6), (5.0, 0), (6.4, 12), (7.6, 16), (8.4, -4), (9.5, 0), (10.3, -14), (11.4, 12), (12.5, 0)],
        "gaze_y": [(0, 0), (1.7, 10), (2.8, -6), (4.4, 8), (5.4, -9), (7.0, 5), (9.8, -9), (10.9, 10), (12.5, 0)],
        "head_x": [(0, 0), (3.5, 1.3), (7.7, -1.3), (12.5, 0)],
        "camera_x": [(0, 3), (12.5, -3)],
        "camera_z": [(0, -2), (12.5, 3)],
        "light_yaw": [(0, 40), (4, -25), (8, 30), (12.5, -40)],
        "light": [(0, 0.92), (3.0, 1.08), (6.0, 0.86), (9, 1.08), (12.5, 0.95)],
        "warmth": [(0, 0.3), (4, 0.6), (8, 0.25), (12.5, 0.65)],
    },
    speech=((0.2, 4.1), (4.4, 9.0), (9.2, 12.4)),
    blinks_s=(0.6, 1.7, 2.6, 3.5, 4.6, 5.8, 6.9, 7.6, 8.5, 9.9, 11.0, 11.9),
)

SCRIPTS = {"ada": ADA_TAKE, "ben": BEN_TAKE}


def follow_keys(keys: Keys, times: Curve) -> Curve:
    """Values at `times` (seconds): each stretch between two keys eased by a cubic with level ends."""
    at = np.array([key[0] for key in keys], dtype=float)
    value = np.array([key[1] for key in keys], dtype=float)
    index = np.clip(np.searchsorted(at, times, side="right") - 1, 0, len(at) - 2)
    t = np.clip((times - at[index]) / (at[index + 1] - at[index]), 0, 1)
    eased: Curve = value[index] + (value[index + 1] - value[index]) * t * t * (3 - 2 * t)
    return eased


@cache
def write_syllables(name: str) -> tuple[Syllable, ...]:
    """Syllables of a clip, four or five a second wherever the script speaks."""
    script = SCRIPTS[name]
    generator = np.random.default_rng(script.seed)
    syllables = []
    for start, end in script.speech:
        while start < end - 0.15:
            length = float(generator.uniform(0.17, 0.30))
            height, width = float(generator.uniform(0.25, 1.0)), float(generator.uniform(-0.9, 0.9))
            syllables.append(Syllable(start, length, height, width))
            start += length * float(generator.uniform(0.85, 1.15))
    return tuple(syllables)


def speak(name: str, times: Curve) -> tuple[Curve, Curve]:
    """Opening [0, 1] and width [-1, 1] of the mouth at `times` (seconds)."""
    opening, width = np.zeros_like(times), np.zeros_like(times)
    for syllable in write_syllables(name):
        t = (times - syllable.start_s) / syllable.length_s
        pulse = np.where((t > 0) & (t < 1), np.sin(np.pi * np.clip(t, 0, 1)) ** 2, 0)
        opening = np.maximum(opening, syllable.height * pulse)
        width += syllable.width * pulse
    return opening, np.clip(width, -1, 1)


def blink(script: Script, times: Curve) -> Curve:
    """Opening of the eyes in [0, 1]: open but for the blinks, which close fully for two frames."""
    opening = 0.93 + 0.07 * np.sin(times * 1.7 + script.seed)
    for at in script.blinks_s:
        first = round(at * FRAMES_PER_S)
        opening[first : first + len(BLINK)] *= BLINK[: len(opening) - first]
    return opening


def wander(script: Script, times: Curve, index: int) -> Curve:
    """A small seeded unrest, of about +-1."""
    phase = np.random.default_rng((script.seed, index)).uniform(0, 2 * np.pi, 3)
    rates = np.array([1.9, 3.1, 5.3])
    waves: Curve = np.sin(times[:, None] * rates + phase) @ np.array([0.5, 0.35, 0.15])
    return waves


@cache
def write_script(name: str) -> tuple[Moment, ...]:
    """All moments of the clip of performer `name`."""
    script = SCRIPTS[name]
    times = np.arange(script.n_frames) / FRAMES_PER_S
    curves = {field: follow_keys(keys, times) for field, keys in script.curves.items()}
    curves["mouth_open"], curves["mouth_width"] = speak(name, times)
    curves["eye_open"] = blink(script, times) * (1 - 0.15 * curves["smile"])
    for index, field in enumerate(("yaw", "pitch", "roll")):
        curves[field] = curves[field] + wander(script, times, index)
    curves["head_y"] = 0.25 * wander(script, times, 3)
    curves["camera_y"] = 1.0 + 0.6 * wander(script, times * 0.3, 4)
    curves["light_pitch"] = 32 + 6 * wander(script, times * 0.3, 5)
    rows = ({field: float(curve[frame]) for field, curve in curves.items()} for frame in range(script.n_frames))
    return tuple(Moment(frame=frame, scene=name, **row) for frame, row in enumerate(rows))
