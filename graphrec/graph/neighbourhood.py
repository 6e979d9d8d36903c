"""Neighbours of a few nodes out of a large graph: all of them, or some drawn by weight where there are many."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphrec.core.types import FloatArray, IntArray


@dataclass(frozen=True, kw_only=True)
class Near:
    """Weighted neighbours of some nodes: those of node `r` are `node[start[r] : start[r + 1]]`, or the rest."""

    node: IntArray
    weight: FloatArray
    start: IntArray


class Neighbourhood:
    """A weighted graph as CSR over its `touched` nodes, ascending; `indices` are nodes. Others have no neighbour."""

    def __init__(self, touched: IntArray, indptr: IntArray, indices: IntArray, weight: FloatArray) -> None:
        self.touched, self.indptr, self.indices, self.weight = touched, indptr, indices, weight
        # Summed in double precision: a draw inside a row is a difference of two large sums.
        self.total: NDArray[np.float64] = np.concatenate([[0.0], np.cumsum(weight, dtype=np.float64)])

    @classmethod
    def empty(cls) -> "Neighbourhood":
        """Return the graph without an edge."""
        none = np.empty(0, dtype=np.int64)
        return cls(none, np.zeros(1, dtype=np.int64), none, np.empty(0, dtype=np.float32))

    def near(self, nodes: IntArray, fanout: int, rng: np.random.Generator) -> Near:
        """Return the neighbours of `nodes`, at most `fanout` each.

        Of a longer list that many are drawn with replacement, by weight, and share the list's total
        weight: a weighted sum over what is returned has the mean of the sum over all.
        """
        if not len(self.touched):
            none = np.empty(0, dtype=np.int64)
            return Near(node=none, weight=np.empty(0, dtype=np.float32), start=np.zeros(len(nodes), dtype=np.int64))
        place = np.minimum(np.searchsorted(self.touched, nodes), len(self.touched) - 1)
        begin, end = self.indptr[place], self.indptr[place + 1]
        end = np.where(self.touched[place] == nodes, end, begin)
        size = np.minimum(end - begin, fanout)
        start = np.cumsum(size) - size
        edge = np.arange(size.sum()) + np.repeat(begin - start, size)
        weight = self.weight[edge]
        many = np.repeat(end - begin > fanout, size)
        low, high = (np.repeat(bound, size)[many] for bound in (begin, end))
        share = rng.random(len(low)) * (self.total[high] - self.total[low])
        drawn = np.searchsorted(self.total, self.total[low] + share, side="right") - 1
        edge[many] = np.clip(drawn, low, high - 1)
        weight[many] = (self.total[high] - self.total[low]) / fanout
        return Near(node=self.indices[edge], weight=weight, start=start)
