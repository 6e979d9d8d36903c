"""Baselines on the events of several domains at once: the merged history, and the scores of one domain's items."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from graphrec.core.types import FloatArray, IntArray, Scorer


@dataclass(frozen=True)
class Part:
    """The scores of some items of a scorer."""

    whole: Scorer
    items: IntArray

    def score(self, users: IntArray) -> FloatArray:
        """Return the scores of `items` alone."""
        return self.whole.score(users)[:, self.items]


def ones(user: IntArray, item: IntArray, shape: tuple[int, int]) -> csr_array:
    """Return who had what, ones, however often."""
    made = csr_array((np.ones(len(user), dtype=np.float32), (user, item)), shape=shape)
    made.sum_duplicates()
    made.data[:] = 1
    return made
