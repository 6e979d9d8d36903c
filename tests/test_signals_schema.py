"""Signals schema, facts and collaborative: hand-counted scores, and no difference between own rows and absent ones."""

from dataclasses import replace

import numpy as np
import pytest

from graphrec.core.tracking import NullTracker
from graphrec.data.corrupt import join, take
from graphrec.data.dataset import Triples
from kg_denoise.evidence import Evidence, Pairs
from kg_denoise.fold import Fold, Signal
from kg_denoise.signals._numba_knn import Limits, compare, facts_of
from kg_denoise.signals.collaborative import CollaborativeSignal
from kg_denoise.signals.facts import FactsSignal, shared_facts
from kg_denoise.signals.schema import SchemaSignal
from kg_denoise.signals.schema_config import CollaborativeConfig, FactsConfig, SchemaConfig

SIGNALS = (SchemaSignal(SchemaConfig()), FactsSignal(FactsConfig()), CollaborativeSignal(CollaborativeConfig()))


def table(*rows: tuple[int, int, int]) -> Triples:
    head, relation, tail = np.array(rows, dtype=np.int64).reshape(-1, 3).T.copy()
    return Triples(head=head, relation=relation, tail=tail, confidence=np.ones(len(rows), dtype=np.float32))


def fold_of(train: Triples, wrong: Triples, evidence: Evidence) -> Fold:
    asked = join(train, wrong)
    own = np.arange(len(asked)) < len(train)
    return Fold(index=0, train=train, asked=asked, own=own, evidence=evidence, seed=3, tracker=NullTracker())


def column(signal: Signal, fold: Fold, name: str) -> np.ndarray:
    return signal.score(fold)[:, list(signal.columns(fold.evidence)).index(name)]


def world(seed: int = 0, num: int = 400) -> tuple[Triples, Triples, Evidence]:
    """Two halves of entities that keep to themselves, in three relations; wrong triples cross over."""
    rng = np.random.default_rng(seed)
    side, other = rng.integers(2, size=2 * num), rng.integers(30, size=(2, 2 * num))
    rows = np.column_stack([other[0] + 30 * side, rng.integers(3, size=2 * num), 60 + other[1] + 30 * side])
    wrong = rows.copy()
    wrong[:, 2] = 60 + (wrong[:, 2] - 60 + 30) % 60
    rows, wrong = np.unique(rows[:num], axis=0), np.unique(wrong[num:], axis=0)
    met = rng.integers(40, size=(60, 12)) + 40 * (np.arange(60) >= 30)[:, None]
    users = Pairs.of(np.repeat(np.arange(60), 12), met.ravel(), 80)
    return table(*rows), table(*wrong), Evidence(num_entities=120, relations=("a", "b", "c"), users=users)


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: type(signal).__name__)
def test_contract(signal: Signal) -> None:
    train, wrong, evidence = world()
    fold = fold_of(train, wrong, evidence)
    score = signal.score(fold)
    assert score.shape == (len(fold.asked), len(signal.columns(evidence))) and score.dtype == np.float32
    assert set(signal.columns(evidence).values()) <= {0, 1} and not np.isinf(score).any()
    np.testing.assert_array_equal(score, signal.score(fold))
    empty = signal.score(fold_of(table(), table(), evidence))
    assert empty.shape == (0, score.shape[1])


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: type(signal).__name__)
def test_an_own_triple_is_scored_as_if_it_were_not_in_the_table(signal: Signal) -> None:
    train, _, evidence = world()
    inside = signal.score(fold_of(train, table(), evidence))
    names = list(signal.columns(evidence))
    # What is drawn (rivals) or taken from the whole table (the usual number) moves by a hair.
    loose = np.array([n.endswith(("excess", "users", "other_tails", "other_heads")) for n in names])
    for row in range(0, len(train), 100):
        rest = take(train, np.arange(len(train)) != row)
        outside = signal.score(fold_of(rest, take(train, np.array([row])), evidence))[-1]
        np.testing.assert_allclose(inside[row, ~loose], outside[~loose], rtol=1e-4, atol=1e-5, equal_nan=True)
        np.testing.assert_allclose(inside[row, loose], outside[loose], atol=0.25, equal_nan=True)


@pytest.mark.parametrize(
    ("signal", "name"),
    [
        (SIGNALS[1], "head_likeness"),
        (SIGNALS[1], "tail_likeness"),
        (SIGNALS[1], "head_excess"),
        (SIGNALS[1], "tail_excess"),
        (SIGNALS[1], "pair_mean"),
        (SIGNALS[2], "head_users"),
        (SIGNALS[2], "head_vector"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_crossing_over_scores_lower(signal: Signal, name: str) -> None:
    train, wrong, evidence = world()
    score = column(signal, fold_of(train, wrong, evidence), name)
    right, crossed = np.nanmedian(score[: len(train)]), np.nanmedian(score[len(train) :])
    assert right > crossed


def test_likeness_by_hand() -> None:
    # 0 and 1 share (r1, 5); 1 has (r0, 4), asked of 0; all weights are log(1 + 6 / holders).
    train = table((0, 1, 5), (1, 1, 5), (1, 0, 4), (2, 1, 3), (2, 0, 3))
    facts = facts_of(train, 6, 2)
    asked = table((0, 0, 4), (2, 0, 4))
    none = np.zeros(2, dtype=np.bool_)
    limits = Limits(rivals=4, members=8, holders=8)
    got = compare(facts, shared_facts(facts), asked.head, asked.relation, asked.tail, none, limits, 0)
    # Without (r0, 4) entity 1 has (r1, 5) alone, as entity 0 has: cosine 1; entity 2 shares nothing with it.
    np.testing.assert_allclose(got[:, 0], [1.0, 0.0], atol=1e-6)
    # The one rival of 0 is (r0, 3), whose member 2 shares nothing with it; 2 has that rival itself.
    np.testing.assert_allclose(got[:, 1], [1.0, np.nan], atol=1e-6, equal_nan=True)


def test_two_facts_that_contradict_each_other() -> None:
    """Players (0-11) play in league 18 or 19 (r0), teams (12-17) too (r1); a player's team (r2) is of his league."""
    leagues = [(p, 0, 18 + p % 2) for p in range(12)] + [(12 + t, 1, 18 + t % 2) for t in range(6)]
    train = table(*leagues, *((p, 2, 12 + p % 6) for p in range(12)))
    evidence = Evidence(num_entities=20, relations=("league", "in", "team"))
    least = column(
        FactsSignal(FactsConfig(prior=1.0)), fold_of(train, table((0, 2, 13), (0, 2, 14)), evidence), "pair_least"
    )
    # Without player 0 and team 13 nine are left: 5 have a player of league 18, 4 a team of 19, none both.
    np.testing.assert_allclose(least[-2], np.log(1 / (5 * 4 / 9 + 1)), rtol=1e-5)
    # Without player 0 and team 14 (players 2 and 8) 3 of nine have a player of 18, and a team of 18.
    np.testing.assert_allclose(least[-1], np.log((3 + 1) / (3 * 3 / 9 + 1)), rtol=1e-5)


def test_types_by_hand() -> None:
    # Heads 0, 1, 2 of type 0, 3 of type 1; tails 4, 5 of type 2.
    train = table((0, 0, 4), (1, 0, 4), (2, 0, 5))
    types = Pairs.of(np.arange(6), np.array([0, 0, 0, 1, 2, 2]), 3)
    evidence = Evidence(num_entities=6, relations=("r",), types=types)
    fold = fold_of(train, table((3, 0, 5), (0, 0, 5)), evidence)
    head = column(SchemaSignal(SchemaConfig(prior=1.0)), fold, "head_type")
    # Entity 0 out: 2 of the 2 others of type 0 are heads, of 5 others 2 are: (2 + 1) / (2 * 2 / 5 + 1).
    np.testing.assert_allclose(head[0], np.log(3 / 1.8), rtol=1e-5)
    np.testing.assert_allclose(head[4], head[0])
    # Nobody else is of type 1: nothing seen, nothing expected.
    np.testing.assert_allclose(head[3], 0.0, atol=1e-6)


def test_counts_by_hand() -> None:
    train = table((0, 0, 3), (0, 0, 4), (1, 0, 3), (0, 1, 3), (4, 1, 0))
    evidence = Evidence(num_entities=5, relations=("r", "s"))
    fold = fold_of(train, table((1, 0, 4)), evidence)
    score = {n: column(SIGNALS[0], fold, n) for n in ("other_tails", "other_heads", "parallel")}
    # Other tails over the triples of r: 1, 1, 0, so 2/3 is usual; for s it is 0.
    usual = np.log1p(2 / 3)
    np.testing.assert_allclose(
        score["other_tails"], np.log1p([1, 1, 0, 0, 0, 1]) - usual * np.array([1, 1, 1, 0, 0, 1]), rtol=1e-5
    )
    # A tail that r has nowhere else is nothing to go by.
    np.testing.assert_allclose(score["other_heads"][:3], np.log1p([1, np.nan, 1]) - usual, rtol=1e-5)
    np.testing.assert_allclose(score["parallel"], np.log1p([1, 1, 0, 1, 1, 0]), rtol=1e-6)


def test_a_hub_count_does_not_name_own_rows() -> None:
    """A hub's n - 1 on own rows beside n on corruptions would be learnt by rote."""
    train = table(*((h, 0, 50) for h in range(40)), (41, 0, 51))
    fold = fold_of(train, table((41, 0, 50)), Evidence(num_entities=52, relations=("r",)))
    heads = column(SIGNALS[0], fold, "other_heads")
    np.testing.assert_allclose(heads[0], heads[-1])


def test_ends_met_nowhere_else_have_nothing_to_go_by() -> None:
    train = table((0, 0, 3), (1, 0, 4), (2, 0, 4), (1, 1, 5), (2, 1, 5))
    fold = fold_of(train, table(), Evidence(num_entities=6, relations=("r", "s")))
    assert np.isnan(SIGNALS[1].score(fold)[0]).all()
    assert not np.isnan(column(SIGNALS[1], fold, "head_likeness")[1])
    types = SIGNALS[0].score(fold)[0, :3]
    assert np.isnan(types).all()


def test_without_users_the_signal_is_passed_over() -> None:
    evidence = Evidence(num_entities=4, relations=("r",))
    assert SIGNALS[2].columns(evidence) == {}
    assert SIGNALS[2].columns(replace(evidence, users=Pairs.of(np.arange(3), np.zeros(3, dtype=np.int64), 1)))


def test_an_item_without_users_is_not_scored_by_users() -> None:
    train, wrong, evidence = world()
    keep = evidence.users.entity != 7
    users = Pairs(entity=evidence.users.entity[keep], other=evidence.users.other[keep], num_others=80)
    fold = fold_of(train, wrong, replace(evidence, users=users))
    score, named = SIGNALS[2].score(fold), list(SIGNALS[2].columns(fold.evidence))
    assert np.isnan(score[fold.asked.head == 7][:, [named.index("head_users"), named.index("head_vector")]]).all()
