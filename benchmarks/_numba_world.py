"""Events of a large made-up world, compiled: a number is a hash of what it is for, so nothing has to be remembered.

Users have a taste (a cluster of items in every domain) and two domains; their events are long-tailed
in number. Four events of five take an item of the user's cluster, the rest any item; both follow a
power law of popularity.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graphrec.core.types import BoolArray

LEAST, MOST = 2, 300
"""Events of a user."""

_TAIL, _SCALE = 1.5, 1.65  # a Pareto tail that makes five events the mean
_OWN, _FIRST = 0.8, 0.6  # events that follow the taste, and those in the first of the two domains
_SKEW = 2.5
_TRIES = 8
_GOLDEN, _MIX_1, _MIX_2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11, _S40 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11), np.uint64(40)


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def _uniform(seed: int, user: int, event: int, purpose: int) -> float:
    x = (np.uint64(user) << _S11 | np.uint64(event)) * _GOLDEN + (np.uint64(seed) << _S40 | np.uint64(purpose)) * _MIX_2
    x = (x ^ (x >> _S30)) * _MIX_1
    x = (x ^ (x >> _S27)) * _MIX_2
    return np.float64((x ^ (x >> _S31)) >> _S11) * 2.0**-53


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def _num_events(seed: int, user: int) -> int:
    tail = _SCALE * _uniform(seed, user, 0, 1) ** (-1 / _TAIL)
    return int(min(LEAST - 1 + tail, MOST))


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def _domain(seed: int, user: int, event: int, num_domains: int) -> int:
    purpose = 2 if event == 0 or _uniform(seed, user, event, 4) < _FIRST else 3
    return int(_uniform(seed, user, 0, purpose) * num_domains)


@njit(cache=True)  # type: ignore[untyped-decorator]
def count_events(seed: int, num_users: int, domain: int, num_domains: int) -> int:
    """Return the number of events in `domain`."""
    count = 0
    for user in range(num_users):
        for event in range(_num_events(seed, user)):
            count += _domain(seed, user, event, num_domains) == domain
    return count


@njit(cache=True)  # type: ignore[untyped-decorator]
def write_events(
    seed: int,
    domain: int,
    num_domains: int,
    num_users: int,
    num_items: int,
    num_clusters: int,
    held: int,
    out_user: NDArray[np.int32],
    out_item: NDArray[np.int32],
    out_valid: BoolArray,
) -> None:
    """Write the events of `domain`, by user and time; item `i` is of cluster `i % num_clusters`.

    The last event of one user in `held` is for validation, where it is new to a user with others.
    """
    at, size = 0, num_items // num_clusters
    for user in range(num_users):
        first = at
        cluster = int(_uniform(seed, user, 0, 5) * num_clusters)
        for event in range(_num_events(seed, user)):
            if _domain(seed, user, event, num_domains) != domain:
                continue
            for attempt in range(_TRIES):
                rank = _uniform(seed, user, event, 16 * domain + attempt + 64) ** _SKEW
                if _uniform(seed, user, event, 6) < _OWN:
                    item = int(rank * size) * num_clusters + cluster
                else:
                    item = int(rank * size * num_clusters)
                known = False
                for other in range(first, at):
                    known |= out_item[other] == domain * num_items + item
                if not known:
                    break
            out_user[at], out_item[at], out_valid[at] = user, domain * num_items + item, False
            at += 1
        if at > first + 1 and not known and _uniform(seed, user, 0, 7) * held < 1:
            out_valid[at - 1] = True
