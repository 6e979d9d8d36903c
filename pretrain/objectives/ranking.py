"""The event's item above the negatives."""

import torch

from graphrec.encoders.base import MultiDomainEncoder
from graphrec.losses.registry import make_loss
from pretrain.config import PretrainConfig
from pretrain.objectives.base import Objective, Step


class Ranking(Objective):
    """The ranking loss that `loss` names, of each left-out event against the shared negatives."""

    def __init__(self, encoder: MultiDomainEncoder, config: PretrainConfig, seed: int) -> None:
        super().__init__(encoder, config, seed)
        self.loss_of = make_loss(config.loss, config.temperature)

    def forward(self, step: Step) -> torch.Tensor:
        """Return the mean over the rows of `step`."""
        return self.loss_of.of_vectors(step.z, step.offers)
