"""Scores of vectors in tiles that stay in the cache: written out, or ranked without ever standing in memory.

A tile's scores are compared with the score of each held-out item and with the worst of the list so
far while they are in the first-level cache; there the seen items are struck out too.
`_numba_vectors.py` has the arithmetic.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graphrec.core.types import FloatArray, IntArray
from graphrec.metrics._numba_ranking import sink, sort
from graphrec.metrics._numba_vectors import COLUMNS, ROWS, WIDTH, above, dot, first_above, lowest, multiply, twice_above

_PANELS = 16
"""Panels of a tile: 196 KiB of items at 64 dimensions, which stay in the second-level cache for all users."""

_FLOAT = 4


def pack(item: FloatArray) -> FloatArray:
    """Return items `[num_items, dim]` as panels `[ceil(num_items / COLUMNS), dim, COLUMNS]`, zeros at the end."""
    panels = np.zeros((-(-len(item) // COLUMNS), COLUMNS, item.shape[1]), dtype=np.float32)
    panels.reshape(-1, item.shape[1])[: len(item)] = item
    return np.ascontiguousarray(panels.transpose(0, 2, 1))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def write_scores(user: FloatArray, panels: FloatArray, scores: FloatArray) -> None:
    """Fill `scores[num_users, num_items]` from `user[num_users, dim]` and packed items."""
    groups, tile = _group(user), _tile()
    for first in range(0, len(panels), _PANELS):
        low = first * COLUMNS
        size = min(tile.shape[1], scores.shape[1] - low)
        for g in range(len(groups)):
            _fill(groups[g], panels[first : first + _PANELS], tile)
            for r in range(min(ROWS, len(user) - g * ROWS)):
                scores[g * ROWS + r, low : low + size] = tile[r, :size]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def rank_users(
    user: FloatArray,
    item: FloatArray,
    panels: FloatArray,
    start: IntArray,
    held: IntArray,
    seen_start: IntArray,
    seen: IntArray,
    more_start: IntArray,
    more: IntArray,
    more_score: FloatArray,
    value: NDArray[np.float64],
    top: IntArray,
) -> None:
    """Rank the held-out items of consecutive users and list their best.

    User u of `user[num_users, dim]` has the held-out items `held[start[u]:start[u + 1]]`, whose ranks
    go to the same places of `value`, and the history `seen[seen_start[u]:seen_start[u + 1]]`, ascending
    and distinct. The items `more[more_start[u]:more_start[u + 1]]`, likewise, score more than their vectors say, by
    `more_score`. `top[num_users, k]` is -1 on entry. `panels` are the packed `item[num_items, dim]`.
    """
    first_pair = start[0]
    own, twice = np.empty(start[-1] - first_pair, dtype=np.float32), np.zeros(start[-1] - first_pair, dtype=np.int64)
    for u in range(len(user)):
        for p in range(start[u], start[u + 1]):
            own[p - first_pair] = dot(user[u], item[held[p]])
            at = more_start[u] + np.searchsorted(more[more_start[u] : more_start[u + 1]], held[p])
            if at < more_start[u + 1] and more[at] == held[p]:
                own[p - first_pair] += more_score[at]
    best, known = np.full(top.shape, -np.inf, dtype=np.float32), seen_start[:-1].copy()
    added = more_start[:-1].copy()
    groups, tile = _group(user), _tile()
    for first in range(0, len(panels), _PANELS):
        low = first * COLUMNS
        size = min(tile.shape[1], len(item) - low)
        num_vectors = (size + WIDTH - 1) // WIDTH
        for g in range(len(groups)):
            _fill(groups[g], panels[first : first + _PANELS], tile)
            tile[:, size:] = -np.inf  # the zeros at the end of the last panel do not compete
            for r in range(min(ROWS, len(user) - g * ROWS)):
                u = g * ROWS + r
                while added[u] < more_start[u + 1] and more[added[u]] < low + size:
                    tile[r, more[added[u]] - low] += more_score[added[u]]
                    added[u] += 1
                while known[u] < seen_start[u + 1] and seen[known[u]] < low + size:
                    tile[r, seen[known[u]] - low] = -np.inf
                    known[u] += 1
                for p in range(start[u] - first_pair, start[u + 1] - first_pair):
                    twice[p] += twice_above(tile[r].ctypes.data, num_vectors, own[p])
                if top.shape[1] and first_above(tile[r].ctypes.data, 0, num_vectors, best[u, 0]) < num_vectors:
                    _offer(tile[r], num_vectors, low, best[u], top[u])
    for u in range(len(user)):
        sort(best[u], top[u])
    value[first_pair : start[-1]] = 0.5 * (twice - 1)  # an item is equal to itself


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _group(user: FloatArray) -> FloatArray:
    # [num_users, dim] -> [num_groups, dim, ROWS], zeros at the end.
    groups = np.zeros(((len(user) + ROWS - 1) // ROWS, user.shape[1], ROWS), dtype=np.float32)
    for u in range(len(user)):
        groups[u // ROWS, :, u % ROWS] = user[u]
    return groups


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _tile() -> FloatArray:
    # [ROWS, _PANELS * COLUMNS], no vector of it across a border of cache lines.
    line, size = 64 // _FLOAT, ROWS * _PANELS * COLUMNS
    space = np.empty(size + line, dtype=np.float32)
    skip = -(space.ctypes.data // _FLOAT) % line
    return space[skip : skip + size].reshape(ROWS, _PANELS * COLUMNS)


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _fill(group: FloatArray, panels: FloatArray, tile: FloatArray) -> None:
    for p in range(len(panels)):
        out = tile.ctypes.data + p * COLUMNS * _FLOAT
        multiply(group.ctypes.data, panels[p].ctypes.data, len(group), out, tile.shape[1])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _offer(scores: FloatArray, num_vectors: int, low: int, best: FloatArray, place: IntArray) -> None:
    # Items come in ascending position, hence an equal score never displaces an earlier one.
    start = scores.ctypes.data
    v = first_above(start, 0, num_vectors, best[0])
    while v < num_vectors:
        mask = above(start + v * WIDTH * _FLOAT, best[0])
        while mask != 0:
            lane = v * WIDTH + lowest(mask)
            mask &= mask - 1
            if scores[lane] > best[0]:
                sink(best, place, len(best), scores[lane], low + lane)
        v = first_above(start, v + 1, num_vectors, best[0])
