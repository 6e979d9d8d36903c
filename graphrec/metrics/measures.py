"""Measures of a ranking at a cut-off, one value per user.

With r a 0-based rank and n the number of the user's held-out items:

    hr      1 if any r < k                                         (success at k)
    recall  #(r < k) / n
    ndcg    sum over r < k of 1 / log2(r + 2), over the best possible sum for n items
            (Järvelin & Kekäläinen 2002, binary gains)
    mrr     1 / (r + 1) of the best r, 0 when it is not below k

With one held-out item hr equals recall. The denominator of recall is n, also where n > k.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from graphrec.metrics.ranking import Ranks

Values = NDArray[np.float64]
"""One number per user with a held-out item, in ascending order of users."""

Measure = Callable[[Ranks, int], Values]


def hit_rate(ranks: Ranks, k: int) -> Values:
    """Return 1 where any held-out item of a user is among the first `k`, else 0."""
    return np.minimum(_hits(ranks, k), 1.0)


def recall(ranks: Ranks, k: int) -> Values:
    """Return the share of each user's held-out items that is among the first `k`."""
    return _hits(ranks, k) / _counts(ranks)


def ndcg(ranks: Ranks, k: int) -> Values:
    """Return the discounted gain of each user's list of `k`, relative to the best possible list."""
    gain = np.where(ranks.value < k, 1.0 / np.log2(ranks.value + 2.0), 0.0)
    # best[n - 1]: all n items at the top of the list.
    best = np.cumsum(1.0 / np.log2(np.arange(k) + 2.0))
    values: Values = np.add.reduceat(gain, ranks.starts) / best[np.minimum(_counts(ranks), k) - 1]
    return values


def reciprocal_rank(ranks: Ranks, k: int) -> Values:
    """Return 1 / (1 + rank) of each user's best held-out item, 0 where it is not among the first `k`."""
    best = np.minimum.reduceat(ranks.value, ranks.starts)
    return np.where(best < k, 1.0 / (best + 1.0), 0.0)


MEASURES: dict[str, Measure] = {
    "hr": hit_rate,
    "recall": recall,
    "ndcg": ndcg,
    "mrr": reciprocal_rank,
}
"""Name -> measure. A new one = one function and one row."""

CUTOFFS = (10, 20, 50)
"""The k of every report."""


def measure_all(ranks: Ranks, cutoffs: tuple[int, ...] = CUTOFFS) -> dict[tuple[str, int], Values]:
    """Return every measure at every cut-off, per user; empty when there are no pairs."""
    if not len(ranks):
        return {}
    return {(name, k): measure(ranks, k) for name, measure in MEASURES.items() for k in cutoffs}


def _hits(ranks: Ranks, k: int) -> Values:
    return np.add.reduceat((ranks.value < k).astype(np.float64), ranks.starts)


def _counts(ranks: Ranks) -> NDArray[np.int64]:
    return np.diff(ranks.starts, append=len(ranks))
