"""Unit vectors that can begin at zero."""

import pytest
import torch

from finetune.model import Head
from graphrec.encoders.unit import unit


def test_a_vector_that_begins_at_zero_learns_like_the_others():
    z = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    made = unit(z)
    assert made[1].tolist() == pytest.approx([0.6, 0.8]) and not made[0].any()
    made.sum().backward()
    assert 0 < z.grad[0].abs().max() < 1e4


def test_users_without_own_events_do_not_outweigh_all_others_in_a_head():
    head, views = Head(1, 4, 8), torch.ones(2, 1, 4)
    own = torch.eye(2, 8) * torch.tensor([[1.0], [0.0]])
    sizes = []
    for row in range(2):
        head.zero_grad()
        z = head(own[[row]], torch.tensor([1.0 - row]), views[[row]])
        (z * torch.linspace(1, 2, 8)).sum().backward()
        sizes.append(float(head.map.grad.norm()))
    assert sizes[0] > 0 and 0 < sizes[1] < 20 * sizes[0]
