"""The compiled loop of the leak report: min-hash sketches of buyer sets, in one pass over the events."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def sketch(
    user: NDArray[np.int32],
    item: NDArray[np.int32],
    place: NDArray[np.int32],
    odd: NDArray[np.uint64],
    smallest: NDArray[np.uint32],
) -> None:
    """Lower `smallest[place[item], h]` to the smallest hash `h` of the item's users, for each event.

    Items whose `place` is negative are passed over. A user is mixed once (splitmix64, Steele et al.
    2014) and multiplied by each of the odd numbers `odd`, of which the upper half counts.
    """
    for e in range(len(user)):
        row = place[item[e]]
        if row < 0:
            continue
        word = np.uint64(user[e]) + np.uint64(0x9E3779B97F4A7C15)
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        word = word ^ (word >> np.uint64(31))
        for h in range(len(odd)):
            value = np.uint32((word * odd[h]) >> np.uint64(32))
            if value < smallest[row, h]:
                smallest[row, h] = value
