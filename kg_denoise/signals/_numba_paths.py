"""Compiled counts of what lies between two entities, the step from one to the other not among it.

No path looked at passes from one asked end directly to the other, so it does not matter whether the
asked triple, or any other between the same two, is in the graph: nothing has to be subtracted. Where
an entity has more than `cap` neighbours, `cap` of them, spread evenly, stand for all.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graphrec.core.types import IntArray
from kg_denoise.signals._numba_graph import Neighbours, drawn, holds, is_drawn, lower

Counts = NDArray[np.float64]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def shared_neighbours(near: Neighbours, head: IntArray, tail: IntArray, worth: Counts, cap: int) -> Counts:
    """Return the sum of `worth` over the neighbours that head and tail share, `[num_rows]`."""
    start, other = near
    result = np.zeros(len(head))
    for row in range(len(head)):
        one, two = head[row], tail[row]
        if start[one + 1] - start[one] > start[two + 1] - start[two]:
            one, two = two, one
        first, last = start[one], start[one + 1]
        skip = lower(other, first, last, two)
        linked = skip < last and other[skip] == two
        size = last - first - linked
        taken = min(size, cap)
        for index in range(taken):
            place = first + drawn(index, size, taken)
            place += linked and place >= skip
            if holds(other, start[two], start[two + 1], other[place]):
                result[row] += worth[other[place]] * size / taken
    return result


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def three_steps(near: Neighbours, head: IntArray, tail: IntArray, order: IntArray, worth: Counts, cap: int) -> Counts:
    """Return the sum of `worth[a] * worth[b]` over paths head - a - b - tail, `[num_rows]`.

    `order` sorts the rows by head, so that what two steps reach is found once per head.
    """
    start, other = near
    result, reached = np.zeros(len(head)), np.zeros(len(start) - 1)
    at = 0
    while at < len(order):
        end, entity = at, head[order[at]]
        while end < len(order) and head[order[end]] == entity:
            end += 1
        _spread(near, entity, worth, cap, reached, False)
        for place in range(at, end):
            row = order[place]
            result[row] = _collect(near, entity, tail[row], worth, cap, reached)
        _spread(near, entity, worth, cap, reached, True)
        at = end
    return result


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _spread(near: Neighbours, entity: int, worth: Counts, cap: int, reached: Counts, undo: bool) -> None:
    # Two steps out of `entity`, each first step weighted; or back to zero, which costs no more.
    start, other = near
    for step in range(start[entity], start[entity + 1]):
        middle = other[step]
        size = start[middle + 1] - start[middle]
        taken = min(size, cap)
        gain = worth[middle] * size / taken
        for index in range(taken):
            target = other[start[middle] + drawn(index, size, taken)]
            reached[target] = 0.0 if undo else reached[target] + gain


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _collect(near: Neighbours, entity: int, tail: int, worth: Counts, cap: int, reached: Counts) -> float:
    start, other = near
    first, full = start[tail], start[tail + 1] - start[tail]
    skip = lower(other, first, start[tail + 1], entity)
    linked = skip < start[tail + 1] and other[skip] == entity
    size, total = full - linked, 0.0
    taken = min(size, cap)
    # Where the two are linked, `_spread` also went by way of the tail itself, which is no path.
    false_gain = worth[tail] * full / min(full, cap) if linked else 0.0
    for index in range(taken):
        place = first + drawn(index, size, taken)
        place += linked and place >= skip
        gain = reached[other[place]]
        if linked and is_drawn(place - first, full, min(full, cap)):
            gain -= false_gain
        total += worth[other[place]] * gain * size / taken
    return total
