"""Compiled inner loops of the ranking: one pass over each row of scores, no temporary arrays.

One thread on purpose: a pass costs less than the matrix product that made the scores, and the
result cannot depend on the number of threads. `ranking.py` explains the conventions.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graphrec.core.types import FloatArray, IntArray


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def count_rank(scores: FloatArray, row: IntArray, item: IntArray) -> NDArray[np.float64]:
    """Return #(greater) + 0.5 * #(other equal) of `scores[row[p], item[p]]` in its row, `[num_pairs]`."""
    result = np.empty(len(row), dtype=np.float64)
    for p in range(len(row)):
        own = scores[row[p], item[p]]
        above, level = 0, 0
        for score in scores[row[p]]:
            above += score > own
            level += score == own
        result[p] = above + 0.5 * (level - 1)
    return result


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def select_top(scores: FloatArray, k: int) -> IntArray:
    """Return the positions of the `k` best finite scores of each row, best first, then by position.

    A heap of the `k` best so far, its worst at the root. Positions come in ascending order, so an
    equal score never displaces an earlier one.
    """
    result = np.full((len(scores), k), -1, dtype=np.int64)
    value = np.empty(k, dtype=scores.dtype)
    for row in range(len(scores)):
        value[:] = -np.inf
        place = result[row]
        for position, score in enumerate(scores[row]):
            if score > value[0]:
                sink(value, place, k, score, position)
        sort(value, place)
    return result


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def sort(value: FloatArray, place: IntArray) -> None:
    # Taking the worst off the heap, again and again, fills the list from its end.
    for size in range(len(value) - 1, 0, -1):
        worst_value, worst_place = value[0], place[0]
        sink(value, place, size, value[size], place[size])
        value[size], place[size] = worst_value, worst_place


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def sink(value: FloatArray, place: IntArray, size: int, new_value: float, new_place: int) -> None:
    # Replace the root of the heap value[:size] by a new entry.
    node = 0
    while True:
        child = 2 * node + 1
        if child >= size:
            break
        if child + 1 < size and _worse(value[child + 1], place[child + 1], value[child], place[child]):
            child += 1
        if not _worse(value[child], place[child], new_value, new_place):
            break
        value[node], place[node] = value[child], place[child]
        node = child
    value[node], place[node] = new_value, new_place


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _worse(value: float, place: int, other_value: float, other_place: int) -> bool:
    # Of equal scores the later position is worse; it leaves the heap first. Numbers, not arrays: an
    # array would be counted as a reference, atomically, at every call.
    return bool(value < other_value or (value == other_value and place > other_place))
