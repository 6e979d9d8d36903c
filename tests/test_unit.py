"""Unit vectors that can begin at zero."""

import pytest
import torch

from graphrec.encoders.unit import unit


def test_a_vector_that_begins_at_zero_learns_like_the_others():
    z = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    made = unit(z)
    assert made[1].tolist() == pytest.approx([0.6, 0.8]) and not made[0].any()
    made.sum().backward()
    assert 0 < z.grad[0].abs().max() < 1e4
