"""Nodes find the other end of their triples."""

import numpy as np
import torch
from torch.nn.functional import normalize

from graphrec.core.types import IntArray
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.losses.ranking import Offers
from graphrec.losses.sampled_softmax import SampledSoftmax
from pretrain.config import PretrainConfig
from pretrain.objectives.base import Objective, Step


class Links(torch.nn.Module):
    """Softmax of cos(h_context(head) * e_r, h_score(tail)) / temperature over tails, and the same for heads.

    DistMult (Yang et al. 2015) with cosines; the relation vectors e_r begin at 1, so that at first a
    link is nearness. The negatives are distinct ends of triples, drawn alike and shared by the rows.
    One end is taken as describing, the other as offered, as in the ranking, so that both tables learn.
    """

    def __init__(self, encoder: MultiDomainEncoder, config: PretrainConfig) -> None:
        super().__init__()
        self.num_links = config.auxiliary.links
        self.loss_of = SampledSoftmax(config.auxiliary.temperature)
        self.relation = torch.nn.Parameter(torch.ones(len(encoder.knowledge.types), encoder.dim))
        self.ends = [np.unique(ends) for ends in (encoder.knowledge.source, encoder.knowledge.target)]

    def forward(
        self, step: Step, head: IntArray, relation: IntArray, tail: IntArray, rng: np.random.Generator
    ) -> torch.Tensor:
        """Return the mean over triples and both directions."""
        by = self.relation.index_select(0, torch.from_numpy(relation).to(self.relation.device))
        to_tail = self._one_way(step, by, head, tail, rng.choice(self.ends[1], self.num_links))
        to_head = self._one_way(step, by, tail, head, rng.choice(self.ends[0], self.num_links))
        return (to_tail + to_head) / 2

    def _one_way(self, step: Step, by: torch.Tensor, start: IntArray, end: IntArray, other: IntArray) -> torch.Tensor:
        first, pos, neg = (torch.from_numpy(ids).to(by.device) for ids in (start, end, other))
        z = normalize(step.nodes.context.index_select(0, first) * by, dim=1)
        none = z.new_zeros(len(neg))
        offers = Offers(
            pos=step.encoder.offered(step.nodes, pos),
            neg=step.encoder.offered(step.nodes, neg),
            pos_item=pos,
            neg_item=neg,
            pos_log_q=none[:1].expand(len(pos)),
            neg_log_q=none,
        )
        return self.loss_of.of_vectors(z, offers)


class KGLink(Objective):
    """The loss of `Links` over triples drawn in proportion to the trust in them."""

    whole = True

    def __init__(self, encoder: MultiDomainEncoder, config: PretrainConfig, seed: int) -> None:
        super().__init__(encoder, config, seed)
        self.knowledge = encoder.knowledge
        self.links = Links(encoder, config)
        self.sums = np.cumsum(self.knowledge.weight, dtype=np.float64)

    def forward(self, step: Step) -> torch.Tensor:
        """Return the mean over the triples drawn for `step`."""
        rng = step.generator("kg_link")
        edges = drawn(self.sums, self.config.auxiliary.links, rng)
        if not len(edges):
            return step.nothing()
        known = self.knowledge
        loss: torch.Tensor = self.links(step, known.source[edges], known.relation[edges], known.target[edges], rng)
        return loss


def drawn(sums: np.ndarray[tuple[int], np.dtype[np.float64]], size: int, rng: np.random.Generator) -> IntArray:
    """Return `size` positions drawn with replacement in proportion to the steps of `sums`; none from empty ones."""
    if not len(sums) or sums[-1] <= 0:
        return np.empty(0, dtype=np.int64)
    place = np.searchsorted(sums, rng.random(size) * sums[-1], side="right")
    positions: IntArray = np.minimum(place, len(sums) - 1).astype(np.int64)
    return positions
