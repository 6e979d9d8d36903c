"""Users and items recognised under noise."""

import torch
from torch.nn.functional import normalize

from graphrec.losses.info_nce import InfoNCE
from pretrain.objectives.base import Objective, Step


class NoiseViews(Objective):
    """InfoNCE between two noisy copies of the batch's users, plus the same of its items.

    Noise as in SimGCL (Yu et al. 2022, eq. 6-7): of length `noise`, in the orthant of the vector.
    There every layer gets some and the graph is propagated twice more; here the last vectors get
    it, which costs no propagation, as XSimGCL (Yu et al. 2023) saves it by another way.
    """

    def forward(self, step: Step) -> torch.Tensor:
        """Return the mean over the first users plus that over items of `step`, whose order is random."""
        draw = torch.Generator(step.z.device).manual_seed(int(step.generator("noise_views").integers(2**31)))
        loss = InfoNCE(self.config.auxiliary.temperature)
        few = slice(self.config.auxiliary.rows)
        users, items = (self._two(z[few], draw) for z in (step.z, step.offers.pos))
        return loss(*users, key=step.user[few]) + loss(*items, key=step.item[few])

    def _two(self, z: torch.Tensor, draw: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        return self._noisy(z, draw), self._noisy(z, draw)

    def _noisy(self, z: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
        noise = normalize(torch.rand(z.shape, generator=draw, device=z.device), dim=1) * z.detach().sign()
        return normalize(z + self.config.auxiliary.noise * noise, dim=1)
