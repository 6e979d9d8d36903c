"""Triples hidden from the encoder and found again."""

import numpy as np
import torch

from graphrec.core.seeds import generator
from graphrec.core.types import BoolArray
from graphrec.encoders.base import MultiDomainEncoder
from pretrain.config import PretrainConfig
from pretrain.objectives.base import Objective, Step
from pretrain.objectives.kg_link import Links, drawn


class MaskedEdges(Objective):
    """The loss of `Links` over triples that the encoder does not see in this step.

    After the masked reconstruction of KGRec (Yang et al. 2023, eq. 6-8), which hides the triples of
    most attention; here each pair of nodes is as likely as any other, and with it goes every triple that
    ties the two. Everything else in the step is computed without the hidden ones too, as there.
    """

    whole = over_triples = True

    def __init__(self, encoder: MultiDomainEncoder, config: PretrainConfig, seed: int) -> None:
        super().__init__(encoder, config, seed)
        self.knowledge = encoder.knowledge
        self.links = Links(encoder, config)

    def hides(self, seed: int) -> BoolArray | None:
        """Return a share `mask` of the node pairs, at least one."""
        pairs = int(self.knowledge.pair.max(initial=-1)) + 1
        if not pairs:
            return None
        hidden = generator(seed, "hidden").random(pairs) < self.config.auxiliary.mask
        hidden[generator(seed, "one").integers(pairs)] = True
        return hidden[self.knowledge.pair]

    def forward(self, step: Step) -> torch.Tensor:
        """Return the mean over hidden triples, drawn in proportion to the trust in them."""
        mask, rng = self.hides(step.seed), step.generator("masked_edges")
        hidden = np.flatnonzero(mask) if mask is not None else np.empty(0, dtype=np.int64)
        sums = np.cumsum(self.knowledge.weight[hidden], dtype=np.float64)
        edges = hidden[drawn(sums, self.config.auxiliary.links, rng)]
        loss: torch.Tensor = self.links(step, self.links.draw(edges, rng))
        return loss
