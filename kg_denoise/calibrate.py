"""From scores to probabilities, by the two-groups model of Efron (Statistical Science 2008).

The scores of the table are a mixture: a share `pi` comes from wrong triples, with density f0, the
rest from true ones. Corruptions are a sample of f0. Then, for a triple with score s,

    P(wrong | s) = pi f0(s) / f(s),     f the density of the table's scores,

which is the local false discovery rate. Both factors are found without a label, by relation:

- `pi`, and how much each kind of corruption has in f0, from `kg_denoise.mixture`;
- the corruptions count by those shares, `kg_denoise.fuse` learns again from the counts, and then they are
  leant towards the errors that the table shows;
- f0 / f from c(s), the chance that a score drawn from n triples and m corruptions (weighed by kind)
  belongs to a triple: f0 / f = (1 - c) / c * n / m. c is an isotonic regression whose steps are joined
  by lines through their centres (Oron and Flournoy 2017), hence continuous and never falling.

The estimate of `pi` holds only where true and wrong lie apart, so a relation told less than well takes
pi from the others. Where nothing can be told (no score, or triples and corruptions that score
alike) the ratio is 1 besides, which is the base rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from graphrec.core.seeds import generator
from graphrec.core.types import BoolArray, FloatArray, IntArray
from kg_denoise.config import CalibrationConfig
from kg_denoise.curves import auroc
from kg_denoise.mixture import Real, estimate_shares, lean

_BLIND = -1
_SIGMAS, _LEAST_AUROC = 3, 0.55
_TINY, _LEAST = 1e-6, 1e-3
_FLOOR = 0.05
"""No kind is ruled out: what the estimate puts at nothing still counts so much of all."""

_AGAINST = -0.7
"""Log odds of one to two: where a triple is half as common as a corruption."""


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """What calibration gives.

    Per triple [n]: `log_odds` of being true, `share` of wrong triples taken for its relation,
    and `told`, whether its score had a say. `kinds` [num_kinds] are the shares of wrong triples by
    kind over the whole table. Of the rows kept from the fit, triples first: `expected` is the
    probability of being a triple of the table rather than a corruption, and `observed` whether the
    row is one. `weight` [n + m] is what each row counts: corruptions by the share of their kind, triples 1.
    """

    log_odds: FloatArray
    share: FloatArray
    told: BoolArray
    kinds: Real
    expected: FloatArray
    observed: BoolArray
    weight: FloatArray

    @property
    def probability(self) -> FloatArray:
        """Return the probability of being true, `[n]`."""
        return _single(1 / (1 + np.exp(-self.log_odds.astype(np.float64))))


def calibrate(
    score: FloatArray,
    relation: IntArray,
    kind: IntArray,
    config: CalibrationConfig,
    *,
    stratum: BoolArray | None = None,
    weight: FloatArray | None = None,
    seed: int,
) -> Calibrated:
    """Return the log odds of every triple, never falling with its score within a relation and stratum.

    The arrays are [n + m]: triples, whose `kind` is -1, then corruptions, whose kind is a number from 0.
    Rows of either `stratum` are calibrated apart. A score of NaN says nothing: such a triple gets the base
    rate. Without `weight` the shares are found by kind, and what they make a corruption count is the `weight` of the
    result. With it [n + m], all corruptions are of one kind, count so much, and are leant towards the errors that
    the table shows (`kg_denoise.mixture.lean`). Fits on `1 - config.report_share` of both; `expected` reports on
    the rest, corruptions drawn by their weight.
    """
    kind, observed = kind if weight is None else np.minimum(kind, 0), kind < 0
    num_kinds = int(kind.max(initial=0)) + 1
    stratum = np.zeros(len(score), dtype=np.bool_) if stratum is None else stratum
    kept = generator(seed, "report").random(len(score)) < config.report_share
    group = _groups(score, relation, stratum, observed, config.min_triples)
    parts = {int(index): group == index for index in np.unique(group)}
    each = np.ones(len(score)) if weight is None else _leant(score, observed, weight, kept, parts)
    priors = [
        _overall(score, kind, each, ~kept & (group != _BLIND) & (stratum == side), num_kinds, config)
        for side in (False, True)
    ]
    found = {name: np.zeros(len(score)) for name in ("share", "ratio", "odds", "told", "weight")}
    fits = {
        index: _fit(
            score[rows & ~kept], kind[rows & ~kept], each[rows & ~kept], priors[int(stratum[rows].any())], config
        )
        for index, rows in parts.items()
    }
    pooled = _pooled(fits, config)
    for index, fit in fits.items():
        rows = parts[index]
        found["ratio"][rows], found["told"][rows] = fit.ratio(score[rows]), fit.told
        found["share"][rows] = pooled if fit.share is None else fit.share
        found["weight"][rows] = np.where(observed[rows], 1.0, fit.weight[kind[rows]] * each[rows])
        wrong = found["weight"][rows & kept & ~observed].sum()
        found["odds"][rows] = wrong / max(1, np.sum(rows & kept & observed))
    side = stratum[observed].mean() if observed.any() else 0.0
    shown = _shown(kept, observed, found["weight"], seed)
    return Calibrated(
        log_odds=_log_odds(found["share"] * found["ratio"])[observed],
        share=_single(found["share"])[observed],
        told=found["told"][observed] > 0,
        kinds=(1 - side) * priors[0] + side * priors[1],
        expected=_single(1 / (1 + found["odds"] * found["ratio"]))[shown],
        observed=observed[shown],
        weight=_single(found["weight"]),
    )


def _shown(kept: BoolArray, observed: BoolArray, weight: Real, seed: int) -> IntArray:
    """Return the rows to report on: the triples that were kept, and as many corruptions as were, drawn by weight."""
    own, wrong = np.flatnonzero(kept & observed), np.flatnonzero(kept & ~observed)
    if not weight[wrong].any():
        return np.concatenate([own, wrong])
    drawn = generator(seed, "report", "drawn").choice(wrong, len(wrong), p=weight[wrong] / weight[wrong].sum())
    return np.concatenate([own, drawn])


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """The calibration of one group of relations: c(s) as a line through points, and the share where it has its own.

    `weight` [num_kinds] is what a corruption of each kind counts.
    """

    told: bool
    centre: Real
    chance: Real
    prior_odds: float
    share: float | None
    weight: Real
    num: int

    def ratio(self, score: FloatArray) -> Real:
        """Return f0 / f at every score; 1 where nothing can be told."""
        if not self.told:
            return np.ones(len(score))
        chance = np.interp(score, self.centre, self.chance)
        return self.prior_odds * (1 - chance) / chance


def _leant(
    score: FloatArray, observed: BoolArray, weight: FloatArray, kept: BoolArray, parts: Mapping[int, BoolArray]
) -> Real:
    """Return `weight` [n + m] with the corruptions of each group leant towards the errors that the table shows."""
    leant = weight.astype(np.float64)
    for index, rows in parts.items():
        own, null = rows & observed & ~kept, rows & ~observed
        if index != _BLIND and own.any() and null.any():
            leant[null] = lean(score[own], score[null], leant[null])
    return leant


def _overall(
    score: FloatArray, kind: IntArray, weight: Real, rows: BoolArray, num_kinds: int, config: CalibrationConfig
) -> Real:
    """Return the shares of wrong triples by kind over all relations together."""
    own, wrong = rows & (kind < 0), rows & (kind >= 0)
    if _apart(score[own], score[wrong]) is None:
        return np.full(num_kinds, config.fallback_share / num_kinds)
    return estimate_shares(score[own], score[wrong], kind[wrong], num_kinds, weight=weight[wrong]).wrong


def _fit(score: FloatArray, kind: IntArray, weight: Real, prior: Real, config: CalibrationConfig) -> _Fit:
    observed = kind < 0
    own, null = score[observed], score[~observed]
    apart = _apart(own, null)
    if apart is None:
        return _blind(len(own), len(prior), config)
    null_kind, null_weight = kind[~observed], weight[~observed]
    shares = estimate_shares(
        own, null, null_kind, len(prior), weight=null_weight, prior=prior, strength=config.lean
    ).wrong
    by_kind = _weights(shares if apart >= config.min_auroc else prior, null_kind)
    counts = np.ones(len(score))
    counts[~observed] = by_kind[null_kind] * null_weight
    centre, chance = _line(score, observed, counts)
    share = config.noise_share if config.noise_share is not None else float(shares.sum())
    told_well = config.noise_share is not None or apart >= config.min_auroc
    return _Fit(
        told=True,
        centre=centre,
        chance=chance,
        prior_odds=len(own) / counts[~observed].sum(),
        share=share if told_well else None,
        weight=by_kind,
        num=len(own),
    )


def _blind(num: int, num_kinds: int, config: CalibrationConfig) -> _Fit:
    """Return the calibration of a group of `num` triples of which nothing can be told."""
    return _Fit(
        told=False,
        centre=np.zeros(1),
        chance=np.ones(1),
        prior_odds=1.0,
        share=config.noise_share,
        weight=np.ones(num_kinds),
        num=num,
    )


def _weights(shares: Real, kind: IntArray) -> Real:
    """Return what a corruption of each kind counts, such that kinds have their shares and the mean count is one."""
    present = np.bincount(kind, minlength=len(shares))
    part = (shares + _FLOOR * max(shares.sum(), 0.01)) * (present > 0)
    return np.where(present > 0, part / part.sum() * len(kind) / np.maximum(present, 1), 0.0)


def _line(score: FloatArray, observed: BoolArray, counts: Real) -> tuple[Real, Real]:
    """Return c(s) as points to draw a line through: the centres of its steps, and their heights."""
    value, place = np.unique(score, return_inverse=True)
    count = np.bincount(place, weights=counts)
    steps = isotonic_regression(np.bincount(place, weights=counts * observed) / count, weights=count)
    weight = np.add.reduceat(count, steps.blocks[:-1])
    centre = np.add.reduceat(count * value, steps.blocks[:-1]) / weight
    # No score makes certain: beyond the last row of the other kind, one more such row is assumed.
    floor = 1 / (len(score) + 2)
    return centre, np.clip(steps.x[steps.blocks[:-1]], floor, 1 - floor)


def _apart(own: FloatArray, null: FloatArray) -> float | None:
    """Return the AUROC of triples against corruptions, or None where that could be chance or there is no score.

    It is 1 where most of the triples score as wrong ones do.
    """
    if not len(own) or not len(null) or np.isnan(own).any():
        return None
    # The spread of the AUROC where both kinds score alike, from the Mann-Whitney statistic.
    sigma = np.sqrt((len(own) + len(null) + 1) / (12 * len(own) * len(null)))
    value = auroc(np.concatenate([own, null]), np.arange(len(own) + len(null)) < len(own))
    # Triples like no true ones elsewhere are told by that alone, though corruptions beside them are the same.
    if np.median(own) < _AGAINST:
        return 1.0
    return value if value >= max(_LEAST_AUROC, 0.5 + _SIGMAS * sigma) else None


def _pooled(fits: Mapping[int, _Fit], config: CalibrationConfig) -> float:
    """Return the share of wrong triples for groups that have none of their own."""
    told = [(fit.num, fit.share) for fit in fits.values() if fit.share is not None]
    total = sum(num for num, _ in told)
    return sum(num * share for num, share in told) / total if total else config.fallback_share


def _groups(
    score: FloatArray, relation: IntArray, stratum: BoolArray, observed: BoolArray, min_triples: int
) -> IntArray:
    """Number the groups that are calibrated apart: a relation and stratum, or all of a stratum that are too small."""
    told, cell = ~np.isnan(score), 2 * relation + stratum
    rest = int(cell.max(initial=0)) // 2 * 2 + 2
    num, num_null = (np.bincount(cell[told & part], minlength=rest) for part in (observed, ~observed))
    group = np.where(np.minimum(num, num_null) >= min_triples, np.arange(rest), rest + np.arange(rest) % 2)
    # A relation without corruptions has nothing to be held against, even together with others.
    group[num_null == 0] = _BLIND
    return np.where(told, group[cell], _BLIND)


def _log_odds(wrong: Real) -> FloatArray:
    # Logarithms, because of what is next to certain single precision would make ties.
    wrong = np.clip(wrong, _TINY, 1 - _LEAST)
    return _single(np.log1p(-wrong) - np.log(wrong))


def _single(values: Real) -> FloatArray:
    return values.astype(np.float32)
