"""RP3beta: where does a walk item -> user -> item from the history end?"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, diags_array

from graphrec.baselines.config import RP3BetaConfig
from graphrec.baselines.neighbours import NeighbourScorer, nearest


@dataclass(frozen=True)
class RP3Beta:
    """Weight i -> j = sum over users of p(i -> user)^alpha p(user -> j)^alpha, over popularity(j)^beta.

    Paudel, Christoffel, Newell & Bernstein 2016, "Updatable, accurate, diverse, and scalable
    recommendations for interactive applications"; alpha from Cooper et al. 2014. The walk's first
    step, user -> i, is left out: it is one factor for all of a user's items.
    """

    config: RP3BetaConfig

    def fit(self, history: csr_array, seed: int) -> NeighbourScorer:
        """Compute the weights; nothing is random."""
        popularity = history.sum(axis=0)
        to_user = _transitions(history.T.tocsr(), self.config.alpha)
        to_item = _transitions(history, self.config.alpha)
        weight = nearest(
            to_user, to_item, lambda i, j, walks: walks / popularity[j] ** self.config.beta, self.config.neighbours
        )
        return NeighbourScorer(history, weight)


def _transitions(matrix: csr_array, alpha: float) -> csr_array:
    # Entries are 1, so dividing rows by a power of their degree is the power of the probability.
    degree = np.maximum(matrix.sum(axis=1), 1.0)
    return (diags_array((degree**-alpha).astype(np.float32)) @ matrix).tocsr()
