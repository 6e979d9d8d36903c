"""The network behind `cross_encoder`: lower layers read each text once, upper layers read a triple."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from graphrec.core.types import IntArray

Layers = Callable[[Tensor, Tensor], Tensor]
"""Layers that read states `[batch, length, width]` where the mask `[batch, length]` is true."""


@dataclass(frozen=True, kw_only=True)
class States:
    """What the lower layers made of every text, one after the other.

    `flat` [num_tokens, width]; text i is the `length[i]` rows from `start[i]`.
    """

    flat: Tensor
    start: IntArray
    length: IntArray

    def joined(self, texts: Sequence[IntArray]) -> tuple[Tensor, Tensor]:
        """Return states `[batch, length, width]` of texts laid end to end, and which text, 0, 1, ..., a token is of.

        Padding is of text -1. Every text but the first loses its opening mark.
        """
        first = [self.start[one] + (place > 0) for place, one in enumerate(texts)]
        ends = np.cumsum([self.length[one] - (place > 0) for place, one in enumerate(texts)], axis=0)
        position = np.arange(int(ends[-1].max()))[None]
        rows = np.zeros((len(texts[0]), position.shape[1]), dtype=np.int64)
        segment = np.full(rows.shape, -1, dtype=np.int64)
        for place, (low, high) in enumerate(pairwise([np.zeros_like(ends[0]), *ends])):
            inside = (position >= low[:, None]) & (position < high[:, None])
            rows = np.where(inside, first[place][:, None] + position - low[:, None], rows)
            segment[inside] = place
        where = self.flat.device
        return self.flat[torch.from_numpy(rows).to(where)].float(), torch.from_numpy(segment).to(where)


class PairModel(nn.Module):
    """Logit of a triple being right, from the states of its head, relation and tail, and a first guess.

    KG-BERT (Yao et al. 2019) puts a linear layer on the state of [CLS] alone. Here that layer also sees
    how the mean states of head and tail agree, direction by direction, and it starts from zero: at
    first the logit is the guess, and what is learnt is only what the guess leaves open.
    """

    def __init__(self, layers: nn.ModuleList, run: Layers, width: int) -> None:
        super().__init__()
        self.layers = layers
        self._run = run
        self.segment = nn.Parameter(torch.zeros(3, width))
        self.out = nn.Linear(3 * width, 1)
        self.trust = nn.Parameter(torch.ones(1))
        for start in (self.out.weight, self.out.bias):
            nn.init.zeros_(start)

    def forward(self, states: Tensor, segment: Tensor, guess: Tensor) -> Tensor:
        """Return logits `[batch]` from `States.joined` of head, relation and tail, and guesses `[batch]`."""
        inside = segment >= 0
        states = self._run(states + self.segment[segment.clamp(min=0)] * inside[..., None], inside)
        head, tail = (_mean(states, segment == place) for place in (0, 2))
        # By the root of the width, so that every feature is about as large as those of [CLS].
        agree = torch.cat([head * tail * states.shape[2] ** 0.5, (head - tail).abs()], dim=1)
        logits: Tensor = self.out(torch.cat([states[:, 0], agree * states.shape[2] ** 0.5 / 4], dim=1)).squeeze(1)
        return logits + self.trust * guess


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    total = (states * mask[..., None]).sum(1)
    return nn.functional.normalize(total, dim=1)
