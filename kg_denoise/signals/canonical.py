"""How much likelier two vectors are together than apart: the closed form for jointly normal ones.

Bach and Jordan 2005, "A probabilistic interpretation of canonical correlation analysis"; the pointwise
mutual information of that model.
"""

from dataclasses import dataclass

import numpy as np

from graphrec.core.seeds import generator
from graphrec.core.types import BoolArray, FloatArray, IntArray
from kg_denoise.signals.text_config import TextConfig

_FOLDS = 5
_LEAST = 20
_TRIMMED = 0.1
_MOST_CORRELATED = 0.999
_AT_ONCE = 1 << 16

_Ends = tuple[FloatArray, IntArray, IntArray]
"""Vectors of entities, and the heads and tails of rows."""


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Number, mean and mean products of vectors of both ends: x of heads, y of tails, `[dim]` and `[dim, dim]`."""

    num: float
    x: np.ndarray
    y: np.ndarray
    xx: np.ndarray
    yy: np.ndarray
    xy: np.ndarray

    @classmethod
    def of(cls, x: FloatArray, y: FloatArray) -> "Moments":
        """Measure rows `[n, dim]` of both ends."""
        num = max(len(x), 1)
        parts = {"xx": x.T @ x / num, "yy": y.T @ y / num, "xy": x.T @ y / num}
        means = {"x": x.sum(axis=0) / num, "y": y.sum(axis=0) / num}
        return cls(num=float(len(x)), **{name: part.astype(np.float64) for name, part in (parts | means).items()})

    def __add__(self, other: "Moments") -> "Moments":
        """Return the moments of both sets of rows."""
        share = self.num / max(self.num + other.num, 1)
        mixed = {k: share * v + (1 - share) * getattr(other, k) for k, v in vars(self).items() if k != "num"}
        return Moments(num=self.num + other.num, **mixed)

    def centred(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the covariances of x, of y, and of both."""
        return (
            self.xx - np.outer(self.x, self.x),
            self.yy - np.outer(self.y, self.y),
            self.xy - np.outer(self.x, self.y),
        )


@dataclass(frozen=True, kw_only=True)
class Canonical:
    """Maps of both ends to canonical variates, `[dim, dim]`, where they have unit variance and correlations `c`."""

    moments: Moments
    x_map: FloatArray
    y_map: FloatArray
    c: FloatArray

    def score(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return log p(x, y) - log p(x) - log p(y) of rows `[n, dim]`."""
        x, y = (
            (x - self.moments.x.astype(np.float32)) @ self.x_map,
            (y - self.moments.y.astype(np.float32)) @ self.y_map,
        )
        square = 1 - self.c**2
        joint = (x * y) @ (self.c / square) - (x**2 + y**2) @ (self.c**2 / square) / 2
        return np.asarray(joint - np.log(square).sum() / 2, dtype=np.float32)


def canonical(moments: Moments, pooled: Moments, ridge: float) -> Canonical:
    """Return the canonical variates of a relation; the fewer its triples, the more those of all (`pooled`) count."""
    dim = len(moments.x)
    share = moments.num / (moments.num + dim)
    pairs = zip(moments.centred(), pooled.centred(), strict=True)
    xx, yy, xy = (share * own + (1 - share) * other for own, other in pairs)
    x_white, y_white = _whitening(xx, ridge), _whitening(yy, ridge)
    left, c, right = np.linalg.svd(x_white.T @ xy @ y_white)
    return Canonical(
        moments=moments,
        x_map=(x_white @ left).astype(np.float32),
        y_map=(y_white @ right.T).astype(np.float32),
        c=np.minimum(c, _MOST_CORRELATED).astype(np.float32),
    )


def match(
    vectors: FloatArray,
    head: IntArray,
    relation: IntArray,
    tail: IntArray,
    own: BoolArray,
    options: TextConfig,
    *,
    seed: int,
) -> FloatArray:
    """Return the score of every row, learnt per relation from its own rows of the other folds.

    A corruption takes any fold, so that nothing but its ends tells it from an own row. NaN where a
    relation has fewer than 20 own rows.
    """
    fold = generator(seed, "match").integers(_FOLDS, size=len(head))
    ends, learnt = (vectors, head, tail), _sampled(relation, own, options.max_fit, seed)
    score = np.full(len(relation), np.nan, dtype=np.float32)
    whole = [_measure(ends, learnt[fold[learnt] == k]) for k in range(_FOLDS)]
    order = np.argsort(relation, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(relation[order])) + 1):
        mine = learnt[relation[learnt] == relation[rows[0]]]
        for k in range(_FOLDS if len(mine) >= _LEAST else 0):
            pooled = _sum([part for j, part in enumerate(whole) if j != k])
            model = _fitted(ends, mine[fold[mine] != k], pooled, options.ridge)
            asked = rows[fold[rows] == k]
            score[asked] = _scores(model, ends, asked)
    return score


def _fitted(ends: _Ends, rows: IntArray, pooled: Moments, ridge: float) -> Canonical:
    """Return the canonical variates of `rows`, fitted again without the tenth that fits them least.

    Some of the triples learnt from are wrong (trimmed likelihood). The scores that trim are of this
    fit and no other: cross-fitted ones would bring back what the held-out rows are like.
    """
    first = canonical(_measure(ends, rows), pooled, ridge)
    score = _scores(first, ends, rows)
    kept = rows[score >= np.quantile(score, _TRIMMED)]
    return canonical(_measure(ends, kept), pooled, ridge)


def _scores(model: Canonical, ends: _Ends, rows: IntArray) -> FloatArray:
    vectors, head, tail = ends
    parts = [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]
    scores = [model.score(vectors[head[part]], vectors[tail[part]]) for part in parts]
    return np.concatenate(scores) if scores else np.empty(0, dtype=np.float32)


def _sum(parts: list[Moments]) -> Moments:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _measure(ends: _Ends, rows: IntArray) -> Moments:
    vectors, head, tail = ends
    return Moments.of(vectors[head[rows]], vectors[tail[rows]])


def _sampled(relation: IntArray, own: BoolArray, most: int, seed: int) -> IntArray:
    """Return the rows to learn from, in order: at most `most` own rows of a relation, drawn at random."""
    rows = np.flatnonzero(own)
    mixed = generator(seed, "sample").permutation(rows)
    mixed = mixed[np.argsort(relation[mixed], kind="stable")]
    first = np.searchsorted(relation[mixed], relation[mixed])
    return np.sort(mixed[np.arange(len(mixed)) - first < most])


def _whitening(covariance: np.ndarray, ridge: float) -> np.ndarray:
    dim = len(covariance)
    value, axes = np.linalg.eigh(covariance + ridge * np.trace(covariance) / dim * np.eye(dim))
    return np.asarray(axes / np.sqrt(np.maximum(value, 1e-12)))
