"""The conditional logit (McFadden 1974): which of the offered candidates was taken, given a few features of each?

    P(j) = exp(weight . f_j) / sum over candidates l of exp(weight . f_l)

The log-likelihood is concave, so Newton's method finds its maximum in a few steps.
"""

from dataclasses import dataclass

import numpy as np

from finetune._numba_logit import Real, evaluate
from graphrec.core.types import BoolArray, FloatArray, IntArray

_STEPS, _TOLERANCE, _RIDGE = 30, 1e-6, 1e-6


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

    def where(self, mask: BoolArray) -> "Choices":
        """Return the choices that `mask` keeps."""
        return Choices(features=self.features[mask], size=self.size[mask], pos=self.pos[mask])

    def ndcg(self, scores: FloatArray, k: int) -> float:
        """Return the mean NDCG@k of the items taken among their candidates, given `scores` [num_choices, most]."""
        taken = np.take_along_axis(scores, self.pos[:, None], axis=1)
        real = np.arange(scores.shape[1]) < self.size[:, None]
        rank = ((scores > taken) & real).sum(axis=1) + 0.5 * (((scores == taken) & real).sum(axis=1) - 1)
        return float(np.where(rank < k, 1 / np.log2(rank + 2), 0.0).mean()) if len(self) else 0.0


@dataclass(frozen=True, kw_only=True)
class Logit:
    """A fit: `weight` and its standard `error`, by column, and the log-likelihood of each choice, `[num_choices]`."""

    weight: Real
    error: Real
    value: Real


def fit_logit(choices: Choices, columns: IntArray, start: Real | None = None) -> Logit:
    """Return the fit of greatest likelihood that uses `columns`; a column that says nothing keeps weight 0.

    `start` [len(columns)] is where to begin, which saves steps and changes nothing else.
    """
    weight = np.zeros(len(columns)) if start is None else start
    value, gradient, information = _at(choices, columns, weight)
    for _ in range(_STEPS):
        step = np.linalg.solve(_solid(information), gradient.sum(axis=0))
        weight, found = _climb(choices, columns, weight, step, value.sum())
        gained = found[0].sum() - value.sum()
        value, gradient, information = found
        if gained <= _TOLERANCE * max(1, len(choices)):
            break
    error = np.sqrt(np.diag(np.linalg.inv(_solid(information)))) if len(columns) else weight
    return Logit(weight=weight, error=error, value=value)


def _at(choices: Choices, columns: IntArray, weight: Real) -> tuple[Real, Real, Real]:
    found: tuple[Real, Real, Real] = evaluate(choices.features, choices.size, choices.pos, columns, weight)
    return found


def _climb(
    choices: Choices, columns: IntArray, weight: Real, step: Real, least: float
) -> tuple[Real, tuple[Real, Real, Real]]:
    # Newton's step overshoots where the logit is flat: it is halved until it does not go downhill.
    for _ in range(_STEPS):
        found = _at(choices, columns, weight + step)
        if found[0].sum() >= least:
            return weight + step, found
        step = step / 2
    return weight, _at(choices, columns, weight)


def _solid(information: Real) -> Real:
    solid: Real = information + _RIDGE * np.eye(len(information))
    return solid
