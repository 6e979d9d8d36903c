"""What a representation loss is: a scalar from two vectors of the same things."""

from abc import ABC, abstractmethod

import torch


class RepresentationLoss(ABC):
    """A loss that wants the two vectors of a row close, or all rows apart, or both."""

    @abstractmethod
    def __call__(
        self,
        z_a: torch.Tensor,
        z_b: torch.Tensor,
        weight: torch.Tensor | None = None,
        key: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the mean loss over rows of the unit vectors `z_a` and `z_b`, `[num_rows, dim]`; 0 where it has none.

        `weight` [num_rows] is how much a row counts, all alike if it is not given. Rows of one `key`
        [num_rows] are the same thing seen again, which is no reason to push them apart; without it
        all rows differ.
        """


def weighted_mean(value: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Return the mean of `value` by `weight`, both of one shape; 0 where the weights sum to 0."""
    if weight is None:
        return value.mean() if value.numel() else value.sum()
    return (value * weight).sum() / weight.sum().clamp(min=torch.finfo(value.dtype).tiny)
