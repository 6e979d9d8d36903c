"""Who had what in which domain, in order: the neighbourhoods that user views are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.graph.graph import MultiDomainGraph


@dataclass(frozen=True, kw_only=True)
class Bags:
    """Ragged lists of items, one list per (row, domain), row first: `start` is [num_rows * num_domains].

    `user` [num_rows] is whose row it is, `known` [num_rows, num_domains] whether anything is left of
    their list in the domain, however few events of it are asked for.

    `distance` counts events from the left-out event or, where none is, from the end: the nearest
    has 1. `domain` is that of each item's list, `weight` that of the event.
    """

    user: IntArray
    known: BoolArray
    item: IntArray
    distance: IntArray
    domain: IntArray
    weight: FloatArray
    start: IntArray


@dataclass(frozen=True, kw_only=True)
class Histories:
    """Events of some domains, sorted by (domain, user, time). `place` is an event's position in its list.

    `begin[domain * num_users + user]` is where that list begins in the flat arrays; `begin` has
    one more entry, the end.
    """

    num_users: int
    num_domains: int
    user: IntArray
    item: IntArray
    domain: IntArray
    place: IntArray
    weight: FloatArray
    begin: IntArray

    @classmethod
    def of(cls, graph: MultiDomainGraph, domains: Sequence[str], *, with_valid: bool) -> "Histories":
        """Collect the train events of `domains`, with the validation events when asked for."""
        parts = [(graph.events[d], graph.events[d].valid <= with_valid) for d in domains]
        user, item = (_joined([getattr(e, name)[keep] for e, keep in parts]) for name in ("user", "item"))
        weight = np.concatenate([np.empty(0, dtype=np.float32), *(edges.weight[keep] for edges, keep in parts)])
        domain = np.repeat(np.arange(len(domains)), [int(keep.sum()) for _, keep in parts]).astype(np.int64)
        count = np.bincount(domain * graph.num_users + user, minlength=len(domains) * graph.num_users)
        begin = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        place = np.arange(len(user)) - begin[domain * graph.num_users + user]
        return cls(
            num_users=graph.num_users,
            num_domains=len(domains),
            user=user,
            item=item,
            domain=domain,
            place=place,
            weight=weight,
            begin=begin,
        )

    def __len__(self) -> int:
        return len(self.user)

    def active(self, domain: int) -> BoolArray:
        """Return who has an event in `domain`, `[num_users]`."""
        first = domain * self.num_users
        return np.diff(self.begin[first : first + self.num_users + 1]) > 0

    def matrix(self, num_items: int) -> csr_array:
        """Return the weights of all events, `[num_users, num_items]`; those of one pair are added up."""
        made = csr_array((self.weight, (self.user, self.item)), shape=(self.num_users, num_items))
        made.sum_duplicates()
        return made

    def around(self, events: IntArray, reach: int) -> Bags:
        """Return one row per event: its user's lists, up to `reach` events either way, the event itself left out.

        In other domains than the event's, where there is no left-out event, the last `reach` count.
        """
        users = self.user[events]
        first, stop, middle = self._windows(users, reach)
        own = (np.arange(len(events)), self.domain[events])
        begin, end = self._lists(users)
        middle[own] = events
        first[own] = np.maximum(begin[own], events - reach)
        stop[own] = np.minimum(end[own], events + reach + 1)
        size = end - begin
        size[own] -= 1
        return self._bags(users, size > 0, first, stop, middle)

    def latest(self, users: IntArray, reach: int) -> Bags:
        """Return one row per user: the last `reach` events of each of their lists."""
        begin, end = self._lists(users)
        return self._bags(users, end > begin, *self._windows(users, reach))

    def _lists(self, users: IntArray) -> tuple[IntArray, IntArray]:
        rows = np.arange(self.num_domains) * self.num_users + users[:, None]  # [num_rows, num_domains]
        return self.begin[rows], self.begin[rows + 1]

    def _windows(self, users: IntArray, reach: int) -> tuple[IntArray, IntArray, IntArray]:
        begin, end = self._lists(users)
        return np.maximum(begin, end - reach), end.copy(), end

    def _bags(self, user: IntArray, known: BoolArray, first: IntArray, stop: IntArray, middle: IntArray) -> Bags:
        size = (stop - first).ravel()
        start = np.cumsum(size) - size
        event = np.arange(size.sum()) + np.repeat(first.ravel() - start, size)
        distance = np.abs(event - np.repeat(middle.ravel(), size))
        keep = distance > 0
        # A left-out event shortens the lists after it by one.
        start = np.concatenate([[0], np.cumsum(keep)])[start]
        event, distance = event[keep], distance[keep]
        return Bags(
            user=user,
            known=known,
            item=self.item[event],
            distance=distance,
            domain=self.domain[event],
            weight=self.weight[event],
            start=start,
        )


def _joined(parts: Sequence[IntArray]) -> IntArray:
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])
