"""Baselines on the events of several domains at once: the merged history, and the scores of one domain's items."""

from dataclasses import dataclass
from functools import cached_property

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


@dataclass(frozen=True)
class Cooccurrence:
    """Counts of users who had both an item and one of the asked user's items.

    `history` is [num_users, num_items] of what counts, `target` [num_users, num_target_items] of what is ranked.
    """

    history: csr_array
    target: csr_array

    @cached_property
    def counts(self) -> csr_array:
        """Users in both, `[num_items, num_target_items]`."""
        return csr_array(self.history.T @ self.target)

    def score(self, users: IntArray) -> FloatArray:
        """Return `[len(users), num_target_items]` scores."""
        return np.asarray((self.history[users] @ self.counts).toarray(), dtype=np.float32)


def ones(user: IntArray, item: IntArray, shape: tuple[int, int]) -> csr_array:
    """Return who had what, ones, however often."""
    made = csr_array((np.ones(len(user), dtype=np.float32), (user, item)), shape=shape)
    made.sum_duplicates()
    made.data[:] = 1
    return made
