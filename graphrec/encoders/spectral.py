"""The closed-form start: singular vectors of who had what."""

import numpy as np
from scipy.sparse import csr_array

from graphrec.core.types import FloatArray
from graphrec.graph.spectrum import item_spectrum, normalised

_REST = 0.1  # of the mean length: what fills the columns that a small matrix has no singular vectors for


def spectral_vectors(history: csr_array, dim: int, seed: int) -> FloatArray:
    """Return item vectors `[num_items, dim]` of mean length 1, zero rows for items without events.

    They are V S^1/2 of the truncated SVD of D_u^-1/2 X D_i^-1/2 for X = `history` [num_users,
    num_items]. A user as the sum
    of such items is then the user of PureSVD (Cremonesi et al. 2010) and of the ideal low-pass
    filter of GF-CF (Shen et al. 2021), so training begins where the closed form ends.
    """
    rank = min(dim, min(history.shape) - 1)
    vectors = np.zeros((history.shape[1], dim), dtype=np.float32)
    if rank > 0 and history.nnz:
        size, right = item_spectrum(normalised(history), rank, seed)
        vectors[:, :rank] = right * np.sqrt(size)
    met = np.diff(history.tocsc().indptr) > 0
    length = np.linalg.norm(vectors[met], axis=1).mean() if met.any() else 0.0
    if length > 0:
        vectors /= length
    rest = np.random.default_rng(seed).normal(scale=_REST * dim**-0.5, size=(int(met.sum()), dim - rank))
    vectors[met, rank:] = rest
    return vectors
