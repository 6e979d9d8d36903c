"""Contrast: the two vectors of a row find each other among those of all rows."""

from dataclasses import dataclass

import torch

from graphrec.losses.ranking import MASKED
from graphrec.losses.representation import RepresentationLoss, weighted_mean


@dataclass(frozen=True)
class InfoNCE(RepresentationLoss):
    """-log softmax over rows of z_a . z_b / temperature, the mean of both directions.

    van den Oord et al. 2018, eq. 4; with cosines and both directions as NT-Xent (Chen et al. 2020),
    whose other views of the same side are no negatives here.
    """

    temperature: float

    def __call__(
        self,
        z_a: torch.Tensor,
        z_b: torch.Tensor,
        weight: torch.Tensor | None = None,
        key: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the mean over rows; see `RepresentationLoss`."""
        scores = z_a @ z_b.T / self.temperature  # [num_rows, num_rows]
        own = scores.diagonal()
        if key is not None:
            again = (key[:, None] == key).fill_diagonal_(False)
            scores = scores.masked_fill(again, MASKED)
        both = (scores.logsumexp(dim=1) + scores.logsumexp(dim=0)) / 2 - own
        return weighted_mean(both, weight)
