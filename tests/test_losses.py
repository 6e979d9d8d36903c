"""Ranking losses and shared negatives: hand numbers, extremes, a contract for every registered loss."""

import math

import numpy as np
import pytest
import torch

from graphrec.core.errors import ConfigError
from graphrec.losses.ranking import MASKED, Offers
from graphrec.losses.registry import LOSSES, make_loss
from graphrec.samplers.negatives import NegativeSampler

ZERO, ZEROS = torch.zeros(1), torch.zeros(2)


def value(name, pos, neg, pos_log_q=None, neg_log_q=None, temperature=1.0):
    pos, neg = torch.tensor(pos), torch.tensor(neg)
    pos_log_q = torch.zeros(len(pos)) if pos_log_q is None else torch.tensor(pos_log_q)
    neg_log_q = torch.zeros(neg.shape[1]) if neg_log_q is None else torch.tensor(neg_log_q)
    return float(make_loss(name, temperature)(pos, neg, pos_log_q, neg_log_q))


def test_sampled_softmax_by_hand():
    assert value("sampled_softmax", [0.0], [[0.0, 0.0, 0.0]]) == pytest.approx(math.log(4))
    assert value("sampled_softmax", [1.0], [[0.0]], temperature=0.5) == pytest.approx(math.log(1 + math.exp(-2)))
    assert value("sampled_softmax", [0.0, 0.0], [[0.0], [MASKED]]) == pytest.approx(math.log(2) / 2)


def test_a_rare_negative_that_was_drawn_counts_more():
    # Logits are s - log q: the negative stands for 1/q items of its kind.
    rare = value("sampled_softmax", [0.0], [[0.0]], [math.log(0.5)], [math.log(0.1)])
    assert rare == pytest.approx(math.log(1 + 5))


def test_sampled_softmax_estimates_the_full_one():
    draw = np.random.default_rng(0)
    scores = draw.normal(size=50).astype(np.float32)
    sampler = NegativeSampler.of(draw.integers(0, 40, size=50), power=0.7)
    neg = sampler.draw(draw, 200_000)
    log_q = sampler.log_q
    # Drawing n times with q makes n * q_i of item i; the correction turns that into one of each.
    loss = make_loss("sampled_softmax", 1.0)
    correction = torch.from_numpy(log_q[neg] + math.log(len(neg)))
    got = float(loss(torch.tensor(scores[:1]), torch.from_numpy(scores[neg])[None], torch.zeros(1), correction))
    full = float(torch.from_numpy(np.append(scores, scores[0])).logsumexp(0)) - float(scores[0])
    assert got == pytest.approx(full, abs=0.01)


def test_bpr_by_hand():
    assert value("bpr", [0.0], [[0.0, 0.0]]) == pytest.approx(math.log(2))
    assert value("bpr", [1.0], [[0.0, 2.0]]) == pytest.approx((math.log(1 + math.e**-1) + math.log(1 + math.e)) / 2)
    assert value("bpr", [1.0], [[MASKED]]) == 0


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_falls_when_the_positive_rises_and_stays_finite(name):
    neg = [[0.3, -0.2], [0.9, MASKED]]
    assert value(name, [0.5, 0.5], neg) > value(name, [0.6, 0.6], neg)
    assert math.isfinite(value(name, [-1.0, 1.0], [[1.0], [1.0]], temperature=1e-3))
    pos = torch.tensor([0.1], requires_grad=True)
    make_loss(name, 0.1)(pos, torch.full((1, 3), MASKED), ZERO, torch.zeros(3)).backward()
    assert torch.isfinite(pos.grad).all()


def test_an_unknown_loss_lists_the_known_ones():
    with pytest.raises(ConfigError, match="loss 'hinge': not known; known: sampled_softmax, bpr"):
        make_loss("hinge", 1.0)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_negatives_come_as_often_as_log_q_says(power):
    sampler = NegativeSampler.of(np.array([0, 1, 7, 3]), power)
    drawn = sampler.draw(np.random.default_rng(1), 200_000)
    assert np.allclose(np.bincount(drawn, minlength=4) / len(drawn), np.exp(sampler.log_q), atol=0.01)
    assert np.allclose(np.exp(sampler.log_q), np.array([1, 2, 8, 4]) ** power / sum(np.array([1, 2, 8, 4]) ** power))


@pytest.mark.parametrize("name", LOSSES)
def test_from_vectors_it_is_what_it_is_from_scores(name, monkeypatch):
    monkeypatch.setattr("graphrec.losses.fused_softmax._BLOCK", 30)
    draw = torch.Generator().manual_seed(0)
    z, pos, neg = (torch.randn(n, 4, generator=draw, requires_grad=True) for n in (17, 17, 9))
    # Negatives repeat themselves, and some are a row's own positive.
    pos_item, neg_item = torch.arange(17) % 6, torch.tensor([3, 3, 7, 0, 11, 0, 3, 5, 12])
    pos_log_q, neg_log_q = torch.randn(17, generator=draw), torch.randn(9, generator=draw)
    loss = make_loss(name, 0.5)
    scores = (z @ neg.T).masked_fill(pos_item[:, None] == neg_item, MASKED)
    slow = 3 * loss((z * pos).sum(dim=1), scores, pos_log_q, neg_log_q)
    offers = Offers(pos=pos, neg=neg, pos_item=pos_item, neg_item=neg_item, pos_log_q=pos_log_q, neg_log_q=neg_log_q)
    fast = 3 * loss.of_vectors(z, offers)
    assert torch.allclose(fast, slow, atol=1e-5)
    for mine, other in zip(*(torch.autograd.grad(value, (z, pos, neg)) for value in (fast, slow)), strict=True):
        assert torch.allclose(mine, other, atol=1e-5)
