"""An item by itself against an item as its knowledge shows it."""

import torch
from torch.nn.functional import normalize

from graphrec.losses.info_nce import InfoNCE
from pretrain.objectives.base import Objective, Step


class KGView(Objective):
    """InfoNCE between an item's own vector, which events shaped, and what knowledge adds to it.

    After the contrast of the collaborative with the knowledge view in KGCL (Yang et al. 2022) and
    KGRec (Yang et al. 2023); those compare two encoders, here the two terms of one. Knowledge that
    tells an item from others is what places an item without events.
    """

    whole = over_triples = True

    def forward(self, step: Step) -> torch.Tensor:
        """Return the mean over the distinct positives of `step` that knowledge touches, for each table of items."""
        # The first of the batch, whose order is random.
        item = torch.unique(step.item[: self.config.auxiliary.rows])
        loss = InfoNCE(self.config.auxiliary.temperature)
        total = step.nothing()
        tables = step.encoder.item_parameters()
        for own, whole in zip(tables, (step.nodes.context, step.nodes.score)[: len(tables)], strict=True):
            first = own.index_select(0, item)
            near = whole.index_select(0, item) - first
            there = (near.detach().abs().amax(dim=1) > 0) & (first.detach().abs().amax(dim=1) > 0)
            total = total + loss(normalize(first[there], dim=1), normalize(near[there], dim=1))
        return total
