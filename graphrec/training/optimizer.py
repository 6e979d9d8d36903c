"""The optimiser of a fit: AdamW for what is dense, `RowAdam` for tables that are read by rows."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch

from graphrec.training.config import FitConfig
from graphrec.training.row_adam import RowAdam, row_gradient
from graphrec.training.world import World

Parameters = Mapping[str, torch.nn.Parameter]


class Optimizer:
    """Both as one. `rows` names the parameters whose gradients are sparse rows; `world` shares the gradients."""

    def __init__(
        self, parameters: Parameters, config: FitConfig, rows: Collection[str], world: World | None = None
    ) -> None:
        dense = [parameter for name, parameter in parameters.items() if name not in rows]
        tables = [parameters[name] for name in rows]
        self._clip, self._world = config.clip, world
        self._all = list(parameters.values())
        self._parts: list[torch.optim.Optimizer] = []
        if dense:
            self._parts.append(torch.optim.AdamW(dense, lr=config.lr, weight_decay=config.weight_decay, fused=True))
        if tables:
            self._parts.append(RowAdam(tables, lr=config.lr, weight_decay=config.weight_decay))

    def set_rate(self, lr: float) -> None:
        """Step at the learning rate `lr` from now on."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = lr

    def step(self, loss: torch.Tensor) -> None:
        """Go one step down the gradient of `loss`."""
        for part in self._parts:
            part.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._world is not None:
            self._world.average_gradients(self._all)
        if self._clip:
            clip_(self._all, self._clip, self._world)
        for part in self._parts:
            part.step()

    def state(self, parameter: torch.nn.Parameter) -> dict[str, Any]:
        """Return the state kept for `parameter`; it may be changed."""
        (part,) = (p for p in self._parts if any(q is parameter for group in p.param_groups for q in group["params"]))
        state: dict[str, Any] = part.state[parameter]
        return state


def clip_(parameters: Sequence[torch.nn.Parameter], limit: float, world: World | None = None) -> None:
    """Scale all gradients so that their global norm is at most `limit`, sparse ones by their rows."""
    grads = [p.grad for p in parameters if p.grad is not None]
    if not any(g.is_sparse for g in grads):
        torch.nn.utils.clip_grad_norm_(parameters, limit)
        return
    square = torch.zeros(())
    for grad in grads:
        own = (row_gradient(grad)[1] if grad.is_sparse else grad).square().sum().cpu()
        # Everybody has the dense gradients, and rows of their own.
        square += own if world is None or not grad.is_sparse else world.sum(own)
    for grad in grads:
        grad.mul_((limit / (square.sqrt() + 1e-6)).clamp(max=1.0).to(grad.device))
