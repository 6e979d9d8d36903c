"""LightGCN with separable domains: each domain's graph is propagated on its own, the items begin with what triples say.

    layer 0    items h (see `base`); users a vector of their own per domain, or zero
    layer k    x_k = D^-p A D^-p x_(k-1)                  (He et al. 2020, eq. 7, p = 1/2)
    view       v(u, d) = normalise( sum over k of c_k x_k(u in d) )
    offered    sum over k of c_k x_k(item), over the domains that list it

c_k is 1 but for the layer 0, where it is `own_weight`; p is `degree_power`. With `leave_out` the events that
a step predicts are no edges of its graph: otherwise a user is asked for what already stands in their vector.

All domains stand in one matrix whose blocks do not touch, so a step is one sparse product. Where the
paper has one vector per user, a user has one per domain, or a view could not be switched off; without
`user_vectors` they have none, a new user needs no training, and the layers alone tell users from items.
"""

import numpy as np
import torch
from torch.nn.functional import normalize

from graphrec.core.types import Index, IntArray
from graphrec.encoders.base import MultiDomainEncoder, Nodes, start_vectors
from graphrec.encoders.config import EncoderConfig
from graphrec.encoders.unit import unit
from graphrec.graph.adjacency import propagate, symmetric_adjacency, to_torch
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Bags, Histories, index_type
from graphrec.graph.knowledge import entries, with_zeros


class LightGCN(MultiDomainEncoder):
    """The encoder described at the top of this module."""

    def __init__(
        self,
        graph: MultiDomainGraph,
        histories: Histories,
        domains: tuple[str, ...],
        options: EncoderConfig,
        seed: int,
    ) -> None:
        super().__init__(graph, domains, options, reach=0)
        self.layers, self.own_weight, self.power = options.layers, options.own_weight, options.degree_power
        self.leaves_out = options.leave_out
        self.left_out: torch.Tensor | None = None
        self._edge: Index = np.empty((2, 0), dtype=np.int64)
        self.vector = torch.nn.Parameter(start_vectors(graph, histories, domains, options, seed))
        row, self.num_rows = _user_rows(graph, domains)
        columns = [graph.catalog[domain] for domain in domains]
        self.offset = np.cumsum([0, *map(len, columns)])
        self.columns = columns
        self.row: torch.Tensor
        self.column_item: torch.Tensor
        self.events: torch.Tensor
        self.known: torch.Tensor
        self.register_buffer("row", torch.from_numpy(row), persistent=False)
        self.register_buffer("column_item", torch.from_numpy(np.concatenate(columns)), persistent=False)
        self.register_buffer("events", torch.empty(0), persistent=False)
        self.register_buffer("known", torch.empty(0), persistent=False)
        self.look_at(histories)
        self.user = torch.nn.Parameter(self._first_users()) if options.user_vectors else None

    def look_at(self, histories: Histories) -> None:
        """Propagate over the events of `histories` from now on."""
        row = self.row.cpu().numpy()[histories.domain, histories.user]
        column = np.empty(len(histories), dtype=np.int64)
        for domain, items in enumerate(self.columns):
            own = histories.domain == domain
            column[own] = np.searchsorted(items, histories.item[own]) + self.offset[domain]
        num_nodes = self.num_rows + len(self.column_item)
        column += self.num_rows
        events = symmetric_adjacency(row, column, histories.weight, num_nodes, self.power)
        self.events = to_torch(events, self.row.device)
        if self.leaves_out:
            both = np.stack([entries(self.events, row, column), entries(self.events, column, row)])
            self._edge = both.astype(index_type(2 * len(histories)))
        self.known = torch.from_numpy(np.bincount(row, minlength=self.num_rows) > 0).to(self.row.device)

    def leave_out(self, events: Index | None) -> None:
        """Leave the edges of `events` out; see `MultiDomainEncoder`. Without the option `leave_out` they stay."""
        known = events is not None and self.leaves_out
        self.left_out = torch.from_numpy(self._edge[:, events].ravel()).long().to(self.row.device) if known else None

    def nodes(self) -> Nodes:
        """Return users (one row per domain they are in), items and entities after all layers."""
        node = self.spread(self.vector)
        user = self.user if self.user is not None else node.new_zeros(self.num_rows, self.dim)
        layer = torch.cat([user, node[self.column_item]])  # [num_rows + num_columns, dim]
        total = self.own_weight * layer
        events = self.events if self.left_out is None else with_zeros(self.events, self.left_out)
        for _ in range(self.layers):
            layer = propagate(events, layer)
            total = total + layer
        users, columns = total[: self.num_rows], total[self.num_rows :]
        items = torch.zeros_like(node).index_add(0, self.column_item, columns)
        # Entities are offered to nobody; they keep what the triples made of them.
        score = torch.cat([items[: self.num_items], node[self.num_items :]])
        return Nodes(node, score, users)

    def step_bytes(self) -> int:
        """Return about how many bytes a step takes: every layer's vectors, and two gradients on the way back."""
        layer = (self.num_rows + len(self.column_item)) * self.dim * 4
        return super().step_bytes() + (self.layers + 4) * layer + 20 * self.events.values().numel()

    def item_parameters(self) -> list[torch.nn.Parameter]:
        """Return the one table of nodes."""
        return [self.vector]

    @torch.no_grad()
    def restarted(self) -> None:
        """Let users begin from the items that are there now."""
        if self.user is not None:
            self.user.copy_(self._first_users())

    def views(self, nodes: Nodes, bags: Bags) -> torch.Tensor:
        """Return unit views `[num_rows, num_domains, dim]`, zero where the user has nothing in the domain."""
        assert nodes.user is not None
        row = self.row[:, torch.from_numpy(bags.user).to(self.row.device)].T  # [num_rows, num_domains]
        place = row.clamp(min=0)
        # Who has validation events alone has a row, but nothing to learn it from.
        known = (row >= 0) & self.known[place]
        return unit(nodes.user[place] * known.unsqueeze(-1))

    @torch.no_grad()
    def _first_users(self) -> torch.Tensor:
        # A user begins in the direction of their items.
        item = self.vector[self.column_item]
        layer = torch.cat([item.new_zeros(self.num_rows, self.dim), item])
        return normalize(propagate(self.events, layer)[: self.num_rows], dim=1)


def _user_rows(graph: MultiDomainGraph, domains: tuple[str, ...]) -> tuple[IntArray, int]:
    """Return each user's row per domain, `[num_domains, num_users]`, -1 where they have no event, and the rows."""
    has = np.zeros((len(domains), graph.num_users), dtype=np.bool_)
    for index, domain in enumerate(domains):
        has[index, graph.events[domain].user] = True
    rows = np.cumsum(has.ravel()).reshape(has.shape) - 1
    # Without any event there still is a row to look up.
    return np.where(has, rows, -1), max(1, int(has.sum()))
