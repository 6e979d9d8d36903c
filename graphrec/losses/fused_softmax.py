"""Sampled softmax from vectors, without the matrix of scores: blocks of rows, gradient on the way.

The gradient of a softmax is known as soon as its scores are, so one pass makes the loss and all three
gradients; the backward pass only scales them. Memory is one block instead of several matrices of
[num_rows, num_neg], and the exponential is taken once.
"""

from typing import Any

import torch

from graphrec.losses.ranking import MASKED, Offers

_BLOCK = 1 << 21
"""Scores that stand in memory at a time (8 MiB), on a CPU; a GPU takes 64 times as many."""


def fused_softmax(z: torch.Tensor, offers: Offers, temperature: float) -> torch.Tensor:
    """Return the mean over rows of -log softmax of the positive; equal to `SampledSoftmax` on the scores."""
    loss: torch.Tensor = _Fused.apply(z, offers.pos, offers.neg, offers, temperature)  # type: ignore[no-untyped-call]
    return loss


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: torch.Tensor, pos: torch.Tensor, neg: torch.Tensor, offers: Offers, temperature: float
    ) -> torch.Tensor:
        num_rows = len(z)
        own = (z * pos).sum(dim=1) / temperature - offers.pos_log_q
        loss, weight = torch.empty_like(own), torch.empty_like(own)
        grad_z, grad_neg = torch.empty_like(z), torch.zeros_like(neg)
        row, column = _equal(offers.pos_item, offers.neg_item)
        scaled, rows = neg / temperature, _rows(z, len(neg))
        for start in range(0, num_rows, rows):
            part = slice(start, min(start + rows, num_rows))
            scores = torch.addmm(-offers.neg_log_q, z[part], scaled.T)  # [rows, num_neg]
            here = slice(*torch.searchsorted(row, torch.tensor([part.start, part.stop], device=row.device)).tolist())
            scores[row[here] - start, column[here]] = MASKED
            top = torch.maximum(scores.amax(dim=1), own[part])
            scores.sub_(top[:, None]).exp_()
            first = (own[part] - top).exp()
            total = scores.sum(dim=1) + first
            loss[part] = total.log() + top - own[part]
            weight[part] = first / total - 1
            # A row of the gradient divides by its total: cheaper on the vectors than on the scores.
            torch.mm(scores, scaled, out=grad_z[part])
            grad_z[part] /= total[:, None]
            grad_neg.addmm_(scores.T, z[part] / total[:, None])
        weight /= temperature
        grad_z.addcmul_(weight[:, None], pos)
        ctx.save_for_backward(grad_z / num_rows, weight[:, None] * z / num_rows, grad_neg / (temperature * num_rows))
        return loss.mean()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        grad_z, grad_pos, grad_neg = ctx.saved_tensors
        return grad * grad_z, grad * grad_pos, grad * grad_neg, None, None


def _rows(z: torch.Tensor, num_neg: int) -> int:
    return max(1, (_BLOCK if z.device.type == "cpu" else _BLOCK << 6) // max(1, num_neg))


def _equal(pos: torch.Tensor, neg: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return where `pos[row] == neg[column]`, by ascending row; `neg` may repeat itself."""
    ordered, place = neg.sort()
    low, high = torch.searchsorted(ordered, pos), torch.searchsorted(ordered, pos, right=True)
    count = high - low
    row = torch.repeat_interleave(torch.arange(len(pos), device=pos.device), count)
    within = torch.arange(len(row), device=pos.device) - torch.repeat_interleave(count.cumsum(0) - count, count)
    return row, place[low[row] + within]
