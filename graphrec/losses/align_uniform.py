"""The two halves of contrast apart (Wang & Isola 2020): vectors of a row close, rows spread over the sphere."""

from dataclasses import dataclass

import torch

from graphrec.losses.representation import RepresentationLoss, weighted_mean

_SPREAD = 2.0  # t of the paper's Gaussian potential


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
        """Return the mean of both sides; a pair weighs the product of its rows' weights."""
        row, other = torch.triu_indices(len(z_a), len(z_a), offset=1, device=z_a.device)
        differ = slice(None) if key is None else key[row] != key[other]
        row, other = row[differ], other[differ]
        if not len(row):
            return (z_a.sum() + z_b.sum()) * 0
        pair = None if weight is None else weight[row] * weight[other]
        sides = [weighted_mean(_potential(z, row, other), pair).clamp(min=1e-30).log() for z in (z_a, z_b)]
        return (sides[0] + sides[1]) / 2


def _potential(z: torch.Tensor, row: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    # By products, not by differences: [num_rows, num_rows] numbers stand in memory, not vectors.
    length = z.square().sum(dim=1)
    distance = (length[:, None] + length - 2 * (z @ z.T))[row, other].clamp(min=0)
    return (-_SPREAD * distance).exp()
