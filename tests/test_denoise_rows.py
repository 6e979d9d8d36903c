"""What denoise learns on: corruptions beside the table, gaps that are lent, cross-fitting and taking up again."""

from typing import ClassVar

import numpy as np
import pytest

from graphrec.core.tracking import NullTracker
from graphrec.core.workspace import Workspace
from graphrec.data.corrupt import corrupt, triple_keys
from graphrec.data.kinds import KINDS
from kg_denoise.crossfit import cross_fit, deal
from kg_denoise.evidence import Evidence
from kg_denoise.gaps import lonely, match_gaps
from kg_denoise.line import uncertain
from kg_denoise.rows import SORTS, crowded, make_rows
from kg_denoise.signals._numba_pairs import _num_cells
from tests.toy_shop import EVIDENCE, NUM_ENTITIES, NUM_ITEMS, rows_of, shop, triples_of

NAN = np.float32(np.nan)


# --- rows


def test_corruptions_stand_after_the_table():
    table = shop()
    rows = make_rows(table, EVIDENCE, KINDS, 0.5, seed=0)
    num = len(rows) - len(table)
    assert np.array_equal(rows.own, np.arange(len(rows)) < len(table))
    assert np.array_equal(rows.context, rows.own), "all are learnt from while nothing is known"
    assert all(np.array_equal(vars(rows.table)[name], column) for name, column in vars(table).items())
    assert num == pytest.approx(len(table) / 2, abs=len(table) / 20)
    kind = rows.kind[~rows.own]
    uniform, other = np.isin(kind, [SORTS.index("uniform"), SORTS.index("uniform_head")]), np.bincount(kind)[1:3]
    assert min(uniform.sum(), *other) > num / 4
    assert len(np.unique(triple_keys(rows.triples, NUM_ENTITIES))) == len(rows), "no corruption is in the table"


def test_kinds_are_those_asked_for_and_keep_their_numbers():
    uniform = make_rows(shop(), EVIDENCE, ("uniform",), 1.0, seed=0)
    wrong, known = uniform.triples, uniform.table
    kept = np.isin(wrong.relation * NUM_ENTITIES + wrong.tail, known.relation * NUM_ENTITIES + known.tail)
    assert np.array_equal(uniform.kind == SORTS.index("uniform_head"), kept & ~uniform.own)
    assert set(uniform.kind.tolist()) == {-1, SORTS.index("uniform"), SORTS.index("uniform_head")}
    rows = make_rows(shop(), EVIDENCE, ("same_type",), 1.0, seed=0)
    assert set(rows.kind[~rows.own].tolist()) == {KINDS.index("same_type")}


def test_what_is_in_doubt_is_neither_learnt_from_nor_corrupted():
    table = shop()
    probability = np.where(table.head < 100, 0.0, np.where(table.head < 200, 0.49, 1.0)).astype(np.float32)
    rows = make_rows(table, EVIDENCE, ("same_type",), 1.0, seed=0, probability=probability)
    assert np.array_equal(rows.context[rows.own], table.head >= 200)
    heads = rows.triples.head[~rows.own]
    assert not (heads < 100).any()
    assert 0 < (heads < 200).sum() < (heads >= 300).sum()


def test_crowded_by_hand():
    one, two, mixed = ([0, 1, 2, 3, 4, 5, 5], [0, 0, 1, 1], [0, 1, 1, 2, 2, 2])
    heads = [*one, *two, *mixed]
    table = triples_of(heads, np.repeat([0, 1, 2], [7, 4, 6]), np.arange(10, 10 + len(heads)))
    assert len(crowded(triples_of([], [], []), 30)) == 0
    # One tail per head as a rule; two as a rule; of 1, 2 and 3 half the heads have no more than 2.
    expected = [1, 1, 1, 1, 1, 1 / 2, 1 / 2, *[1] * 4, 1, 1, 1, 2 / 3, 2 / 3, 2 / 3]
    assert crowded(table, 30) == pytest.approx(expected)


def test_a_relation_whose_heads_differ_is_not_crowded():
    actors = np.concatenate([np.arange(10), np.full(20, 10)])
    table = triples_of(actors, [0] * 30, np.arange(20, 50))
    assert crowded(table, 50) == pytest.approx(1), "ten heads of one tail and one of twenty: no rule"


# --- gaps


def test_lonely_by_hand():
    own = triples_of([0, 0, 1, 2], [0, 0, 0, 1], [3, 4, 3, 5])
    wrong = triples_of([0, 1, 6], [0, 0, 0], [5, 4, 3])
    # Row 1: 4 is nowhere else. Row 2: 1 is nowhere else. Row 3: neither end is. (0, r0, 5): both are met, by
    # rows 0 and 3, though r0 has no 5. (1, r0, 4): by rows 2 and 1. (6, r0, 3): nothing is known of 6.
    assert lonely(rows_of(own, wrong), 7).tolist() == [False, True, True, True, False, False, True]
    loop = rows_of(triples_of([0, 1, 1], [0, 0, 0], [0, 1, 2]), triples_of([], [], []))
    assert lonely(loop, 3).tolist() == [True, False, True], "a triple from an entity to itself is no other mention"


def test_corruptions_borrow_the_gaps_of_lonely_triples():
    own = triples_of(np.arange(40), np.repeat([0, 1], 20), np.full(40, 50))
    wrong = triples_of(np.arange(40), np.repeat([0, 1], 20), np.full(40, 51))
    rows = rows_of(own, wrong)
    values = np.arange(160, dtype=np.float32).reshape(80, 2)
    # All own triples of relation 0 are alone, and silent in the second column; none of relation 1 is.
    alone = np.arange(80) < 20
    values[:20, 1] = NAN
    matched, apart = match_gaps(values, rows, alone, np.random.default_rng(0))
    assert np.array_equal(matched[rows.own], values[rows.own], equal_nan=True), "own rows are untouched"
    assert np.isnan(matched[40:60, 1]).all() and np.array_equal(matched[40:60, 0], values[40:60, 0])
    assert np.array_equal(matched[60:], values[60:])
    assert np.flatnonzero(apart).tolist() == [*range(20), *range(40, 60)]


def test_as_many_corruptions_borrow_as_triples_are_alone():
    num = 4000
    rows = rows_of(triples_of([0] * num, [0] * num, [1] * num), triples_of([0] * num, [0] * num, [2] * num))
    values = np.zeros((2 * num, 3), dtype=np.float32)
    alone = np.arange(2 * num) < 0.3 * num
    # Two patterns of silence among those alone, in equal parts.
    values[: num // 10 * 3 : 2, 0] = NAN
    values[1 : num // 10 * 3 : 2, 1:] = NAN
    matched, apart = match_gaps(values, rows, alone, np.random.default_rng(0))
    pattern = np.isnan(matched[num:]).astype(int) @ [1, 2, 4]
    assert set(pattern.tolist()) == {0, 1, 6}, "patterns are lent as a whole"
    assert np.mean(pattern == 1) == pytest.approx(0.15, abs=0.03)
    assert np.mean(pattern == 6) == pytest.approx(0.15, abs=0.03)
    assert np.array_equal(apart[num:], pattern > 0)


# --- cross-fitting


def test_a_head_keeps_its_triples_in_other_folds():
    triples = shop()
    wrong = corrupt(triples, 900, num_entities=NUM_ENTITIES, seed=1)
    own, other = deal(triples, wrong, num_folds=4, num_entities=NUM_ENTITIES, seed=0)
    pairs = np.stack([np.concatenate([triples.head, wrong.head]), np.concatenate([own, other])])
    observed, null = np.unique(pairs[:, : len(own)], axis=1), np.unique(pairs[:, len(own) :], axis=1)
    assert observed.shape[1] == len(triples), "three triples of an item lie in three folds"
    assert np.unique(np.hstack([observed, null]), axis=1).shape[1] == observed.shape[1] + null.shape[1]
    assert np.bincount(own).min() > 0.2 * len(own)


def test_tails_of_one_relation_part_company():
    many = triples_of(np.zeros(40), np.arange(40) // 4, np.arange(1, 41))
    own, _ = deal(many, triples_of([], [], []), num_folds=4, num_entities=41, seed=0)
    assert len({*zip(many.relation.tolist(), own.tolist(), strict=True)}) == 40


class Memory:
    """A signal that only remembers: 1 for what it was trained on. It stops for good before fold `dies_at`."""

    leaves_out: ClassVar[bool] = False

    def __init__(self, dies_at=None):
        self.dies_at, self.folds = dies_at, []

    def columns(self, evidence):
        return {"known": 1, "fold": 0}

    def score(self, fold):
        if fold.index == self.dies_at:
            raise KeyboardInterrupt
        self.folds.append(fold)
        known = np.isin(*(triple_keys(part, NUM_ENTITIES) for part in (fold.asked, fold.train)))
        return np.column_stack([known, np.full(len(known), fold.index)]).astype(np.float32)


class Careful(Memory):
    """The same, in one fold."""

    leaves_out: ClassVar[bool] = True


def fit(signal, rows, path, asked=None):
    return cross_fit(
        "memory",
        signal,
        rows,
        EVIDENCE,
        num_folds=4,
        seed=0,
        workspace=Workspace(path),
        tracker=NullTracker(),
        asked=asked,
    )


@pytest.fixture(scope="module")
def rows():
    return make_rows(shop(), EVIDENCE, ("same_type",), 0.5, seed=1)


def test_no_triple_is_scored_by_a_signal_that_saw_it(rows, tmp_path):
    score = fit(Memory(), rows, tmp_path)
    assert score.shape == (len(rows), 2)
    assert not score[:, 0].any()
    assert np.bincount(score[:, 1].astype(int)).min() > len(rows) / 6


def test_what_is_in_doubt_is_scored_but_not_learnt_from(tmp_path):
    doubted = (np.arange(3 * NUM_ITEMS) % 5 == 0).astype(np.float32)
    rows = make_rows(shop(), EVIDENCE, ("same_type",), 0.5, seed=1, probability=1 - doubted)
    for index, signal in enumerate((Memory(), Careful())):
        (tmp_path / str(index)).mkdir()
        score = fit(signal, rows, tmp_path / str(index))
        assert not np.isnan(score).any()
        learnt = np.concatenate([triple_keys(fold.train, NUM_ENTITIES) for fold in signal.folds])
        assert not np.isin(triple_keys(rows.table, NUM_ENTITIES)[doubted > 0], learnt).any()


def test_a_signal_that_leaves_out_has_the_table_in_front(rows, tmp_path):
    signal = Careful()
    fit(signal, rows, tmp_path)
    (fold,) = signal.folds
    num = 3 * NUM_ITEMS
    assert len(fold.train) == fold.own.sum() == num and fold.own[:num].all()
    assert np.array_equal(triple_keys(fold.asked, NUM_ENTITIES), triple_keys(rows.triples, NUM_ENTITIES))


@pytest.mark.parametrize("kind", [Memory, Careful])
def test_only_what_is_asked_has_a_score(rows, tmp_path, kind):
    asked = np.arange(len(rows)) % 3 == 0
    (tmp_path / "all").mkdir()
    score, whole = fit(kind(), rows, tmp_path, asked), fit(kind(), rows, tmp_path / "all")
    assert np.isnan(score[~asked]).all()
    assert np.array_equal(score[asked], whole[asked])


def test_a_killed_cross_fit_goes_on_where_it_stopped(rows, tmp_path):
    (tmp_path / "other").mkdir()
    whole = fit(Memory(), rows, tmp_path / "other")
    with pytest.raises(KeyboardInterrupt):
        fit(Memory(dies_at=2), rows, tmp_path)
    rest = Memory()
    assert fit(rest, rows, tmp_path).tobytes() == whole.tobytes()
    assert [fold.index for fold in rest.folds] == [2, 3]


def test_without_triples_there_is_nothing_to_go_by(tmp_path):
    nothing = rows_of(triples_of([], [], []), triples_of([0, 1], [0, 0], [2, 3]))
    signal = Memory()
    score = cross_fit(
        "memory",
        signal,
        nothing,
        Evidence(num_entities=4, relations=("r",)),
        num_folds=2,
        seed=0,
        workspace=Workspace(tmp_path),
        tracker=NullTracker(),
    )
    assert np.isnan(score).all() and not signal.folds


def test_the_band_is_a_bound_also_where_odds_are_equal() -> None:
    logit = np.where(np.arange(60) < 5, np.nan, 0.5).astype(np.float32)
    band = uncertain(logit, 0.4, 12, seed=0)
    assert band.sum() == 12 and band[:5].all() and not np.array_equal(np.flatnonzero(band), np.arange(12))
    assert uncertain(logit, 0.4, 100, seed=0).all()


def test_pairs_get_a_table_that_they_do_not_fill() -> None:
    assert [_num_cells(n) for n in (10, 3 << 25, (3 << 25) + 1)] == [1 << 25, 1 << 25, 1 << 26]
    assert _num_cells(1 << 40) == 1 << 29
