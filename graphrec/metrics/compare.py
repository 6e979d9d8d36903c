"""Is one model better than another, or was it the sample of users? A paired bootstrap over users."""

from dataclasses import dataclass

import numpy as np

from graphrec.core import seeds
from graphrec.metrics.measures import Values


@dataclass(frozen=True)
class Difference:
    """Mean difference per user and the bounds of its 95 % interval."""

    mean: float
    low: float
    high: float


def paired_difference(values: Values, against: Values, seed: int, samples: int = 1000) -> Difference:
    """Compare two models on the same users: percentile bootstrap of the mean of `values - against`.

    Both are `[num_users]`, at least one. Users are drawn with replacement `samples` times (Efron &
    Tibshirani 1993, ch. 13); one seed gives the same users for every pair of models.
    """
    delta = values - against
    rng = seeds.generator(seed, "bootstrap")
    means = np.array([delta[rng.integers(len(delta), size=len(delta))].mean() for _ in range(samples)])
    low, high = np.quantile(means, (0.025, 0.975))
    return Difference(float(delta.mean()), float(low), float(high))
