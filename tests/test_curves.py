"""Curves are drawn where their values are, in a picture that is the same each time."""

import numpy as np

from vision.crops import Picture, decode_png
from vision.curves import COLORS, draw_curves

X = np.arange(50)


def _count(picture: Picture, color: str) -> int:
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return int((np.abs(picture.astype(int) - wanted).max(axis=2) < 12).sum())


def test_each_curve_has_its_color_and_a_gap_stays_empty() -> None:
    whole = np.sin(X / 5)
    holed = np.where((X > 10) & (X < 40), np.nan, whole)
    both = decode_png(draw_curves({"a": (X, whole), "b": (X, whole + 3)}, "frame", "dB"))
    gap = decode_png(draw_curves({"a": (X, whole), "b": (X, holed + 3)}, "frame", "dB"))
    assert _count(both, COLORS[0]) > 300
    assert _count(gap, COLORS[1]) < 0.7 * _count(both, COLORS[1])


def test_grey_marks_the_frames_that_are_named() -> None:
    def shaded(numbers: list[int]) -> int:
        picture = decode_png(draw_curves({"a": (X, X * 0.0)}, "frame", "dB", np.array(numbers, np.int64)))
        return int((picture == 231).all(axis=2).sum())

    assert shaded([]) < 20  # letters have a few pixels of this grey
    one = shaded([20])
    assert 500 < one < shaded([5, 6, 20, 21, 22]) / 4


def test_the_same_curve_gives_the_same_bytes() -> None:
    curves = {"a": (X, np.cos(X / 3))}
    assert draw_curves(curves, "step", "loss") == draw_curves(curves, "step", "loss")
