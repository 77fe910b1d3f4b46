"""What the performers do: a script is one `Moment` a frame, made from keyframes, syllables and blinks.

Everything follows from the name of the take; nothing is drawn from a clock.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from performers.takes import SCRIPTS, Script

FRAMES_PER_S = 24
Curve = NDArray[np.float64]
BLINK = (0.72, 0.28, 0.0, 0.0, 0.0, 0.22, 0.55, 0.85)


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


def follow_keys(keys: str, times: Curve) -> Curve:
    """Values at `times` (seconds) of a curve of keys: each stretch eased by a cubic with level ends."""
    at, value = np.array([key.split(":") for key in keys.split()], dtype=float).T
    index = np.clip(np.searchsorted(at, times, side="right") - 1, 0, len(at) - 2)
    t = np.clip((times - at[index]) / (at[index + 1] - at[index]), 0, 1)
    eased: Curve = value[index] + (value[index + 1] - value[index]) * t * t * (3 - 2 * t)
    return eased


@cache
def write_syllables(name: str) -> tuple[Syllable, ...]:
    """Syllables of a take, four or five a second wherever the script speaks."""
    script = SCRIPTS[name]
    generator = np.random.default_rng(script.seed)
    syllables = []
    for start, end in script.speech:
        at = start
        while at < end - 0.15:
            length = float(generator.uniform(0.17, 0.30))
            height, width = float(generator.uniform(0.25, 1.0)), float(generator.uniform(-0.9, 0.9))
            syllables.append(Syllable(at, length, height, width))
            at += length * float(generator.uniform(0.85, 1.15))
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
    """Opening of the eyes in [0, 1]: open but for the blinks, which close fully for three frames."""
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
    """All moments of the take `name`."""
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
    return tuple(Moment(frame=frame, scene=script.scene, **row) for frame, row in enumerate(rows))
