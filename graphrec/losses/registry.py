"""The losses by name."""

from importlib import import_module
from typing import cast

from graphrec.core.errors import ConfigError
from graphrec.losses.ranking import RankingLoss

LOSSES = {
    "sampled_softmax": "graphrec.losses.sampled_softmax:SampledSoftmax",
    "bpr": "graphrec.losses.bpr:BPR",
}
"""Name -> class of the ranking losses. A new one = one file and one row."""

REPRESENTATION_LOSSES = {
    "info_nce": "graphrec.losses.info_nce:InfoNCE",
    "alignment": "graphrec.losses.align_uniform:Alignment",
    "uniformity": "graphrec.losses.align_uniform:Uniformity",
}
"""Name -> class of the representation losses; who uses one imports it."""


def make_loss(name: str, temperature: float) -> RankingLoss:
    """Make the loss called `name`; raise `ConfigError` listing the known names."""
    if name not in LOSSES:
        raise ConfigError(f"loss {name!r}: not known; known: {', '.join(LOSSES)}")
    module, _, attribute = LOSSES[name].partition(":")
    return cast(RankingLoss, getattr(import_module(module), attribute)(temperature))
