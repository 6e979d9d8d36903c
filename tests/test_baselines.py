"""Baselines: a contract for all, formulas against dense numpy, and a toy world with one right answer."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from graphrec.baselines import ease, neighbours
from graphrec.baselines.config import BaselinesConfig, EASEConfig, GFCFConfig, IALSConfig, ItemKNNConfig, RP3BetaConfig
from graphrec.baselines.ease import EASE
from graphrec.baselines.item_knn import ItemKNN
from graphrec.baselines.registry import BASELINES, make_baseline
from graphrec.baselines.rp3beta import RP3Beta
from graphrec.core.errors import ConfigError

SMALL = BaselinesConfig(ease=EASEConfig(l2=1.0), item_knn=ItemKNNConfig(shrink=0.0), ials=IALSConfig(dim=4, l2=0.1))


def checkerboard(num=8):
    """Two halves that share nothing; in its half, user u has all items but item u."""
    half = np.arange(num) // (num // 2)
    has = (half[:, None] == half[None, :]) & ~np.eye(num, dtype=bool)
    return csr_array(has.astype(np.float32))


def noise(users=30, items=20, share=0.3):
    return csr_array((np.random.default_rng(5).random((users, items)) < share).astype(np.float32))


def everyone(history):
    return np.arange(history.shape[0])


@pytest.mark.parametrize("name", BASELINES)
def test_contract(name):
    history = noise()
    history = csr_array((history.data, history.indices, np.append(history.indptr, history.nnz)), shape=(31, 20))
    before = history.copy()
    fitted = make_baseline(name, SMALL).fit(history, seed=3)
    scores = fitted.score(everyone(history))
    assert scores.shape == (31, 20) and scores.dtype == np.float32 and np.isfinite(scores).all()
    assert fitted.note == ""
    np.testing.assert_allclose(fitted.score(np.array([7, 2])), scores[[7, 2]], rtol=1e-5, atol=1e-6)
    again = make_baseline(name, SMALL).fit(history, seed=3)
    assert again.score(everyone(history)).tobytes() == scores.tobytes()
    assert (history != before).nnz == 0


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "popularity"])
def test_the_withheld_item_of_the_users_half_comes_first(name):
    history = checkerboard()
    scores = np.where(
        history.toarray() > 0, -np.inf, make_baseline(name, SMALL).fit(history, seed=0).score(np.arange(8))
    )
    assert scores.argmax(axis=1).tolist() == list(range(8))


def test_popularity_counts_events():
    history = csr_array(np.array([[1, 1, 0], [0, 1, 0]], dtype=np.float32))
    scores = make_baseline("popularity", SMALL).fit(history, seed=0).score(np.array([1, 0]))
    assert scores.tolist() == [[1, 2, 0], [1, 2, 0]]


def test_item_knn_by_hand():
    # Items 0 and 1 share one user; their norms are sqrt(2) and 1.
    history = csr_array(np.array([[1, 1], [1, 0]], dtype=np.float32))
    scores = ItemKNN(ItemKNNConfig(shrink=0.5)).fit(history, seed=0).score(np.array([0, 1]))
    weight = 1 / (np.sqrt(2) + 0.5)
    np.testing.assert_allclose(scores, [[weight, weight], [0, weight]], rtol=1e-6)


@pytest.mark.parametrize("kept", [1, 3, 100])
@pytest.mark.parametrize("entries", [1, 30, 10**6])
def test_neighbours_equal_sorting_the_dense_product(monkeypatch, kept, entries):
    monkeypatch.setattr(neighbours, "_ENTRIES", entries)
    history = noise()
    dense = history.toarray().T @ history.toarray()
    np.fill_diagonal(dense, 0)
    order = np.argsort(-dense, axis=1, kind="stable")[:, :kept]
    expected = np.zeros_like(dense)
    np.put_along_axis(expected, order, np.take_along_axis(dense, order, axis=1), axis=1)
    found = neighbours.nearest(history.T.tocsr(), history, lambda i, j, value: value, kept)
    np.testing.assert_array_equal(found.toarray(), expected)


def test_rp3beta_equals_the_formula():
    history = noise()
    dense = history.toarray()
    to_item = (dense / dense.sum(axis=1, keepdims=True)) ** 0.5
    to_user = (dense.T / dense.sum(axis=0)[:, None]) ** 0.5
    weight = (to_user @ to_item) / dense.sum(axis=0) ** 0.2
    np.fill_diagonal(weight, 0)
    scores = RP3Beta(RP3BetaConfig()).fit(history, seed=0).score(everyone(history))
    np.testing.assert_allclose(scores, dense @ weight, rtol=1e-5)


@pytest.mark.parametrize("columns", [1, 6, 1024])
def test_ease_equals_the_formula(monkeypatch, columns):
    monkeypatch.setattr(ease, "_COLUMNS", columns)
    history = noise()
    dense = history.toarray().astype(np.float64)
    inverse = np.linalg.inv(dense.T @ dense + 10 * np.eye(20))
    weight = -inverse / np.diag(inverse)
    np.fill_diagonal(weight, 0)
    fitted = EASE(EASEConfig(l2=10)).fit(history, seed=0)
    np.testing.assert_allclose(fitted.weight, weight, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(fitted.score(everyone(history)), dense @ weight, rtol=1e-3, atol=1e-5)


def test_ease_on_the_most_popular_items_says_so_and_ranks_the_others_last():
    history = noise()
    fitted = EASE(EASEConfig(max_items=5)).fit(history, seed=0)
    assert fitted.note == "learned on the 5 most popular of 20 items"
    scores, kept = fitted.score(everyone(history)), np.argsort(-history.sum(axis=0), kind="stable")[:5]
    others = np.setdiff1d(np.arange(20), kept)
    assert (scores[:, others].max(axis=1) < scores[:, kept].min(axis=1)).all()
    assert (scores[:, others] == scores[:, others[:1]]).all()
    alone = EASE(EASEConfig()).fit(history[:, np.sort(kept)], seed=0)
    np.testing.assert_allclose(scores[:, np.sort(kept)], alone.score(everyone(history)), rtol=1e-5, atol=1e-6)


def test_ials_depends_on_the_seed():
    first, other = (make_baseline("ials", SMALL).fit(noise(), seed=seed).item for seed in (0, 1))
    assert np.abs(first - other).max() > 1e-4


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match="'svd'.*popularity, item_knn, rp3beta, ease, gf_cf, ials"):
        make_baseline("svd", SMALL)


def test_gf_cf_is_its_two_filters():
    history = noise()
    dense = history.toarray()
    root = [np.sqrt(dense.sum(axis)) for axis in (1, 0)]
    normal = dense / root[0][:, None] / root[1]
    u = np.linalg.svd(normal)[2][:5].T
    want = dense @ (normal.T @ normal + 0.5 * np.diag(1 / root[1]) @ u @ u.T @ np.diag(root[1]))
    config = BaselinesConfig(gf_cf=GFCFConfig(dim=5, alpha=0.5))
    np.testing.assert_allclose(
        make_baseline("gf_cf", config).fit(history, seed=0).score(everyone(history)), want, atol=1e-3
    )
