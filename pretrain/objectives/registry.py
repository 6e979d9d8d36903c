"""The objectives by name, and their weighted sum."""

from importlib import import_module
from typing import cast

import numpy as np
import torch

from graphrec.core.config import to_mapping
from graphrec.core.errors import ConfigError
from graphrec.core.progress import logger
from graphrec.core.types import BoolArray, IntArray
from graphrec.encoders.base import MultiDomainEncoder
from pretrain.config import PretrainConfig
from pretrain.objectives.base import Objective, Step

OBJECTIVES = {
    "ranking": "pretrain.objectives.ranking:Ranking",
    "align_uniform": "pretrain.objectives.align_uniform:AlignUniform",
    "kg_link": "pretrain.objectives.kg_link:KGLink",
    "masked_edges": "pretrain.objectives.masked_edges:MaskedEdges",
    "noise_views": "pretrain.objectives.noise_views:NoiseViews",
    "kg_view": "pretrain.objectives.kg_view:KGView",
    "user_align": "pretrain.objectives.user_align:UserAlign",
    "prototypes": "pretrain.objectives.prototypes:Prototypes",
}
"""Name -> class. A new one = one file, one row, and its weight in `ObjectivesConfig`."""


class Objectives(torch.nn.Module):
    """The objectives whose weight is not zero.

    Raises `ConfigError` when none is left, or an option asks for what they cannot give.
    """

    def __init__(self, encoder: MultiDomainEncoder, config: PretrainConfig, seed: int) -> None:
        super().__init__()
        self.weights: dict[str, float] = {name: w for name, w in to_mapping(config.objectives).items() if w}
        if problems := _problems(config):
            raise ConfigError("; ".join(problems))
        self.parts = torch.nn.ModuleDict({name: _make(name)(encoder, config, seed) for name in self.weights})
        if any(part.over_triples for part in self._objectives()) and not len(encoder.knowledge):
            logger.warning("pretrain: no triple touches the source domains, so objectives over triples do nothing")

    @property
    def whole(self) -> bool:
        """Whether one of them needs all nodes in a step."""
        return any(part.whole for part in self._objectives())

    def hides(self, seed: int) -> BoolArray | None:
        """Return which edges of `encoder.knowledge` the encoder may not see in the step of `seed`, or None."""
        masks = [mask for part in self._objectives() if (mask := part.hides(seed)) is not None]
        return masks[0] if masks else None

    def asks(self, seed: int) -> IntArray:
        """Return the nodes that they need in the step of `seed` beside those of the batch."""
        return np.concatenate([part.asks(seed) for part in self._objectives()])

    def forward(self, step: Step) -> torch.Tensor:
        """Return the weighted sum of the losses of `step`."""
        parts = [weight * self.parts[name](step) for name, weight in self.weights.items()]
        return torch.stack(parts).sum() if len(parts) > 1 else cast(torch.Tensor, parts[0])

    def _objectives(self) -> list[Objective]:
        return [cast(Objective, part) for part in self.parts.values()]


def _problems(config: PretrainConfig) -> list[str]:
    weights, problems = config.objectives, []
    if not any(to_mapping(weights).values()):
        problems.append("pretrain.objectives: every weight is 0, nothing is left to learn from")
    if config.uncertainty and weights.align_uniform and config.auxiliary.uniformity:
        problems.append(
            "pretrain.uncertainty: does not go with objectives.align_uniform, whose loss can be negative, so that a "
            "domain's weight would grow without end; leave one of them out"
        )
    if config.cold_items and config.cold_dropout and weights.kg_view:
        problems.append(
            "pretrain.objectives.kg_view: holds the own vector of an item against its knowledge, and with cold_items a "
            "step offers items without it; set cold_dropout to 0 or leave one of them out"
        )
    if config.popularity and not (weights.ranking and config.loss == "sampled_softmax"):
        problems.append(
            "pretrain.popularity: is for objectives.ranking with loss: sampled_softmax, as no other loss has logits to "
            "add it to; set it to 0"
        )
    return problems


def _make(name: str) -> type[Objective]:
    module, _, attribute = OBJECTIVES[name].partition(":")
    return cast(type[Objective], getattr(import_module(module), attribute))
