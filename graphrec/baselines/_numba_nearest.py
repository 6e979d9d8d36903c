"""The largest entries of each sparse row, in one compiled pass: sorting all of them takes most of the time."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graphrec.core.types import BoolArray, FloatArray


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def largest(indptr: NDArray[np.int64], indices: NDArray[np.int64], value: FloatArray, most: int) -> BoolArray:
    """Return which entries are among the `most` largest of their rows, of equal ones those of the first columns.

    The rows' columns may be in any order, each at most once. A value of -inf is no entry.
    """
    kept = np.zeros(len(value), dtype=np.bool_)
    for row in range(len(indptr) - 1):
        first, last = indptr[row], indptr[row + 1]
        if last - first <= most:
            for p in range(first, last):
                kept[p] = value[p] > -np.inf
            continue
        bound = np.partition(value[first:last], last - first - most)[last - first - most]
        if bound == -np.inf:
            for p in range(first, last):
                kept[p] = value[p] > -np.inf
            continue
        above = 0
        for p in range(first, last):
            above += value[p] > bound
        equal = np.sort(indices[first:last][value[first:last] == bound])
        final = equal[most - above - 1]
        for p in range(first, last):
            kept[p] = value[p] > bound or (value[p] == bound and indices[p] <= final)
    return kept
