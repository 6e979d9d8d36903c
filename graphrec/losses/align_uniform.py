"""The two halves of contrast apart (Wang & Isola 2020): vectors of a row close, rows spread over the sphere."""

from dataclasses import dataclass
from typing import Any

import torch

from graphrec.losses.representation import RepresentationLoss, weighted_mean

_SPREAD = 2.0  # t of the paper's Gaussian potential
_BLOCK = 1 << 21
"""Pairs that stand in memory at a time (8 MiB)."""


@dataclass(frozen=True)
class Alignment(RepresentationLoss):
    """Mean squared distance of the two vectors of a row; rows are not compared, so `key` is not used."""

    def __call__(
        self,
        z_a: torch.Tensor,
        z_b: torch.Tensor,
        weight: torch.Tensor | None = None,
        key: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the mean over rows; see `RepresentationLoss`."""
        return weighted_mean((z_a - z_b).square().sum(dim=1), weight)


@dataclass(frozen=True)
class Uniformity(RepresentationLoss):
    """log mean exp(-2 |x - y|^2) over pairs of rows, for each side by itself, the mean of the two.

    Lowest, and negative, where the rows are spread out. Pairs of one `key` are left out; the paper
    has no keys and keeps them.
    """

    def __call__(
        self,
        z_a: torch.Tensor,
        z_b: torch.Tensor,
        weight: torch.Tensor | None = None,
        key: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the mean of both sides; a pair weighs the product of its rows' weights, which get no gradient."""
        if len(z_a) < 2 or (key is not None and bool((key == key[0]).all())):
            return (z_a.sum() + z_b.sum()) * 0
        sides: list[torch.Tensor] = [_MeanPotential.apply(z, weight, key) for z in (z_a, z_b)]  # type: ignore[no-untyped-call]
        logs = [side.clamp(min=1e-30).log() for side in sides]
        return (logs[0] + logs[1]) / 2


class _MeanPotential(torch.autograd.Function):
    """The mean of exp(-2 |x - y|^2) over pairs, and its gradient on the way: one block of pairs stands in memory."""

    @staticmethod
    def forward(ctx: Any, z: torch.Tensor, weight: torch.Tensor | None, key: torch.Tensor | None) -> torch.Tensor:
        grad, total, mass = torch.zeros_like(z), z.new_zeros(()), z.new_zeros((), dtype=torch.float64)
        length, rows = z.square().sum(dim=1), max(1, _BLOCK // len(z))
        for low in range(0, len(z), rows):
            one, others = slice(low, low + rows), slice(low, None)
            pair = _pairs(weight, key, one, others, length)
            mass += pair.sum()
            # By products, not by differences: numbers stand in memory, not vectors.
            distance = (length[one, None] + length[others]).addmm_(z[one], z[others].T, alpha=-2).clamp_(min=0)
            potential = distance.mul_(-_SPREAD).exp_().mul_(pair)
            total += potential.sum()
            grad[one] += torch.mm(potential, z[others]).sub_(potential.sum(dim=1)[:, None] * z[one])
            grad[others] += torch.mm(potential.T, z[one]).sub_(potential.sum(dim=0)[:, None] * z[others])
        scale = mass.clamp(min=torch.finfo(z.dtype).tiny).to(z.dtype)
        ctx.save_for_backward(grad.mul_(2 * _SPREAD / scale))
        return total / scale

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (grad,) = ctx.saved_tensors
        return slope * grad, None, None


def _pairs(
    weight: torch.Tensor | None, key: torch.Tensor | None, one: slice, others: slice, like: torch.Tensor
) -> torch.Tensor:
    """Return the weight of each pair of rows, a pair once, `[rows of one, rows of others]`."""
    weight = torch.ones_like(like) if weight is None else weight
    pair = (weight[one, None] * weight[others]).triu(1)
    return pair if key is None else pair * (key[one, None] != key[others])
