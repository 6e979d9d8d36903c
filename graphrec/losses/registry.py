"""The losses by name."""

from importlib import import_module
from typing import cast

from graphrec.core.errors import ConfigError
from graphrec.losses.ranking import RankingLoss

LOSSES = {
    "sampled_softmax": "graphrec.losses.sampled_softmax:SampledSoftmax",
    "bpr": "graphrec.losses.bpr:BPR",
}
"""Name -> class. A new one = one file and one row."""


def make_loss(name: str, temperature: float) -> RankingLoss:
    """Make the loss called `name`; raise `ConfigError` listing the known names."""
    if name not in LOSSES:
        raise ConfigError(f"loss {name!r}: not known; known: {', '.join(LOSSES)}")
    module, _, attribute = LOSSES[name].partition(":")
    return cast(RankingLoss, getattr(import_module(module), attribute)(temperature))
