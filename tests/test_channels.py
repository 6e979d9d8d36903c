"""What scores are made of: items that go together, knowledge as a bridge, closed-form maps, the conditional logit."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import logsumexp

from finetune.bridge import bridge, profiles
from finetune.channels import COUNTS, OWN, POPULARITY, Sparse, Vectors, joined, scorer_of, spread
from finetune.cross import Counts, Cross
from finetune.logit import Choices, fit_logit
from finetune.maps import Residuals, SourceMap
from graphrec.core.vectors import unit_rows

RNG = np.random.default_rng(0)


def history(rows: int, columns: int, share: float, seed: int) -> csr_array:
    return csr_array((np.random.default_rng(seed).random((rows, columns)) < share).astype(np.float32))


def counted(theirs: csr_array, own: csr_array, *, beta: float = 0.0) -> np.ndarray:
    both = (theirs.sum(axis=1) > 0) & (own.sum(axis=1) > (1 if theirs is own else 0))
    x, y = theirs.toarray()[both], own.toarray()[both]
    y = y / y.sum(axis=0) ** beta
    counts = (x / np.sqrt(x.sum(axis=0))).T @ y
    if theirs is own:
        np.fill_diagonal(counts, 0)
    return counts


@pytest.mark.parametrize("within", [True, False])
def test_counts_keep_the_closest_items(within):
    own = history(60, 9, 0.3, 2)
    theirs = own if within else history(60, 7, 0.3, 1)
    counts, whole, cut = counted(theirs, own, beta=0.2), Counts.of(theirs, own, 99), Counts.of(theirs, own, 3)
    weight = whole.weight.toarray()
    assert weight / np.linalg.norm(weight) == pytest.approx(counts / np.linalg.norm(counts), abs=1e-6)
    kept, both = cut.weight.toarray() > 0, (theirs.sum(axis=1) > 0) & (own.sum(axis=1) > (1 if within else 0))
    cosine = counts / own[both].sum(axis=0) ** 0.3
    assert (kept.sum(axis=1) <= 3).all()
    assert (np.where(kept, cosine, np.inf).min(axis=1) >= np.where(kept, -np.inf, cosine).max(axis=1) - 1e-6).all()
    assert (cut.weight.toarray()[kept] / whole.weight.toarray()[kept]).std() < 1e-4, "the counts stay what they are"
    assert whole.weight.dtype == np.float32
    # A usual score is one before it bends.
    raw = theirs.toarray() @ weight / np.sqrt(np.maximum(theirs.sum(axis=1), 1))[:, None]
    assert raw[raw > 0].mean() == pytest.approx(1, rel=0.1)
    for saturation in (0.1, 9.0):
        told = replace(whole, saturation=saturation).together(theirs).told(np.arange(60))
        assert told.toarray() == pytest.approx(np.log1p(saturation * raw), rel=1e-4)


def test_cross_is_the_damped_counts_at_full_rank():
    theirs, own = history(60, 7, 0.3, 1), history(60, 9, 0.3, 2)
    cross = Cross.of(theirs, own, rank=99)
    both = (theirs.sum(axis=1) > 0) & (own.sum(axis=1) > 0)
    counts = counted(theirs, own)
    # One triplet short of all 7: what is left out is the smallest one.
    left, size, right = np.linalg.svd(counts, full_matrices=False)
    scores, want = cross.source @ cross.item.T, (left[:, :6] * size[:6]) @ right[:6]
    assert scores / np.linalg.norm(scores) == pytest.approx(want / np.linalg.norm(want), abs=1e-4)
    # A usual user's scores have a spread of 1, however long the histories are.
    assert (cross.users(theirs[both]) @ cross.item.T).std(axis=1).mean() == pytest.approx(1, rel=1e-5)
    user = cross.users(theirs[:3])
    length = np.sqrt(np.maximum(theirs[:3].toarray().sum(axis=1), 1))[:, None]
    assert user == pytest.approx(theirs[:3].toarray() @ cross.source / length, abs=1e-5)


def test_an_item_does_not_go_together_with_itself():
    own = history(80, 12, 0.3, 3)
    cross, counts = Cross.of(own, own, rank=11), counted(own, own)
    scores = cross.source @ cross.item.T
    assert scores / np.linalg.norm(scores) == pytest.approx(counts / np.linalg.norm(counts), abs=0.01)
    single = csr_array(np.eye(12, dtype=np.float32))
    assert Cross.of(single, single, rank=8) is None and Counts.of(single, single, 8) is None


def test_too_few_users_in_both_make_no_cross():
    theirs, own = csr_array((50, 7), dtype=np.float32), history(50, 9, 0.3, 2)
    assert Cross.of(theirs, own, rank=8) is None and Counts.of(theirs, own, 8) is None


def test_items_are_described_by_what_shares_their_entities():
    # Entities 0 and 1; source items a, b with vectors e1, e2 are tied to them; entity 2 has nobody.
    theirs = csr_array(np.array([[1, 0, 0], [0, 1, 0]], dtype=np.float32))
    mine = csr_array(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]], dtype=np.float32))
    found = bridge(mine, theirs, np.eye(2, dtype=np.float32))
    assert found == pytest.approx(np.array([[1, 0], [2**-0.5, 2**-0.5], [0, 0]]), abs=1e-6)


def test_profiles_tell_how_alike_items_are_by_their_entities():
    # The first two entities go together, so that two dimensions hold everything; the last one is one item's alone.
    ties = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=np.float32)
    found = profiles(csr_array(ties))
    assert found is not None and found.shape == (5, 2) and not found[4].any()
    shared = ties[:, :3] * np.log1p(5 / np.array([3, 3, 2]))
    unit = shared / np.maximum(np.linalg.norm(shared, axis=1, keepdims=True), 1e-9)
    assert np.allclose(found @ found.T, unit @ unit.T, atol=1e-5)
    assert profiles(csr_array(np.eye(3, dtype=np.float32))) is None, "nothing is shared"


def test_the_logit_finds_the_weights_that_made_the_choices():
    weight = np.array([1.5, -0.7, 0.0])
    features = RNG.normal(size=(3, 4000, 12)).astype(np.float32)
    size = RNG.integers(4, 13, size=4000)
    score = np.tensordot(weight, features, 1) + RNG.gumbel(size=(4000, 12))
    score[np.arange(12) >= size[:, None]] = -np.inf
    choices = Choices.of(features, size, score.argmax(axis=1))
    found = fit_logit(choices, (0, 1, 2))
    assert np.abs(found.weight - weight) == pytest.approx(np.zeros(3), abs=3.5 * found.error.max())
    assert 0.01 < found.error.max() < 0.04
    again = fit_logit(choices, (0, 1, 2), start=dict.fromkeys(range(3), 5.0))
    assert again.weight == pytest.approx(found.weight, abs=1e-3)
    # Without anything to go by, each of the real candidates is as likely.
    assert fit_logit(choices, ()).value == pytest.approx(-np.log(size), abs=1e-5)


def test_weights_on_their_bound_are_those_of_greatest_likelihood():
    # Columns that are alike, some of which pull the wrong way: where to stop is not to be seen from each alone.
    weight = np.array([1.0, -0.5, 0.5, 0.0, -1.0, 0.2])
    features = (RNG.normal(size=(6, 2000, 10)) + RNG.normal(size=(2000, 10))).astype(np.float32)
    score = np.tensordot(weight, features, 1) + RNG.gumbel(size=(2000, 10))
    taken, exact = score.argmax(axis=1), features.astype(np.float64)
    found = fit_logit(Choices.of(features, np.full(2000, 10), taken), range(6), not_negative=range(1, 6))

    def loss(w):
        told = np.tensordot(w, exact, 1)
        return (logsumexp(told, axis=1) - told[np.arange(2000), taken]).sum()

    best = minimize(loss, np.full(6, 0.1), method="L-BFGS-B", bounds=[(None, None), *[(0, None)] * 5])
    assert [loss(found.weight), -found.value.sum()] == pytest.approx([best.fun] * 2, abs=0.01)
    assert found.weight == pytest.approx(best.x, abs=0.01) and (found.weight[1:] >= 0).all()
    out = found.weight == 0
    assert out[[1, 4]].all() and not out.all() and (out == (found.error == 0)).all()


def test_a_column_that_tells_a_few_choices_apart_keeps_a_finite_weight():
    # The one taken is always the one of greatest value: without a prior nothing would stop the weight.
    column = RNG.normal(size=(1, 6, 20)).astype(np.float32)
    found = fit_logit(Choices.of(column, np.full(6, 20), column[0].argmax(axis=1)), (0,))
    assert 1 < found.weight[0] < 10 and np.isfinite(found.error).all()


def test_columns_that_say_the_same_have_no_weight_of_their_own():
    column = RNG.normal(size=(1, 500, 8)).astype(np.float32)
    twice = np.concatenate([column, column + np.float32(1e-6) * RNG.normal(size=column.shape).astype(np.float32)])
    taken = (column[0] + RNG.gumbel(size=(500, 8))).argmax(axis=1)
    found = fit_logit(Choices.of(twice, np.full(500, 8), taken), (0, 1))
    one = fit_logit(Choices.of(column, np.full(500, 8), taken), (0,))
    assert (
        found.weight.sum() == pytest.approx(one.weight.sum(), rel=1e-2) and found.value.sum() >= one.value.sum() - 0.01
    )
    assert (found.error > 10 * one.error).all() and not np.isnan(found.error).any()


def test_ndcg_of_choices_by_hand():
    choices = Choices(features=np.zeros((1, 3, 3), np.float32), size=np.array([3, 2, 3]), pos=np.array([0, 1, 2]))
    scores = np.array([[3, 2, 1], [2, 1, 9], [1, 1, 1]], dtype=np.float32)
    # Ranks 0, 1 (the third candidate is not real) and 1 (a tie of three).
    assert choices.ndcg(scores, 10) == pytest.approx((1 + 2 / np.log2(3)) / 3)
    assert choices.ndcg(scores, 1) == pytest.approx(1 / 3)


def test_a_map_points_from_views_to_what_their_users_take():
    item = unit_rows(RNG.normal(size=(200, 6)).astype(np.float32))
    taste = RNG.normal(size=(5000, 6)).astype(np.float32)
    pos = (3 * taste @ item.T + RNG.gumbel(size=(5000, 200))).argmax(axis=1)
    turn = np.linalg.qr(RNG.normal(size=(6, 6)))[0].astype(np.float32)
    views = {"knows": unit_rows(taste @ turn), "not": unit_rows(RNG.normal(size=(5000, 6)).astype(np.float32))}
    views["few"] = np.zeros((5000, 6), dtype=np.float32)
    nothing = np.zeros((5000, 6), dtype=np.float32)
    residuals = Residuals.of(nothing, pos, item, np.zeros(200, np.float32), np.arange(200))
    maps = residuals.maps(views, ridge=1.0)
    assert set(maps) == {"knows", "not"}
    assert np.corrcoef(maps["knows"](views["knows"]).ravel(), taste.ravel())[0, 1] > 0.8
    assert np.abs(maps["not"].matrix).max() < 0.2 * np.abs(maps["knows"].matrix).max()


def test_who_has_no_view_gets_nothing_from_a_map():
    made = SourceMap(np.array([1.0, 0.0], np.float32), np.eye(2, dtype=np.float32))
    assert made(np.array([[2.0, 1.0], [0.0, 0.0]], np.float32)).tolist() == [[1.0, 1.0], [0.0, 0.0]]


def test_joined_vectors_give_the_weighted_sum_of_channels():
    channels = [
        Vectors(kind=OWN, source="", user=RNG.normal(size=(4, 3)), item=RNG.normal(size=(5, 3))),
        Vectors(kind=POPULARITY, source="", user=np.ones((4, 1)), item=RNG.normal(size=(5, 1))),
        Vectors(kind="users", source="a", user=RNG.normal(size=(4, 3)), item=np.zeros((5, 3))),
        Vectors(kind="cross", source="a", user=RNG.normal(size=(4, 2)), item=RNG.normal(size=(5, 2))),
        Vectors(kind="entities", source="b", user=RNG.normal(size=(4, 6)), item=RNG.normal(size=(5, 6))),
    ]
    channels[2] = Vectors(kind="users", source="a", user=channels[2].user, item=channels[0].item)
    weight = {"own": 0.7, "popularity": 0.2, "users:a": 1.1, "cross:a": 0.4}
    user, item = joined(channels, weight)
    want = sum(weight.get(c.name, 0) * (c.user @ c.item.T) for c in channels)
    assert user @ item.T == pytest.approx(want, abs=1e-5)
    # The channel without a weight takes no column.
    assert user.shape[1] == 3 + 2 + 1 and (user[:, -1] == 1).all()
    rows, items = np.arange(4), np.arange(5)
    assert spread([channels[1]], weight, rows, items) == pytest.approx(0.2 * channels[1].item.std(), rel=1e-5)
    # What goes together is no vector: it is added to what these give.
    own, theirs = history(60, 5, 0.3, 4), history(60, 7, 0.3, 5)
    counts = Sparse(kind=COUNTS, source="b", together=Counts.of(theirs, own, 3).together(theirs[:4]))
    whole = [*channels, counts]
    scores = scorer_of(whole, {**weight, "counts:b": 0.9}).score(np.array([2, 0]))
    assert scores == pytest.approx((want + 0.9 * counts.scores(rows, items))[[2, 0]], abs=1e-4)
    assert np.array_equal(
        counts.at(rows[1:3], np.array([[4, 0], [1, 1]])), counts.scores(rows, items)[[[1], [2]], [[4, 0], [1, 1]]]
    )
    assert np.array_equal(counts.of(rows[2:]).scores(rows[:2], items), counts.scores(rows[2:], items))
