"""Likeness: sums over frames, in the whole face and in its regions."""

import numpy as np
import pytest

from vision.likeness import Likeness
from vision.metrics import psnr_db

MASK = np.ones((40, 60), bool)
REGIONS = {
    "eyes": np.array([[15, 10, 6, 4], [45, 10, 6, 4]], np.float32),
    "mouth": np.array([[30, 32, 9, 5]], np.float32),
}


def test_an_error_at_the_eyes_is_told_of_the_eyes_alone() -> None:
    truth = np.full((40, 60, 3), 100, np.uint8)
    swap = truth.copy()
    swap[6:15, 9:22] += 10  # all of the left eye, nothing of the right one
    swap[:, -1] += 3
    likeness = Likeness()
    likeness.add(swap, truth, truth, truth, MASK, REGIONS)
    figures = likeness.figures()
    assert figures["eyes_psnr_db"] == pytest.approx(psnr_db(10**2 / 2))
    assert figures["mouth_psnr_db"] == np.inf
    assert "brows_psnr_db" not in figures  # of which nothing is known
    assert figures["swap_psnr_db"] > figures["eyes_psnr_db"]


def test_parts_joined_are_the_whole(rng: np.random.Generator) -> None:
    frames = rng.integers(0, 255, (4, 2, 40, 60, 3), dtype=np.uint8)
    whole, first, second = Likeness(), Likeness(), Likeness()
    for n, (swap, truth) in enumerate(frames):
        for one in (whole, first if n < 2 else second):
            one.add(swap, truth, truth, truth, MASK, REGIONS)
    first.join(second)
    assert first.figures() == pytest.approx(whole.figures(), nan_ok=True)
