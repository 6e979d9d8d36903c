"""EASE: every item as a linear function of all others, in closed form."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from scipy.sparse import csr_array

from graphrec.baselines.config import EASEConfig
from graphrec.core.types import FloatArray, IntArray

_COLUMNS = 1024


@dataclass(frozen=True)
class EASEScorer:
    """Score = history times dense weights, for the items that were learned.

    `history[num_users, num_kept]`, `weight[num_kept, num_kept]` with a zero diagonal; `kept` lists
    the learned items of `num_items`. The others share one score, below all learned ones.
    """

    history: csr_array
    weight: FloatArray
    kept: IntArray
    num_items: int
    note: str = ""

    def score(self, users: IntArray) -> FloatArray:
        """Return `[len(users), num_items]` scores."""
        learned: FloatArray = self.history[users] @ self.weight
        if len(self.kept) == self.num_items:
            return learned
        scores = np.repeat(learned.min(axis=1, keepdims=True) - 1.0, self.num_items, axis=1)
        scores[:, self.kept] = learned
        return scores


@dataclass(frozen=True)
class EASE:
    """argmin ||X - X B||^2 + l2 ||B||^2 with diag(B) = 0: B = -P / diag(P), P = (X'X + l2 I)^-1.

    Steck 2019, "Embarrassingly shallow autoencoders for sparse data", eq. 8. P is computed in the
    memory of X'X, in single precision: 4 num_items^2 bytes in all (1.6 GB for 20,000 items), and
    num_items^3 operations.
    """

    config: EASEConfig

    def fit(self, history: csr_array, seed: int) -> EASEScorer:
        """Solve; nothing is random. The scorer's `note` says so when items were left out."""
        num_items, limit = history.shape[1], self.config.max_items
        count = np.asarray(history.sum(axis=0))
        kept = np.sort(np.argsort(-count, kind="stable")[:limit])
        known = history[:, kept].tocsr() if num_items > limit else history
        note = f"learned on the {limit:,} most popular of {num_items:,} items" if num_items > limit else ""
        return EASEScorer(known, _weights(known, self.config.l2), kept, num_items, note)


def _weights(history: csr_array, l2: float) -> FloatArray:
    inverse = _gram(history)
    inverse[np.diag_indices_from(inverse)] += l2
    _invert(inverse)
    inverse /= -np.diagonal(inverse).copy()
    np.fill_diagonal(inverse, 0.0)
    return inverse


def _gram(history: csr_array) -> FloatArray:
    # In blocks: the sparse product of a dense data set would take three times the dense one.
    num_items = history.shape[1]
    transposed, by_item = history.T.tocsr(), history.tocsc()
    gram = np.empty((num_items, num_items), dtype=np.float32)
    for start in range(0, num_items, _COLUMNS):
        columns = slice(start, start + _COLUMNS)
        gram[:, columns] = (transposed @ by_item[:, columns]).toarray()
    return gram


def _invert(matrix: FloatArray) -> None:
    """Invert a symmetric positive definite matrix in its own memory."""
    # LAPACK counts by columns: it sees the transpose, which is the same matrix in the same memory.
    factor, failed = lapack.spotrf(matrix.T, lower=1, clean=0, overwrite_a=1)
    assert failed == 0, "l2 > 0 makes the matrix positive definite"
    inverse, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    assert failed == 0 and np.shares_memory(inverse, matrix), "LAPACK worked in place"
    # Only one triangle was written; the other still holds the old values.
    for start in range(0, len(matrix), _COLUMNS):
        end = start + _COLUMNS
        block = np.triu(matrix[start:end, start:end])
        matrix[start:end, start:end] = block + np.triu(block, 1).T
        matrix[end:, start:end] = matrix[start:end, end:].T
