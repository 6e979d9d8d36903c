"""Ranking: hand numbers on small matrices, extremes and empties, and the compiled pass against plain numpy."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_array

from graphrec.metrics import ranking
from graphrec.metrics.compare import Bootstrap, Difference
from graphrec.metrics.groups import GROUPS, coverage, popularity_groups
from graphrec.metrics.measures import MEASURES, Ranks, hit_rate, measure_all, ndcg, recall, reciprocal_rank
from graphrec.metrics.ranking import best, pair_ranks, rank, top_k
from graphrec.metrics.scorers import (
    HybridScorer,
    Together,
    VectorScorer,
    hybrid_arrays,
    hybrid_rows,
    hybrid_scorer,
)

NONE = np.empty(0, dtype=np.int64)


class Table:
    """Scores written out."""

    def __init__(self, rows):
        self.rows = np.array(rows, dtype=np.float32)

    def score(self, users):
        return self.rows[users]


def ids(*values):
    return np.array(values, dtype=np.int64)


def seen(shape, *pairs):
    user, item = zip(*pairs, strict=True) if pairs else ((), ())
    return csr_array((np.ones(len(pairs), dtype=np.float32), (user, item)), shape=shape)


def ranks(*users):
    """Ranks of user 0, user 1, ..."""
    user = np.repeat(np.arange(len(users)), [len(u) for u in users])
    value = np.array([v for u in users for v in u], dtype=np.float64)
    return Ranks(user=user, item=np.zeros(len(user), dtype=np.int64), value=value)


def test_rank_counts_greater_items_and_half_of_equal_ones():
    scorer = Table([[9, 5, 5, 5, 1]])
    found = rank(scorer, ids(0, 0, 0), ids(0, 1, 4), seen((1, 5))).ranks
    assert found.value.tolist() == [0.0, 2.0, 4.0]


def test_seen_items_do_not_compete():
    scorer = Table([[9, 8, 7, 6], [9, 8, 7, 6]])
    found = rank(scorer, ids(0, 1), ids(3, 3), seen((2, 4), (0, 0), (0, 2))).ranks
    assert found.value.tolist() == [1.0, 3.0]


def test_a_constant_scorer_gets_the_middle_rank():
    assert rank(Table([[0.0] * 11]), ids(0), ids(7), seen((1, 11))).ranks.value.tolist() == [5.0]


def test_pairs_come_back_sorted_by_user_then_item():
    found = rank(Table(np.eye(3)), ids(2, 0, 2), ids(2, 0, 1), seen((3, 3))).ranks
    assert (found.user.tolist(), found.item.tolist()) == ([0, 2, 2], [0, 1, 2])
    assert found.value.tolist() == [0.0, 1.5, 0.0]
    assert found.starts.tolist() == [0, 1]


def test_a_held_out_item_in_the_history_is_refused():
    with pytest.raises(AssertionError, match="in the history"):
        rank(Table([[1, 2]]), ids(0), ids(1), seen((1, 2), (0, 1)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_refused(value):
    with pytest.raises(AssertionError, match="NaN or infinity"):
        rank(Table([[1, value]]), ids(0), ids(0), seen((1, 2)))


def test_no_pairs_give_no_ranks_and_no_measures():
    nothing = rank(Table([[1, 2]]), NONE, NONE, seen((1, 2)), top=2)
    assert len(nothing.ranks) == 0 and nothing.top.shape == (0, 2)
    assert measure_all(nothing.ranks) == {}


def test_top_lists_leave_out_seen_items_and_end_with_minus_one():
    ranking_ = rank(Table([[1, 4, 3, 2]]), ids(0), ids(0), seen((1, 4), (0, 1), (0, 2)), top=4)
    assert ranking_.top.tolist() == [[3, 0, -1, -1]]


def test_equal_scores_come_in_order_of_position():
    assert top_k(np.array([[1, 2, 2, 2, 0]], dtype=np.float32), 2).tolist() == [[1, 2]]
    assert top_k(np.zeros((2, 4), dtype=np.float32), 3).tolist() == [[0, 1, 2]] * 2


@pytest.mark.parametrize("block", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize("levels", [2, 5, 10_000])
def test_compiled_pass_equals_sorting(monkeypatch, block, levels):
    rng = np.random.default_rng(levels)
    scores = rng.integers(levels, size=(23, 41)).astype(np.float32)
    hidden = rng.random((23, 41)) < 0.2
    user, item = np.nonzero(~hidden & (rng.random((23, 41)) < 0.1))
    monkeypatch.setattr(ranking, "_BLOCK", block)
    found = rank(Table(scores), user, item, csr_array(hidden.astype(np.float32)), top=30)
    masked = np.where(hidden, -np.inf, scores)
    own = masked[user, item][:, None]
    slow = (masked[user] > own).sum(axis=1) + 0.5 * ((masked[user] == own).sum(axis=1) - 1)
    assert found.ranks.value.tolist() == slow.tolist()
    order = np.argsort(-masked[np.unique(user)], axis=1, kind="stable")[:, :30]
    expected = np.where(np.take_along_axis(hidden[np.unique(user)], order, axis=1), -1, order)
    assert found.top.tolist() == expected.tolist()


def test_rank_of_an_item_equals_its_place_in_the_top_list():
    scores = np.random.default_rng(3).standard_normal((5, 20)).astype(np.float32)
    top = top_k(scores, 20)
    user, place = np.divmod(np.arange(100), 20)
    assert pair_ranks(scores, user, top[user, place]).tolist() == place.tolist()


def test_vector_scorer_is_the_dot_product():
    scorer = VectorScorer(np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([[3.0, 1.0], [0.0, -1.0]]))
    np.testing.assert_allclose(scorer.score(ids(1, 0)), [[1.0, -1.0], [5.0, -2.0]])


class Hidden:
    """A scorer whose vectors `rank` cannot see, so that it goes through blocks of scores."""

    def __init__(self, scorer):
        self.score = scorer.score


@pytest.mark.parametrize("dim", [1, 7, 64])
@pytest.mark.parametrize(("num_users", "num_items"), [(1, 3), (300, 47), (37, 1700)])
@pytest.mark.parametrize("levels", [1, 3, None])
@pytest.mark.parametrize("parts", [0, 2])
def test_fused_pass_equals_blocks_of_scores(monkeypatch, dim, num_users, num_items, levels, parts):
    rng = np.random.default_rng(dim + num_items)
    user, item = (
        rng.standard_normal((n, dim)) if levels is None else rng.integers(-levels, levels + 1, (n, dim))
        for n in (num_users, num_items)
    )
    scorer = vectors = VectorScorer(user.astype(np.float32), item.astype(np.float32))
    if parts:
        # Of few values, so that scores are often equal, and many, so that lists change.
        told = [
            Together(*(csr_array(np.float32(rng.random(size) < 0.3)) for size in ((num_users, 9), (9, num_items))))
            for _ in range(parts)
        ]
        scorer = HybridScorer(vectors, told, [0.5, 3.0])
        assert scorer.is_finite
    hidden = rng.random((num_users, num_items)) < 0.2
    pairs = np.nonzero(~hidden & (rng.random(hidden.shape) < 0.1))
    history = csr_array(hidden.astype(np.float32))
    fused = rank(scorer, *pairs, history, top=30)
    monkeypatch.setattr(ranking, "_BLOCK", 5 * num_items)
    slow = rank(Hidden(scorer), *pairs, history, top=30)
    assert fused.ranks.value.tolist() == slow.ranks.value.tolist() and fused.top.tolist() == slow.top.tolist()
    monkeypatch.setattr(ranking, "_USERS", 8)
    again = rank(scorer, *pairs, history)
    assert again.ranks.value.tolist() == slow.ranks.value.tolist() and again.top.shape[1] == 0
    np.testing.assert_allclose(vectors.score(np.arange(num_users)), user @ item.T, rtol=1e-4, atol=1e-4)


def test_fused_pass_takes_histories_as_they_come():
    scorer = VectorScorer(np.ones((2, 1), dtype=np.float32), np.array([[4], [3], [2], [1]], dtype=np.float32))
    # Twice the same event, out of order, and a stored zero, which is no event.
    data, place, start = np.array([1, 1, 1, 0], dtype=np.float32), [1, 0, 1, 2], [0, 3, 4]
    history = csr_array((data, place, start), shape=(2, 4))
    found = rank(scorer, ids(0, 1), ids(3, 2), history, top=4)
    assert found.ranks.value.tolist() == [1, 2] and found.top.tolist() == [[2, 3, -1, -1], [0, 1, 2, 3]]
    with pytest.raises(AssertionError, match="in the history"):
        rank(scorer, ids(0), ids(1), history)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_vectors_whose_scores_are_no_numbers_are_refused(value):
    scorer = VectorScorer(np.full((1, 2), value, dtype=np.float32), np.ones((3, 2), dtype=np.float32))
    with pytest.raises(AssertionError, match="NaN or infinity"):
        rank(scorer, ids(0), ids(1), seen((1, 3)))


def test_a_score_has_the_same_bits_in_any_company():
    rng = np.random.default_rng(1)
    user, item = (rng.standard_normal((n, 33)).astype(np.float32) for n in (40, 1000))
    whole = VectorScorer(user, item).score(np.arange(40))
    assert np.array_equal(VectorScorer(user, item[7:8]).score(ids(3, 39)), whole[[3, 39], 7:8])


def test_measures_by_hand():
    # User 0: one item at place 1. User 1: places 1 and 4 of three items, the third beyond k. User 2: beyond k.
    given = ranks([0], [0, 3, 50], [10])
    assert hit_rate(given, 10).tolist() == [1, 1, 0]
    np.testing.assert_allclose(recall(given, 10), [1, 2 / 3, 0])
    best = 1 + 1 / np.log2(3) + 1 / 2
    np.testing.assert_allclose(ndcg(given, 10), [1, (1 + 1 / np.log2(5)) / best, 0])
    np.testing.assert_allclose(reciprocal_rank(ranks([1], [3, 0], [10]), 10), [1 / 2, 1, 0])


def test_a_fraction_below_k_is_a_hit():
    assert hit_rate(ranks([9.5], [10.0]), 10).tolist() == [1, 0]
    np.testing.assert_allclose(ndcg(ranks([0.5]), 10), [1 / np.log2(2.5)])


def test_more_items_than_places():
    given = ranks([0, 1, 2])
    np.testing.assert_allclose(ndcg(given, 2), [1.0])
    np.testing.assert_allclose(recall(given, 2), [2 / 3])


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_is_within_bounds_and_monotone(name):
    rng = np.random.default_rng(0)
    given = ranks(*(rng.choice(60, size=n, replace=False) for n in rng.integers(1, 6, size=50)))
    at_10, at_50 = MEASURES[name](given, 10), MEASURES[name](given, 50)
    assert at_10.shape == (50,) and (at_10 >= 0).all() and (at_50 <= 1).all()
    assert MEASURES[name](ranks([0], [0, 1]), 10).tolist() == [1, 1]
    assert MEASURES[name](ranks([10], [11, 90]), 10).tolist() == [0, 0]
    if name != "ndcg":
        assert (at_50 >= at_10).all()


def test_groups_carry_the_named_shares():
    # 20 events: 8 + 2 reach the half, the last four items carry the last fifth.
    group = popularity_groups(ids(8, 0, 2, 2, 2, 2, 1, 1, 1, 1))
    assert [GROUPS[g] for g in group] == ["head", "cold", "head", "mid", "mid", "mid", "tail", "tail", "tail", "tail"]


def test_groups_of_tiny_catalogues():
    assert [GROUPS[g] for g in popularity_groups(ids(5))] == ["head"]
    assert [GROUPS[g] for g in popularity_groups(ids(1, 1))] == ["head", "tail"]
    assert [GROUPS[g] for g in popularity_groups(ids(0, 0))] == ["cold", "cold"]
    assert len(popularity_groups(NONE)) == 0


def test_coverage_counts_distinct_shown_items():
    top = np.array([[0, 1], [1, -1]])
    assert coverage(top, np.array([True, True, True, False])) == pytest.approx(2 / 3)
    assert coverage(top, np.zeros(4, dtype=bool)) == 0.0


def test_bootstrap_is_deterministic_and_paired():
    rng = np.random.default_rng(0)
    base = rng.random(2000)
    better = base + 0.1 + 0.05 * rng.standard_normal(2000)
    found = Bootstrap.draw({"a": better, "b": base}, seed=1).difference("a", "b")
    assert found == Bootstrap.draw({"b": base, "a": better}, seed=1).difference("a", "b")
    assert found.low < found.mean < found.high
    np.testing.assert_allclose(found.mean, 0.1, atol=0.01)
    error = (better - base).std() / np.sqrt(2000)
    np.testing.assert_allclose(found.high - found.low, 2 * 1.96 * error, rtol=0.1)


def test_a_model_does_not_differ_from_its_twin():
    drawn = Bootstrap.draw({"a": np.ones(3), "b": np.ones(3)}, seed=0)
    assert drawn.difference("a", "b") == Difference(0.0, 0.0, 0.0)


@pytest.fixture
def hybrid():
    rng = np.random.default_rng(5)
    user, item = rng.normal(size=(6, 3)).astype(np.float32), rng.normal(size=(9, 3)).astype(np.float32)
    parts = [
        Together(*(csr_array((rng.random(shape) < 0.4) * rng.random(shape, dtype=np.float32)) for shape in shapes))
        for shapes in (((6, 9), (9, 9)), ((6, 4), (4, 9)))
    ]
    return HybridScorer(VectorScorer(user, item), parts, [0.5, 2.0])


def test_what_goes_together_is_added_to_the_vectors(hybrid):
    first, second = (np.log1p(part.history.toarray() @ part.weight.toarray()) for part in hybrid.together)
    want = hybrid.vectors.user @ hybrid.vectors.item.T + 0.5 * first + 2 * second
    users = ids(4, 0, 5)
    assert hybrid.score(users) == pytest.approx(want[users], abs=1e-5)
    assert np.array_equal(hybrid.score(ids(3)), hybrid.score(np.arange(6))[3:4])
    nothing = csr_array((6, 9), dtype=np.float32)
    found = rank(hybrid, users, ids(1, 2, 3), nothing, top=4)
    assert found.top.tolist() == np.argsort(-want[[0, 4, 5]], axis=1)[:, :4].tolist()


@pytest.mark.parametrize("of", ["history", "weight"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -3.0, 3e38])
def test_what_goes_together_must_be_numbers_too(hybrid, of, value):
    first = hybrid.together[0]
    matrix = getattr(first, of).copy()
    matrix.data[:] = value
    scorer = replace(hybrid, together=[replace(first, **{of: matrix}), hybrid.together[1]])
    assert hybrid.is_finite and not scorer.is_finite
    # Of what has no share nothing is asked.
    assert replace(scorer, share=[0.0, 2.0]).is_finite
    if value != 3e38:
        with np.errstate(all="ignore"), pytest.raises(AssertionError, match="NaN or infinity"):
            rank(scorer, np.arange(6), np.arange(6), csr_array((6, 9), dtype=np.float32))


@pytest.mark.parametrize("share", [np.nan, np.inf, 1e39, 3e38])
def test_shares_must_be_numbers_of_some_size(hybrid, share):
    assert not replace(hybrid, share=[share, 1.0]).is_finite and replace(hybrid, share=[-2.0, 0.0]).is_finite


def test_a_hybrid_model_comes_back_from_its_arrays(hybrid, tmp_path):
    arrays = {"user": hybrid.vectors.user, "item": hybrid.vectors.item, "share": np.float32([0.5, 2.0])}
    arrays |= {f"none.{name}": arrays[name] * np.float32(name != "share") for name in arrays}
    save_file(arrays | hybrid_arrays(hybrid.together), tmp_path / "model.safetensors")
    arrays, everyone = load_file(tmp_path / "model.safetensors"), np.arange(6)
    assert np.array_equal(hybrid_scorer(arrays).score(everyone), hybrid.score(everyone))
    # Without a share nothing but vectors is left.
    assert isinstance(hybrid_scorer(arrays, "none."), VectorScorer)
    kept = hybrid_scorer(hybrid_rows(arrays, ids(5, 2)))
    assert np.array_equal(kept.score(ids(0, 1)), hybrid.score(ids(5, 2)))


@pytest.mark.parametrize("of", ["vectors", "both"])
def test_the_best_alone_are_those_of_the_ranking(hybrid, of):
    scorer = hybrid.vectors if of == "vectors" else hybrid
    seen = csr_array((np.random.default_rng(1).random((6, 9)) < 0.4).astype(np.float32))
    users = ids(0, 2, 3, 5)
    asked = (seen.toarray()[users] == 0).argmax(axis=1)
    assert np.array_equal(best(scorer, users, seen, 4), rank(scorer, users, asked, seen, top=4).top)
    assert best(scorer, NONE, seen, 4).shape == (0, 4)
