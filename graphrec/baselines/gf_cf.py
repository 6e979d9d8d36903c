"""GF-CF: two graph filters on a user's history, in closed form."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, diags_array

from graphrec.baselines.config import GFCFConfig
from graphrec.core.types import FloatArray, IntArray
from graphrec.graph.spectrum import item_spectrum, normalised


@dataclass(frozen=True)
class GFCFScorer:
    """Score = neighbours of the history's items plus the history seen through few smooth directions.

    `history[num_users, num_items]`; `normal` the same with both ends divided by the root of their degree, and its
    transpose, as a block of users would take longer to transpose it than to score; `smooth[num_items, dim]`
    orthonormal columns; `root[num_items]` the roots of degrees.
    """

    history: csr_array
    normal: csr_array
    transposed: csr_array
    smooth: FloatArray
    root: FloatArray
    alpha: float
    note: str = ""

    def score(self, users: IntArray) -> FloatArray:
        """Return `[len(users), num_items]` scores."""
        past = self.history[users]
        near: FloatArray = ((past @ self.transposed) @ self.normal).toarray()
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
        normal = normalised(history)
        _, smooth = item_spectrum(normal, max(1, min(self.config.dim, min(history.shape) - 1)), seed)
        root = np.sqrt(np.maximum(np.asarray(history.sum(axis=0)), 1.0)).astype(np.float32)
        return GFCFScorer(history, normal, csr_array(normal.T), smooth, root, self.config.alpha)
