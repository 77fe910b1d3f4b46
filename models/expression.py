"""Measured expressions as nets read them, and what of an identity's code follows from them, by regression."""

from itertools import combinations_with_replacement

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vision.expression import EXPRESSION, Expressions, Habit, is_known

_PAIRS = tuple(combinations_with_replacement(range(len(EXPRESSION)), 2))
N_FEATURES = 1 + len(EXPRESSION) + len(_PAIRS)
_RIDGE = 0.05  # penalty of a weight, for features of about unit size
_SCALES = np.repeat([1.0, 0.5, 0.25], [1, len(EXPRESSION), len(_PAIRS)]).astype(np.float32)  # of what a decoder is told
_FURTHEST = 5.0  # standardized measure beyond which it counts no more: a person's own range ends at 2 to 4


class ExpressionCoder(nn.Module):
    """Expressions (N, 9) of one identity -> codes (N, n_code): their second-order polynomial, fitted by `fit`.

    An expression counts by how far it is from the person's usual one, as a share of their range (`learn_habit`): so a
    half-closed eye is told alike of two people. Ridge regression (Hoerl and Kennard 1970) leads back to the mean code
    where an expression lies beyond what was shown, which a net does not; far beyond, the polynomial would run away, and
    stays where it is.
    """

    _habit: Tensor
    _weights: Tensor

    def __init__(self, n_code: int) -> None:
        super().__init__()
        self.register_buffer("_habit", torch.zeros(3, len(EXPRESSION)))
        self.register_buffer("_weights", torch.zeros(N_FEATURES, n_code))

    @property
    def habit(self) -> Habit:
        """How the identity's expressions lie."""
        return Habit(*self._habit.cpu().numpy())

    @property
    def is_fitted(self) -> bool:
        return bool((self._weights != 0).any())

    def learn_habit(self, expressions: Expressions) -> None:
        """Learn how the identity's expressions lie from those of its faces (N, 9), unknown ones left out."""
        habit = Habit.of(expressions)
        self._habit.copy_(torch.from_numpy(np.stack([habit.neutral, habit.low, habit.high])))

    def describe(self, expressions: Expressions) -> Tensor:
        """What a decoder is told of expressions (N, 9): (N, N_FEATURES) of about unit size, 0 where unknown."""
        features = np.zeros((len(expressions), N_FEATURES), np.float32)
        known = is_known(expressions)
        features[known] = _expand(expressions[known], self.habit) * _SCALES
        return torch.from_numpy(features).to(self._weights.device)

    def fit(self, expressions: Expressions, codes: Tensor) -> None:
        """Learn from faces' expressions (N, 9), unknown ones left out, and codes (N, n_code); the habit is known."""
        chosen = is_known(expressions)
        features = _expand(expressions[chosen], self.habit)
        penalty = _RIDGE * len(features) * np.diag([0.0] + [1.0] * (features.shape[1] - 1))
        wanted = features.T @ codes.cpu().numpy()[chosen].astype(np.float64)
        weights = np.linalg.lstsq(features.T @ features + penalty, wanted, rcond=None)[0]
        self._weights.copy_(torch.from_numpy(weights.astype(np.float32)))

    def forward(self, expressions: Expressions) -> Tensor:
        """The codes (N, n_code) of known expressions."""
        features = torch.from_numpy(_expand(expressions, self.habit).astype(np.float32))
        return features.to(self._weights.device) @ self._weights


def _expand(expressions: Expressions, habit: Habit) -> NDArray[np.float64]:
    """1, the standardized measures, and their products in pairs: (N, 55)."""
    spread = np.maximum(habit.high - habit.low, 1e-3) / 4
    standard = ((expressions - habit.neutral) / spread).astype(np.float64).clip(-_FURTHEST, _FURTHEST)
    products = [standard[:, i] * standard[:, j] for i, j in _PAIRS]
    return np.column_stack([np.ones(len(standard)), standard, *products])
