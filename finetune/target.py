"""The target domain as one problem: its own events and knowledge edges, and the sources' frozen views."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from finetune.bridge import bridge, bridges, item_ties, profiles
from graphrec.core.types import FloatArray, IntArray
from graphrec.core.vectors import unit_rows
from graphrec.encoders.pretrained import FULL, TRAIN, Pretrained
from graphrec.graph.graph import Edges, EdgeType, EventEdges, MultiDomainGraph
from graphrec.graph.histories import Histories


@dataclass(frozen=True, kw_only=True)
class Target:
    """One target domain. `graph` holds nothing but it: items are positions in its catalogue.

    `views[history][source]` is [num_users, pretrained dim], unit rows, zero where a user has no
    event in that source; users are numbered as in the events of `graph`. `bridges[history][source]` is
    [num_items, pretrained dim]: the target's items as the source's items around them describe them (`bridge.py`),
    unit rows or zero; a source that no entity or item ties to the target has none. `elsewhere[history][source]` is
    who had what there, [num_users, num_items of the source], where the source's events are at hand.
    """

    domain: str
    graph: MultiDomainGraph
    sources: tuple[str, ...]
    views: Mapping[str, Mapping[str, FloatArray]]
    bridges: Mapping[str, Mapping[str, FloatArray]]
    elsewhere: Mapping[str, Mapping[str, csr_array]]
    view_dim: int

    @classmethod
    def of(
        cls,
        graph: MultiDomainGraph,
        domain: str,
        pretrained: Pretrained,
        sources: Sequence[str],
        beside: MultiDomainGraph | None = None,
    ) -> "Target":
        """Cut `domain` out of `graph` and put the views of `sources` beside it.

        `beside` holds the sources' events and knowledge where `graph` does not, with its numbers of users and entities.
        """
        beside = graph if beside is None else beside
        views = {h: {d: pretrained.user_views[h][d] for d in sources} for h in (TRAIN, FULL)}
        assert all(len(view) == graph.num_users for by_source in views.values() for view in by_source.values())
        return cls(
            domain=domain,
            graph=target_graph(graph, domain),
            sources=tuple(sources),
            views=views,
            bridges=bridges(graph, domain, beside, pretrained, sources),
            elsewhere=_elsewhere(beside, sources),
            view_dim=pretrained.dim,
        )

    @property
    def num_items(self) -> int:
        """Return the number of items in the target's catalogue."""
        return self.graph.num_items

    def histories(self, history: str) -> Histories:
        """Return who had what, in order: train events, or train and validation events (`FULL`)."""
        return Histories.of(self.graph, (self.domain,), with_valid=history == FULL)

    def described(self, item: FloatArray) -> FloatArray | None:
        """Return the target's items as the other ones around them describe them, by vectors `item`; None without ties.

        Only entities that several items are tied to count: one item's own would say nothing but itself.
        """
        ties = item_ties(self.graph)
        shared = np.bincount(ties.indices, minlength=ties.shape[1]) > 1
        if not shared.any():
            return None
        around = bridge(ties[:, shared], ties[:, shared], item)
        return around if around.any() else None

    @cached_property
    def profile(self) -> FloatArray | None:
        """The target's items by the entities they are tied to, [num_items, rank] (`bridge.profiles`); None without."""
        return profiles(item_ties(self.graph))

    def through(self, bridge: FloatArray, history: str, users: IntArray) -> FloatArray:
        """Return what `users` had in the target as `bridge` describes it: unit sums over their items, or zero."""
        histories = self.histories(history)
        had = histories.seen(users, 0, np.arange(self.num_items, dtype=np.int64))
        return unit_rows(np.asarray(had @ bridge, dtype=np.float32))

    @cached_property
    def seen(self) -> csr_array:
        """The train events as [num_users, num_items], ones."""
        return self.history(TRAIN)

    def history(self, history: str) -> csr_array:
        """Return who had what in the target, [num_users, num_items], ones."""
        return _history(self.graph, self.domain, with_valid=history == FULL)

    def everywhere(self, history: str) -> dict[str, csr_array]:
        """Return who had what in the target (`""`) and in each source, a row per user, ones."""
        return {"": self.history(history), **self.elsewhere[history]}

    @cached_property
    def share_new(self) -> float:
        """The share of the validation events that are of items without a train event."""
        item = self.valid[1]
        return float((~np.isin(item, self.histories(TRAIN).item)).mean()) if len(item) else 0.0

    @cached_property
    def valid(self) -> tuple[IntArray, IntArray]:
        """The validation events: users and items, sorted by user."""
        events = self.graph.events[self.domain]
        return events.user[events.valid], events.item[events.valid]


def _elsewhere(graph: MultiDomainGraph, sources: Sequence[str]) -> dict[str, Mapping[str, csr_array]]:
    found: dict[str, Mapping[str, csr_array]] = {}
    for history in (TRAIN, FULL):
        known = [name for name in sources if name in graph.events]
        found[history] = {name: _history(graph, name, with_valid=history == FULL) for name in known}
    return found


def _history(graph: MultiDomainGraph, domain: str, *, with_valid: bool) -> csr_array:
    events, catalog = graph.events[domain], graph.catalog[domain]
    past = slice(None) if with_valid else ~events.valid
    user, item = events.user[past], np.searchsorted(catalog, events.item[past])
    made = csr_array((np.ones(len(user), dtype=np.float32), (user, item)), shape=(graph.num_users, len(catalog)))
    made.sum_duplicates()
    made.data[:] = 1
    return made


def target_graph(graph: MultiDomainGraph, domain: str) -> MultiDomainGraph:
    """Return `graph` with nothing but the items of `domain`, its events and the knowledge around it.

    Items are renumbered to catalogue positions. Entities are those one edge away from an item, and
    the edges among them stay; what lies further away cannot reach an item in one step.
    """
    catalog, events = graph.catalog[domain], graph.events[domain]
    item = np.full(graph.num_items, -1, dtype=np.int64)
    item[catalog] = np.arange(len(catalog))
    entity = np.full(graph.num_entities, -1, dtype=np.int64)
    near = _entities_near(graph, item)
    entity[near] = np.arange(len(near))
    number = {"item": item, "entity": entity}
    return MultiDomainGraph(
        num_users=graph.num_users,
        num_items=len(catalog),
        num_entities=len(near),
        catalog={domain: np.arange(len(catalog), dtype=np.int64)},
        events={domain: EventEdges(user=events.user, item=item[events.item], valid=events.valid, weight=events.weight)},
        knowledge=dict(_renumbered(graph, number)),
    )


def _entities_near(graph: MultiDomainGraph, item: IntArray) -> IntArray:
    found = [np.empty(0, dtype=np.int64)]
    for (source, _, target), edges in graph.knowledge.items():
        if (source, target) == ("item", "entity"):
            found.append(edges.target[item[edges.source] >= 0])
        elif (source, target) == ("entity", "item"):
            found.append(edges.source[item[edges.target] >= 0])
    return np.unique(np.concatenate(found))


def _renumbered(graph: MultiDomainGraph, number: Mapping[str, IntArray]) -> Iterator[tuple[EdgeType, Edges]]:
    for edge_type, edges in graph.knowledge.items():
        source, target = number[edge_type[0]][edges.source], number[edge_type[2]][edges.target]
        kept = (source >= 0) & (target >= 0)
        if kept.any():
            yield edge_type, Edges(source=source[kept], target=target[kept], weight=edges.weight[kept])
