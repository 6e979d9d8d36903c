"""The conditional logit (McFadden 1974): which of the offered candidates was taken, given a few features of each?

    P(j) = exp(weight . f_j) / sum over candidates l of exp(weight . f_l)

The log-likelihood is concave, so Newton's method finds its maximum in a few steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from graphrec.core.types import BoolArray, FloatArray, IntArray

Real = NDArray[np.float64]

_STEPS, _RIDGE, _BLOCK = 30, 1e-6, 256
_TOLERANCE = 1e-3
"""Log-likelihood, in nats over all choices, that a last step may still gain."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What was offered and what was taken.

    `features` is [num_choices, most candidates, num_columns]: of row r the first `size[r]` candidates are real, and
    number `pos[r]` was taken.
    """

    features: FloatArray
    size: IntArray
    pos: IntArray

    def __len__(self) -> int:
        return len(self.pos)

    @cached_property
    def real(self) -> BoolArray:
        """Which candidates are real, `[num_choices, most]`."""
        return np.asarray(np.arange(self.features.shape[1]) < self.size[:, None])

    def where(self, mask: BoolArray) -> "Choices":
        """Return the choices that `mask` keeps."""
        return Choices(features=self.features[mask], size=self.size[mask], pos=self.pos[mask])

    def ndcg(self, scores: FloatArray, k: int) -> float:
        """Return the mean NDCG@k of the items taken among their candidates, given `scores` [num_choices, most]."""
        taken = np.take_along_axis(scores, self.pos[:, None], axis=1)
        rank = ((scores > taken) & self.real).sum(axis=1) + 0.5 * (((scores == taken) & self.real).sum(axis=1) - 1)
        return float(np.where(rank < k, 1 / np.log2(rank + 2), 0.0).mean()) if len(self) else 0.0


@dataclass(frozen=True, kw_only=True)
class Logit:
    """A fit: `weight` and its standard `error`, by column, and the log-likelihood of each choice, `[num_choices]`."""

    weight: Real
    error: Real
    value: Real


def fit_logit(choices: Choices, columns: Sequence[int], start: Real | None = None) -> Logit:
    """Return the fit of greatest likelihood that uses `columns`; a column that says nothing keeps weight 0.

    `start` [len(columns)] is where to begin, which saves steps.
    """
    problem = _Problem.of(choices, columns)
    weight = np.zeros(len(columns)) if start is None else start
    value, slope, information = problem.at(weight)
    for _ in range(_STEPS):
        step = np.asarray(np.linalg.solve(information, slope), dtype=np.float64)
        gained = value.sum()
        weight, (value, slope, information) = problem.climb(weight, step, gained)
        if value.sum() - gained <= _TOLERANCE:
            break
    error = np.sqrt(np.diag(np.linalg.inv(information))) if len(columns) else weight
    return Logit(weight=weight, error=error, value=value)


def log_likelihood(choices: Choices, columns: Sequence[int], weight: Real) -> Real:
    """Return the log-likelihood of each choice, in nats, given the `weight` [len(columns)] of `columns`."""
    return _Problem.of(choices, columns).at(weight)[0] if len(choices) else np.empty(0)


_Point = tuple[Real, Real, Real]


@dataclass(frozen=True)
class _Problem:
    """The columns in use, `[num_choices, most, k]`, which candidates are real, and which was taken."""

    features: FloatArray
    real: BoolArray
    pos: IntArray

    @classmethod
    def of(cls, choices: Choices, columns: Sequence[int]) -> "_Problem":
        features = choices.features[:, :, list(columns)]
        # Only differences between candidates matter; a column that is the same for all says nothing, exactly.
        mean = np.einsum("njk,nj->nk", features, choices.real.astype(np.float32)) / choices.size[:, None]
        return cls(np.ascontiguousarray(features - mean[:, None].astype(np.float32)), choices.real, choices.pos)

    def at(self, weight: Real) -> _Point:
        """Return log-likelihoods [num_choices], the slope [k] of their sum, and the information [k, k]."""
        value, size = np.empty(len(self.pos)), self.features.shape[2]
        slope, information = np.zeros(size), _RIDGE * np.eye(size)
        # In blocks that stay in the cache.
        for start in range(0, len(self.pos), _BLOCK):
            rows = slice(start, start + _BLOCK)
            part, taken = self.features[rows], self.pos[rows]
            every = np.arange(len(taken))
            score = np.where(self.real[rows], part @ weight.astype(np.float32), np.float32(-np.inf))
            score -= score.max(axis=1, keepdims=True)
            chance = np.exp(score)
            mass = chance.sum(axis=1, keepdims=True)
            value[rows] = score[every, taken] - np.log(mass[:, 0])
            chance /= mass
            mean = np.matmul(chance[:, None, :], part)[:, 0]
            slope += (part[every, taken] - mean).sum(axis=0)
            weighed = (np.sqrt(chance)[:, :, None] * part).reshape(chance.size, size)
            information += weighed.T @ weighed - mean.T @ mean
        return value, slope, information

    def climb(self, weight: Real, step: Real, least: float) -> tuple[Real, _Point]:
        """Take Newton's step, halved until it does not go downhill: it overshoots where the logit is flat."""
        for _ in range(_STEPS):
            found = self.at(weight + step)
            if found[0].sum() >= least:
                return weight + step, found
            step = step / 2
        return weight, self.at(weight)
