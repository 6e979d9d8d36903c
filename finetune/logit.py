"""The conditional logit (McFadden 1974): which of the offered candidates was taken, given a few features of each?

    P(j) = exp(weight . f_j) / sum over candidates l of exp(weight . f_l)

The log-likelihood is concave, so Newton's method finds its maximum in a few steps. Weights that must not be negative
stay at 0 by projection (Bertsekas 1982): a step moves those above it, and those that the slope draws away from it.
A few choices that one column tells apart would drive its weight to infinity: a normal prior, `_SPREAD` wide in standard
deviations of what the column does to scores, forbids that and is nothing beside some hundred choices.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from graphrec.core.types import BoolArray, FloatArray, IntArray

Real = NDArray[np.float64]

_STEPS, _RIDGE, _SPREAD, _BLOCK = 50, 1e-6, 3.0, 1 << 18
_TOLERANCE = 1e-3
"""Log-likelihood, in nats over all choices, that a last step may still gain."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What was offered and what was taken.

    `features` is [num_columns, num_choices, most candidates]: of choice r the first `size[r]` candidates are real, and
    number `pos[r]` was taken.
    """

    features: FloatArray
    size: IntArray
    pos: IntArray

    @classmethod
    def of(cls, features: FloatArray, size: IntArray, pos: IntArray) -> "Choices":
        """Return the choices with `features` centred, in place, over the real candidates of each.

        Only differences between candidates matter: a column that is the same for all then says nothing, exactly.
        """
        found = cls(features=features, size=size, pos=pos)
        for plane in features:
            mean = np.where(found.real, plane, 0).sum(axis=1, dtype=np.float64) / size
            plane -= mean[:, None].astype(np.float32)
        return found

    def __len__(self) -> int:
        return len(self.pos)

    @cached_property
    def real(self) -> BoolArray:
        """Which candidates are real, `[num_choices, most]`."""
        return np.asarray(np.arange(self.features.shape[2]) < self.size[:, None])

    @cached_property
    def variance(self) -> Real:
        """The variance of each column over the candidates of a choice, `[num_columns]`."""
        inside = (np.einsum("nj,nj->", plane, plane * self.real, dtype=np.float64) for plane in self.features)
        return np.array([float(total) for total in inside]) / max(1, int(self.size.sum()))

    def where(self, mask: BoolArray) -> "Choices":
        """Return the choices that `mask` keeps."""
        return Choices(features=self.features[:, mask], size=self.size[mask], pos=self.pos[mask])

    def scores(self, weight: Mapping[int, float]) -> FloatArray:
        """Return the score of each candidate, `[num_choices, most]`, given the weights of some columns."""
        total = np.zeros(self.features.shape[1:], dtype=np.float32)
        for column, value in weight.items():
            if value:
                total += np.float32(value) * self.features[column]
        return total

    def log_likelihood(self, weight: Mapping[int, float]) -> Real:
        """Return the log-likelihood of each choice, in nats, given the weights of some columns."""
        return self.chances(weight)[1]

    def chances(self, weight: Mapping[int, float]) -> tuple[FloatArray, Real]:
        """Return the probability of each candidate, 0 where it is not real, and the log of that of the one taken."""
        score = np.where(self.real, self.scores(weight), np.float32(-np.inf))
        score -= score.max(axis=1, keepdims=True)
        taken = np.take_along_axis(score, self.pos[:, None], axis=1)[:, 0]
        chance = np.exp(score, out=score)
        mass = chance.sum(axis=1, dtype=np.float64)
        chance /= mass[:, None].astype(np.float32)
        return chance, taken.astype(np.float64) - np.log(mass)

    def ndcg(self, scores: FloatArray, k: int) -> float:
        """Return the mean NDCG@k of the items taken among their candidates, given `scores` [num_choices, most]."""
        taken = np.take_along_axis(scores, self.pos[:, None], axis=1)
        rank = ((scores > taken) & self.real).sum(axis=1) + 0.5 * (((scores == taken) & self.real).sum(axis=1) - 1)
        return float(np.where(rank < k, 1 / np.log2(rank + 2), 0.0).mean()) if len(self) else 0.0


@dataclass(frozen=True, kw_only=True)
class Logit:
    """A fit: `weight` and its standard `error`, by column, and the log-likelihood of each choice, `[num_choices]`.

    The prior is no part of it.

    A weight on its bound is 0, and so is its error.
    """

    weight: Real
    error: Real
    value: Real


def fit_logit(
    choices: Choices,
    columns: Sequence[int],
    start: Mapping[int, float] | None = None,
    not_negative: Collection[int] = (),
) -> Logit:
    """Return the likeliest fit, given the prior, that uses `columns`; a column that says nothing keeps weight 0.

    `start` says where to begin, which saves steps; the weights of the columns `not_negative` stay at 0 or above.
    """
    bounded = np.array([column in not_negative for column in columns], dtype=np.bool_)
    weight = np.array([(start or {}).get(column, 0.0) for column in columns])
    weight[bounded] = np.maximum(weight[bounded], 0.0)
    found = _Point.of(choices, columns, weight)
    for _ in range(_STEPS):
        moved = found.step(bounded)
        if moved is None:
            break
        found = moved
    error = np.zeros(len(columns))
    if (free := np.flatnonzero(~bounded | (found.weight > 0))).size:
        variance = np.diag(np.linalg.inv(found.information[np.ix_(free, free)]))
        # Below zero by rounding alone: columns that say the same, whose own weights nothing can tell.
        error[free] = np.sqrt(np.where(variance > 0, variance, np.inf))
    return Logit(weight=found.weight, error=error, value=found.value)


@dataclass(frozen=True, kw_only=True)
class _Point:
    """Where a fit stands: probabilities of the candidates, log-likelihoods of the choices, `precision` of the prior."""

    choices: Choices
    columns: Sequence[int]
    precision: Real
    weight: Real
    chance: FloatArray
    value: Real

    @classmethod
    def of(cls, choices: Choices, columns: Sequence[int], weight: Real) -> "_Point":
        chance, value = choices.chances(dict(zip(columns, weight.tolist(), strict=True)))
        precision = choices.variance[list(columns)] / _SPREAD**2
        return cls(choices=choices, columns=columns, precision=precision, weight=weight, chance=chance, value=value)

    @property
    def height(self) -> float:
        """The log of the posterior, but for a constant."""
        return float(self.value.sum() - 0.5 * (self.precision * self.weight**2).sum())

    @cached_property
    def _mean(self) -> Real:
        """What is expected of each column, `[num_columns, num_choices]`."""
        mean = np.empty((len(self.columns), len(self.choices)))
        for place, column in enumerate(self.columns):
            mean[place] = np.einsum("nj,nj->n", self.choices.features[column], self.chance)
        return mean

    @cached_property
    def slope(self) -> Real:
        """The slope of `height`, `[num_columns]`."""
        every = np.arange(len(self.choices))
        taken = (self.choices.features[column][every, self.choices.pos] for column in self.columns)
        found: Real = np.array([plane.sum(dtype=np.float64) for plane in taken]) - self._mean.sum(axis=1)
        return found - self.precision * self.weight

    @cached_property
    def information(self) -> Real:
        """Fisher's information and the prior's, `[num_columns, num_columns]`, with a little on the diagonal."""
        size, (rows, most) = len(self.columns), self.chance.shape
        total: Real = -self._mean @ self._mean.T
        # In blocks that stay in the cache.
        block = max(1, _BLOCK // max(1, size * most))
        part = np.empty((size, block, most), dtype=np.float32)
        for first in range(0, rows, block):
            root = np.sqrt(self.chance[first : first + block])
            weighed = part[:, : len(root)]
            for place, column in enumerate(self.columns):
                np.multiply(self.choices.features[column, first : first + block], root, out=weighed[place])
            flat = weighed.reshape(size, -1)
            total += flat @ flat.T
        total[np.diag_indices(size)] += self.precision + _RIDGE * (1 + total.diagonal())
        return total

    def step(self, bounded: BoolArray) -> "_Point | None":
        """Take Newton's step, halved until it goes uphill: it overshoots where the logit is flat. None at the top."""
        at_bound = bounded & (self.weight <= 0)
        moving = np.flatnonzero(~at_bound | (self.slope > 0))
        while moving.size:
            change = np.linalg.solve(self.information[np.ix_(moving, moving)], self.slope[moving])
            against = at_bound[moving] & (change <= 0)
            if not against.any():
                break
            moving = moving[~against]
        if not moving.size or 0.5 * float(change @ self.slope[moving]) <= _TOLERANCE:
            return None
        for halved in range(_STEPS):
            weight = self.weight.copy()
            weight[moving] += 0.5**halved * change
            weight[bounded] = np.maximum(weight[bounded], 0.0)
            found = _Point.of(self.choices, self.columns, weight)
            if found.height > self.height:
                return found
        return None
