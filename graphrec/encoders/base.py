"""What every multi-domain encoder shares: gated views of users, item vectors that know the triples.

    item, entity   h = p + kg_weight * A p          A: normalised item-entity graph of the triples
    user           z(u, d) = sum over domains e that are on of gate(d, e) * v(u, e)
    score          cosine( z(u, d), h_score(j) )

Encoders differ in v(u, e), the user as domain e alone shows them. Since the domains meet only in the
gated sum, each of them can be switched on and off without training again.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import normalize

from graphrec.core.seeds import derive_seed, generator
from graphrec.core.types import IntArray
from graphrec.encoders.config import ViewsConfig
from graphrec.encoders.spectral import spectral_vectors
from graphrec.graph.adjacency import propagate, symmetric_adjacency, to_torch
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Bags, Histories


@dataclass(frozen=True)
class Nodes:
    """Vectors of items (first) and entities, `[num_items + num_entities, dim]` each.

    `context` is an item where it describes a user, `score` where it is offered; `user` has the
    views of an encoder that keeps them per user, and is None for one that makes them from `context`.
    """

    context: torch.Tensor
    score: torch.Tensor
    user: torch.Tensor | None = None


class MultiDomainEncoder(torch.nn.Module):
    """The shared part; a subclass says what a view is. `reach` is how many events a bag needs to hold for it."""

    def __init__(self, graph: MultiDomainGraph, domains: tuple[str, ...], options: ViewsConfig, *, reach: int) -> None:
        super().__init__()
        self.domains, self.dim, self.reach, self.kg_weight = domains, options.dim, reach, options.kg_weight
        self.num_items = graph.num_items
        gates = torch.full((len(domains), len(domains)), options.gate)
        self.gate = torch.nn.Parameter(gates.fill_diagonal_(1.0))
        knowledge = knowledge_adjacency(graph, domains) if options.kg_weight else None
        self.touched: torch.Tensor | None
        self.adjacency: torch.Tensor | None
        self.register_buffer("touched", knowledge[0] if knowledge else None, persistent=False)
        self.register_buffer("adjacency", knowledge[1] if knowledge else None, persistent=False)

    def nodes(self) -> Nodes:
        """Return the vectors of all items and entities, and of users where the encoder keeps such."""
        raise NotImplementedError

    def views(self, nodes: Nodes, bags: Bags) -> torch.Tensor:
        """Return unit views `[num_rows, num_domains, dim]`, zero where the user has nothing in the domain."""
        raise NotImplementedError

    def item_parameters(self) -> list[torch.nn.Parameter]:
        """Return the tables with a row per item and entity."""
        raise NotImplementedError

    def look_at(self, histories: Histories) -> None:
        """Take `histories` for what users had; of no consequence where bags say it all."""

    def users(self, views: torch.Tensor, domain: int, on: torch.Tensor | None = None) -> torch.Tensor:
        """Return unit user vectors for `domain`, `[num_rows, dim]`.

        `views` is [num_rows, num_domains, dim]; `on`, of shape [num_rows, num_domains], is 0 where
        a view is switched off.
        """
        weight = self.gate[domain] if on is None else self.gate[domain] * on
        return normalize((views * weight.unsqueeze(-1)).sum(dim=1), dim=1)

    def offered(self, nodes: Nodes, items: torch.Tensor) -> torch.Tensor:
        """Return unit vectors of `items` for scoring, `[len(items), dim]`."""
        return normalize(nodes.score[items], dim=1)

    def spread(self, nodes: torch.Tensor) -> torch.Tensor:
        """Return item and entity vectors after one step over the knowledge graph."""
        if self.touched is None or self.adjacency is None:
            return nodes
        # Most items of a large catalogue have no knowledge: only the nodes that do are multiplied.
        near = propagate(self.adjacency, nodes.index_select(0, self.touched))
        return nodes.index_add(0, self.touched, near, alpha=self.kg_weight)


def knowledge_adjacency(graph: MultiDomainGraph, domains: tuple[str, ...]) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Return the nodes that knowledge touches and their normalised adjacency, or None without any edge.

    Nodes are items, then entities; the first tensor has the `n` touched ones, ascending, the second
    is sparse `[n, n]`. Items of other domains, and the edges at them, are left out.
    """
    keep = np.ones(graph.num_items + graph.num_entities, dtype=np.bool_)
    keep[: graph.num_items] = False
    for domain in domains:
        keep[graph.catalog[domain]] = True
    shift = {"item": 0, "entity": graph.num_items}
    empty = np.empty(0, dtype=np.int64)
    sources, targets, weights = [empty], [empty], [np.empty(0, dtype=np.float32)]
    for (source_kind, _, target_kind), edges in graph.knowledge.items():
        sources.append(edges.source + shift[source_kind])
        targets.append(edges.target + shift[target_kind])
        weights.append(edges.weight)
    source, target, weight = np.concatenate(sources), np.concatenate(targets), np.concatenate(weights)
    both = keep[source] & keep[target]
    if not both.any():
        return None
    touched, ends = np.unique(np.concatenate([source[both], target[both]]), return_inverse=True)
    places = ends.reshape(2, -1)
    adjacency = symmetric_adjacency(places[0], places[1], weight[both], len(touched))
    return torch.from_numpy(touched), to_torch(adjacency)


def start_vectors(
    graph: MultiDomainGraph, histories: Histories, domains: tuple[str, ...], options: ViewsConfig, seed: int
) -> torch.Tensor:
    """Return the first vectors of items and entities, `[num_items + num_entities, dim]`.

    Entities begin at zero: at first an entity is what its items are, and one without items stays zero.
    The start `spectral` looks at the train events of all domains, which the users they share tie together.
    """
    first = np.zeros((graph.num_items + graph.num_entities, options.dim), dtype=np.float32)
    if options.start == "spectral":
        history = histories.matrix(graph.num_items)
        first[: graph.num_items] = spectral_vectors(history, options.dim, derive_seed(seed, "spectral"))
        return torch.from_numpy(first)
    for domain in domains:
        items: IntArray = graph.catalog[domain]
        draw = generator(seed, "encoder", domain)
        first[items] = draw.normal(scale=options.dim**-0.5, size=(len(items), options.dim)).astype(np.float32)
    return torch.from_numpy(first)
