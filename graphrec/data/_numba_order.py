"""The compiled pass that puts one domain's events in order: by user, by time within a user, each item once.

A counting sort by user, then a sort of each user's few events in place: linear in the events, and no
copy of the table, only row numbers. `clean.py` says what the order is for.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graphrec.core.types import BoolArray, IntArray

Rows = NDArray[np.uint32]

_FEW = 24
"""Up to this many events of a user, comparing all pairs beats sorting."""


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def arrange(
    user: NDArray[np.int32], item: NDArray[np.int32], order: IntArray, num_users: int, keep_last: bool
) -> tuple[Rows, Rows, Rows]:
    """Return the rows that stay, by user and order, the repeats that go, and which row each of these repeats.

    Events of one user at the same time keep their input order. Of a user's events on one item the first
    stays, or the last with `keep_last`.
    """
    rows, end = _by_user(user, num_users)
    stays = np.arange(len(rows))
    gone, into = np.empty(16, dtype=np.uint32), np.empty(16, dtype=np.uint32)
    num_gone, num_kept, begin = 0, 0, 0
    for one in range(num_users):
        # Bounds rather than slices are handed on: making a slice costs more than sorting a few events.
        if end[one] - begin > 1:
            _sort_by_time(rows, begin, end[one], order)
            _find_repeats(rows, begin, end[one], item, keep_last, stays)
        for place in range(begin, end[one]):
            if stays[place] == place:
                continue
            if num_gone == len(gone):
                gone, into = np.concatenate((gone, gone)), np.concatenate((into, into))
            gone[num_gone], into[num_gone] = rows[place], rows[stays[place]]
            num_gone += 1
        # In place, and never ahead of what is still to be read: at most as many stay as were before.
        for place in range(begin, end[one]):
            if stays[place] == place:
                rows[num_kept] = rows[place]
                num_kept += 1
        begin = end[one]
    return rows[:num_kept], gone[:num_gone], into[:num_gone]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _by_user(user: NDArray[np.int32], num_users: int) -> tuple[Rows, IntArray]:
    """Return all rows by user, in input order within one, and where each user's rows end."""
    place = np.zeros(num_users + 1, dtype=np.int64)
    for row in range(len(user)):
        place[user[row] + 1] += 1
    for one in range(num_users):
        place[one + 1] += place[one]
    rows = np.empty(len(user), dtype=np.uint32)
    for row in range(len(user)):
        rows[place[user[row]]] = row
        place[user[row]] += 1
    # Having given out all its places, each user's begin has become its end.
    return rows, place[:-1]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sort_by_time(rows: Rows, begin: int, end: int, order: IntArray) -> None:
    """Sort `rows[begin:end]` in place by their `order`, equal ones left as they stand."""
    if end - begin > _FEW:
        own = rows[begin:end]
        own[:] = own[np.argsort(order[own], kind="mergesort")]
        return
    for place in range(begin + 1, end):
        row, before = rows[place], place
        while before > begin and order[rows[before - 1]] > order[row]:
            rows[before] = rows[before - 1]
            before -= 1
        rows[before] = row


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _find_repeats(rows: Rows, begin: int, end: int, item: NDArray[np.int32], keep_last: bool, stays: IntArray) -> None:
    """Write into `stays`, for each of `rows[begin:end]` that repeats an item, the place of the row that stays."""
    num = end - begin
    if num > _FEW:
        ordered = begin + np.argsort(item[rows[begin:end]], kind="mergesort")
        if keep_last:
            ordered = ordered[::-1].copy()
        for rank in range(1, num):
            if item[rows[ordered[rank]]] == item[rows[ordered[rank - 1]]]:
                stays[ordered[rank]] = stays[ordered[rank - 1]]
        return
    for step in range(1, num):
        place = end - 1 - step if keep_last else begin + step
        for back in range(step):
            other = end - 1 - back if keep_last else begin + back
            if item[rows[other]] == item[rows[place]]:
                stays[place] = other
                break


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def core(user: NDArray[np.int32], item: NDArray[np.int32], num_items: int, most: IntArray) -> BoolArray:
    """Return which events are in the core: each item has `most[0]` users left in it, each user `most[1]` items.

    `user` is sorted. Every round drops what is below, until a round drops nothing.
    """
    keep = np.ones(len(user), dtype=np.bool_)
    of_user, of_item = np.zeros(user[-1] + 1 if len(user) else 0, dtype=np.int64), np.zeros(num_items, dtype=np.int64)
    for event in range(len(user)):
        of_user[user[event]] += 1
        of_item[item[event]] += 1
    changed = True
    while changed:
        changed = False
        for event in range(len(user)):
            if keep[event] and (of_item[item[event]] < most[0] or of_user[user[event]] < most[1]):
                keep[event] = False
                changed = True
                of_user[user[event]] -= 1
                of_item[item[event]] -= 1
    return keep
