"""Compiled neighbour sampling: short loops over a layer, so that their cache misses overlap.

Without weights: Floyd's draw without replacement (Bentley & Floyd 1987), one number per neighbour.
With weights: draws in proportion, a repeated one thrown away; where that goes on for too long
because few entries have most of the weight, the rest is drawn in one pass by exponential keys
(Efraimidis & Spirakis 2006), which continues the same sequence of draws exactly.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graphrec.core.types import FloatArray, IntArray
from graphrec.samplers._numba_walks import _GOLDEN, _S32, _STREAM, _mix, _row_sums

_PATIENCE = 8
"""Draws per neighbour before the weights are read one by one."""


def row_sums(indptr: IntArray, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums of `weight` from the start of each row on, in place; empty stays empty."""
    return np.asarray(_row_sums(indptr, weight)) if len(weight) else weight


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def remember(nodes: IntArray, place: IntArray) -> bool:
    """Write the position of each node into `place`, -1 everywhere before; False if a node comes twice."""
    distinct = True
    for position in range(len(nodes)):
        distinct &= place[nodes[position]] < 0
        place[nodes[position]] = position
    return distinct


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def forget(nodes: IntArray, place: IntArray) -> None:
    """Make `place` -1 again."""
    for node in nodes:
        place[node] = -1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def sample_layer(
    indptr: IntArray, indices: IntArray, sums: FloatArray, nodes: IntArray, fanout: int, key: np.uint64, place: IntArray
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return (start, source, entry) of a layer whose targets are `nodes`, and `nodes` with the new sources behind."""
    num_targets = len(nodes)
    begin, degree = np.empty(num_targets, dtype=np.int64), np.empty(num_targets, dtype=np.int64)
    for t in range(num_targets):
        begin[t] = indptr[nodes[t]]
        degree[t] = indptr[nodes[t] + 1] - begin[t]
    start, entry = np.zeros(num_targets + 1, dtype=np.int64), np.empty(num_targets * fanout, dtype=np.int64)
    if len(sums):
        _draw_weighted(sums, begin, degree, nodes, fanout, key, start, entry)
    else:
        _draw(begin, degree, nodes, fanout, key, start, entry)
    entry = entry[: start[-1]].copy()
    source, found = np.empty(len(entry), dtype=np.int64), np.empty(num_targets + len(entry), dtype=np.int64)
    found[:num_targets] = nodes
    for e in range(len(entry)):
        source[e] = indices[entry[e]]
    size = num_targets
    for e in range(len(entry)):
        node = source[e]
        if place[node] < 0:
            place[node] = size
            found[size] = node
            size += 1
        source[e] = place[node]
    return start, source, entry, found[:size].copy()


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _draw(
    begin: IntArray, degree: IntArray, nodes: IntArray, fanout: int, key: np.uint64, start: IntArray, entry: IntArray
) -> None:
    size = 0
    for t in range(len(nodes)):
        first = size
        if degree[t] <= fanout:
            for position in range(degree[t]):
                entry[size] = begin[t] + position
                size += 1
        else:
            stream = _mix(key + np.uint64(nodes[t]) * _GOLDEN)
            for position in range(degree[t] - fanout, degree[t]):
                draw = _mix(stream + np.uint64(position) * _STREAM) >> _S32
                pick = begin[t] + np.int64((draw * np.uint64(position + 1)) >> _S32)
                for earlier in range(first, size):
                    if entry[earlier] == pick:
                        pick = begin[t] + position
                        break
                entry[size] = pick
                size += 1
        start[t + 1] = size


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _draw_weighted(
    sums: FloatArray,
    begin: IntArray,
    degree: IntArray,
    nodes: IntArray,
    fanout: int,
    key: np.uint64,
    start: IntArray,
    entry: IntArray,
) -> None:
    size = 0
    for t in range(len(nodes)):
        first, row = size, sums[begin[t] : begin[t] + degree[t]]
        stream = _mix(key + np.uint64(nodes[t]) * _GOLDEN)
        tries = _PATIENCE * fanout if degree[t] > fanout else 0
        for number in range(tries):
            share = np.float64(_mix(stream + np.uint64(number) * _STREAM) >> np.uint64(11)) * 2.0**-53
            # The first sum above the share; rounding may give the total itself, which no sum is above.
            position = np.searchsorted(row, share * row[-1], side="right")
            known = position == len(row)
            for earlier in range(first, size):
                known |= entry[earlier] == begin[t] + position
            if not known:
                entry[size] = begin[t] + position
                size += 1
            if size == first + fanout:
                break
        if size < first + fanout:
            size = _draw_rest(row, begin[t], fanout, stream, entry, first, size)
        start[t + 1] = size


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _draw_rest(
    row: FloatArray, begin: int, fanout: int, stream: np.uint64, entry: IntArray, first: int, size: int
) -> int:
    # The entries not drawn yet, by the time at which an exponential clock of their weight rings first.
    time = np.full(len(row), np.inf)
    for position in range(len(row)):
        weight = row[position] - (row[position - 1] if position else 0.0)
        draw = _mix(stream ^ _mix(np.uint64(position) * _STREAM + np.uint64(1)))
        if weight > 0:
            time[position] = -np.log((np.float64(draw >> np.uint64(11)) + 0.5) * 2.0**-53) / weight
    for earlier in range(first, size):
        time[entry[earlier] - begin] = np.inf
    for position in np.argsort(time)[: first + fanout - size]:
        if time[position] < np.inf:
            entry[size] = begin + position
            size += 1
    return size
