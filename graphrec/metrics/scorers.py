"""Scorers made of vectors."""

from dataclasses import dataclass

from graphrec.core.types import FloatArray, IntArray


@dataclass(frozen=True)
class VectorScorer:
    """Score = dot product. `user[num_users, dim]`, `item[num_items, dim]`."""

    user: FloatArray
    item: FloatArray

    def score(self, users: IntArray) -> FloatArray:
        """Return `[len(users), num_items]` scores."""
        return self.user[users] @ self.item.T
