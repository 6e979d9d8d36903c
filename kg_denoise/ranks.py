"""Places within groups, without a loop over the groups."""

import numpy as np
from numpy.typing import NDArray

from graphrec.core.types import IntArray


def rank_within(group: IntArray, *by: NDArray[np.generic]) -> IntArray:
    """Return the place of each row within its group, `[num_rows]`: 0 for the smallest of `by`, the first key foremost.

    Equal rows keep their order.
    """
    order = np.lexsort((*reversed(by), group))
    owner = group[order]
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(first, np.diff(np.append(first, len(order))))
    return rank
