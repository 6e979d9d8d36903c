"""Popularity: the items with the most events, for everyone."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from graphrec.baselines.config import PopularityConfig
from graphrec.core.types import FloatArray, IntArray


@dataclass(frozen=True)
class PopularityScorer:
    """One score per item, `count[num_items]`, whoever asks."""

    count: FloatArray
    note: str = ""

    def score(self, users: IntArray) -> FloatArray:
        """Return `[len(users), num_items]` scores (a read-only view)."""
        return np.broadcast_to(self.count, (len(users), len(self.count)))


@dataclass(frozen=True)
class Popularity:
    """Counts the events of each item."""

    config: PopularityConfig

    def fit(self, history: csr_array, seed: int) -> PopularityScorer:
        """Count; nothing is random."""
        return PopularityScorer(np.asarray(history.sum(axis=0), dtype=np.float32))
