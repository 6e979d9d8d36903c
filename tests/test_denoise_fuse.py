"""Fusion: many columns to one score without a label, and what each signal added to it."""

import numpy as np
import pytest

from graphrec.core.seeds import generator
from kg_denoise.curves import auroc
from kg_denoise.fuse import RELATION, Columns, fuse
from kg_denoise.fuse_config import FusionConfig
from tests.toy_shop import rows_of, triples_of

NUM, NUM_ENTITIES = 3000, 70


def rows():
    """As many own triples as corruptions, of ends that all have other triples."""
    rng = generator(0, "test")
    draw = [triples_of(rng.integers(40, size=NUM), rng.integers(2, size=NUM), 40 + rng.integers(30, size=NUM))] * 2
    return rows_of(*draw)


def columns(gaps, true, *, signals=None, monotone=None):
    """One column per gap: N(gap, 1) where true, N(0, 1) elsewhere."""
    rng = np.random.default_rng(1)
    values = np.column_stack([rng.normal(size=2 * NUM) + gap * true for gap in gaps]).astype(np.float32)
    return Columns(
        values=values,
        signal=signals or tuple(f"s{index}" for index in range(len(gaps))),
        name=tuple(f"c{index}" for index in range(len(gaps))),
        monotone=monotone or (1,) * len(gaps),
    )


def fused(table, config=None, seed=0):
    return fuse(table, rows(), NUM_ENTITIES, config or FusionConfig(rounds=40), seed=seed)


@pytest.fixture(scope="module")
def true():
    """One own triple in five is wrong, as are all corruptions."""
    return (np.random.default_rng(2).random(2 * NUM) > 0.2) & (np.arange(2 * NUM) < NUM)


@pytest.fixture(scope="module")
def table(true):
    return columns((1.0, 1.0, 1.0), true, signals=("words", "graph", "graph"), monotone=(1, 1, 0))


@pytest.fixture(scope="module")
def result(table):
    return fused(table)


def test_columns_lie_side_by_side():
    scores = {"a": np.ones((3, 2), dtype=np.float32), "b": np.zeros((3, 1), dtype=np.float32)}
    found = Columns.beside(scores, {"b": {"z": 0}, "a": {"x": 1, "y": 0}}, 3)
    assert (found.signal, found.name, found.monotone) == (("a", "a", "b"), ("x", "y", "z"), (1, 0, 0))
    assert found.values.tolist() == [[1, 1, 0]] * 3
    assert Columns.beside({}, {}, 3).values.shape == (3, 0)


def test_fusion_finds_wrong_triples_better_than_any_column(true, table, result):
    single = max(auroc(column[:NUM], true[:NUM]) for column in table.values.T)
    assert auroc(result.logit[:NUM], true[:NUM]) > single + 0.05


def test_columns_that_say_nothing_tell_nothing(true):
    found = fused(columns((0.0, 0.0, 0.0), true))
    assert auroc(found.logit, np.arange(2 * NUM) < NUM) == pytest.approx(0.5, abs=0.03)


def test_each_row_is_scored_by_trees_that_have_not_seen_it(result):
    own = np.arange(2 * NUM) < NUM
    for fold, forest in enumerate(result.forests):
        at = result.place == fold
        assert np.array_equal(forest.logit(result.features[at]), result.logit[at])
    # Trees that may learn rows by heart do so, but not those that they score.
    greedy = FusionConfig(rounds=40, min_leaf=1, leaves=64, l2=0, lr=0.3, folds=2)
    noise = fused(columns((0.0, 0.0), own & False, monotone=(0, 0)), greedy)
    remembered = noise.forests[0].logit(noise.features[noise.place == 1])
    assert auroc(remembered, own[noise.place == 1]) > 0.8
    assert auroc(noise.logit, own) == pytest.approx(0.5, abs=0.03)


def test_what_signals_add_is_the_log_odds(result):
    names, added = result.contributions(NUM)
    assert names == ("words", "graph", RELATION)
    assert added.shape == (NUM, 3)
    bias = np.array([f.booster.predict(result.features[:1], pred_contrib=True)[0, -1] for f in result.forests])
    assert added.sum(axis=1) + bias[result.place[:NUM]] == pytest.approx(result.logit[:NUM], abs=1e-4)
    assert np.abs(added).mean(axis=0).argsort().tolist() == [2, 0, 1], "two columns say more than one"


def test_a_monotone_column_can_only_speak_for(result):
    forest, raised = result.forests[0], result.features.copy()
    raised[:, 0] += 1
    assert (forest.logit(raised) >= forest.logit(result.features) - 1e-6).all()
    assert (forest.logit(raised) > forest.logit(result.features) + 0.1).any()


def test_a_column_may_be_missing(true, table):
    values = table.values.copy()
    values[::7] = np.nan
    values[1::7, 0] = np.nan
    found = fused(Columns(values=values, signal=table.signal, name=table.name, monotone=table.monotone))
    silent = np.isnan(values).all(axis=1)
    assert np.array_equal(np.isnan(found.logit), silent), "no score where no signal speaks"
    part = ~silent[:NUM]
    assert auroc(found.logit[:NUM][part], true[:NUM][part]) > 0.8


def test_equal_seeds_give_equal_bytes(table, result):
    again, other = fused(table), fused(table, seed=1)
    assert again.logit.tobytes() == result.logit.tobytes()
    assert again.contributions(NUM)[1].tobytes() == result.contributions(NUM)[1].tobytes()
    assert other.logit.tobytes() != result.logit.tobytes()


def test_many_rows_are_sampled_but_all_are_scored(true, table):
    found = fused(table, FusionConfig(rounds=10, min_leaf=20, max_rows=500))
    assert np.isfinite(found.logit).all()
    assert auroc(found.logit[:NUM], true[:NUM]) > 0.75


def test_a_single_row_leaves_nothing_to_learn_from():
    alone = rows_of(triples_of([0], [0], [1]), triples_of([], [], []))
    one = Columns(values=np.ones((1, 1), dtype=np.float32), signal=("s",), name=("c",), monotone=(1,))
    found = fuse(one, alone, 2, FusionConfig(), seed=0)
    assert np.isnan(found.logit).tolist() == [True]
    assert not found.contributions(1)[1].any()
