"""What every multi-domain encoder shares: gated views of users, item vectors that know the triples.

    item, entity   h = p + kg_weight * A p          A: normalised item-entity graph of the triples
    user           z(u, d) = sum over domains e that are on of gate(d, e) * v(u, e)
    score          cosine( z(u, d), h_score(j) )

Encoders differ in v(u, e), the user as domain e alone shows them. Since the domains meet only in the
gated sum, each of them can be switched on and off without training again.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from graphrec.core.seeds import derive_seed, generator
from graphrec.core.types import BoolArray, Index, IntArray
from graphrec.encoders.config import ViewsConfig
from graphrec.encoders.part import Part, Places
from graphrec.encoders.spectral import spectral_vectors
from graphrec.encoders.unit import unit
from graphrec.graph.adjacency import propagate, symmetric_adjacency, to_torch
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Bags, Histories
from graphrec.graph.knowledge import Knowledge, entries, with_zeros
from graphrec.graph.neighbourhood import Neighbourhood


@dataclass(frozen=True)
class Nodes:
    """Vectors of items (first) and entities, `[num_items + num_entities, dim]` each.

    `context` is an item where it describes a user, `score` where it is offered; `user` has the
    views of an encoder that keeps them per user, and is None for one that makes them from `context`.
    With `context_place` and `score_place` there are rows of some nodes alone, and these say which.
    """

    context: torch.Tensor
    score: torch.Tensor
    user: torch.Tensor | None = None
    context_place: Places | None = None
    score_place: Places | None = None

    def context_row(self, node: torch.Tensor) -> torch.Tensor:
        """Return the rows of `context` that are `node`."""
        return node if self.context_place is None else self.context_place(node)

    def score_row(self, node: torch.Tensor) -> torch.Tensor:
        """Return the rows of `score` that are `node`."""
        return node if self.score_place is None else self.score_place(node)


class MultiDomainEncoder(torch.nn.Module):
    """The shared part; a subclass says what a view is. `reach` is how many events a bag needs to hold for it.

    `tables` names the parameters with a row per node that a step can read in part; with none the
    encoder needs all nodes in every step.
    """

    tables: tuple[str, ...] = ()

    def __init__(self, graph: MultiDomainGraph, domains: tuple[str, ...], options: ViewsConfig, *, reach: int) -> None:
        super().__init__()
        self.domains, self.dim, self.reach, self.kg_weight = domains, options.dim, reach, options.kg_weight
        self.num_items, self.num_nodes = graph.num_items, graph.num_items + graph.num_entities
        gates = torch.full((len(domains), len(domains)), options.gate)
        # With one domain no score depends on the gate but on its sign, which noise would change.
        self.gate = torch.nn.Parameter(gates.fill_diagonal_(1.0), requires_grad=len(domains) > 1)
        self.knowledge = Knowledge.of(graph, domains)
        self.hidden: torch.Tensor | None = None
        knowledge = knowledge_adjacency(self.knowledge) if options.kg_weight else None
        self.touched: torch.Tensor | None
        self.adjacency: torch.Tensor | None
        self.register_buffer("touched", knowledge[0] if knowledge else None, persistent=False)
        self.register_buffer("adjacency", knowledge[1] if knowledge else None, persistent=False)

    def nodes(self) -> Nodes:
        """Return the vectors of all items and entities, and of users where the encoder keeps such."""
        raise NotImplementedError

    def part(self, bags: Bags, offered: IntArray, fanout: int, rng: np.random.Generator) -> Part:
        """Return what a step reads that looks at `bags` and scores the items `offered`; see `part.py`."""
        raise NotImplementedError

    def nodes_of(self, part: Part) -> Nodes:
        """Return the nodes of `part` alone."""
        raise NotImplementedError

    def views(self, nodes: Nodes, bags: Bags) -> torch.Tensor:
        """Return unit views `[num_rows, num_domains, dim]`, zero where the user has nothing in the domain."""
        raise NotImplementedError

    def item_parameters(self) -> list[torch.nn.Parameter]:
        """Return the tables with a row per item and entity."""
        raise NotImplementedError

    def others(self) -> dict[str, torch.Tensor]:
        """Return the parameters that are neither of nodes nor of domains, to read and to write.

        A name means the same in an encoder of the same kind on other data.
        """
        return {}

    def restarted(self) -> None:
        """Make anew what begins from the vectors of items, once an earlier run's took their place."""

    def step_bytes(self) -> int:
        """Return about how many bytes a step over all nodes takes: their vectors and the gradients of these."""
        return 2 * sum(p.numel() * p.element_size() for p in self.item_parameters())

    def look_at(self, histories: Histories) -> None:
        """Take `histories` for what users had; of no consequence where bags say it all."""

    def leave_out(self, events: Index | None) -> None:
        """Leave `events` of the histories it looks at out of what `nodes` makes from now on; None brings them back.

        Of no consequence where bags, which leave out what is predicted, say it all.
        """

    def hide(self, edges: BoolArray | None) -> None:
        """Leave the `edges` of `knowledge`, a mask, out of what `nodes` makes from now on; None brings them back."""
        known = edges is not None and self.adjacency is not None
        self.hidden = torch.from_numpy(self._entry[:, edges].ravel()).to(self.gate.device) if known else None

    @cached_property
    def _entry(self) -> IntArray:
        """Where each edge of `knowledge` stands in the adjacency, both ways, `[2, num_edges]`."""
        assert self.touched is not None and self.adjacency is not None
        ends = np.stack([self.knowledge.source, self.knowledge.target])
        row, column = np.searchsorted(self.touched.cpu().numpy(), ends)
        return np.stack([entries(self.adjacency, row, column), entries(self.adjacency, column, row)])

    @property
    def described(self) -> IntArray:
        """The items that `blank` can do without the own vectors of."""
        return np.empty(0, dtype=np.int64)

    def blank(self, share: float, seed: int | None) -> None:
        """Offer a `share` of the items `described` without their own vectors, which ones `seed` decides; None ends it.

        Of no consequence where an item has no vector of its own for being offered.
        """

    def users(self, views: torch.Tensor, domain: int, on: torch.Tensor | None = None) -> torch.Tensor:
        """Return unit user vectors for `domain`, `[num_rows, dim]`.

        `views` is [num_rows, num_domains, dim]; `on`, of shape [num_rows, num_domains], is 0 where
        a view is switched off.
        """
        weight = self.gate[domain] if on is None else self.gate[domain] * on
        return unit((views * weight.unsqueeze(-1)).sum(dim=1))

    def offered(self, nodes: Nodes, items: torch.Tensor) -> torch.Tensor:
        """Return unit vectors of `items` for scoring, `[len(items), dim]`."""
        return unit(nodes.score.index_select(0, nodes.score_row(items)))

    @cached_property
    def neighbourhood(self) -> Neighbourhood:
        """The knowledge graph as arrays, to draw neighbours from."""
        if self.touched is None or self.adjacency is None:
            return Neighbourhood.empty()
        touched = self.touched.cpu().numpy()
        indptr, indices, weight = (
            part.cpu().numpy()
            for part in (self.adjacency.crow_indices(), self.adjacency.col_indices(), self.adjacency.values())
        )
        return Neighbourhood(touched, indptr, touched[indices], weight)

    def spread(self, nodes: torch.Tensor) -> torch.Tensor:
        """Return item and entity vectors after one step over the knowledge graph."""
        if self.touched is None or self.adjacency is None:
            return nodes
        shown = self.adjacency if self.hidden is None else with_zeros(self.adjacency, self.hidden)
        # Most items of a large catalogue have no knowledge: only the nodes that do are multiplied.
        near = propagate(shown, nodes.index_select(0, self.touched))
        return nodes.index_add(0, self.touched, near, alpha=self.kg_weight)


def knowledge_adjacency(knowledge: Knowledge) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Return the nodes that knowledge touches and their normalised adjacency, or None without any edge.

    Nodes are items, then entities; the first tensor has the `n` touched ones, ascending, the second
    is sparse `[n, n]`.
    """
    if not len(knowledge):
        return None
    touched, ends = np.unique(np.concatenate([knowledge.source, knowledge.target]), return_inverse=True)
    places = ends.reshape(2, -1)
    adjacency = symmetric_adjacency(places[0], places[1], knowledge.weight, len(touched))
    return torch.from_numpy(touched), to_torch(adjacency)


def relation_names(knowledge: Knowledge) -> list[str]:
    """Return a name for each relation, then one for each read from its tail, `[2 * num_relations]`."""
    return [f"{way} {' '.join(edge_type)}" for way in ("from head", "from tail") for edge_type in knowledge.types]


def start_vectors(
    graph: MultiDomainGraph, histories: Histories, domains: tuple[str, ...], options: ViewsConfig, seed: int
) -> torch.Tensor:
    """Return the first vectors of items and entities, `[num_items + num_entities, dim]`.

    Entities begin at zero: at first an entity is what its items are, and one without items stays zero. `cold.py` has
    what `cold_items` does to them.
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
