"""Compiled step of `RowAdam`: a row's gradient is read once, its moment and its vector are written in the same pass."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from numba import njit

from graphrec.core.types import FloatArray, Index, IntArray

_CHUNK = 4096
"""Rows of one task."""


class Rates(NamedTuple):
    """The numbers of a step; see `RowAdam`."""

    step: int
    lr: float
    beta: float
    weight_decay: float
    epsilon: float


def move_rows(
    rates: Rates,
    table: FloatArray,
    rows: IntArray,
    grad: FloatArray,
    square: FloatArray,
    last: Index,
) -> None:
    """Move `rows`, each there once, of `table` against `grad` [num_rows, dim]; see `RowAdam` for the formula."""

    def work(low: int) -> None:
        part = slice(low, low + _CHUNK)
        _move(table, rows[part], grad[part], square, last, *rates)

    # Threads of our own, not numba's: its threading layers clash with torch's OpenMP and with forks.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(work, range(0, len(rows), _CHUNK)))


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})  # type: ignore[untyped-decorator]
def _move(
    table: FloatArray,
    rows: IntArray,
    grad: FloatArray,
    square: FloatArray,
    last: Index,
    step: int,
    lr: float,
    beta: float,
    weight_decay: float,
    epsilon: float,
) -> None:
    scale = 1.0 / (1.0 - beta**step)
    for k in range(len(rows)):
        row, given, total = rows[k], grad[k], np.float32(0)
        for d in range(len(given)):
            total += given[d] * given[d]
        age = step - last[row]
        fresh = beta**age * square[row] + (1 - beta) * total / len(given)
        square[row], last[row] = fresh, step
        rate = np.float32(lr / (np.sqrt(fresh * scale) + epsilon))
        shrink = np.float32((1 - lr * weight_decay) ** age) if weight_decay else np.float32(1)
        vector = table[row]
        for d in range(len(given)):
            vector[d] = shrink * vector[d] - rate * given[d]
