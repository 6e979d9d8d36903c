"""GF-CF: two graph filters on a user's history, in closed form."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, diags_array
from sklearn.utils.extmath import randomized_svd

from graphrec.baselines.config import GFCFConfig
from graphrec.core.types import FloatArray, IntArray

_POWER_STEPS = 4


@dataclass(frozen=True)
class GFCFScorer:
    """Score = neighbours of the history's items plus the history seen through few smooth directions.

    `history[num_users, num_items]`; `normal` the same with both ends divided by the root of their
    degree; `smooth[num_items, dim]` orthonormal columns; `root[num_items]` the roots of degrees.
    """

    history: csr_array
    normal: csr_array
    smooth: FloatArray
    root: FloatArray
    alpha: float
    note: str = ""

    def score(self, users: IntArray) -> FloatArray:
        """Return `[len(users), num_items]` scores."""
        past = self.history[users]
        near: FloatArray = ((past @ self.normal.T) @ self.normal).toarray()
        scaled = (past @ diags_array(1 / self.root)).astype(np.float32)
        far: FloatArray = (scaled @ self.smooth) @ self.smooth.T
        return near + self.alpha * far * self.root


@dataclass(frozen=True)
class GFCF:
    """s(u) = r_u (R'R + alpha D^-1/2 U U' D^1/2), R = D_u^-1/2 X D_i^-1/2, U its top right singular vectors.

    Shen et al. 2021, "How powerful is graph convolution for recommendation?", eq. 19 and 20: a
    linear filter and an ideal low-pass filter. U by the randomised range finder (Halko et al. 2011).
    """

    config: GFCFConfig

    def fit(self, history: csr_array, seed: int) -> GFCFScorer:
        """Compute the filters; `seed` decides the start of the singular vectors."""
        user, item = (np.maximum(np.asarray(history.sum(axis=axis)), 1.0) for axis in (1, 0))
        normal = (diags_array(user**-0.5) @ history @ diags_array(item**-0.5)).tocsr().astype(np.float32)
        rank = max(1, min(self.config.dim, min(history.shape) - 1))
        _, _, right = randomized_svd(normal, rank, n_iter=_POWER_STEPS, random_state=seed % 2**32)
        smooth = np.ascontiguousarray(right.T, dtype=np.float32)
        return GFCFScorer(history, normal, smooth, np.sqrt(item).astype(np.float32), self.config.alpha)
