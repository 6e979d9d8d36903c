"""Corruptions are wrong, new, of the asked kind, seeded, and mixed in at the asked share."""

import numpy as np
import pytest

from graphrec.core.errors import DataError
from graphrec.data.corrupt import TRUE, corrupt, corruptions, inject, join, mix, needs_near, triple_keys
from graphrec.data.dataset import Triples
from graphrec.data.kinds import KINDS
from graphrec.data.nearness import entity_vectors, near_tails

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
    # 40 of 80 expected, with a standard deviation of 4.5.
    assert 25 <= (wrong.relation == 0).sum() <= 55, "each relation is corrupted in proportion"


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


def two_worlds():
    """Heads 0-39 in two camps by parity; each has five of its camp's ten tails (40-49 even, 50-59 odd)."""
    head = np.repeat(np.arange(40), 5)
    tail = 40 + 10 * (head % 2) + (head // 2 + np.tile(np.arange(5), 40)) % 10
    return make(head, np.zeros(200), tail)


def test_near_tails_keep_the_same_company():
    near = near_tails(two_worlds(), NUM_ENTITIES, seed=0, k=4)
    assert near.pair.tolist() == list(range(40, 60)), "relation 0: the key is the tail"
    assert np.array_equal(near.other // 10, np.repeat(near.pair[:, None] // 10, 4, axis=1))
    assert (near.other != near.pair[:, None]).all()


def test_near_tails_have_like_words_and_codes_say_nothing():
    text = ["B00X1", "B00X2", "red shampoo", "shampoos", "garden chair", "chairs", "A77", "A78"]
    triples = make([0] * 6, [0] * 6, range(2, 8))
    near = near_tails(triples, 8, text, seed=0, k=1)
    found = dict(zip(near.pair.tolist(), near.other[:, 0].tolist(), strict=True))
    assert (found[2], found[3], found[4], found[5]) == (3, 2, 5, 4)
    one = entity_vectors(make([0], [0], [1]), 8, text, seed=0)
    assert one.shape == (8, 128)
    assert not one[[0, 1, 6, 7]].any(), "codes have no words, and one triple is no company"
    assert np.allclose(np.square(one[2:6]).sum(axis=1), 0.5, atol=1e-6)


def test_near_tails_by_cells_find_most_of_what_a_full_search_finds(monkeypatch):
    rng = np.random.default_rng(0)
    head = rng.integers(300, size=9000)
    triples = make(head, np.zeros(9000), 300 + (head * 10 + rng.integers(30, size=9000)) % 3000)
    full = near_tails(triples, 3300, seed=0, k=5)
    monkeypatch.setattr("graphrec.data.nearness._CELL", 64)
    cells = near_tails(triples, 3300, seed=0, k=5)
    shared = [len(set(a) & set(b)) for a, b in zip(full.other.tolist(), cells.other.tolist(), strict=True)]
    assert not np.array_equal(full.other, cells.other), "the search by cells was used"
    assert np.mean(shared) > 0.8 * 5
    assert np.array_equal(cells.other, near_tails(triples, 3300, seed=0, k=5).other)


def test_near_corruptions_stay_in_the_camp_of_the_right_tail():
    triples = two_worlds()
    near = near_tails(triples, NUM_ENTITIES, seed=0, k=5)
    wrong = corrupt(triples, 60, num_entities=NUM_ENTITIES, seed=1, kind="near", near=near)
    assert len(wrong) == 60
    assert ((wrong.tail >= 50) == (wrong.head % 2 == 1)).all()
    assert len(np.unique(triple_keys(join(triples, wrong), NUM_ENTITIES))) == 260
    # Any tail at all crosses over for half of the rows.
    anywhere = corrupt(triples, 60, num_entities=NUM_ENTITIES, seed=1)
    assert ((anywhere.tail >= 50) != (anywhere.head % 2 == 1)).any()


def test_near_without_a_near_tail_gives_none():
    single = make([0, 1, 2], [0, 0, 1], [8, 8, 9])
    near = near_tails(single, 10, seed=0)
    assert (near.other == -1).all()
    assert len(corrupt(single, 5, num_entities=10, seed=0, kind="near", near=near)) == 0


def test_kinds_are_mixed_by_weight_and_told():
    triples = two_worlds()
    near = near_tails(triples, NUM_ENTITIES, seed=0)
    made = corruptions(triples, 90, num_entities=NUM_ENTITIES, seed=3, kind="mixed", near=near)
    assert np.bincount(made.kind).tolist() == [30, 30, 30]
    assert len(np.unique(triple_keys(join(triples, made.triples), NUM_ENTITIES))) == 290
    same = made.triples.tail[made.kind == KINDS.index("same_type")]
    assert np.isin(same, triples.tail).all()
    weighed = corruptions(triples, 40, num_entities=NUM_ENTITIES, seed=3, kind={"same_type": 1, "uniform": 3})
    assert np.bincount(weighed.kind).tolist() == [30, 10]
    assert needs_near("mixed") and not needs_near({"same_type": 1, "near": 0})


def test_mix_says_where_each_row_came_from_and_what_it_is():
    triples = shop()
    mixed, order, kind = mix(triples, 0.2, num_entities=NUM_ENTITIES, seed=4, kind="uniform")
    own = order < len(triples)
    assert (kind[own] == TRUE).all() and (kind[~own] == KINDS.index("uniform")).all()
    assert np.array_equal(mixed.tail[own], triples.tail[order[own]])


def test_wrong_arguments():
    with pytest.raises(DataError, match="kind 'nearby': expected one of uniform, same_type, near, mixed"):
        corrupt(shop(), 1, num_entities=NUM_ENTITIES, seed=0, kind="nearby")
    with pytest.raises(DataError, match="expected none below 0"):
        corrupt(shop(), 1, num_entities=NUM_ENTITIES, seed=0, kind={"uniform": -1.0})
    with pytest.raises(DataError, match="share of wrong triples 1"):
        inject(shop(), 1.0, num_entities=NUM_ENTITIES, seed=0)
