"""How much an item's popularity adds to its score: one number, chosen on validation.

    score(u, i) = < z_u, z_i > + weight * log(1 + events of i)

A cosine has to spell popularity as a direction, and a loss that leaves the predicted event in the user's
own history (LightGCN) or draws negatives evenly spells too little of it. The number is a prior in the
sense of Bayes: log P(i | u) is what u says of i plus log P(i). Held-out events often follow popularity
more than training events do, the more so where they are later; so the validation events say how much.
"""

from collections.abc import Callable

import numpy as np

from graphrec.core.types import FloatArray, IntArray
from graphrec.metrics.scorers import VectorScorer

_COARSE, _FINE, _MOST = 0.2, 0.1, 1.2


def popularity_prior(count: IntArray, weight: float) -> FloatArray:
    """Return what is added to each item's scores, `[num_items]`, given its training events."""
    return (weight * np.log1p(count)).astype(np.float32)


def with_prior(user: FloatArray, item: FloatArray, prior: FloatArray) -> VectorScorer:
    """Return the scorer of vectors with one more column, so that an inner product holds the prior too."""
    return VectorScorer(
        np.hstack([user, np.ones((len(user), 1), dtype=np.float32)]),
        np.hstack([item, prior[:, None].astype(np.float32)]),
    )


def choose_weight(score_at: Callable[[float], float], unit: float) -> float:
    """Return the weight with the best `score_at`, 0 where nothing is better; `unit` is the temperature of the loss.

    In steps of a fifth of `unit`, as long as one of the next two is better, then one step of a tenth to either side.
    """
    found = {0.0: score_at(0.0)}

    def score(share: float) -> float:
        if share not in found:
            found[share] = score_at(share * unit)
        return found[share]

    best = 0.0
    while ahead := [s for n in (1, 2) if (s := round(best + n * _COARSE, 3)) <= _MOST and score(s) > score(best)]:
        best = ahead[0]
    near = [share for share in (round(best - _FINE, 3), best, round(best + _FINE, 3)) if share >= 0]
    return max(near, key=score) * unit
