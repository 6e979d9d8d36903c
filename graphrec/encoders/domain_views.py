"""Multi-domain encoder with separable views: a user is, per domain, what they had there.

Users have no parameters of their own, so a user or a domain that is new needs no training:

    item, entity   h = p + kg_weight * A p          A: normalised item-entity graph of the triples
    view           v(u, d) = normalise( sum over u's items i in d of weight(i) * recency(d, distance) * h_context(i) )
    user           z(u, d) = sum over domains e that are on of gate(d, e) * v(u, e)
    score          cosine( z(u, d), h_score(j) )

An item has two vectors: `context` where it describes a user, `score` where it is offered.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import embedding_bag, normalize

from graphrec.core.seeds import generator
from graphrec.graph.adjacency import propagate, symmetric_adjacency, to_torch
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Bags


@dataclass(frozen=True)
class Nodes:
    """Vectors of items (first) and entities, `[num_items + num_entities, dim]` each."""

    context: torch.Tensor
    score: torch.Tensor


class DomainViews(torch.nn.Module):
    """The encoder described at the top of this module.

    An aggregate of items in place of LightGCN's user vectors (He et al. 2020), with the item to
    be predicted left out as in FISM (Kabbur et al. 2013). Recency weights are learned, one per
    domain and distance; they begin as `decay ** (distance - 1)`.
    """

    def __init__(
        self,
        graph: MultiDomainGraph,
        domains: tuple[str, ...],
        *,
        dim: int,
        reach: int,
        decay: float,
        kg_weight: float,
        gate: float,
        seed: int,
    ) -> None:
        super().__init__()
        self.domains, self.reach, self.num_items = domains, reach, graph.num_items
        first = _initial(graph, domains, dim, seed)
        self.context = torch.nn.Parameter(first)
        self.score = torch.nn.Parameter(first.clone())
        steps = torch.arange(reach, dtype=torch.float32)
        self.log_recency = torch.nn.Parameter((steps * float(np.log(decay))).repeat(len(domains), 1))
        gates = torch.full((len(domains), len(domains)), gate)
        self.gate = torch.nn.Parameter(gates.fill_diagonal_(1.0))
        self.kg_weight = kg_weight
        knowledge = knowledge_adjacency(graph, domains) if kg_weight else None
        self.touched: torch.Tensor | None
        self.adjacency: torch.Tensor | None
        self.register_buffer("touched", knowledge[0] if knowledge else None)
        self.register_buffer("adjacency", knowledge[1] if knowledge else None)

    def nodes(self) -> Nodes:
        """Return the vectors of all items and entities after one step over the knowledge graph."""
        return Nodes(self._spread(self.context), self._spread(self.score))

    def views(self, nodes: Nodes, bags: Bags) -> torch.Tensor:
        """Return unit views `[num_rows, num_domains, dim]`, zero where the user has nothing in the domain."""
        device = self.gate.device
        domain, distance, weight = (torch.from_numpy(a).to(device) for a in (bags.domain, bags.distance, bags.weight))
        summed = embedding_bag(
            torch.from_numpy(bags.item).to(device),
            nodes.context,
            torch.from_numpy(bags.start).to(device),
            mode="sum",
            per_sample_weights=weight * self.log_recency[domain, distance - 1].exp(),
        )
        return normalize(summed, dim=1).view(-1, len(self.domains), nodes.context.shape[1])

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

    def _spread(self, nodes: torch.Tensor) -> torch.Tensor:
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


def _initial(graph: MultiDomainGraph, domains: tuple[str, ...], dim: int, seed: int) -> torch.Tensor:
    # Entities begin at zero: at first an entity is what its items are, and one without items stays zero.
    first = np.zeros((graph.num_items + graph.num_entities, dim), dtype=np.float32)
    for domain in domains:
        items = graph.catalog[domain]
        draw = generator(seed, "encoder", domain)
        first[items] = draw.normal(scale=dim**-0.5, size=(len(items), dim)).astype(np.float32)
    return torch.from_numpy(first)
