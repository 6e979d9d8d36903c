"""Softmax over one positive and the drawn negatives, as if over all items."""

from dataclasses import dataclass

import torch

from graphrec.losses.fused_softmax import fused_softmax
from graphrec.losses.ranking import Offers, RankingLoss


@dataclass(frozen=True)
class SampledSoftmax(RankingLoss):
    """-log softmax of the positive, with logits s / temperature - log q.

    The logQ correction (Bengio & Senécal 2008; Yi et al. 2019, eq. 3) makes negatives drawn with
    probability q stand for all items: uniform q leaves the scores as they are. Wu et al. 2022
    ("On the effectiveness of sampled softmax loss for item recommendation") use cosine and a
    temperature, as here.
    """

    temperature: float

    def __call__(
        self, pos: torch.Tensor, neg: torch.Tensor, pos_log_q: torch.Tensor, neg_log_q: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean over rows; see `RankingLoss` for shapes."""
        own = pos / self.temperature - pos_log_q
        others = neg / self.temperature - neg_log_q
        return (torch.logaddexp(own, others.logsumexp(dim=1)) - own).mean()

    def of_vectors(self, z: torch.Tensor, offers: Offers) -> torch.Tensor:
        """Return the mean over rows, in blocks; see `RankingLoss.of_vectors`."""
        return fused_softmax(z, offers, self.temperature)
