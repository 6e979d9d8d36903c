"""From scores to probabilities, by the two-groups model of Efron (Statistical Science 2008).

The scores of the table are a mixture: a share `pi` comes from wrong triples, with density f0, the
rest from true ones. Held-out corruptions are a sample of f0. Then, for a triple with score s,

    P(wrong | s) = pi f0(s) / f(s),     f the density of the table's scores,

which is the local false discovery rate. Both factors are found without a label, by relation:

- f0 / f from c(s), the chance that a score drawn from n triples and m corruptions belongs to a
  triple: f0 / f = (1 - c) / c * n / m. c is an isotonic regression whose steps are joined by lines
  through their centres (Oron and Flournoy 2017), hence continuous and never falling.
- `pi` as Storey (2002) estimates it: few true triples score as low as most corruptions, so the
  table's share down there, over that of the corruptions, is about pi, and sooner above it than
  below. Where to cut is chosen by least mean squared error (Storey, Taylor and Siegmund 2004), in
  the closed form of the qvalue package.

Storey's estimate holds only where true and wrong lie apart, so a relation told less than well takes
pi from the others. Where nothing can be told (no score, or triples and corruptions that score
alike) the ratio is 1 besides, which is the base rate.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from graphrec.core.seeds import generator
from graphrec.core.types import BoolArray, FloatArray, IntArray
from kg_denoise.config import CalibrationConfig
from kg_denoise.curves import auroc

_REST, _BLIND = -1, -2
_CUTS = np.arange(0.05, 1, 0.05)
_SIGMAS, _LEAST_AUROC = 3, 0.55

_Real = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """What calibration gives.

    Per triple [n]: `probability` of being true, `share` of wrong triples taken for its relation,
    and `told`, whether its score had a say. Of the rows kept from the fit, triples first:
    `expected` is the probability of being a triple of the table rather than a corruption, and
    `observed` whether the row is one.
    """

    probability: FloatArray
    share: FloatArray
    told: BoolArray
    expected: FloatArray
    observed: BoolArray


def calibrate(
    score: FloatArray, relation: IntArray, observed: BoolArray, config: CalibrationConfig, *, seed: int
) -> Calibrated:
    """Return the probability of every triple, never falling with its score within a relation.

    The three arrays are [n + m]: triples, where `observed`, and corruptions. A score of NaN says
    nothing: such a triple gets the base rate. Fits on `1 - config.report_share` of both kinds;
    `expected` reports on the rest.
    """
    kept = generator(seed, "report").random(len(score)) < config.report_share
    group = _groups(score, relation, observed, config.min_triples)
    share, ratio, odds, told = (np.zeros(len(score)) for _ in range(4))
    fits = {index: _fit(score, (group == index) & ~kept, observed, config) for index in np.unique(group)}
    pooled = _pooled(fits.values(), config)
    for index, fit in fits.items():
        rows = group == index
        ratio[rows], told[rows] = fit.ratio(score[rows]), fit.told
        share[rows] = pooled if fit.share is None or config.noise_share is not None else fit.share
        odds[rows] = np.sum(rows & kept & ~observed) / max(1, np.sum(rows & kept & observed))
    return Calibrated(
        probability=_single(1 - np.clip(share * ratio, 0, 1))[observed],
        share=_single(share)[observed],
        told=told[observed] > 0,
        expected=_single(1 / (1 + odds * ratio))[kept],
        observed=observed[kept],
    )


def wrong_share(score: FloatArray, null: FloatArray) -> float:
    """Return the estimated share of `score` that is drawn like `null`, by Storey's method.

    The p-value of a score is the share of `null` at or above it; wrong triples have it uniform.
    """
    p = (1 + len(null) - np.searchsorted(np.sort(null), score, side="left")) / (len(null) + 1)
    above = np.array([np.sum(p > cut) for cut in _CUTS]) / len(score)
    shares = above / (1 - _CUTS)
    spread = above * (1 - above) / len(score) / (1 - _CUTS) ** 2
    best = np.argmin(spread + (shares - np.quantile(shares, 0.1)) ** 2)
    return float(min(1.0, shares[best]))


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """The calibration of one group of relations: c(s) as a line through points, and the share where it has its own."""

    told: bool
    centre: _Real
    chance: _Real
    prior_odds: float
    share: float | None
    num: int

    def ratio(self, score: FloatArray) -> _Real:
        """Return f0 / f at every score; 1 where nothing can be told."""
        if not self.told:
            return np.ones(len(score))
        chance = np.interp(score, self.centre, self.chance)
        return self.prior_odds * (1 - chance) / chance


def _fit(score: FloatArray, rows: BoolArray, observed: BoolArray, config: CalibrationConfig) -> _Fit:
    own, null = score[rows & observed], score[rows & ~observed]
    num, num_null = len(own), len(null)
    apart = _apart(own, null)
    if apart is None:
        return _Fit(told=False, centre=np.zeros(1), chance=np.ones(1), prior_odds=1.0, share=None, num=num)
    value, place = np.unique(score[rows], return_inverse=True)
    count = np.bincount(place)
    steps = isotonic_regression(np.bincount(place, weights=observed[rows]) / count, weights=count)
    weight = np.add.reduceat(count, steps.blocks[:-1])
    centre = np.add.reduceat(count * value, steps.blocks[:-1]) / weight
    # No score makes certain: beyond the last row of the other kind, one more such row is assumed.
    floor = 1 / (num + num_null + 2)
    chance = np.clip(steps.x[steps.blocks[:-1]], floor, 1 - floor)
    share = wrong_share(own, null) if apart >= config.min_auroc else None
    return _Fit(told=True, centre=centre, chance=chance, prior_odds=num / num_null, share=share, num=num)


def _apart(own: FloatArray, null: FloatArray) -> float | None:
    """Return the AUROC of triples against corruptions, or None where it could be chance or there is no score."""
    if not len(own) or not len(null) or np.isnan(own).any():
        return None
    # The spread of the AUROC where both kinds score alike, from the Mann-Whitney statistic.
    sigma = np.sqrt((len(own) + len(null) + 1) / (12 * len(own) * len(null)))
    value = auroc(np.concatenate([own, null]), np.arange(len(own) + len(null)) < len(own))
    return value if value >= max(_LEAST_AUROC, 0.5 + _SIGMAS * sigma) else None


def _pooled(fits: Iterable[_Fit], config: CalibrationConfig) -> float:
    if config.noise_share is not None:
        return config.noise_share
    told = [(fit.num, fit.share) for fit in fits if fit.share is not None]
    total = sum(num for num, _ in told)
    return sum(num * share for num, share in told) / total if total else config.fallback_share


def _groups(score: FloatArray, relation: IntArray, observed: BoolArray, min_triples: int) -> IntArray:
    told, size = ~np.isnan(score), int(relation.max(initial=0)) + 1
    num, num_null = (np.bincount(relation[told & part], minlength=size) for part in (observed, ~observed))
    group = np.where(np.minimum(num, num_null) >= min_triples, np.arange(size), _REST)
    # A relation without corruptions has nothing to be held against, even together with others.
    group[num_null == 0] = _BLIND
    return np.where(told, group[relation], _BLIND)


def _single(values: _Real) -> FloatArray:
    return values.astype(np.float32)
