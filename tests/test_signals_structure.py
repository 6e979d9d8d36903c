"""The signals that look at the shape of the graph: by hand on small graphs, and exact in what they leave out."""

import math

import numpy as np
import pytest

from graphrec.core.seeds import generator
from graphrec.core.tracking import NullTracker
from graphrec.data.corrupt import corrupt, join, take
from graphrec.data.dataset import Triples
from kg_denoise.evidence import Evidence
from kg_denoise.fold import Fold, Signal
from kg_denoise.signals.ckrl import CKRLSignal
from kg_denoise.signals.rules import RulesSignal
from kg_denoise.signals.structure import StructureSignal
from kg_denoise.signals.structure_config import CKRLConfig, RulesConfig, StructureConfig

SIGNALS = [
    StructureSignal(StructureConfig()),
    StructureSignal(StructureConfig(cap=3)),
    RulesSignal(RulesConfig(folds=3, max_rules=1000)),
    RulesSignal(RulesConfig(folds=3, min_support=1, min_confidence=0, max_rules=1000)),
]


def triples(rows):
    head, relation, tail = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Triples(head=head, relation=relation, tail=tail, confidence=np.ones(len(head), dtype=np.float32))


def fold_of(table, wrong, num_entities, num_relations, *, leaves_out=True, seed=7):
    evidence = Evidence(num_entities=num_entities, relations=tuple(map(str, range(num_relations))))
    asked = join(table, wrong) if leaves_out else wrong
    own = np.arange(len(asked)) < (len(table) if leaves_out else 0)
    return Fold(index=0, train=table, asked=asked, own=own, evidence=evidence, seed=seed, tracker=NullTracker())


def scored(signal: Signal, fold):
    values, names = signal.score(fold), list(signal.columns(fold.evidence))
    assert values.dtype == np.float32 and values.shape == (len(fold.asked), len(names))
    return dict(zip(names, values.T, strict=True))


def random_table(num=150, num_entities=25, num_relations=3):
    rows = generator(3, "table").integers((num_entities, num_relations, num_entities), size=(num, 3))
    table = triples(np.unique(rows, axis=0))
    return table, corrupt(table, 60, num_entities=num_entities, seed=1)


def test_structure_by_hand():
    # 0-1 is asked; 2 is shared; 0-3-4-1 has three steps, as has no other path but 0-2-...; 5 hangs on 2.
    table = triples([(0, 0, 1), (0, 0, 2), (2, 1, 1), (0, 0, 3), (3, 0, 4), (4, 0, 1), (5, 0, 2), (1, 1, 0)])
    found = scored(StructureSignal(StructureConfig()), fold_of(table, triples([(2, 0, 4)]), 6, 2))
    assert found["shared"][0] == pytest.approx(1 / math.log(4))
    assert found["paths"][0] == pytest.approx(1 / 2)
    # 0 still has neighbours 1 (by 1-0), 2, 3; so has 1 three, 0, 2, 4.
    assert found["walk"][0] == pytest.approx(1 / 2 / 2 / 3)
    assert found["lift"][0] == pytest.approx(1 / 2 / 2 / 3 / 3)
    assert found["beside"][[0, 1, 7, 8]].tolist() == [1, 0, 1, 0]
    # 5 occurs in no triple but the asked one.
    assert np.isnan([found[name][6] for name in found]).all()
    # Paths 2-0-3-4 and 2-0-1-4; 2 and 4 share 1.
    assert found["paths"][8] == pytest.approx(1 / math.sqrt(3 * 2) + 1 / math.sqrt(3 * 3))
    assert found["shared"][8] == pytest.approx(1 / math.log(4))


@pytest.mark.parametrize("signal", SIGNALS)
def test_own_triple_is_scored_as_if_it_were_not_there(signal):
    table, wrong = random_table()
    whole = signal.score(fold_of(table, wrong, 25, 3))
    assert np.nanstd(whole[: len(table)], axis=0).min() > 0
    for row in range(0, len(table), 7):
        rest = np.arange(len(table)) != row
        without = signal.score(fold_of(take(table, rest), take(table, ~rest), 25, 3))
        np.testing.assert_allclose(whole[row], without[-1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("signal", SIGNALS)
def test_order_of_rows_does_not_matter(signal):
    table, wrong = random_table()
    order = generator(1, "order").permutation(len(table))
    first = signal.score(fold_of(table, wrong, 25, 3))
    second = signal.score(fold_of(take(table, order), wrong, 25, 3))
    np.testing.assert_allclose(first[: len(table)][order], second[: len(table)], rtol=1e-5, atol=1e-6)


def planted(num=60):
    """League of an athlete follows from the team: relation 2 is 0 then 1, but for athlete 0, who is in the other."""
    team, league = np.arange(num) % 6, num + 6
    rows = [(a, 0, num + team[a]) for a in range(num)]
    rows += [(num + t, 1, league + t % 2) for t in range(6)]
    rows += [(a, 2, league + (team[a] + (a == 0)) % 2) for a in range(num)]
    return triples(rows), league, num + 8


def test_rules_find_the_contradiction():
    table, league, num_entities = planted()
    wrong = triples([(1, 2, league), (0, 2, league)])
    found = scored(RulesSignal(RulesConfig()), fold_of(table, wrong, num_entities, 3))
    own = table.relation == 2
    lead, chain = found["lead"][: len(table)][own], found["chain"][: len(table)][own]
    assert lead[0] < -1 and lead[1:].min() > 1
    assert chain[0] < chain[1:].min() / 2
    # The same of corruptions: the first is wrong, the second what the table should have said.
    assert found["lead"][-2] < -1 and found["lead"][-1] > 1


def test_confidence_of_a_rule_of_one_step():
    # 1(x, y) <= 0(x, y) holds for 30 heads of 40 that have relation 1; the others point elsewhere.
    rows = [(a, 0, 40 + a) for a in range(40)] + [(a, 1, 40 + a if a < 30 else 80) for a in range(40)]
    table = triples(rows)
    fold = fold_of(table, triples([(35, 1, 75)]), 81, 2)
    found = scored(RulesSignal(RulesConfig(folds=4, unseen=2.0)), fold)
    part = generator(fold.seed, "rules").integers(4, size=81)
    heads = np.arange(40)[part[:40] != part[35]]
    confidence = (heads < 30).sum() / (len(heads) + 2)
    assert found["direct"][-1] == pytest.approx(-math.log(1 - confidence), rel=1e-5)
    assert found["lead"][-1] == pytest.approx(found["direct"][-1] + found["chain"][-1], rel=1e-5)


def test_a_rule_of_its_own_relation_does_not_remember():
    # Relation 0 is symmetric in one pair only: nothing but the asked triple would speak for the other way.
    table = triples([(0, 0, 1), (1, 0, 0), (0, 0, 2), (1, 0, 3), (2, 0, 3)])
    found = scored(RulesSignal(RulesConfig(min_support=1)), fold_of(table, triples([(3, 0, 1)]), 4, 1))
    assert found["direct"][:5].tolist() == [0] * 5
    # A head that has no part in either instance may trust the rule.
    assert found["direct"][5] == pytest.approx(-math.log(1 - 2 / 8)) or found["direct"][5] == 0


def test_hubs_cost_no_squares():
    num = 20_000
    rows = [(a, 0, num) for a in range(num)] + [(a, 1, num + 1) for a in range(num)]
    table = triples(rows)
    for signal in (StructureSignal(StructureConfig(cap=16)), RulesSignal(RulesConfig(cap=16))):
        assert np.isfinite(signal.score(fold_of(table, triples([(0, 1, num)]), num + 2, 2))).all()


def test_ckrl_prefers_what_the_table_implies():
    table, league, num_entities = planted()
    held = np.flatnonzero(table.relation == 2)[1:40:3]
    kept = np.setdiff1d(np.arange(len(table)), held)
    right = take(table, held)
    wrong = Triples(**{**vars(right), "tail": 2 * league + 1 - right.tail})
    signal = CKRLSignal(CKRLConfig(dim=16, epochs=50, lr=0.1))
    fold = fold_of(take(table, kept), join(right, wrong), num_entities, 3, leaves_out=False)
    found = scored(signal, fold)
    half = len(right)
    assert (found["local"][:half] > found["local"][half:]).mean() > 0.8
    # One path, without a fork, all of whose pairs but one have the relation: e + (1 - e) P(r | p).
    joined = sum(1 for a in range(60) if a not in right.head)
    others = found["prior"][:half]
    assert others == pytest.approx(np.ones(half), abs=0.02) and joined > 40
    assert np.isnan(found["prior"][half:]).all()
    np.testing.assert_array_equal(signal.score(fold), np.column_stack(list(found.values())))
