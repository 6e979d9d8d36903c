"""Users near their items, users and items spread over the sphere."""

import torch

from graphrec.losses.align_uniform import Alignment, Uniformity
from pretrain.objectives.base import Objective, Step


class AlignUniform(Objective):
    """|z_u - z_i|^2 + uniformity * (log mean exp(-2 |z_u - z_u'|^2) + the same of items) / 2.

    DirectAU (Wang et al. 2022, eq. 9), whose encoder is left free here as there. No negatives, hence
    it can stand in place of `ranking`.
    """

    def forward(self, step: Step) -> torch.Tensor:
        """Return the loss over the rows of `step`."""
        z, item = step.z, step.offers.pos
        return Alignment()(z, item) + self.config.auxiliary.uniformity * Uniformity()(z, item)
