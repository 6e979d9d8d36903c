"""iALS through the library `implicit`."""

from dataclasses import dataclass

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_array, csr_matrix
from threadpoolctl import threadpool_limits

from graphrec.baselines.config import IALSConfig
from graphrec.core.seeds import derive_seed
from graphrec.core.types import FloatArray, IntArray


@dataclass(frozen=True)
class FactorScorer:
    """Score = dot product. `user[num_users, dim]`, `item[num_items, dim]`."""

    user: FloatArray
    item: FloatArray
    note: str = ""

    def score(self, users: IntArray) -> FloatArray:
        """Return `[len(users), num_items]` scores."""
        return self.user[users] @ self.item.T


@dataclass(frozen=True)
class IALS:
    """Factorises events against everything else, with a higher weight on events.

    Hu, Koren & Volinsky 2008, "Collaborative filtering for implicit feedback datasets"; the library
    solves each row by three conjugate gradient steps (Takács et al. 2011).
    """

    config: IALSConfig

    def fit(self, history: csr_array, seed: int) -> FactorScorer:
        """Alternate from random vectors. The result does not depend on the number of threads."""
        # implicit warns unless BLAS has one thread: its own threads each call it.
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=self.config.dim,
                regularization=self.config.l2,
                alpha=self.config.alpha,
                iterations=self.config.epochs,
                random_state=derive_seed(seed, "ials") % 2**32,
            )
            model.fit(csr_matrix(history), show_progress=False)
        return FactorScorer(np.asarray(model.user_factors), np.asarray(model.item_factors))
