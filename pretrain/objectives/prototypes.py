"""A user and their item belong to the same few groups, which all domains share."""

import torch
from torch.nn.functional import log_softmax, normalize

from graphrec.core.seeds import derive_seed
from graphrec.encoders.base import MultiDomainEncoder
from pretrain.config import PretrainConfig
from pretrain.objectives.base import Objective, Step

_ROUNDS = 3  # of Sinkhorn's normalisation, as SwAV takes
_SHARP = 0.05  # SwAV's epsilon: how hard an assignment is


class Prototypes(Objective):
    """Cross-entropy between one's assignment to learned prototypes and the other's prediction of it, both ways.

    The two are a user and the item they took; prototypes have no domain, so that a taste means the
    same in each. PEACE (Gan et al. 2024) learns prototypes by contrast and publishes no code;
    this is the swapped prediction of SwAV (Caron et al. 2020, eq. 2-4), whose assignments use every
    prototype alike, which keeps all from becoming one. PEACE also adds prototypes to the vectors,
    this does not.
    """

    def __init__(self, encoder: MultiDomainEncoder, config: PretrainConfig, seed: int) -> None:
        super().__init__(encoder, config, seed)
        draw = torch.Generator().manual_seed(derive_seed(seed, "prototypes"))
        self.prototype = torch.nn.Parameter(torch.randn(config.auxiliary.num_prototypes, encoder.dim, generator=draw))

    def forward(self, step: Step) -> torch.Tensor:
        """Return the mean over the rows of `step`."""
        center = normalize(self.prototype, dim=1)
        user, item = (z @ center.T for z in (step.z, step.offers.pos))  # [num_rows, num_prototypes]
        return (self._cross_entropy(assigned(user), item) + self._cross_entropy(assigned(item), user)) / 2

    def _cross_entropy(self, target: torch.Tensor, score: torch.Tensor) -> torch.Tensor:
        return -(target * log_softmax(score / self.config.auxiliary.temperature, dim=1)).sum(dim=1).mean()


@torch.no_grad()
def assigned(score: torch.Tensor) -> torch.Tensor:
    """Return how much each row belongs to each prototype, `[num_rows, num_prototypes]`, without gradient.

    Rows sum to 1; columns to (nearly) the same, by alternating normalisation (Sinkhorn-Knopp).
    """
    mass = ((score - score.max()) / _SHARP).exp().clamp(min=1e-30)
    for _ in range(_ROUNDS):
        mass = mass / mass.sum(dim=0, keepdim=True)
        mass = mass / mass.sum(dim=1, keepdim=True)
    return mass
