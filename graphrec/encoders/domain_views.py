"""A user is, per domain, what they had there last: views made from bags of items.

Users have no parameters of their own, so a user or a domain that is new needs no training:

    view    v(u, d) = normalise( sum over u's items i in d of weight(i) * recency(d, distance) * h_context(i) )

An item has two vectors: `context` where it describes a user, `score` where it is offered.
"""

import numpy as np
import torch
from torch.nn.functional import embedding_bag, normalize

from graphrec.encoders.base import MultiDomainEncoder, Nodes, start_vectors
from graphrec.encoders.config import ViewsConfig
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Bags, Histories


class DomainViews(MultiDomainEncoder):
    """The encoder described at the top of this module.

    An aggregate of items in place of LightGCN's user vectors (He et al. 2020), with the item to
    be predicted left out as in FISM (Kabbur et al. 2013). Recency weights are learned, one per
    domain and distance; they begin as `decay ** (distance - 1)`.
    """

    def __init__(
        self,
        graph: MultiDomainGraph,
        histories: Histories,
        domains: tuple[str, ...],
        options: ViewsConfig,
        seed: int,
    ) -> None:
        super().__init__(graph, domains, options, reach=options.reach)
        first = start_vectors(graph, histories, domains, options, seed)
        self.context = torch.nn.Parameter(first)
        self.score = torch.nn.Parameter(first.clone())
        steps = torch.arange(options.reach, dtype=torch.float32)
        self.log_recency = torch.nn.Parameter((steps * float(np.log(options.decay))).repeat(len(domains), 1))

    def nodes(self) -> Nodes:
        """Return the vectors of all items and entities after one step over the knowledge graph."""
        return Nodes(self.spread(self.context), self.spread(self.score))

    def item_parameters(self) -> list[torch.nn.Parameter]:
        """Return the two tables of nodes."""
        return [self.context, self.score]

    def views(self, nodes: Nodes, bags: Bags) -> torch.Tensor:
        """Return unit views `[num_rows, num_domains, dim]`, zero where the bag is empty."""
        device = self.gate.device
        domain, distance, weight = (torch.from_numpy(a).to(device) for a in (bags.domain, bags.distance, bags.weight))
        summed = embedding_bag(
            torch.from_numpy(bags.item).to(device),
            nodes.context,
            torch.from_numpy(bags.start).to(device),
            mode="sum",
            per_sample_weights=weight * self.log_recency[domain, distance - 1].exp(),
        )
        return normalize(summed, dim=1).view(-1, len(self.domains), self.dim)
