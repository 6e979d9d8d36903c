"""Items and entities in a heterogeneous graph: every relation, and every way to read it, has a matrix of its own.

    step        x_l(h) = sum over relations r of W_r * sum over (h, r, t) of trust / trust(h) * x_(l-1)(t)     x_0 = p
    node        h = p + kg_weight * (x_1 + ... + x_layers)

trust(h) is the sum over all triples of h, in any relation. W_r are shared by the two tables and differ
by step; a relation has dim * dim numbers each way, hence it needs many triples to be worth it.
"""

from functools import cached_property
from itertools import pairwise

import numpy as np
import torch

from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.encoders._pyg import Part, RelationalStep
from graphrec.encoders.base import Nodes, relation_names
from graphrec.encoders.config import EncoderConfig
from graphrec.encoders.domain_views import DomainViews
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Histories


class Hetero(DomainViews):
    """The encoder described at the top of this module; users are those of `views`."""

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
        met = np.unique(self.knowledge.relation)
        self.relations = np.concatenate([met, met + len(self.knowledge.types)])
        num_steps = options.layers if self.kg_weight else 0
        self.steps = torch.nn.ModuleList(RelationalStep(len(self.relations), self.dim) for _ in range(num_steps))
        self.shown: list[Part] | None = None

    def nodes(self) -> Nodes:
        """Return the vectors of all items and entities after all steps over the triples."""
        shown = self._whole if self.shown is None else self.shown
        return Nodes(self._heard(self.context, shown), self.without_own(self._heard(self.score, shown)))

    def hide(self, edges: BoolArray | None) -> None:
        """Leave `edges` out, see `MultiDomainEncoder.hide`."""
        self.shown = None if edges is None else self._parts(~edges)

    def others(self) -> dict[str, torch.Tensor]:
        """Return the W_r of each step and relation, see `MultiDomainEncoder.others`."""
        names = relation_names(self.knowledge)
        return {
            f"step {number} {names[relation]}": matrix.detach()
            for number, step in enumerate(self.steps, start=1)
            for relation, matrix in zip(self.relations, step.parameters(), strict=True)
        }

    def _heard(self, vector: torch.Tensor, shown: list[Part]) -> torch.Tensor:
        layer = total = vector
        for step in self.steps:
            layer = step(layer, shown)
            total = total + self.kg_weight * layer
        return total

    @cached_property
    def _whole(self) -> list[Part]:
        return self._parts(np.ones(len(self.knowledge), dtype=np.bool_))

    def _parts(self, shown: BoolArray) -> list[Part]:
        known, both = self.knowledge, np.tile(shown, 2)
        relation = np.concatenate([known.relation, known.relation + len(known.types)])[both]
        order = np.argsort(relation, kind="stable")
        head = np.concatenate([known.source, known.target])[both][order]
        tail = np.concatenate([known.target, known.source])[both][order]
        trust = np.tile(known.weight, 2)[both][order]
        total = np.bincount(head, trust)
        share = (trust / np.maximum(total[head], np.finfo(np.float32).tiny)).astype(np.float32)
        ends = np.searchsorted(relation[order], [*self.relations, np.iinfo(np.int64).max])
        return [self._part(head[low:high], tail[low:high], share[low:high]) for low, high in pairwise(ends)]

    def _part(self, head: IntArray, tail: IntArray, share: FloatArray) -> Part:
        node, place = np.unique(head, return_inverse=True)
        arrays = node, np.stack([tail, place.reshape(-1)]), share
        made = tuple(torch.from_numpy(array).to(self.gate.device) for array in arrays)
        return made[0], made[1], made[2]
