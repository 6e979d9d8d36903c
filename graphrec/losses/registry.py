"""The losses by name, and the protocol they share."""

from importlib import import_module
from typing import Protocol, cast

import torch

from graphrec.core.errors import ConfigError

LOSSES = {
    "sampled_softmax": "graphrec.losses.sampled_softmax:SampledSoftmax",
    "bpr": "graphrec.losses.bpr:BPR",
}
"""Name -> class. A new one = one file and one row."""


MASKED = -1e9
"""Score of a negative that must not count; finite, because -inf in a whole row has no gradient."""


class RankingLoss(Protocol):
    """A scalar from scores."""

    def __call__(
        self, pos: torch.Tensor, neg: torch.Tensor, pos_log_q: torch.Tensor, neg_log_q: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean loss over rows.

        `pos` is [num_rows], `neg` [num_rows, num_neg] with `MASKED` where a negative must not count;
        `pos_log_q` [num_rows] and `neg_log_q` [num_neg] are the logarithms of how often an item is
        drawn as a negative, up to a constant.
        """
        ...


def make_loss(name: str, temperature: float) -> RankingLoss:
    """Make the loss called `name`; raise `ConfigError` listing the known names."""
    if name not in LOSSES:
        raise ConfigError(f"loss {name!r}: not known; known: {', '.join(LOSSES)}")
    module, _, attribute = LOSSES[name].partition(":")
    return cast(RankingLoss, getattr(import_module(module), attribute)(temperature))
