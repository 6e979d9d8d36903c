"""Who had what as a matrix whose ends are normalised, and the smooth directions of it."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from sklearn.utils.extmath import randomized_svd

from graphrec.core.types import FloatArray

_POWER_STEPS = 4


def normalised(history: csr_array) -> csr_array:
    """Return D_u^-1/2 X D_i^-1/2 of X = `history` [num_users, num_items], rows and columns without events zero."""
    user, item = (np.asarray(history.sum(axis=axis), dtype=np.float64) for axis in (1, 0))
    left, right = (np.divide(1.0, np.sqrt(d), out=np.zeros(len(d)), where=d > 0) for d in (user, item))
    return (diags_array(left) @ history @ diags_array(right)).tocsr().astype(np.float32)


def item_spectrum(normal: csr_array, rank: int, seed: int) -> tuple[NDArray[np.float64], FloatArray]:
    """Return the largest `rank` singular values and their right vectors, `[num_items, rank]`.

    By the randomised range finder of Halko, Martinsson & Tropp 2011.
    """
    _, size, right = randomized_svd(normal, rank, n_iter=_POWER_STEPS, random_state=seed % 2**32)
    return size, np.ascontiguousarray(right.T, dtype=np.float32)
