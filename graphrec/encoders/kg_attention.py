"""Items and entities attend to their triples: each relation speaks its own way, and trust comes first.

    attention   a(h, r, t) = softmax over the triples of h of  log trust + (e_h W) . (e_t W * e_r) / sqrt(dim)
    step        x_l(h) = sum over the triples of h of a(h, r, t) * (e_r * x_(l-1)(t))        x_0 = p
    node        h = p + kg_weight * (x_1 + ... + x_layers)

The score is the rationale of KGRec (Yang et al. 2023, eq. 1-2) with one head; KGAT (Wang et al. 2019) has
TransR in its place. As in KGRec the same relation vectors make the messages; a triple read from its tail
has a vector of its own. Trust as a prior is ours: attention begins as trust, and has to find reasons to
leave it. With `rationale`, triples of less than that share of an even attention are left out.
"""

import numpy as np
import torch
from torch.nn.functional import embedding

from graphrec.core.types import BoolArray, IntArray
from graphrec.encoders.base import Nodes, relation_names
from graphrec.encoders.config import EncoderConfig
from graphrec.encoders.domain_views import DomainViews
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Histories

_NO_MASS = 1e-20


class KGAttention(DomainViews):
    """The encoder described at the top of this module; users are those of `views`.

    Attention is made from the `context` vectors and serves both tables. A step holds a few arrays
    [2 * num_triples, dim].
    """

    tables = ()

    def __init__(
        self,
        graph: MultiDomainGraph,
        histories: Histories,
        domains: tuple[str, ...],
        options: EncoderConfig,
        seed: int,
    ) -> None:
        super().__init__(graph, histories, domains, options, seed)
        self.layers, self.rationale, known = options.layers, options.rationale, self.knowledge
        self.query = torch.nn.Parameter(torch.eye(self.dim))
        self.relation = torch.nn.Parameter(torch.ones(2 * len(known.types), self.dim))
        self.head = self._edges(known.source, known.target)
        self.tail = self._edges(known.target, known.source)
        self.by = self._edges(known.relation, known.relation + len(known.types))
        self.trust = torch.nn.Buffer(torch.from_numpy(np.tile(known.weight, 2)), persistent=False)

    def nodes(self) -> Nodes:
        """Return the vectors of all items and entities after all steps over the triples."""
        if not self.kg_weight or not len(self.trust):
            return Nodes(self.context, self.score)
        share = self.attention(self.context)
        return Nodes(self._attended(self.context, share), self.without_own(self._attended(self.score, share)))

    def hide(self, edges: BoolArray | None) -> None:
        """Leave `edges` out, see `MultiDomainEncoder.hide`."""
        self.hidden = None if edges is None else torch.from_numpy(np.tile(edges, 2)).to(self.gate.device)

    def others(self) -> dict[str, torch.Tensor]:
        """Return W and the vector of each relation, see `MultiDomainEncoder.others`."""
        named = zip(relation_names(self.knowledge), self.relation.detach(), strict=True)
        return {"query": self.query.detach(), **{f"relation {name}": vector for name, vector in named}}

    def attention(self, vector: torch.Tensor) -> torch.Tensor:
        """Return the share of each triple in its head's attention, `[2 * num_triples]`: as written, then from tails."""
        asked = vector @ self.query  # [num_nodes, dim]
        asks, answers = embedding(self.head, asked), embedding(self.tail, asked)
        score = (asks * answers * embedding(self.by, self.relation)).sum(dim=1) * self.dim**-0.5
        trust = self.trust if self.hidden is None else self.trust * ~self.hidden
        share = self._shares(score, trust)
        if not self.rationale:
            return share
        even = self._summed((trust > 0).to(share.dtype))[self.head]
        return self._shares(score, trust * (share.detach() * even >= self.rationale))

    def _shares(self, score: torch.Tensor, trust: torch.Tensor) -> torch.Tensor:
        top = score.new_full((len(self.context),), -torch.inf)
        top = top.scatter_reduce(0, self.head, score.detach(), "amax")
        mass = trust * (score - top[self.head]).exp()
        total = self._summed(mass)
        # A node whose triples are all hidden or not trusted has none to attend to; a tiny divisor would make its
        # gradient infinite.
        return mass / torch.where(total > _NO_MASS, total, 1.0)[self.head]

    def _summed(self, mass: torch.Tensor) -> torch.Tensor:
        return mass.new_zeros(len(self.context)).index_add(0, self.head, mass)

    def _attended(self, vector: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        voice = share[:, None] * embedding(self.by, self.relation)  # [2 * num_triples, dim]
        layer = total = vector
        for _ in range(self.layers):
            layer = torch.zeros_like(layer).index_add(0, self.head, voice * embedding(self.tail, layer))
            total = total + self.kg_weight * layer
        return total

    def _edges(self, there: IntArray, back: IntArray) -> torch.nn.Buffer:
        return torch.nn.Buffer(torch.from_numpy(np.concatenate([there, back])), persistent=False)
