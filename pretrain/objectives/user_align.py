"""A user of two domains is the same user in both."""

import torch

from graphrec.losses.info_nce import InfoNCE
from pretrain.objectives.base import Objective, Step


class UserAlign(Objective):
    """InfoNCE between a user's view of the batch's domain and their view of each other domain, the mean over those.

    The users that two domains share tie their spaces together (cross-domain contrast as in C2DSR,
    Cao et al. 2022, and UniCDR, Cao et al. 2023, with views in place of encoders). It wants tastes
    to be alike across domains, and harms where they are not.
    """

    def forward(self, step: Step) -> torch.Tensor:
        """Return the mean over other domains; a user without events in both is left out."""
        loss, losses = InfoNCE(self.config.auxiliary.temperature), []
        for other in range(step.views.shape[1]):
            both = step.known[:, step.domain] & step.known[:, other]
            rows = both.nonzero()[: self.config.auxiliary.rows, 0]
            if other == step.domain or not len(rows):
                continue
            views = step.views[rows]
            losses.append(loss(views[:, step.domain], views[:, other], key=step.user[rows]))
        return torch.stack(losses).mean() if losses else step.nothing()
