"""The prior of popularity: what it adds, and that validation chooses it."""

import numpy as np
import pytest

from graphrec.metrics.popularity import choose_weight, popularity_prior, with_prior


def test_the_inner_product_holds_the_prior():
    user, item = np.array([[1, 0], [0, 0]], np.float32), np.array([[0.5, 0.5], [0.2, 0]], np.float32)
    prior = popularity_prior(np.array([0, 9]), 0.5)
    assert prior == pytest.approx([0, 0.5 * np.log(10)])
    scores = with_prior(user, item, prior).score(np.array([0, 1]))
    assert scores[0] == pytest.approx([0.5, 0.2 + prior[1]]) and scores[1] == pytest.approx([0, prior[1]])


@pytest.mark.parametrize(("best", "want"), [(0.0, 0.0), (0.1, 0.1), (0.3, 0.3), (0.4, 0.4), (5.0, 1.3)])
def test_the_best_weight_is_found(best, want):
    asked = []

    def score_at(weight):
        asked.append(weight)
        return -abs(weight / 0.15 - best)

    assert choose_weight(score_at, 0.15) == pytest.approx(want * 0.15)
    assert len(asked) == len(set(asked)) <= 10


def test_where_nothing_is_better_it_is_zero():
    assert choose_weight(lambda weight: 1.0, 0.15) == 0


def test_a_step_that_is_worse_is_not_the_end():
    found = {0.0: 1.0, 0.2: 0.9, 0.4: 1.2, 0.5: 1.1}
    assert choose_weight(lambda weight: found.get(round(weight, 3), 0.0), 1.0) == pytest.approx(0.4)
