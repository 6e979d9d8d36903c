"""Is one model better than another, or was it the sample of users? A paired bootstrap over users."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphrec.core import seeds
from graphrec.metrics.measures import Values


@dataclass(frozen=True)
class Difference:
    """Mean difference per user and the bounds of its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """The mean of each model on every sample of users: `means[samples, num_models]`.

    All models are measured on the same samples, which is what makes their differences paired.
    """

    models: tuple[str, ...]
    mean: Values
    means: NDArray[np.float64]

    @classmethod
    def draw(cls, values: Mapping[str, Values], seed: int, samples: int = 1000) -> "Bootstrap":
        """Draw the users `samples` times with replacement (Efron & Tibshirani 1993, ch. 13).

        `values` gives one number per user for each model, in one order of users, at least one user.
        """
        table = np.stack(list(values.values()))  # [num_models, num_users]
        rng, num_users = seeds.generator(seed, "bootstrap"), table.shape[1]
        means = np.empty((samples, len(table)))
        for sample in means:
            # How often each user was drawn: one product then serves all models.
            times = np.bincount(rng.integers(num_users, size=num_users), minlength=num_users)
            sample[:] = table @ times / num_users
        return cls(tuple(values), table.mean(axis=1), means)

    def difference(self, one: str, other: str) -> Difference:
        """Return the mean of `one` minus that of `other`, between the 2.5 and 97.5 percentiles."""
        a, b = self.models.index(one), self.models.index(other)
        low, high = np.quantile(self.means[:, a] - self.means[:, b], (0.025, 0.975))
        return Difference(float(self.mean[a] - self.mean[b]), float(low), float(high))

    def at_least(self, one: str, other: str) -> float:
        """Return what the mean of `one` minus that of `other` is above in 95 % of the samples (one-sided)."""
        a, b = self.models.index(one), self.models.index(other)
        return float(np.quantile(self.means[:, a] - self.means[:, b], 0.05))
