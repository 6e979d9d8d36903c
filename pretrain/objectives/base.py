"""What an objective is: a scalar from the vectors that a step has made."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch

from graphrec.core.seeds import generator
from graphrec.core.types import BoolArray, IntArray
from graphrec.encoders.base import MultiDomainEncoder, Nodes
from graphrec.losses.ranking import Offers
from pretrain.config import PretrainConfig


@dataclass(frozen=True, kw_only=True)
class Step:
    """The vectors of a batch of one domain. Random draws of an objective depend on `seed` and its name only.

    `user`, `item` [num_rows] are whose event is predicted and the item (a node) it was; `known`
    [num_rows, num_domains] is whether the user has another event there. `views` are those of
    `encoder.views`, `z` [num_rows, dim] the users as the ranking sees them, against `offers`.
    """

    encoder: MultiDomainEncoder
    nodes: Nodes
    domain: int
    user: torch.Tensor
    known: torch.Tensor
    item: torch.Tensor
    views: torch.Tensor
    z: torch.Tensor
    offers: Offers
    seed: int

    def generator(self, name: str) -> np.random.Generator:
        """Return the generator of the objective `name` in this step."""
        return generator(self.seed, name)

    def nothing(self) -> torch.Tensor:
        """Return a loss of zero for a step in which an objective finds nothing to do."""
        return self.z.sum() * 0


class Objective(torch.nn.Module, ABC):
    """A part of the loss, with parameters of its own where it needs such.

    `over_triples` is whether it does nothing without triples; `whole` whether it needs all nodes in
    a step. One that is not `whole` looks at nodes of the batch's histories and offers, and at those it `asks` for.
    """

    over_triples = whole = False

    def __init__(self, encoder: MultiDomainEncoder, config: PretrainConfig, seed: int) -> None:
        super().__init__()
        self.config = config

    def hides(self, seed: int) -> BoolArray | None:
        """Return which edges of `encoder.knowledge` the encoder may not see in the step of `seed`, or None."""
        return None

    def asks(self, seed: int) -> IntArray:
        """Return nodes, in any order, whose vectors it needs in the step of `seed` beside those of the batch."""
        return np.empty(0, dtype=np.int64)

    @abstractmethod
    def forward(self, step: Step) -> torch.Tensor:
        """Return the loss of `step`, a scalar."""
