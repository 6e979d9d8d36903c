"""Bayesian personalised ranking."""

from dataclasses import dataclass

import torch
from torch.nn.functional import softplus

from graphrec.losses.ranking import RankingLoss


@dataclass(frozen=True)
class BPR(RankingLoss):
    """-log sigmoid((s+ - s-) / temperature), the mean over all pairs of a row (Rendle et al. 2009, BPR-OPT).

    The paper draws one negative per positive and has no temperature; how negatives are drawn is
    part of the method there, so log q is not used.
    """

    temperature: float

    def __call__(
        self, pos: torch.Tensor, neg: torch.Tensor, pos_log_q: torch.Tensor, neg_log_q: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean over pairs; see `RankingLoss` for shapes. A masked pair adds zero."""
        return softplus((neg - pos[:, None]) / self.temperature).mean()
