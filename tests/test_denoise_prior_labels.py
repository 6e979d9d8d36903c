"""What no signal sees, and what a few labels change."""

import numpy as np
import pytest

from kg_denoise.curves import auroc
from kg_denoise.labelled import SCALES, bend
from kg_denoise.prior import unseen_errors
from tests.toy_shop import triples_of


def test_unseen_errors_by_hand():
    table = triples_of([0, 1, 2, 0], [0, 0, 0, 1], [3, 3, 4, 3])
    # Relation 0 uses 3 twice and 4 once; 0 and 3 are tied twice; 0 has 2 triples, 3 has 3, the others 1.
    miss, between, told = np.array([0.5, 0.5, 1, 1]), np.array([1, 0, 0, 1]), np.array([3, 2, 0, 3])
    room = miss * (1 + between) / np.log(2 + told)
    found = unseen_errors(table, 5, 0.1)
    assert found == pytest.approx(0.1 * room / room.mean(), rel=1e-5)
    assert found.mean() == pytest.approx(0.1)


def test_what_is_found_in_one_relation_does_not_vouch_for_another():
    table = triples_of(np.arange(40), np.repeat([0, 1], 20), np.tile(np.arange(40, 50), 4))
    whole = unseen_errors(table, 50, 0.1)
    found = unseen_errors(table, 50, 0.1, np.where(table.relation == 0, 0.8, 0.95))
    assert not found[:20].any(), "a fifth was found here, more than is taken for granted"
    assert found[20:] == pytest.approx(whole[20:] / 2), "half of it was found here"


def test_unseen_errors_have_their_bounds():
    rng = np.random.default_rng(0)
    table = triples_of(rng.integers(50, size=300), rng.integers(3, size=300), 50 + rng.integers(9, size=300))
    assert unseen_errors(table, 59, 0.5).max() == 0.5
    assert not unseen_errors(table, 59, 0).any()
    assert len(unseen_errors(triples_of([], [], []), 0, 0.1)) == 0
    certain = unseen_errors(triples_of([0, 1, 2], [0, 0, 0], [3, 3, 3]), 4, 0.1)
    assert not certain.any(), "a relation with a single tail leaves no choice"


NUM = 3000


@pytest.fixture(scope="module")
def world():
    """Log odds by an honest signal and one that misleads; two relations; what is true."""
    rng = np.random.default_rng(1)
    true = rng.random(NUM) < 0.7
    said = rng.normal(size=(NUM, 2)) + np.outer(2 * true - 1, [1.0, -1.5])
    return said.sum(axis=1).astype(np.float32), said.astype(np.float32), np.arange(NUM) % 2, true


def labels_of(true, num):
    return np.where(np.arange(NUM) < num, true.astype(int), -1)


def test_no_label_changes_nothing(world):
    log_odds, said, relation, _ = world
    bent = bend(log_odds, said, relation, np.full(NUM, -1), seed=0)
    assert bent.log_odds is log_odds and bent.scale == 0


@pytest.mark.parametrize(("label", "sign"), [(1, 1), (0, -1)])
def test_a_few_labels_shift_the_level(world, label, sign):
    log_odds, said, relation, _ = world
    some = np.where(np.arange(NUM) < 4, label, -1)
    bent = bend(log_odds, said, relation, some, seed=0)
    shift = bent.log_odds - log_odds
    assert bent.scale == 0, "too few to choose by"
    assert (sign * shift > 0.1).all() and np.ptp(shift) < 0.01


def test_labels_turn_a_signal_that_misleads(world):
    log_odds, said, relation, true = world
    bent = bend(log_odds, said, relation, labels_of(true, 300), seed=0)
    rest = np.arange(NUM) >= 300
    assert auroc(log_odds[rest], true[rest]) < 0.45
    assert auroc(bent.log_odds[rest], true[rest]) > 0.85
    assert bent.scale == max(SCALES)


def test_labels_tell_relations_apart():
    rng = np.random.default_rng(2)
    relation = np.arange(NUM) % 3
    true = rng.random(NUM) < np.array([0.9, 0.5, 0.7])[relation]
    nothing = np.zeros((NUM, 1), dtype=np.float32)
    label = np.where(relation < 2, labels_of(true, 450), -1)
    found = bend(np.zeros(NUM, dtype=np.float32), nothing, relation, label, seed=0).log_odds
    mean = [found[relation == index].mean() for index in range(3)]
    assert mean[0] > mean[2] > mean[1], "the relation without a label takes the level alone"
    assert 1 / (1 + np.exp(-mean[0])) == pytest.approx(0.9, abs=0.08)
    assert 1 / (1 + np.exp(-mean[1])) == pytest.approx(0.5, abs=0.1)


def test_labels_of_what_is_well_told_change_little():
    rng = np.random.default_rng(3)
    log_odds = rng.normal(1, 2, size=NUM).astype(np.float32)
    true = rng.random(NUM) < 1 / (1 + np.exp(-log_odds))
    bent = bend(log_odds, rng.normal(size=(NUM, 3)), np.zeros(NUM, dtype=np.int64), labels_of(true, 300), seed=0)
    assert bent.scale <= 0.2
    assert np.abs(bent.log_odds - log_odds).mean() < 0.4


def test_equal_seeds_give_equal_bytes(world):
    log_odds, said, relation, true = world
    first, second = (bend(log_odds, said, relation, labels_of(true, 100), seed=5).log_odds for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_certainty_is_no_trouble():
    log_odds = np.where(np.arange(NUM) % 2, 27.0, -7.0).astype(np.float32)
    found = bend(log_odds, log_odds[:, None], np.zeros(NUM, dtype=np.int64), labels_of(log_odds < 0, 200), seed=0)
    assert np.isfinite(found.log_odds).all()
    # All labels say the opposite: what was certain is so no more.
    assert np.ptp(found.log_odds) < np.ptp(log_odds)
