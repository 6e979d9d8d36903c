"""Corruptions are wrong, new, of the asked kind, seeded, and mixed in at the asked share."""

import numpy as np
import pytest

from graphrec.core.errors import DataError
from graphrec.data.corrupt import corrupt, inject, join, triple_keys
from graphrec.data.dataset import Triples

NUM_ENTITIES = 60


def make(head, relation, tail):
    columns = (np.asarray(column, dtype=np.int64) for column in (head, relation, tail))
    head, relation, tail = columns
    return Triples(head=head, relation=relation, tail=tail, confidence=np.linspace(0.1, 1, len(head), dtype=np.float32))


def shop():
    """40 items with a type (entities 40-49, the first much used) and a brand (entities 50-52)."""
    item = np.arange(40)
    kind = 40 + np.minimum(item % 20, 9)
    return make(np.tile(item, 2), np.repeat([0, 1], 40), np.concatenate([kind, 50 + item % 3]))


@pytest.mark.parametrize("kind", ["uniform", "same_type"])
@pytest.mark.parametrize("weighted", [True, False])
def test_corruptions_are_new_and_distinct(kind, weighted):
    triples = shop()
    wrong = corrupt(triples, 50, num_entities=NUM_ENTITIES, seed=1, kind=kind, weighted=weighted)
    keys = triple_keys(join(triples, wrong), NUM_ENTITIES)
    assert len(wrong) == 50
    assert len(np.unique(keys)) == len(triples) + 50
    assert np.isin(wrong.confidence, triples.confidence).all()


def test_same_type_keeps_the_type_of_both_ends():
    wrong = corrupt(shop(), 80, num_entities=NUM_ENTITIES, seed=2)
    assert (wrong.head < 40).all()
    assert ((wrong.tail >= 50) == (wrong.relation == 1)).all()
    assert (wrong.relation == 0).sum() == 40, "each relation is corrupted in proportion"


def test_weighted_draws_follow_the_use_of_a_tail():
    triples = shop()
    common = [
        np.mean(corrupt(triples, 24, num_entities=NUM_ENTITIES, seed=seed, weighted=weighted).tail == 49)
        for weighted in (True, False)
        for seed in range(40)
    ]
    # Tail 49 stands in 22 of 40 type rows, yet is one of ten types.
    assert np.mean(common[:40]) > 2 * np.mean(common[40:])


def test_uniform_replaces_heads_and_tails_by_any_entity():
    wrong = corrupt(shop(), 400, num_entities=NUM_ENTITIES, seed=3, kind="uniform")
    assert (wrong.head >= 40).any()
    assert ((wrong.relation == 1) & (wrong.tail < 50)).any()


def test_the_seed_decides():
    first, again, other = (corrupt(shop(), 30, num_entities=NUM_ENTITIES, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(first.tail, again.tail)
    assert not np.array_equal(first.tail, other.tail)


def test_no_room_gives_fewer():
    single = make([0, 1, 2], [0, 0, 0], [9, 9, 9])
    assert len(corrupt(single, 5, num_entities=10, seed=0)) == 0
    two_brands = make([0, 1, 2, 3], [0, 0, 0, 0], [8, 9, 8, 9])
    assert len(corrupt(two_brands, 100, num_entities=10, seed=0)) == 4


def test_empty_table():
    empty = make([], [], [])
    assert len(corrupt(empty, 5, num_entities=0, seed=0)) == 0
    mixed, truth = inject(empty, 0.5, num_entities=0, seed=0)
    assert (len(mixed), len(truth)) == (0, 0)


def test_inject_mixes_the_share_and_says_which():
    triples = shop()
    mixed, truth = inject(triples, 0.2, num_entities=NUM_ENTITIES, seed=4)
    assert (len(mixed), int((~truth).sum())) == (100, 20)
    known = triple_keys(triples, NUM_ENTITIES)
    assert np.array_equal(np.isin(triple_keys(mixed, NUM_ENTITIES), known), truth)
    assert not truth[-20:].all(), "wrong rows are not simply appended"
    assert mixed.head.dtype == np.int64 and mixed.confidence.dtype == np.float32


def test_inject_nothing_only_shuffles():
    mixed, truth = inject(shop(), 0, num_entities=NUM_ENTITIES, seed=4)
    assert truth.all()
    assert np.array_equal(np.sort(triple_keys(mixed, NUM_ENTITIES)), np.sort(triple_keys(shop(), NUM_ENTITIES)))


def test_wrong_arguments():
    with pytest.raises(DataError, match="kind 'near': expected one of uniform, same_type"):
        corrupt(shop(), 1, num_entities=NUM_ENTITIES, seed=0, kind="near")
    with pytest.raises(DataError, match="share of wrong triples 1"):
        inject(shop(), 1.0, num_entities=NUM_ENTITIES, seed=0)
