"""How the losses of several domains become one: by their sum, by learned weights, without gradients in conflict."""

from collections.abc import Sequence

import numpy as np
import torch


class DomainWeights(torch.nn.Module):
    """Loss weights from uncertainty: loss(d) * exp(-s_d) + s_d / 2 with learned s, one per domain, 0 to begin with.

    Kendall et al. 2018, eq. 10, with s = log sigma^2. The best s makes a weight 1 / (2 loss), hence a
    domain that cannot be predicted counts less.
    """

    def __init__(self, num_domains: int) -> None:
        super().__init__()
        self.log_variance = torch.nn.Parameter(torch.zeros(num_domains))

    def forward(self, loss: torch.Tensor, domain: int) -> torch.Tensor:
        """Return the weighted `loss` of `domain`."""
        log_variance = self.log_variance[domain]
        return loss * (-log_variance).exp() + log_variance / 2


def without_conflict(
    losses: Sequence[torch.Tensor], parameters: Sequence[torch.nn.Parameter], rng: np.random.Generator
) -> torch.Tensor:
    """Return the mean of `losses` with the gradient of PCGrad (Yu et al. 2020, algorithm 1) for `parameters`.

    A loss's gradient gives up its part against that of each other one, in random order, before they
    meet; the paper sums them, here the mean is taken. It holds a copy of the parameters per loss.
    """
    each = [
        torch.autograd.grad(loss, list(parameters), retain_graph=True, allow_unused=True, materialize_grads=True)
        for loss in losses
    ]
    total = [torch.zeros_like(p) for p in parameters]
    for mine, own in enumerate(each):
        left = [g.clone() for g in own]
        for other in rng.permutation([k for k in range(len(each)) if k != mine]).astype(int):
            against = _dot(left, each[other])
            if against < 0:
                share = against / _dot(each[other], each[other])
                torch._foreach_sub_(left, torch._foreach_mul(each[other], share))
        torch._foreach_add_(total, left)
    value = torch.stack([loss.detach() for loss in losses]).mean()
    # A scalar with this value and this gradient: the caller's backward pass needs to know nothing.
    slope = torch.stack([(p * g).sum() for p, g in zip(parameters, total, strict=True)]).sum() / len(losses)
    return value + (slope - slope.detach())


def _dot(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> float:
    return sum(float((a * b).sum()) for a, b in zip(one, other, strict=True))
