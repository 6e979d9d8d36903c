"""A few labels: what people said of some triples bends what the signals say of all.

With labels y of some triples, log odds are refitted as

    logit P(true) = l + a + b_r + w . x

where l is what was found without labels, r the relation and x what each signal said. a, b and w are
normal around zero, so no label changes nothing, a handful shifts the level, and hundreds can turn a
signal that misleads. The fit is the mode of the posterior by Newton's method (logistic regression
with an offset); how far the coefficients may stray is chosen among a few scales by the
log-likelihood of labels left out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphrec.core.seeds import generator
from graphrec.core.types import FloatArray, IntArray

Real = NDArray[np.float64]

SCALES = (0.05, 0.2, 0.5, 1.0)
"""Standard deviations on offer for the coefficients of relations and signals; that of the level is 2."""

_LEVEL, _PARTS, _ROUNDS, _CLIP, _ROWS = 2.0, 5, 30, 12.0, 1 << 16


@dataclass(frozen=True, kw_only=True)
class Bent:
    """`log_odds` [num_triples] after the labels; `scale` that was chosen (0: too few labels to choose by)."""

    log_odds: FloatArray
    scale: float


def bend(log_odds: FloatArray, said: FloatArray, relation: IntArray, label: IntArray, *, seed: int) -> Bent:
    """Return the log odds of all triples, given `label` [num_triples]: 1 true, 0 wrong, -1 unknown.

    `said` [num_triples, num_signals] is what each signal adds. A labelled triple keeps what the
    refit says of it, so that its own label is no more certain than the others make it; what is
    written out as known is the caller's business.
    """
    known = np.flatnonzero(label >= 0)
    if not len(known):
        return Bent(log_odds=log_odds, scale=0.0)
    offset = np.clip(log_odds.astype(np.float64), -_CLIP, _CLIP)
    shape = _Shape.of(said, relation, known)
    features, kind = shape.features(said[known], relation[known]), shape.kind
    y = label[known].astype(np.float64)
    both = min(y.sum(), len(y) - y.sum()) >= _PARTS
    scale = _chosen(features, offset[known], y, kind, seed) if both else 0.0
    weight = _fit(features, offset[known], y, _precision(kind, scale))
    bent = np.empty(len(said), dtype=np.float32)
    # In blocks: a column per relation of all triples at once would be the largest array of the stage.
    for start in range(0, len(said), _ROWS):
        rows = slice(start, start + _ROWS)
        bent[rows] = offset[rows] + shape.features(said[rows], relation[rows]) @ weight
    return Bent(log_odds=bent, scale=scale)


@dataclass(frozen=True)
class _Shape:
    """What makes features of rows: the labelled relations, and mean and spread of each signal."""

    relations: IntArray
    mean: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, said: FloatArray, relation: IntArray, known: IntArray) -> "_Shape":
        return cls(np.unique(relation[known]), said.mean(axis=0), np.maximum(said.std(axis=0), 1e-6))

    @property
    def kind(self) -> IntArray:
        """The kind of each column: 0 level, 1 relation, 2 signal."""
        return np.repeat([0, 1, 2], [1, len(self.relations), len(self.mean)]).astype(np.int64)

    def features(self, said: FloatArray, relation: IntArray) -> Real:
        """Return `[num_rows, k]`."""
        signals = (said - self.mean) / self.spread
        columns = [np.ones((len(said), 1)), relation[:, None] == self.relations, signals]
        return np.concatenate(columns, axis=1).astype(np.float64)


def _precision(kind: IntArray, scale: float) -> Real:
    return np.where(kind == 0, _LEVEL, max(scale, 1e-3)) ** -2.0


def _chosen(features: Real, offset: Real, y: Real, kind: IntArray, seed: int) -> float:
    """Return the scale under which labels left out are likeliest."""
    place = generator(seed, "labels").permutation(len(y)) % _PARTS
    value = [
        sum(_left_out(features, offset, y, place == part, _precision(kind, scale)) for part in range(_PARTS))
        for scale in SCALES
    ]
    return SCALES[int(np.argmax(value))]


def _left_out(features: Real, offset: Real, y: Real, out: NDArray[np.bool_], precision: Real) -> float:
    weight = _fit(features[~out], offset[~out], y[~out], precision)
    logit = offset[out] + features[out] @ weight
    return float(-np.logaddexp(0, np.where(y[out] > 0, -logit, logit)).sum())


def _loss(weight: Real, features: Real, offset: Real, y: Real, precision: Real) -> float:
    """Return the negative logarithm of the posterior, up to a constant."""
    logit = offset + features @ weight
    return float(np.logaddexp(0, np.where(y > 0, -logit, logit)).sum() + (precision * weight**2).sum() / 2)


def _fit(features: Real, offset: Real, y: Real, precision: Real) -> Real:
    """Return the mode of the posterior by Newton's method, its steps halved where they miss."""
    weight = np.zeros(features.shape[1])
    for _ in range(_ROUNDS):
        p = 1 / (1 + np.exp(-np.clip(offset + features @ weight, -30, 30)))
        slope = features.T @ (y - p) - precision * weight
        bend_ = (features * (p * (1 - p))[:, None]).T @ features + np.diag(precision)
        step = np.linalg.solve(bend_, slope)
        # Where the curve is flat a full step lands beyond the top, and the next one as far on the other side.
        before = _loss(weight, features, offset, y, precision)
        while np.abs(step).max() >= 1e-8 and _loss(weight + step, features, offset, y, precision) > before:
            step = step / 2
        weight = weight + step
        if np.abs(step).max() < 1e-8:
            break
    return weight
