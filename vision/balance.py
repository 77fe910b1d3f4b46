"""How often each face is drawn in training, so that what the target does is learnt though few faces show it.

Expressions are (N, 9), NaN where unknown (vision/expression.py). Draws of an epoch are whole numbers, (N,),
at least 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.expression import EXPRESSION, Expressions, Habit

_POSE = [EXPRESSION.index(name) for name in ("yaw", "pitch")]
_BINS = 12  # of equal width, over the whole range of a measure
_ROUNDS = 10  # over all measures
_FINEST = (2.0, 2.0, 0.01, 0.01, 0.01, 0.01, 0.02, 0.02, 0.01)  # narrowest bin of each: below lies what is but noise

Draws = NDArray[np.int64]
Values = NDArray[np.floating]


def count_target_draws(target: Expressions, most: int) -> Draws:
    """Draws of the target's faces: the square root of how rare a face's bin is beside the fullest one.

    A face counts by the measure in which it is rarest, at most `most` times; one of which nothing is known counts once.
    """
    factors = [np.sqrt(_measure_rarity(*column)) for column in zip(target.T, _FINEST, strict=True)]
    return _round(np.clip(np.max(factors, axis=0), 1, most))


def count_source_draws(source: Expressions, target: Expressions, target_draws: Draws, most: int) -> Draws:
    """Draws of the source's faces with which every measure is spread as nearly as may be as in the target's draws.

    A swap asks the source's decoder for the target's expressions, however rare or common they are in the source. The
    measures are fitted one after the other, again and again (raking: Deming and Stephan 1940). No face is drawn more
    than `most` times as often, or as rarely, as the median one, which is drawn `most` times.
    """
    columns = zip(source.T, _show_as_source(target, source).T, _FINEST, strict=True)
    spreads = [_spread_draws(own, asked, target_draws, finest) for own, asked, finest in columns]
    weights = np.ones(len(source))
    for _ in range(_ROUNDS):
        for spread in spreads:
            weights *= spread.find_lack(weights)
            weights = np.clip(weights / max(float(np.median(weights)), 1e-6), 1 / most, most)
    return _round(weights * most)


def _round(factors: NDArray[np.float64]) -> Draws:
    draws: Draws = np.rint(factors).astype(np.int64)
    return draws


def _show_as_source(target: Expressions, source: Expressions) -> Expressions:
    """The target's expressions as the source would show them; the head's turn as it is."""
    shown = Habit.of(source).adopt(target, Habit.of(target))
    shown[:, _POSE] = target[:, _POSE]
    return shown


def _measure_rarity(values: Values, finest: float) -> NDArray[np.float64]:
    """Faces in the fullest bin / faces in the own bin; 1 where unknown."""
    is_known = np.isfinite(values)
    rarity = np.ones(len(values))
    if is_known.any():
        bins = _find_bins(values[is_known], _cut_bins(values[is_known], finest))
        counts = np.bincount(bins)
        rarity[is_known] = counts.max() / counts[bins]
    return rarity


@dataclass(frozen=True)
class _Spread:
    """How one measure should be spread: the faces that have it, (N,), their bins, and each bin's share of the draws."""

    is_known: NDArray[np.bool_]
    bins: NDArray[np.int64]
    shares: NDArray[np.float64]

    def find_lack(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each face's weight lacks by this measure, as a factor: (N,), 1 where it is unknown."""
        lack = np.ones(len(weights))
        if len(self.bins):
            known = weights[self.is_known]
            has = np.bincount(self.bins, known, _BINS) / known.sum()
            lack[self.is_known] = self.shares[self.bins] / has[self.bins]
        return lack


def _spread_draws(own: Values, asked: Values, draws: Draws, finest: float) -> _Spread:
    """One measure of the own faces, to be spread as what is asked for, which counts by its draws."""
    is_own, is_asked = np.isfinite(own), np.isfinite(asked)
    if not (is_own.any() and is_asked.any()):
        return _Spread(np.zeros(len(own), bool), np.empty(0, np.int64), np.empty(0))
    own, asked, draws = own[is_own], asked[is_asked], draws[is_asked]
    edges = _cut_bins(np.concatenate([own, asked]), finest)
    nearest = np.clip(asked, own.min(), own.max())  # what lies beyond the own faces falls to the furthest of them
    shares = np.bincount(_find_bins(nearest, edges), draws, _BINS) / draws.sum()
    return _Spread(is_own, _find_bins(own, edges), shares)


def _cut_bins(values: Values, finest: float) -> NDArray[np.float64]:
    """The edges between bins, of which there are as many as may be: none where all values are nearly the same."""
    low, high = float(values.min()), float(values.max())
    n_bins = int(np.clip((high - low) / finest, 1, _BINS))
    return np.linspace(low, high, n_bins + 1)[1:-1]


def _find_bins(values: Values, edges: NDArray[np.float64]) -> NDArray[np.int64]:
    bins: NDArray[np.int64] = np.digitize(values, edges)
    return bins
