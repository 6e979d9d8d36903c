"""How many triples of a table are wrong, and of which kind: an estimate without a label.

The scores of the table are a mixture of true triples and of wrong ones of several kinds; corruptions are a
sample of each kind, the density of true scores is unknown. That alone leaves the shares open: whatever
scores low could be true. Two things are asked of true triples: the higher the score, the more likely true
(a monotone likelihood ratio), and next to none of them among the lower three fifths of the kind that is
hardest to tell, much as Storey (2002) asks of his cut. So the true density is a non-negative sum of steps
times that of all corruptions, each step beginning there or above, with a short foot below. The shares of
kinds and steps that make the scores most likely come from EM (Dempster, Laird and Rubin 1977), on bins of
equal count. Three fifths were chosen on planted worlds and on injected noise, by their truth.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphrec.core.types import FloatArray, IntArray

Real = NDArray[np.float64]

_MOST_BINS, _ROWS_PER_BIN = 60, 25
_FOOT = 0.5
_STEPS_FROM = 0.6
_ROUNDS, _TINY = 500, 1e-7
_SLOW, _STEEPEST = 50, 3.0


@dataclass(frozen=True, kw_only=True)
class Shares:
    """`wrong` [num_kinds]: the share of the table that is wrong in each way; `true` is the rest."""

    wrong: Real

    @property
    def true(self) -> float:
        """Return the share of true triples."""
        return float(1 - self.wrong.sum())


def estimate_shares(
    score: FloatArray,
    null: FloatArray,
    kind: IntArray,
    num_kinds: int,
    *,
    weight: Real | None = None,
    prior: Real | None = None,
    strength: float = 0,
) -> Shares:
    """Return the shares of wrong triples by kind.

    `score` are the table's, `null` those of corruptions, whose `kind` is a position below `num_kinds`
    and which count `weight` each (1 by default). `prior` [num_kinds] are shares to lean to, as if `strength`
    more triples had shown them.
    """
    counts = np.ones(len(null)) if weight is None else weight
    q, density = _binned(score, null, kind, counts, num_kinds)
    present = density.any(axis=1)
    parts = np.concatenate([density, _steps(density[present])])
    share = np.concatenate([np.where(present, 0.1 / num_kinds, 0), np.full(len(parts) - num_kinds, 1.0)])
    share[num_kinds:] *= (1 - share[:num_kinds].sum()) / share[num_kinds:].sum()
    pull = strength / len(score)
    for _ in range(_ROUNDS):
        share = share * (parts @ (q / np.maximum(share @ parts, _TINY)))
        if prior is not None:
            true = share[num_kinds:].sum()
            share[:num_kinds] = (share[:num_kinds] + pull * prior) / (1 + pull)
            share[num_kinds:] *= (true + pull * (1 - prior.sum())) / (1 + pull) / max(true, _TINY)
    return Shares(wrong=share[:num_kinds])


def lean(score: FloatArray, null: FloatArray, weight: Real) -> Real:
    """Return `weight` [num_null] of corruptions that score `null`, leant towards the errors of the table.

    The fusion learnt to know corruptions, so real errors score a little above them: the null is empirical (Efron,
    JASA 2004). With u from 0 to 1 the rank of a score among corruptions, errors are taken to be exp(b u) as dense
    as these. b is fitted to the triples below `_STEPS_FROM`, of which next to none are true: the maximum likelihood
    of an exponential cut there, from the mean of u.
    """
    order = np.argsort(null, kind="stable")
    rank = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
    at = np.empty(len(null))
    at[order] = rank
    own = np.interp(score, null[order], rank, left=0, right=1)
    low = own[own < _STEPS_FROM] / _STEPS_FROM
    # As if so many more triples had shown no lean.
    mean = (low.sum() + _SLOW / 2) / (len(low) + _SLOW)
    slope = np.linspace(1e-3, _STEEPEST * _STEPS_FROM, 200)
    steep = np.interp(mean, 1 / -np.expm1(-slope) - 1 / slope, slope) / _STEPS_FROM
    leant = weight * np.exp(steep * at)
    return np.asarray(leant * (weight.sum() / leant.sum()))


def _binned(score: FloatArray, null: FloatArray, kind: IntArray, counts: Real, num_kinds: int) -> tuple[Real, Real]:
    """Return the shares of the table's scores by bin, `[bins]`, and those of each kind of corruption."""
    both = np.concatenate([score, null])
    num_bins = int(np.clip(len(both) // _ROWS_PER_BIN, 4, _MOST_BINS))
    edge = np.unique(np.quantile(both, np.linspace(0, 1, num_bins + 1)[1:-1]))
    size = len(edge) + 1
    own, place = np.searchsorted(edge, score), np.searchsorted(edge, null)
    density = np.zeros((num_kinds, size))
    for index in range(num_kinds):
        rows = kind == index
        if counts[rows].sum() > 0:
            density[index] = np.bincount(place[rows], weights=counts[rows], minlength=size) / counts[rows].sum() + _TINY
    return np.bincount(own, minlength=size) / len(score), density


def _steps(density: Real) -> Real:
    """Return the densities that true scores are made of, `[steps, bins]`, given that of each kind that there is."""
    null, last = density.mean(axis=0), density.shape[1] - 1
    first = max(int(np.searchsorted(np.cumsum(kind), _STEPS_FROM)) for kind in density)
    at, start = np.arange(last + 1), np.arange(min(first, last), last + 1)[:, None]
    steps = null * np.where(at < start, np.exp((at - start) / _FOOT), 1.0)
    return np.asarray(steps / steps.sum(axis=1, keepdims=True))
