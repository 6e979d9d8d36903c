"""Compiled gradients of weighted sums of rows: two passes over the bags, where torch sorts the rows first."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numba import njit

from graphrec.core.types import FloatArray, IntArray

_CHUNK = 2048
"""Bags of one task."""


def sum_bags_back(
    grad: FloatArray, z: FloatArray, row: IntArray, weight: FloatArray, start: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return the gradients of `z` and `weight` for that of the sums over `weight[k] * z[row[k]]`.

    k counts from `start[b]` up to the next start; `grad` is [num_bags, dim].
    """
    ends, of_weight, of_z = np.append(start[1:], len(row)), np.empty_like(weight), np.zeros_like(z)
    _each(
        lambda low: _dot(grad, z, row, start, ends, of_weight, low, min(low + _CHUNK, len(start))), len(start), _CHUNK
    )
    # A task owns columns, not rows: two of them never add to the same number, and the order is one.
    part = -(-z.shape[1] // torch.get_num_threads())
    _each(
        lambda low: _scatter(grad, row, weight, start, ends, of_z, low, min(low + part, z.shape[1])), z.shape[1], part
    )
    return of_z, of_weight


def _each(work: Callable[[int], None], size: int, step: int) -> None:
    # Threads of our own, not numba's: its threading layers clash with torch's OpenMP and with forks.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(work, range(0, size, step)))


@njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _dot(
    grad: FloatArray,
    z: FloatArray,
    row: IntArray,
    start: IntArray,
    ends: IntArray,
    result: FloatArray,
    low: int,
    high: int,
) -> None:
    for bag in range(low, high):
        for k in range(start[bag], ends[bag]):
            total, given, vector = np.float32(0), grad[bag], z[row[k]]
            for d in range(len(given)):
                total += given[d] * vector[d]
            result[k] = total


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _scatter(
    grad: FloatArray,
    row: IntArray,
    weight: FloatArray,
    start: IntArray,
    ends: IntArray,
    result: FloatArray,
    low: int,
    high: int,
) -> None:
    for bag in range(len(start)):
        given = grad[bag, low:high]
        for k in range(start[bag], ends[bag]):
            made, w = result[row[k], low:high], weight[k]
            for d in range(len(made)):
                made[d] += w * given[d]
