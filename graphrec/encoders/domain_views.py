"""A user is, per domain, what they had there last: views made from bags of items.

Users have no parameters of their own, so a user or a domain that is new needs no training:

    view    v(u, d) = normalise( sum over u's items i in d of weight(i) * recency(d, distance) * h_context(i) )

An item has two vectors: `context` where it describes a user, `score` where it is offered.
"""

from functools import cached_property

import numpy as np
import torch

from graphrec.core.seeds import chance_of
from graphrec.core.types import IntArray
from graphrec.encoders.bag_sum import bag_sum
from graphrec.encoders.base import MultiDomainEncoder, Nodes, start_vectors
from graphrec.encoders.config import ViewsConfig
from graphrec.encoders.part import Part, Read, Rows, gather
from graphrec.encoders.unit import unit
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Bags, Histories


class DomainViews(MultiDomainEncoder):
    """The encoder described at the top of this module.

    An aggregate of items in place of LightGCN's user vectors (He et al. 2020), with the item to
    be predicted left out as in FISM (Kabbur et al. 2013). Recency weights are learned, one per
    domain and distance; they begin as `decay ** (distance - 1)`.
    """

    tables: tuple[str, ...] = ("context", "score")

    def __init__(
        self,
        graph: MultiDomainGraph,
        histories: Histories,
        domains: tuple[str, ...],
        options: ViewsConfig,
        seed: int,
    ) -> None:
        super().__init__(graph, domains, options, reach=options.reach)
        self.read_from: Read | None = None
        self.blanked: torch.Tensor | None = None
        first = start_vectors(graph, histories, domains, options, seed)
        self.context = torch.nn.Parameter(first)
        self.score = torch.nn.Parameter(first.clone())
        steps = torch.arange(options.reach, dtype=torch.float32)
        self.log_recency = torch.nn.Parameter((steps * float(np.log(options.decay))).repeat(len(domains), 1))

    def nodes(self) -> Nodes:
        """Return the vectors of all items and entities after one step over the knowledge graph."""
        return Nodes(self.spread(self.context), self.without_own(self.spread(self.score)))

    @cached_property
    def described(self) -> IntArray:
        """The items that something but their own vector describes, ascending: those with knowledge."""
        if not self.kg_weight:
            return np.empty(0, dtype=np.int64)
        touched = np.unique(np.concatenate([self.knowledge.source, self.knowledge.target]))
        return touched[touched < self.num_items]

    def blank(self, share: float, seed: int | None) -> None:
        """See `MultiDomainEncoder.blank`."""
        drawn = seed is not None and chance_of(self.described, seed) < share
        self.blanked = torch.from_numpy(self.described[drawn]).to(self.gate.device) if np.any(drawn) else None

    def without_own(self, score: torch.Tensor) -> torch.Tensor:
        """Take the own vectors of blanked items off `score` [num_nodes, dim]; as neighbours they are what they were."""
        if self.blanked is None:
            return score
        return score.index_add(0, self.blanked, self.score.index_select(0, self.blanked), alpha=-1)

    def _kept(self, node: IntArray) -> torch.Tensor | None:
        if self.blanked is None:
            return None
        kept = ~torch.isin(torch.from_numpy(node).to(self.blanked.device), self.blanked, assume_unique=True)
        return kept.to(self.score.dtype)[:, None]

    def part(self, bags: Bags, offered: IntArray, fanout: int, rng: np.random.Generator) -> Part:
        """Return the items of the bags, the offered ones, and the knowledge around both."""
        context, score = (
            Rows.of(nodes, self.num_nodes, self.neighbourhood, fanout, rng) for nodes in (bags.item, offered)
        )
        return Part(context=context, score=score)

    def nodes_of(self, part: Part) -> Nodes:
        """Return the vectors of the rows of `part`."""
        context, score = part.context, part.score
        return Nodes(
            gather(self.context, context, self.kg_weight, self.read_from),
            gather(self.score, score, self.kg_weight, self.read_from, self._kept(score.node)),
            context_place=context.places(self.gate.device),
            score_place=score.places(self.gate.device),
        )

    def item_parameters(self) -> list[torch.nn.Parameter]:
        """Return the two tables of nodes."""
        return [self.context, self.score]

    def views(self, nodes: Nodes, bags: Bags) -> torch.Tensor:
        """Return unit views `[num_rows, num_domains, dim]`, zero where the bag is empty."""
        device = self.gate.device
        domain, distance, weight = (torch.from_numpy(a).to(device) for a in (bags.domain, bags.distance, bags.weight))
        summed = bag_sum(
            nodes.context,
            nodes.context_row(torch.from_numpy(bags.item).to(device)),
            weight * self.log_recency[domain, distance - 1].exp(),
            torch.from_numpy(bags.start).to(device),
        )
        return unit(summed).view(-1, len(self.domains), self.dim)
