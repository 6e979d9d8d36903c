"""Adam for large tables whose gradient has a few rows: eight bytes of state a row, a step as dear as its rows."""

from collections.abc import Iterable
from typing import Any

import torch

from graphrec.training._numba_row_adam import Rates, move_rows

_EPSILON = 1e-8


class RowAdam(torch.optim.Optimizer):
    """Adam with one second moment per row and no first one, for sparse gradients.

        s(r) = beta ** (t - last(r)) * s(r) + (1 - beta) * mean(g(r) ** 2)
        p(r) = p(r) - lr * g(r) / (sqrt(s(r) / (1 - beta ** t)) + epsilon)

    t counts steps, last(r) is the step in which row r had a gradient before. One moment per row is
    that of row-wise AdaGrad (Naumov et al. 2019, DLRM; FBGEMM's partial row-wise Adam). It fades with
    steps and not with the row's own gradients, so that a rare row takes the long steps which dense
    Adam (Kingma & Ba 2015) gives it; the first moment would need a table as large as the parameter's,
    and only spreads a step over the ten that follow. `weight_decay` is decoupled and made up for
    when a row has a gradient again. A dense gradient is refused.
    """

    def __init__(
        self, params: Iterable[torch.nn.Parameter], lr: float, *, beta: float = 0.999, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "beta": beta, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move the rows that have a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group["lr"], group["beta"], group["weight_decay"])

    def _move(self, parameter: torch.Tensor, lr: float, beta: float, weight_decay: float) -> None:
        assert parameter.grad is not None and parameter.grad.is_sparse, "rows need a sparse gradient"
        rows, grad = row_gradient(parameter.grad)
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.int64)
            state["square"] = torch.zeros(len(parameter), device=parameter.device)
            state["last"] = torch.zeros(len(parameter), dtype=torch.int32, device=parameter.device)
        state["step"] += 1
        step = int(state["step"])
        if parameter.device.type == "cpu":
            arrays = [tensor.detach().numpy() for tensor in (parameter, rows, grad, state["square"], state["last"])]
            rates = Rates(step=step, lr=lr, beta=beta, weight_decay=weight_decay, epsilon=_EPSILON)
            move_rows(rates, *arrays)
            return
        age = (step - state["last"][rows]).float()
        square = beta**age * state["square"][rows] + (1 - beta) * grad.square().mean(dim=1)
        state["square"][rows], state["last"][rows] = square, step
        rate = lr / ((square / (1 - beta**step)).sqrt() + _EPSILON)
        if weight_decay:
            parameter[rows] *= ((1 - lr * weight_decay) ** age)[:, None]
        parameter.index_add_(0, rows, grad * -rate[:, None])


def row_gradient(grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the rows of a sparse gradient, each once and ascending, and their values `[num_rows, dim]`."""
    rows = grad._indices()[0]
    # One read of a table by ascending rows needs no sorting; several are added up.
    if not bool((rows[1:] > rows[:-1]).all()):
        grad = grad.coalesce()
    return grad._indices()[0], grad._values()
