"""Compiled cutting of bags out of histories: two passes, one to count and one to write."""

import numpy as np
from numba import njit

from graphrec.core.types import BoolArray, FloatArray, Index, IntArray


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def windows(
    begin: Index, num_users: int, num_domains: int, user: IntArray, left_out: IntArray, reach: int
) -> tuple[IntArray, IntArray, IntArray, BoolArray]:
    """Return the events `[first, stop)` of each (row, domain) and where distances count from, and what is known.

    `left_out[num_rows]` is the event to leave out, -1 where none is. All results are
    `[num_rows, num_domains]`.
    """
    num_rows = len(user)
    first = np.empty((num_rows, num_domains), dtype=np.int64)
    stop, middle = np.empty_like(first), np.empty_like(first)
    known = np.empty((num_rows, num_domains), dtype=np.bool_)
    for row in range(num_rows):
        for domain in range(num_domains):
            place = domain * num_users + user[row]
            low, high = np.int64(begin[place]), np.int64(begin[place + 1])
            event = left_out[row]
            own = low <= event < high
            middle[row, domain] = event if own else high
            first[row, domain] = max(low, middle[row, domain] - reach)
            stop[row, domain] = min(high, event + reach + 1) if own else high
            known[row, domain] = high - low > own
    return first, stop, middle, known


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def fill(
    first: IntArray, stop: IntArray, middle: IntArray, event_item: Index, event_weight: FloatArray
) -> tuple[IntArray, IntArray, IntArray, FloatArray, IntArray]:
    """Return items, distances, domains and weights of the windows' events, the middle left out, and bag starts."""
    num_rows, num_domains = first.shape
    start = np.empty(num_rows * num_domains, dtype=np.int64)
    size = 0
    for row in range(num_rows):
        for domain in range(num_domains):
            start[row * num_domains + domain] = size
            size += stop[row, domain] - first[row, domain]
            size -= first[row, domain] <= middle[row, domain] < stop[row, domain]
    item, distance, of = (
        np.empty(size, dtype=np.int64),
        np.empty(size, dtype=np.int64),
        np.empty(size, dtype=np.int64),
    )
    weight = np.empty(size, dtype=np.float32)
    at = 0
    for row in range(num_rows):
        for domain in range(num_domains):
            for event in range(first[row, domain], stop[row, domain]):
                if event == middle[row, domain]:
                    continue
                item[at] = event_item[event]
                distance[at] = abs(event - middle[row, domain])
                of[at] = domain
                weight[at] = event_weight[event]
                at += 1
    return item, distance, of, weight, start
