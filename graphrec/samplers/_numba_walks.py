"""Compiled random walks: blocks of walkers step together, so that their cache misses overlap.

Randomness is counter-based (the SplitMix64 finaliser; Steele, Lea and Flood, OOPSLA 2014): step
`s` of walk `k` hashes (seed, k, s), hence threads and block borders cannot change a result.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array

from graphrec.core.types import IntArray
from graphrec.samplers.walks import ENDED

_BLOCK = 64  # measured: enough independent loads in flight, and still within the first-level cache
_CHUNK = 1 << 15  # walks per task: long enough that starting a thread costs nothing
_GOLDEN, _STREAM = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1B54A32D192ED03)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


def random_walks(
    graph: csr_array, starts: IntArray, length: int, restart: float, seed: int, weighted: bool
) -> IntArray:
    """Walk as `graphrec.samplers.walks.random_walks` says; arguments are checked there."""
    walks = np.full((len(starts), length + 1), ENDED, dtype=np.int64)
    walks[:, 0] = starts
    indptr, indices = graph.indptr.astype(np.int64, copy=False), graph.indices.astype(np.int64, copy=False)
    sums = _row_sums(indptr, graph.data.astype(np.float64)) if weighted else np.empty(0, dtype=np.float64)
    stop, key = np.uint64(restart * 2.0**32), np.uint64(seed & (2**64 - 1))

    def walk(first: int) -> None:
        _walk(indptr, indices, sums, walks[first : first + _CHUNK], first, stop, key)

    # Threads of our own, not numba's: its threading layers clash with torch's OpenMP and with forks.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(walk, range(0, len(starts), _CHUNK)))
    return walks


@njit(cache=True)  # type: ignore[untyped-decorator]
def _row_sums(indptr: IntArray, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    # Sums start anew in every row: one sum over a large graph would lose the digits of small weights.
    for row in range(len(indptr) - 1):
        for edge in range(indptr[row] + 1, indptr[row + 1]):
            weight[edge] += weight[edge - 1]
    return weight


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def _mix(x: np.uint64) -> np.uint64:
    x = (x ^ (x >> _S30)) * _MIX_1
    x = (x ^ (x >> _S27)) * _MIX_2
    return x ^ (x >> _S31)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _walk(
    indptr: IntArray,
    indices: IntArray,
    sums: NDArray[np.float64],
    walks: IntArray,
    first: int,
    stop: np.uint64,
    key: np.uint64,
) -> None:
    num_walks, columns = walks.shape
    begin, degree = np.zeros(_BLOCK, dtype=np.int64), np.zeros(_BLOCK, dtype=np.int64)
    for low in range(0, num_walks, _BLOCK):
        size = min(_BLOCK, num_walks - low)
        for step in range(1, columns):
            # Two short loops instead of one: the loads of a whole block are then in flight together.
            for k in range(size):
                node = walks[low + k, step - 1]
                begin[k] = indptr[node] if node >= 0 else 0
                degree[k] = indptr[node + 1] - begin[k] if node >= 0 else 0
            for k in range(size):
                draw = _mix(_mix(key + np.uint64(first + low + k) * _GOLDEN) + np.uint64(step) * _STREAM)
                # The low half decides on the end, the high half on the neighbour: one hash serves both.
                if degree[k] == 0 or (draw & _LOW) < stop:
                    continue
                pick = np.int64(((draw >> _S32) * np.uint64(degree[k])) >> _S32)
                if len(sums):
                    row = sums[begin[k] : begin[k] + degree[k]]
                    share = np.float64(draw >> _S32) * 2.0**-32
                    pick = min(np.searchsorted(row, share * row[-1], side="right"), degree[k] - 1)
                walks[low + k, step] = indices[begin[k] + pick]
