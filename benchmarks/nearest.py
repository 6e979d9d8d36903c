"""The simplest way to a new item: one whose entities are those of what the user had."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from finetune.bridge import by_idf, item_ties
from graphrec.core.types import FloatArray, IntArray
from graphrec.graph.graph import MultiDomainGraph


@dataclass(frozen=True)
class Nearest:
    """`profile` [num_users, num_entities] are sums over what users had, `item` [num_items, num_entities] unit rows.

    Items where `first` [num_items] is 1 come before all others.
    """

    profile: csr_array
    item: csr_array
    first: FloatArray

    def score(self, users: IntArray) -> FloatArray:
        """Return `[len(users), num_items]` scores."""
        score = (self.profile[users] @ self.item.T).toarray() + 1e3 * self.first
        return np.asarray(score, dtype=np.float32)


def nearest(graph: MultiDomainGraph, domain: str, had: csr_array, *, new_first: bool = False) -> Nearest:
    """Return cosines by entities (trust times idf) between the items of `domain` and what users `had` of them.

    With `new_first` items that nobody had come before all others, as where only these are asked for.
    """
    ties = by_idf(csr_array(item_ties(graph)[graph.catalog[domain]]))
    new = np.asarray(had.sum(axis=0)).ravel() == 0 if new_first else np.zeros(had.shape[1])
    return Nearest(csr_array(had @ ties), ties, new.astype(np.float32))
