"""Items that begin with what their texts say, so that one without events has a vector.

    item      h_0 = p + W t        t: the vector of its text, from a frozen encoder; W is learned
    entity    h_0 = p

From there it is `views`: knowledge spreads h_0, and a user is what they had. `context` and `score` have a
W each, which begin alike and at random, keeping lengths on average: what reads alike begins alike. With
`cold_items` an item without events has p = 0, hence its text and its knowledge place it.
"""

from functools import cached_property

import numpy as np
import torch

from graphrec.core.errors import ConfigError
from graphrec.core.seeds import derive_seed
from graphrec.core.types import IntArray
from graphrec.encoders.base import Nodes
from graphrec.encoders.config import EncoderConfig
from graphrec.encoders.domain_views import DomainViews
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Histories


class Text(DomainViews):
    """The encoder described at the top of this module.

    Raises `ConfigError` where the graph has no vectors of texts.
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
        if not graph.item_text.shape[1]:
            raise ConfigError(
                "pretrain.encoder.kind: text needs vectors of the items' texts; set merge.item_text: true"
            )
        self.text = torch.nn.Buffer(torch.from_numpy(graph.item_text), persistent=False)
        draw = torch.Generator().manual_seed(derive_seed(seed, "adapter"))
        first = torch.randn(self.text.shape[1], self.dim, generator=draw) * self.dim**-0.5
        self.adapter_context = torch.nn.Parameter(first)
        self.adapter_score = torch.nn.Parameter(first.clone())

    def nodes(self) -> Nodes:
        """Return the vectors of all items and entities after one step over the knowledge graph."""
        context, score = self._told(self.context, self.adapter_context), self._told(self.score, self.adapter_score)
        return Nodes(self.spread(context), self.without_own(self.spread(score)))

    @cached_property
    def described(self) -> IntArray:
        """The items that knowledge or a text describes, ascending."""
        return np.union1d(super().described, np.flatnonzero(self.text.any(dim=1).cpu().numpy()))

    def others(self) -> dict[str, torch.Tensor]:
        """Return W of both tables, see `MultiDomainEncoder.others`."""
        return {"adapter_context": self.adapter_context.detach(), "adapter_score": self.adapter_score.detach()}

    def _told(self, vector: torch.Tensor, adapter: torch.Tensor) -> torch.Tensor:
        return torch.cat([vector[: self.num_items] + self.text @ adapter, vector[self.num_items :]])
