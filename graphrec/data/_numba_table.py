"""The compiled hash table that numbers the distinct keys of a column: one pass, in order of first appearance."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FULL = 0.6
"""Share of slots in use above which the table doubles."""


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def number_keys(key: NDArray[np.uint64], spread: NDArray[np.uint64]) -> tuple[NDArray[np.int32], NDArray[np.uint32]]:
    """Return the code of each row and the first row of each code.

    Two rows are one if `key` and the place that `spread` gives them are equal. Slots hold a key beside
    its code, so that a row costs one access to memory; linear probing (Knuth, TAOCP 3, 6.4).
    """
    bits = 16
    slots = np.empty((1 << bits, 2), dtype=np.uint64)
    slots[:, 1] = 0
    codes = np.empty(len(key), dtype=np.int32)
    first = np.empty(int(_FULL * (1 << bits)) + 1, dtype=np.uint32)
    num = 0
    for row in range(len(key)):
        place = _slot(slots, key[row], spread[row], bits)
        if slots[place, 1] == 0:
            if num + 1 == len(first):
                bits += 1
                slots, first = _grown(slots, first, key, spread, num, bits)
                place = _slot(slots, key[row], spread[row], bits)
            first[num] = row
            num += 1
            slots[place, 0] = key[row]
            slots[place, 1] = num
        codes[row] = np.int32(slots[place, 1]) - 1
    return codes, first[:num].copy()


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _slot(slots: NDArray[np.uint64], key: np.uint64, spread: np.uint64, bits: int) -> np.uint64:
    """Return where `key` stands, or the free slot where it would."""
    # Multiplied by 2**64 / golden ratio, so that plain integers, too, fall all over the table.
    place = (spread * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - bits)
    last = np.uint64((1 << bits) - 1)
    while slots[place, 1] != 0 and slots[place, 0] != key:
        place = (place + np.uint64(1)) & last
    return place


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _grown(
    slots: NDArray[np.uint64],
    first: NDArray[np.uint32],
    key: NDArray[np.uint64],
    spread: NDArray[np.uint64],
    num: int,
    bits: int,
) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """Return twice the table and twice the list of first rows, with the `num` codes that there are."""
    wider = np.empty((1 << bits, 2), dtype=np.uint64)
    wider[:, 1] = 0
    longer = np.empty(int(_FULL * (1 << bits)) + 1, dtype=np.uint32)
    longer[:num] = first[:num]
    for code in range(num):
        row = first[code]
        place = _slot(wider, key[row], spread[row], bits)
        wider[place, 0] = key[row]
        wider[place, 1] = code + 1
    return wider, longer
