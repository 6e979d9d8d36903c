"""Scorers made of vectors."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

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
