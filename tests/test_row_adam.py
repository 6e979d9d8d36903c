"""The optimiser of tables: only rows with a gradient move, as far as the formula says, with two numbers a row."""

import pytest
import torch
from torch.nn.functional import embedding

from graphrec.training.config import FitConfig
from graphrec.training.optimizer import Optimizer, clip_
from graphrec.training.row_adam import RowAdam


def table(rows=6, dim=4):
    return torch.nn.Parameter(torch.randn(rows, dim, generator=torch.Generator().manual_seed(0)))


def pull(parameter, rows, scale=1.0):
    """Give `parameter` the gradient of a loss that reads `rows`."""
    parameter.grad = None
    target = torch.arange(len(rows) * parameter.shape[1], dtype=torch.float32).view(len(rows), -1)
    (scale * (embedding(torch.tensor(rows), parameter, sparse=True) - target).pow(2)).sum().backward()


def test_it_is_the_formula_for_rows_in_any_order_and_twice():
    made, expected = table(), table().detach().double()
    optimizer = RowAdam([made], lr=0.1, beta=0.9, weight_decay=0.5)
    square, last = torch.zeros(6, dtype=torch.float64), [0] * 6
    for step, rows in enumerate(([0, 2], [2, 5], [4, 2, 4], [0, 1]), start=1):
        pull(made, rows)
        grad = made.grad.to_dense().double()
        optimizer.step()
        for row in set(rows):
            age = step - last[row]
            square[row] = 0.9**age * square[row] + 0.1 * grad[row].square().mean()
            expected[row] *= (1 - 0.1 * 0.5) ** age
            expected[row] -= 0.1 * grad[row] / ((square[row] / (1 - 0.9**step)).sqrt() + 1e-8)
            last[row] = step
        assert torch.allclose(made.double(), expected, atol=1e-5)
    assert torch.equal(made[3], table()[3]), "a row without a gradient stays"


def test_the_state_is_eight_bytes_a_row():
    made = table(1000, 64)
    optimizer = RowAdam([made], lr=0.1)
    pull(made, [1, 7])
    optimizer.step()
    assert sum(t.numel() * t.element_size() for t in optimizer.state[made].values()) == 8 * 1000 + 8


def test_a_rare_row_takes_the_step_that_dense_adam_gives_it():
    rare, dense = table(), table()
    ours, adam = RowAdam([rare], lr=0.01), torch.optim.Adam([dense], lr=0.01)
    for step in range(300):
        pull(rare, [0, 3] if step == 200 else [0], scale=1e-3)
        dense.grad = rare.grad.to_dense()
        ours.step()
        adam.step()
    moved, by_adam = (float((made[3] - table()[3]).detach().norm()) for made in (rare, dense))
    assert moved == pytest.approx(by_adam, rel=0.15)


def test_a_dense_gradient_is_refused():
    made = table()
    made.grad = torch.zeros_like(made)
    with pytest.raises(AssertionError, match="rows need a sparse gradient"):
        RowAdam([made], lr=0.1).step()


def test_clipping_has_one_norm_for_sparse_and_dense_gradients():
    rows, dense = table(), torch.nn.Parameter(torch.ones(3))
    pull(rows, [1, 1, 4])
    dense.grad = torch.tensor([3.0, 0.0, 4.0])
    before = rows.grad.to_dense()
    norm = (before.square().sum() + 25).sqrt()
    clip_([rows, dense], 2.0)
    assert torch.allclose(rows.grad.to_dense(), before * 2 / norm, atol=1e-5)
    assert torch.allclose(dense.grad, torch.tensor([3.0, 0.0, 4.0]) * 2 / norm, atol=1e-5)
    clip_([rows, dense], 1e6)
    assert torch.allclose(rows.grad.to_dense(), before * 2 / norm, atol=1e-5)


def test_rows_and_dense_parameters_are_stepped_together():
    rows, dense, start = table(), torch.nn.Parameter(torch.ones(4)), table()
    optimizer = Optimizer({"rows": rows, "dense": dense}, FitConfig(lr=0.1), ("rows",))
    for _ in range(2):
        loss = (embedding(torch.tensor([1, 4]), rows, sparse=True) * dense).sum()
        optimizer.step(loss)
    assert set(optimizer.state(rows)) == {"step", "square", "last"} and "exp_avg" in optimizer.state(dense)
    assert torch.equal(rows[0], start[0]) and not torch.equal(rows[1], start[1])
    assert not torch.equal(dense, torch.ones(4))
