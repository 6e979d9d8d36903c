"""What a ranking loss is: a scalar from scores, or from the vectors whose products the scores are."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

MASKED = -1e9
"""Score of a negative that must not count; finite, because -inf in a whole row has no gradient."""


@dataclass(frozen=True, kw_only=True)
class Offers:
    """What the rows of a batch chose among: `pos` [num_rows, dim], and `neg` [num_neg, dim] that all rows share.

    `pos_item` and `neg_item` say which items these are; a negative that is the row's positive does
    not count. `pos_log_q` [num_rows] and `neg_log_q` [num_neg] are the logarithms of how often an
    item is drawn as a negative, up to a constant.
    """

    pos: torch.Tensor
    neg: torch.Tensor
    pos_item: torch.Tensor
    neg_item: torch.Tensor
    pos_log_q: torch.Tensor
    neg_log_q: torch.Tensor


class RankingLoss(ABC):
    """A loss that wants the positive above the negatives."""

    @abstractmethod
    def __call__(
        self, pos: torch.Tensor, neg: torch.Tensor, pos_log_q: torch.Tensor, neg_log_q: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean loss over rows.

        `pos` is [num_rows], `neg` [num_rows, num_neg] with `MASKED` where a negative must not count;
        for the other two see `Offers`.
        """

    def of_vectors(self, z: torch.Tensor, offers: Offers) -> torch.Tensor:
        """Return the mean loss over rows of which `z` [num_rows, dim] are the users; a score is an inner product."""
        pos = (z * offers.pos).sum(dim=1)
        neg = (z @ offers.neg.T).masked_fill(offers.pos_item[:, None] == offers.neg_item, MASKED)
        return self(pos, neg, offers.pos_log_q, offers.neg_log_q)
