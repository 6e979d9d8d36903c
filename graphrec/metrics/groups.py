"""Items by popularity, because a mean over all events is a mean over the head."""

import numpy as np
from numpy.typing import NDArray

from graphrec.core.types import IntArray

GROUPS = ("head", "mid", "tail", "cold")
"""What the numbers of `popularity_groups` mean."""

HEAD_SHARE, TAIL_SHARE = 0.5, 0.2


def popularity_groups(count: IntArray) -> IntArray:
    """Return the position in `GROUPS` of each item, given its number of training events.

    *head*: the most popular items that carry the first half of the events; *tail*: the least
    popular that carry the last fifth; *cold*: items without a training event; *mid*: the others.
    An item across a border belongs to the head or to the tail. Equally popular items are ordered by
    position, so that the shares come out as named.
    """
    order = np.argsort(-count, kind="stable")
    after = np.cumsum(count[order])
    total = int(count.sum())
    group = np.full(len(count), GROUPS.index("mid"))
    group[order[after > (1 - TAIL_SHARE) * total]] = GROUPS.index("tail")
    group[order[after - count[order] < HEAD_SHARE * total]] = GROUPS.index("head")
    group[count == 0] = GROUPS.index("cold")
    return group


def coverage(top: IntArray, members: NDArray[np.bool_]) -> float:
    """Return the share of the catalogue's `members` (`[num_items]`) that appears in any list of `top`.

    `top[num_users, k]` holds positions in the catalogue, -1 for an empty place. 0 without members.
    """
    shown = np.zeros(len(members), dtype=np.bool_)
    shown[top[top >= 0]] = True
    return float(shown[members].mean()) if members.any() else 0.0
