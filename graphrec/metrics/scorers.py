"""Scorers made of vectors, and of vectors and what goes together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from graphrec.core.types import FloatArray, IntArray
from graphrec.metrics._numba_scores import pack, write_scores


@dataclass(frozen=True)
class VectorScorer:
    """Score = dot product. `user[num_users, dim]`, `item[num_items, dim]`.

    The vectors must not change once scores were asked for: a copy of the items is kept, in the order
    in which the compiled product reads them.
    """

    user: FloatArray
    item: FloatArray

    def score(self, users: IntArray) -> FloatArray:
        """Return `[len(users), num_items]` scores; a score has the same bits in whatever company it is asked for."""
        scores = np.empty((len(users), len(self.item)), dtype=np.float32)
        write_scores(self.vectors(users), self.panels, scores)
        return scores

    def vectors(self, users: IntArray) -> FloatArray:
        """Return the vectors of `users`, `[len(users), dim]`."""
        return np.ascontiguousarray(self.user[users], dtype=np.float32)

    @cached_property
    def rows(self) -> FloatArray:
        """The item vectors, contiguous."""
        return np.ascontiguousarray(self.item, dtype=np.float32)

    @cached_property
    def panels(self) -> FloatArray:
        """The item vectors as the compiled product reads them."""
        return pack(self.rows)

    @cached_property
    def is_finite(self) -> bool:
        """Whether no score can be NaN or infinite, by the size of the vectors."""
        if not self.user.size or not self.item.size:
            return True
        largest = float(np.abs(self.user).max()) * float(np.abs(self.item).max()) * self.item.shape[1]
        return bool(largest < float(np.finfo(np.float32).max) / 2)


@dataclass(frozen=True)
class Together:
    """What goes with the items that somebody had in one domain: `log(1 + history @ weight)`, sparse.

    `history` is [num_users, items of the domain], `weight` [items of the domain, num_items].
    """

    history: csr_array
    weight: csr_array

    def told(self, users: IntArray) -> csr_array:
        """Return what it says of `users`, `[len(users), num_items]`, 0 where nothing goes together."""
        made = csr_array(self.history[users] @ self.weight)
        np.log1p(made.data, out=made.data)
        return made

    @cached_property
    def is_plain(self) -> bool:
        """Whether all is finite and not negative, and small enough for every sum to be finite."""
        parts = [matrix.data for matrix in (self.history, self.weight) if matrix.nnz]
        if any(not np.isfinite(data).all() or data.min() < 0 for data in parts):
            return False
        largest = np.prod([float(data.max()) for data in parts]) * self.weight.shape[0]
        return bool(largest < float(np.finfo(np.float32).max) / 2)

    def of(self, users: IntArray) -> "Together":
        """Return it for some users, whose rows are numbered anew."""
        return Together(csr_array(self.history[users]), self.weight)


@dataclass(frozen=True)
class HybridScorer:
    """Score = dot product of `vectors` + the sum of `share[d]` times what `together[d]` says."""

    vectors: VectorScorer
    together: Sequence[Together]
    share: Sequence[float]

    def score(self, users: IntArray) -> FloatArray:
        """Return `[len(users), num_items]` scores; a score has the same bits in whatever company it is asked for."""
        scores, more = self.vectors.score(users), self.more(users)
        scores[np.repeat(np.arange(len(users)), np.diff(more.indptr)), more.indices] += more.data
        return scores

    def more(self, users: IntArray) -> csr_array:
        """Return what is added to the dot products, `[len(users), num_items]`, each row in ascending order of items."""
        total = csr_array((len(users), len(self.vectors.item)), dtype=np.float32)
        for together, share in zip(self.together, self.share, strict=True):
            if share:
                told = together.told(users)
                told.data *= np.float32(share)
                total = total + told
        total.sum_duplicates()
        return total

    @cached_property
    def is_finite(self) -> bool:
        """Whether no score can be NaN or infinite, by the size of vectors and shares."""
        share = np.abs(np.array(self.share, dtype=np.float64))
        # What is told lies between 0 and the logarithm of the largest number, if it is told of such numbers.
        plain = all(together.is_plain for together, size in zip(self.together, share, strict=True) if size)
        return self.vectors.is_finite and plain and bool(share.sum() * 100 < float(np.finfo(np.float32).max) / 4)


Arrays = Mapping[str, NDArray[np.generic]]
_HISTORY, _WEIGHT, _SHARE = "history", "weight", "share"


def hybrid_arrays(together: Sequence[Together]) -> dict[str, NDArray[np.generic]]:
    """Return what `hybrid_scorer` reads of `together`, by name."""
    made: dict[str, NDArray[np.generic]] = {}
    for place, one in enumerate(together):
        for name, matrix in ((_HISTORY, one.history), (_WEIGHT, one.weight)):
            key = f"together.{place}.{name}"
            made |= {f"{key}.data": matrix.data.astype(np.float32), f"{key}.indices": matrix.indices.astype(np.int32)}
            made |= {f"{key}.indptr": matrix.indptr.astype(np.int64), f"{key}.shape": np.array(matrix.shape)}
    return made


def hybrid_scorer(arrays: Arrays, prefix: str = "") -> VectorScorer | HybridScorer:
    """Return the scorer of the model whose arrays begin with `prefix`.

    These are `user` [num_users, dim], `item` [num_items, dim] and `share` [num_domains], how much it counts what goes
    together in each domain, as `hybrid_arrays` wrote it for all models.
    """
    vectors = VectorScorer(_floats(arrays[f"{prefix}user"]), _floats(arrays[f"{prefix}item"]))
    share = [float(value) for value in arrays[f"{prefix}{_SHARE}"]]
    if not any(share):
        return vectors
    together = [Together(_sparse(arrays, d, _HISTORY), _sparse(arrays, d, _WEIGHT)) for d in range(len(share))]
    return HybridScorer(vectors, together, share)


def hybrid_rows(arrays: Arrays, rows: IntArray) -> dict[str, NDArray[np.generic]]:
    """Return the model without a prefix in `arrays` for some users, whose rows are numbered anew."""
    scorer = hybrid_scorer(arrays)
    vectors = scorer if isinstance(scorer, VectorScorer) else scorer.vectors
    made: dict[str, NDArray[np.generic]] = {"user": vectors.vectors(rows), "item": np.ascontiguousarray(vectors.item)}
    pairs = [] if isinstance(scorer, VectorScorer) else list(zip(scorer.together, scorer.share, strict=True))
    # What it does not count is not its business.
    kept = [(together.of(rows), share) for together, share in pairs if share]
    return made | {_SHARE: np.array([share for _, share in kept], np.float32)} | hybrid_arrays([one for one, _ in kept])


def _sparse(arrays: Arrays, place: int, name: str) -> csr_array:
    key = f"together.{place}.{name}"
    data, indices, indptr = (arrays[f"{key}.{part}"] for part in ("data", "indices", "indptr"))
    return csr_array((data, indices, indptr), shape=tuple(arrays[f"{key}.shape"].tolist()))


def _floats(array: NDArray[np.generic]) -> FloatArray:
    return array.astype(np.float32, copy=False)
