"""Expression in numbers: what a face does, apart from whose it is, and how one person's measures become another's.

An expression is a row of EXPRESSION's columns: the head's turn in degrees, openings, widths and gaze as ratios, what
rises in centimetres. How far the eyes look up or down is left out on purpose: in a talking person it goes along with
the lids (gaze down and closed eyes: correlation -0.92 on real footage), and they tell it.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vision.mesh_regions import brow_height, eyes_open, gaze, mouth_lift, mouth_open, mouth_width, straighten

EXPRESSION = (
    "yaw",
    "pitch",
    "left_eye_open",
    "right_eye_open",
    "mouth_open",
    "mouth_width",
    "mouth_lift",
    "brow_height",
    "gaze",
)
_MOUTH_OPEN, _MOUTH_WIDTH = 4, 5
_RATIOS = (2, 3)  # columns that scale with the person: a narrow eye and a wide one close alike
_SHIFTS = (5, 6, 7, 8)  # columns that differ by the person's own constant
_MIRRORED = ([0, 1, 3, 2, 4, 5, 6, 7, 8], np.array([-1, 1, 1, 1, 1, 1, 1, 1, -1], np.float32))  # whose, with which sign
_FAR_EYE_DEGREES = (20.0, 35.0)  # yaw up to which the far eye counts in full, and from which on not at all
_QUANTILES = (0.005, 0.995)  # of a person's measures: their range
_BEYOND = 0.15  # how far past it an expression may lead, as a share of it

Expressions = NDArray[np.float32]  # (N, 9), NaN where unknown


@dataclass(frozen=True)
class Habit:
    """How a person's expressions lie: (9,) each, the median, the low and the high end."""

    neutral: Expressions
    low: Expressions
    high: Expressions

    @classmethod
    def of(cls, expressions: Expressions) -> Self:
        """The habit of measured faces; zeros where none is known."""
        known = expressions[is_known(expressions)]
        if not len(known):
            return cls(*np.zeros((3, len(EXPRESSION)), np.float32))
        neutral, low, high = np.quantile(known, (0.5, *_QUANTILES), axis=0).astype(np.float32)
        return cls(neutral, low, high)

    def adopt(self, expressions: Expressions, other: Self) -> Expressions:
        """Another person's expressions as this one would show them, not much beyond what this person has shown.

        Eyes are as far open in relation to their usual opening, the mouth is as much wider than usual, brows as much
        higher. Lips are as far apart in relation to the eyes' distance: of a wider mouth a smaller share of its width.
        """
        adopted = expressions.copy()
        for column in _RATIOS:
            adopted[:, column] *= self.neutral[column] / max(other.neutral[column], 1e-6)
        for column in _SHIFTS:
            adopted[:, column] += self.neutral[column] - other.neutral[column]
        beyond = _BEYOND * (self.high - self.low)
        low, high = self.low - beyond, self.high + beyond
        width = adopted[:, _MOUTH_WIDTH].clip(low[_MOUTH_WIDTH], high[_MOUTH_WIDTH])
        adopted[:, _MOUTH_OPEN] *= expressions[:, _MOUTH_WIDTH] / np.maximum(width, 1e-6)
        clipped: Expressions = np.clip(adopted, low, high)
        return clipped


def mirror_expressions(expressions: Expressions) -> Expressions:
    """The expressions of the mirrored faces: turned the other way, the eyes exchanged."""
    columns, signs = _MIRRORED
    mirrored: Expressions = expressions[:, columns] * signs
    return mirrored


def is_known(expressions: Expressions) -> NDArray[np.bool_]:
    """Which expressions were measured in full: (N,)."""
    known: NDArray[np.bool_] = np.all(np.isfinite(expressions), axis=1)
    return known


def measure_expression(landmarks: NDArray[np.float32], kind: str, yaw: float) -> dict[str, float]:
    """What the tables hold of eyes, brows and mouth, by column; NaN for `five`. `landmarks`: mesh (478, 3) pixels.

    Of a head turned by `yaw` degrees the far eye is hardly seen: the near one's opening stands in for it.
    """
    if kind != "mesh":
        return dict.fromkeys(("eye_open", *EXPRESSION[2:]), np.nan)
    left, right = _trust_near(*eyes_open(landmarks), yaw)
    straight = straighten(landmarks)
    return {
        "mouth_open": mouth_open(landmarks),
        "eye_open": (left + right) / 2,
        "left_eye_open": left,
        "right_eye_open": right,
        "mouth_width": mouth_width(landmarks),
        "mouth_lift": mouth_lift(straight),
        "brow_height": brow_height(straight),
        "gaze": gaze(landmarks),
    }


def _trust_near(left: float, right: float, yaw: float) -> tuple[float, float]:
    """Both eyes' openings, the far one's the less by its own the further the head is turned."""
    seen, hidden = _FAR_EYE_DEGREES
    share = float(np.clip((abs(yaw) - seen) / (hidden - seen), 0, 1))
    near = right if yaw < 0 else left
    return left + share * (near - left), right + share * (near - right)
