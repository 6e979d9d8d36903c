"""Who had what in which domain, in order: the neighbourhoods that user views are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from graphrec.core.types import BoolArray, FloatArray, Index, IntArray
from graphrec.graph._numba_bags import fill, windows
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
    """Events of some domains, sorted by (domain, user, time): 8 bytes an event or 12 with weights, 4 a user and domain.

    `begin[domain * num_users + user]` is where that list begins in the flat arrays; `begin` has
    one more entry, the end. Numbers are 32 bits wide where they fit.
    """

    num_users: int
    num_domains: int
    user: Index
    item: Index
    weight: FloatArray
    begin: Index

    @classmethod
    def of(cls, graph: MultiDomainGraph, domains: Sequence[str], *, with_valid: bool) -> "Histories":
        """Collect the train events of `domains`, with the validation events when asked for."""
        kept = [slice(None) if with_valid else ~graph.events[d].valid for d in domains]
        parts = [(graph.events[d], keep) for d, keep in zip(domains, kept, strict=True)]
        user = _joined([e.user[keep] for e, keep in parts], graph.num_users)
        item = _joined([e.item[keep] for e, keep in parts], graph.num_items)
        weight = _weights([edges.weight[keep] for edges, keep in parts], len(user))
        ends = np.cumsum([0, *(len(e.user[keep]) for e, keep in parts)])
        begin = np.zeros(len(domains) * graph.num_users + 1, dtype=index_type(len(user)))
        for index in range(len(domains)):
            own = user[ends[index] : ends[index + 1]]
            place = slice(index * graph.num_users + 1, (index + 1) * graph.num_users + 1)
            begin[place] = ends[index] + np.cumsum(np.bincount(own, minlength=graph.num_users))
        return cls(
            num_users=graph.num_users, num_domains=len(domains), user=user, item=item, weight=weight, begin=begin
        )

    def __len__(self) -> int:
        return len(self.user)

    @property
    def domain(self) -> IntArray:
        """Return the position of each event's domain, made anew on every call."""
        size = [len(self.user[self.of_domain(domain)]) for domain in range(self.num_domains)]
        return np.repeat(np.arange(self.num_domains), size).astype(np.int64)

    def of_domain(self, domain: int) -> slice:
        """Return which of the flat arrays' events are those of `domain`."""
        first = domain * self.num_users
        return slice(int(self.begin[first]), int(self.begin[first + self.num_users]))

    def seen(self, users: IntArray, domain: int, catalog: IntArray) -> csr_array:
        """Return what `users` had in `domain`, `[len(users), len(catalog)]`; `catalog` is ascending."""
        place = domain * self.num_users + users
        begin, size = self.begin[place].astype(np.int64), self.begin[place + 1] - self.begin[place]
        start = np.concatenate([[0], np.cumsum(size)])
        event = np.arange(start[-1]) + np.repeat(begin - start[:-1], size)
        column = np.searchsorted(catalog, self.item[event])
        return csr_array((np.ones(len(event), dtype=np.float32), column, start), shape=(len(users), len(catalog)))

    def matrix(self, num_items: int) -> csr_array:
        """Return the weights of all events, `[num_users, num_items]`; those of one pair are added up."""
        made = csr_array((self.weight, (self.user, self.item)), shape=(self.num_users, num_items))
        made.sum_duplicates()
        return made

    def item_of(self, events: Index) -> IntArray:
        """Return the items of `events`."""
        return self.item[events].astype(np.int64)

    def around(self, events: Index, reach: int) -> Bags:
        """Return one row per event: its user's lists, up to `reach` events either way, the event itself left out.

        In other domains than the event's, where there is no left-out event, the last `reach` count.
        """
        return self._bags(self.user[events].astype(np.int64), np.asarray(events, dtype=np.int64), reach)

    def latest(self, users: IntArray, reach: int) -> Bags:
        """Return one row per user: the last `reach` events of each of their lists."""
        return self._bags(users, np.full(len(users), -1), reach)

    def _bags(self, user: IntArray, left_out: IntArray, reach: int) -> Bags:
        first, stop, middle, known = windows(self.begin, self.num_users, self.num_domains, user, left_out, reach)
        item, distance, domain, weight, start = fill(first, stop, middle, self.item, self.weight)
        return Bags(user=user, known=known, item=item, distance=distance, domain=domain, weight=weight, start=start)


def index_type(size: int) -> type[np.int32] | type[np.int64]:
    """Return the narrower integer type that can number `size` things."""
    return np.int32 if size < 2**31 else np.int64


def _joined(parts: Sequence[Index], size: int) -> Index:
    made: Index = np.concatenate([np.empty(0, dtype=np.int32), *parts], dtype=index_type(size), casting="same_kind")
    return made


def _weights(parts: Sequence[FloatArray], size: int) -> FloatArray:
    # Where every event counts 1, as nearly always, the ones take no memory.
    if all(bool((part == 1).all()) for part in parts):
        return np.broadcast_to(np.float32(1), size)
    return np.concatenate(parts)
