"""A voice in step with the mouth: vowels made of harmonics under formants, as loud as the mouth is open."""

import numpy as np
from numpy.typing import NDArray

from performers.script import FRAMES_PER_S, speak
from performers.takes import SCRIPTS

SAMPLES_PER_S = 44_100
N_HARMONICS = 32
BREATH = 0.004
Samples = NDArray[np.float64]


def speak_aloud(name: str) -> NDArray[np.float32]:
    """Sound of the take `name`: mono samples in [-1, 1] at `SAMPLES_PER_S`."""
    script = SCRIPTS[name]
    times = np.arange(script.n_frames * SAMPLES_PER_S // FRAMES_PER_S) / SAMPLES_PER_S
    opening, width = speak(name, times)
    pitch_hz = 205 * (1 + 0.06 * np.sin(2.1 * times) + 0.05 * opening + 0.012 * np.sin(31 * times))
    voice = sing_vowels(pitch_hz, place_formants(opening, width)) * opening**0.8
    breath = np.random.default_rng(script.seed).normal(0, BREATH, len(times)) * (0.4 + opening)
    return np.asarray(voice / np.abs(voice).max() * 0.55 + breath, np.float32)


def place_formants(opening: Samples, width: Samples) -> list[tuple[Samples, float]]:
    """Center and bandwidth (Hz) of three formants: an open jaw raises the first, spread lips the second."""
    first = 320 + 520 * opening
    second = 1450 + 650 * width - 200 * opening
    return [(first, 110.0), (second, 160.0), (np.full_like(opening, 2900.0), 260.0)]


def sing_vowels(pitch_hz: Samples, formants: list[tuple[Samples, float]]) -> Samples:
    """Sum of the harmonics of a pitch, each as loud as the formants let it be."""
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLES_PER_S
    total = np.zeros_like(pitch_hz)
    for harmonic in range(1, N_HARMONICS + 1):
        frequency = harmonic * pitch_hz
        gain = sum(1 / (1 + ((frequency - center) / band) ** 2) for center, band in formants)
        total += np.sin(harmonic * phase) * gain / harmonic**0.7
    return total
