"""Nodes find the other end of their triples."""

from dataclasses import dataclass

import numpy as np
import torch

from graphrec.core.seeds import generator
from graphrec.core.types import IntArray
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.encoders.unit import unit
from graphrec.losses.ranking import Offers
from graphrec.losses.sampled_softmax import SampledSoftmax
from pretrain.config import PretrainConfig
from pretrain.objectives.base import Objective, Step


@dataclass(frozen=True)
class Drawn:
    """Triples `[num_links]`, and the ends `[num_links]` that stand against their heads and tails."""

    head: IntArray
    relation: IntArray
    tail: IntArray
    other_head: IntArray
    other_tail: IntArray

    def nodes(self) -> IntArray:
        """Return all nodes in it, repeated as they are."""
        return np.concatenate([self.head, self.tail, self.other_head, self.other_tail])


class Links(torch.nn.Module):
    """Softmax of cos(h_context(head) * e_r, h_score(tail)) / temperature over tails, and the same for heads.

    DistMult (Yang et al. 2015) with cosines; the relation vectors e_r begin at 1, so that at first a
    link is nearness. The negatives are distinct ends of triples, drawn alike and shared by the rows.
    One end is taken as describing, the other as offered, as in the ranking, so that both tables learn.
    """

    def __init__(self, encoder: MultiDomainEncoder, config: PretrainConfig) -> None:
        super().__init__()
        self.knowledge, self.num_links = encoder.knowledge, config.auxiliary.links
        self.loss_of = SampledSoftmax(config.auxiliary.temperature)
        self.relation = torch.nn.Parameter(torch.ones(len(self.knowledge.types), encoder.dim))
        self.ends = [np.unique(ends) for ends in (self.knowledge.source, self.knowledge.target)]

    def draw(self, edges: IntArray, rng: np.random.Generator) -> Drawn:
        """Return the triples `edges` and what stands against them, nothing for none."""
        heads, tails = (rng.choice(ends, self.num_links) if len(edges) else ends[:0] for ends in self.ends)
        known = self.knowledge
        return Drawn(known.source[edges], known.relation[edges], known.target[edges], heads, tails)

    def forward(self, step: Step, drawn: Drawn) -> torch.Tensor:
        """Return the mean over triples and both directions."""
        if not len(drawn.head):
            return step.nothing()
        by = self.relation.index_select(0, torch.from_numpy(drawn.relation).to(self.relation.device))
        to_tail = self._one_way(step, by, drawn.head, drawn.tail, drawn.other_tail)
        to_head = self._one_way(step, by, drawn.tail, drawn.head, drawn.other_head)
        return (to_tail + to_head) / 2

    def _one_way(self, step: Step, by: torch.Tensor, start: IntArray, end: IntArray, other: IntArray) -> torch.Tensor:
        first, pos, neg = (torch.from_numpy(ids).to(by.device) for ids in (start, end, other))
        z = unit(step.nodes.context.index_select(0, step.nodes.context_row(first)) * by)
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

    over_triples = True

    def __init__(self, encoder: MultiDomainEncoder, config: PretrainConfig, seed: int) -> None:
        super().__init__(encoder, config, seed)
        self.links = Links(encoder, config)
        self.sums = np.cumsum(encoder.knowledge.weight, dtype=np.float64)

    def asks(self, seed: int) -> IntArray:
        """Return the ends of the triples drawn in the step of `seed`, and what stands against them."""
        return self._drawn(seed).nodes()

    def forward(self, step: Step) -> torch.Tensor:
        """Return the mean over the triples drawn for `step`."""
        loss: torch.Tensor = self.links(step, self._drawn(step.seed))
        return loss

    def _drawn(self, seed: int) -> Drawn:
        rng = generator(seed, "kg_link")
        return self.links.draw(drawn(self.sums, self.config.auxiliary.links, rng), rng)


def drawn(sums: np.ndarray[tuple[int], np.dtype[np.float64]], size: int, rng: np.random.Generator) -> IntArray:
    """Return `size` positions drawn with replacement in proportion to the steps of `sums`; none from empty ones."""
    if not len(sums) or sums[-1] <= 0:
        return np.empty(0, dtype=np.int64)
    place = np.searchsorted(sums, rng.random(size) * sums[-1], side="right")
    positions: IntArray = np.minimum(place, len(sums) - 1).astype(np.int64)
    return positions
