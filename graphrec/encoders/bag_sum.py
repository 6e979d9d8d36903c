"""Weighted sums of rows, bag by bag."""

from typing import Any

import torch
from torch.nn.functional import embedding_bag

from graphrec.encoders._numba_bag_sum import sum_bags_back


def bag_sum(z: torch.Tensor, row: torch.Tensor, weight: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """Return the sums over `weight[k] * z[row[k]]`, k from `start[b]` up to the next start, `[num_bags, dim]`.

    It is torch's `embedding_bag`; on the CPU compiled loops make the gradient, for which torch sorts
    the rows: 10 ms in place of 25 for 125,000 rows of 64.
    """
    if z.device.type != "cpu":
        return embedding_bag(row, z, start, mode="sum", per_sample_weights=weight)
    summed: torch.Tensor = _BagSum.apply(z, row, weight, start)  # type: ignore[no-untyped-call]
    return summed


class _BagSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: torch.Tensor, row: torch.Tensor, weight: torch.Tensor, start: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(z, row, weight, start)
        return embedding_bag(row, z, start, mode="sum", per_sample_weights=weight)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        made = sum_bags_back(*(t.contiguous().numpy() for t in (grad, *ctx.saved_tensors)))
        of_z, of_weight = map(torch.from_numpy, made)
        return of_z, None, of_weight, None
