"""Sparse item-item weights, made in blocks of rows so that the full product never stands in memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from graphrec.baselines._numba_nearest import largest
from graphrec.core.types import FloatArray, IntArray

_ENTRIES = 1 << 22
"""About how many entries of the product stand in memory at a time, 40 bytes each with what they are weighed by."""

Weigh = Callable[[IntArray, IntArray, FloatArray], FloatArray]
"""(from items, to items, values of the product) -> weights; arrays of one length."""


@dataclass(frozen=True)
class NeighbourScorer:
    """Score of an item = sum of its weights from the items of the user's history.

    `history[num_users, num_items]`, `weight[num_items, num_items]` (row: has, column: is scored).
    """

    history: csr_array
    weight: csr_array
    note: str = ""

    def score(self, users: IntArray) -> FloatArray:
        """Return `[len(users), num_items]` scores."""
        scores: FloatArray = (self.history[users] @ self.weight).toarray()
        return scores


def nearest(left: csr_array, right: csr_array, weigh: Weigh, neighbours: int, *, itself: bool = False) -> csr_array:
    """Return `weigh(left @ right)`, of each row only the `neighbours` largest; without the diagonal but for `itself`.

    `left[num_rows, num_users]`, `right[num_users, num_items]`. Of equal weights the first items stay.
    """
    shape = left.shape[0], right.shape[1]
    rows = [_row_block(left, right, part, weigh, neighbours, itself) for part in _parts(left, right)]
    from_item, to_item, weight = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    return csr_array((weight, (from_item, to_item)), shape=shape)


def _parts(left: csr_array, right: csr_array) -> Iterator[slice]:
    # A product has at most as many entries in a row as its users have items; a row may be more than a part alone.
    ones = csr_array((np.ones(len(left.indices)), left.indices, left.indptr), shape=left.shape)
    entries = np.minimum(ones @ np.diff(right.indptr), right.shape[1])
    number = np.cumsum(entries) // _ENTRIES
    bounds = np.unique(np.concatenate([[0], np.flatnonzero(np.diff(number)) + 1, [left.shape[0]]]))
    yield from (slice(int(a), int(b)) for a, b in zip(bounds, bounds[1:], strict=False))


def _row_block(
    left: csr_array, right: csr_array, part: slice, weigh: Weigh, neighbours: int, itself: bool
) -> tuple[IntArray, IntArray, FloatArray]:
    product = csr_array(left[part] @ right)
    to_item = product.indices.astype(np.int64)
    from_item = part.start + np.repeat(np.arange(product.shape[0]), np.diff(product.indptr))
    weight = weigh(from_item, to_item, product.data).astype(np.float32)
    assert not np.isnan(weight).any(), "a weight is a number"
    if not itself:
        weight[from_item == to_item] = -np.inf
    kept = largest(product.indptr.astype(np.int64), to_item, weight, neighbours)
    return from_item[kept], to_item[kept], weight[kept]
