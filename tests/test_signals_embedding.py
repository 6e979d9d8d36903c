"""Embedding models as a signal: they learn a toy world, their leads are right, nothing leaks into the caller."""

import numpy as np
import pytest
import torch

from graphrec.core.config import parse
from graphrec.core.errors import ConfigError
from graphrec.core.tracking import NullTracker
from graphrec.data.dataset import Triples
from kg_denoise.curves import auroc
from kg_denoise.evidence import Evidence
from kg_denoise.fold import Fold
from kg_denoise.signals._pykeen import EmbeddingSignal, _AgainstAll, _Rivals, _score
from kg_denoise.signals.embedding_config import MODELS, EmbeddingConfig

NUM_ITEMS, NUM_TYPES = 300, 6
NUM_ENTITIES = NUM_ITEMS + 2 * NUM_TYPES


def triples_of(head, relation, tail):
    head, relation, tail = (np.asarray(column, dtype=np.int64) for column in (head, relation, tail))
    return Triples(head=head, relation=relation, tail=tail, confidence=np.ones(len(head), dtype=np.float32))


def fold_of(train, asked, *, num_entities=NUM_ENTITIES, num_relations=2, seed=0):
    return Fold(
        index=0,
        train=train,
        asked=asked,
        own=np.zeros(len(asked), dtype=np.bool_),
        evidence=Evidence(num_entities=num_entities, relations=tuple(map(str, range(num_relations)))),
        seed=seed,
        tracker=NullTracker(),
    )


def shop():
    """Every item has a type and that type's category; the categories of a sixth of the items are asked."""
    rng, item = np.random.default_rng(0), np.arange(NUM_ITEMS)
    kind = rng.integers(NUM_TYPES, size=NUM_ITEMS)
    kept = item[item % 6 > 0]
    train = triples_of(
        np.concatenate([item, kept]),
        np.repeat([0, 1], [NUM_ITEMS, len(kept)]),
        np.concatenate([NUM_ITEMS + kind, NUM_ITEMS + NUM_TYPES + kind[kept]]),
    )
    asked = item[item % 6 == 0]
    wrong = (kind[asked] + rng.integers(1, NUM_TYPES, size=len(asked))) % NUM_TYPES
    tail = NUM_ITEMS + NUM_TYPES + np.concatenate([kind[asked], wrong])
    return fold_of(train, triples_of(np.tile(asked, 2), np.ones(2 * len(asked)), tail)), np.arange(
        2 * len(asked)
    ) < len(asked)


QUICK = {"dim": 16, "epochs": 8, "lr": 0.05, "num_negatives": 4}


@pytest.mark.parametrize("model", MODELS)
def test_every_model_tells_true_from_wrong(model):
    fold, true = shop()
    signal = EmbeddingSignal(EmbeddingConfig(models=(model,), **{**QUICK, "epochs": 12 if model == "TuckER" else 6}))
    score = signal.score(fold)
    assert score.shape == (len(true), 2) and score.dtype == np.float32
    assert tuple(signal.columns(fold.evidence)) == (model, f"{model} lead")
    assert auroc(score[:, 0], true) > 0.8
    assert auroc(score[:, 1], true) > 0.8


def test_small_graphs_are_held_against_all_entities():
    fold, true = shop()
    options = EmbeddingConfig(models=("ComplEx", "TransE"), all_below=NUM_ENTITIES + 1, **QUICK)
    score = EmbeddingSignal(options).score(fold)
    assert auroc(score[:, 1], true) > 0.9
    assert auroc(score[:, 3], true) > 0.8


def test_a_model_alone_scores_as_it_does_among_others():
    fold, _ = shop()
    brief = {**QUICK, "epochs": 2}
    both = EmbeddingSignal(EmbeddingConfig(models=("TransE", "DistMult"), **brief)).score(fold)
    alone = EmbeddingSignal(EmbeddingConfig(models=("DistMult",), **brief)).score(fold)
    np.testing.assert_array_equal(both[:, 2:], alone)


def test_the_callers_random_stream_is_left_alone():
    fold, _ = shop()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = EmbeddingSignal(EmbeddingConfig(epochs=1)).score(fold)
    assert torch.equal(torch.rand(2), expected)
    np.testing.assert_array_equal(EmbeddingSignal(EmbeddingConfig(epochs=1)).score(fold), first)


def test_what_training_never_met_has_no_score():
    train = triples_of([0, 1], [0, 0], [2, 3])
    asked = triples_of([0, 4, 0, 0], [0, 0, 0, 1], [3, 2, 4, 3])
    fold = fold_of(train, asked, num_entities=5)
    told = np.isfinite(EmbeddingSignal(EmbeddingConfig(dim=4, epochs=1)).score(fold))
    assert told.tolist() == [[True, True], [False, False], [False, False], [False, False]]


class Table(torch.nn.Module):
    """Stands for a model: the score of (h, r, t) is 10 h + t."""

    def score_hrt(self, triples):
        return (10.0 * triples[:, 0] + triples[:, 2])[:, None]

    def score_t(self, pairs, tails=None):
        tails = torch.arange(4)[None] if tails is None else tails
        return 10.0 * pairs[:, :1] + tails

    def score_h(self, pairs, heads=None):
        heads = torch.arange(4)[None] if heads is None else heads
        return 10.0 * heads + pairs[:, 1:]

    def collect_regularization_term(self):
        return 0.0


def test_lead_by_hand():
    # Heads of the relation are 0 and 1, tails 2 and 3: each side has one rival, however often it is drawn.
    train = torch.tensor([[0, 0, 2], [1, 0, 3], [2, 1, 0]])
    score = _score(Table(), torch.tensor([[0, 0, 3], [1, 0, 2]]), _Rivals(train, 2), 64)
    assert score[:, 0].tolist() == [3.0, 12.0]
    # Against tail 2 by +1 and head 1 by -10; against tail 3 by -1 and head 0 by +10.
    np.testing.assert_allclose(score[:, 1], [-4.5, 4.5], rtol=1e-5)


def test_a_relation_with_one_tail_has_a_score_but_no_lead():
    train = torch.tensor([[0, 0, 2], [1, 0, 2]])
    score = _score(Table(), torch.tensor([[0, 0, 2]]), _Rivals(train, 1), 8)
    assert score[0, 0] == 2 and score[0, 1].isnan()


def test_rivals_come_as_often_as_their_relation_has_them():
    train = torch.tensor([[0, 0, 5], [1, 0, 5], [2, 0, 5], [3, 0, 6], [8, 1, 9]])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = _Rivals(train, 2).draw(torch.tensor([0, 1]), 4000, 1)
    assert set(drawn[0].tolist()) == {5, 6} and set(drawn[1].tolist()) == {9}
    assert (drawn[0] == 5).float().mean() == pytest.approx(0.75, abs=0.03)


def test_loss_against_all_by_hand():
    train = torch.tensor([[0, 0, 1], [0, 0, 3]])
    steps = list(_AgainstAll(train).epoch(Table()))
    # Tails score 0..3 for head 0: log sum exp is 3.4402, the triples' own scores are 1 and 3.
    assert float(steps[0]) == pytest.approx(3.4402 - 2, abs=1e-4)
    # Heads score 0, 10, 20, 30 above the tail; the true head is the least: the loss is 30 for both.
    assert float(steps[1]) == pytest.approx(30, abs=1e-3)


class Vectors(Table):
    """Entity e has the vector (e, -e), relation r the vector (1 + r,)."""

    entity_representations = (lambda ids: torch.stack([ids, -ids], dim=1).float(),)
    relation_representations = (lambda ids: (1.0 + ids)[:, None],)


def test_the_nuclear_norm_is_that_of_the_triples_own_vectors():
    train = torch.tensor([[0, 0, 1], [2, 1, 3]])
    plain, bound = (list(_AgainstAll(train, penalty).epoch(Vectors())) for penalty in (0.0, 0.5))
    # A step has one triple. Cubes: 0 + 2 and 1 for the first; 16 + 54 and 8 for the second.
    paid = sorted(float(more - less) for more, less in zip(bound[:2], plain[:2], strict=True))
    assert paid == pytest.approx([1.5, 39.0], abs=1e-3)


def test_the_nuclear_norm_keeps_small_what_few_triples_speak_of():
    fold, true = shop()
    options = {"models": ("ComplEx",), "all_below": NUM_ENTITIES + 1, **QUICK}
    free, bound = (EmbeddingSignal(EmbeddingConfig(penalty=p, **options)).score(fold) for p in (0.0, 0.03))
    assert auroc(bound[:, 1], true) > 0.9
    assert np.abs(bound[:, 0]).mean() < np.abs(free[:, 0]).mean()


def test_divergence_is_said_with_its_remedy():
    fold, _ = shop()
    with pytest.raises(ConfigError, match=r"denoise.embedding: DistMult diverged; lower lr \(1e\+30\)"):
        EmbeddingSignal(EmbeddingConfig(models=("DistMult",), dim=4, epochs=3, lr=1e30)).score(fold)


def test_an_unknown_model_is_refused_with_those_on_offer():
    with pytest.raises(ConfigError, match=r"models: 'TransF' is not one of TransE, RotatE"):
        parse(EmbeddingConfig, {"models": ["TransF"]}, source="x")
