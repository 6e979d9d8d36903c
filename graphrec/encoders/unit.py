"""Vectors of length 1, where nothing stays nothing."""

import torch
from torch.nn.functional import normalize

_SHORT = 1e-3


def unit(z: torch.Tensor, short: float = _SHORT) -> torch.Tensor:
    """Return `z` with vectors (the last axis) of length 1; those below `short` are divided by it, so that zeros stay.

    The gradient is divided by the same length. At zero, where a vector that is still to be learned begins,
    torch's own bound would make it 1e12 times the others, which Adam remembers for thousands of steps.
    """
    return normalize(z, dim=-1, eps=short)
