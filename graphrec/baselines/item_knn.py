"""Item-kNN: items that the same users had."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from graphrec.baselines.config import ItemKNNConfig
from graphrec.baselines.neighbours import NeighbourScorer, nearest


@dataclass(frozen=True)
class ItemKNN:
    """Each item of the history votes for its nearest ones, by cosine: shared users / (norms + shrink).

    Deshpande & Karypis 2004, "Item-based top-N recommendation algorithms". The shrink term is not
    in the paper: without it two items with one user in common, and no other, are the closest of all.
    """

    config: ItemKNNConfig

    def fit(self, history: csr_array, seed: int) -> NeighbourScorer:
        """Compute the weights; nothing is random."""
        norm = np.sqrt(history.sum(axis=0))
        weight = nearest(
            history.T.tocsr(),
            history,
            lambda i, j, shared: shared / (norm[i] * norm[j] + self.config.shrink),
            self.config.neighbours,
        )
        return NeighbourScorer(history, weight)
