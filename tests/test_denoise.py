"""Denoise: calibration on planted mixtures, cross-fitting, resume, and a toy world with one right answer."""

import numpy as np
import polars as pl
import pytest
import torch

from graphrec.core import files
from graphrec.core.artifacts import Artifact
from graphrec.core.config import describe, parse
from graphrec.core.errors import ConfigError
from graphrec.core.ids import IdMap
from graphrec.core.records import read_records
from graphrec.core.search import MemorySearch
from graphrec.core.stage import StageContext
from graphrec.core.tracking import NullTracker
from graphrec.core.workspace import Workspace
from graphrec.data.corrupt import corrupt, inject, join, take, triple_keys
from graphrec.data.dataset import Dataset, Events, Triples, save_dataset
from kg_denoise import stage
from kg_denoise.calibrate import calibrate, wrong_share
from kg_denoise.config import MODELS, CalibrationConfig, DenoiseConfig, EmbeddingConfig
from kg_denoise.crossfit import cross_fit, deal
from kg_denoise.curves import auroc, curves
from kg_denoise.denoise import denoise
from kg_denoise.fold import Fold, load_signal
from kg_denoise.signals import SIGNALS

RELATIONS = ("has_type", "in_category", "shelved_by")
NUM_ITEMS, NUM_TYPES = 400, 8
NUM_ENTITIES = NUM_ITEMS + 2 * NUM_TYPES + 2
QUICK = DenoiseConfig(folds=4, embedding=EmbeddingConfig(dim=16, epochs=20, margin=4.5, lr=0.1))


def triples_of(head, relation, tail):
    head, relation, tail = (np.asarray(column, dtype=np.int64) for column in (head, relation, tail))
    return Triples(head=head, relation=relation, tail=tail, confidence=np.ones(len(head), dtype=np.float32))


def shop():
    """Every item has a type and that type's category; who shelved it (one of two) follows from nothing."""
    rng, item = np.random.default_rng(0), np.arange(NUM_ITEMS)
    kind = rng.integers(NUM_TYPES, size=NUM_ITEMS)
    tails = NUM_ITEMS + kind, NUM_ITEMS + NUM_TYPES + kind, NUM_ENTITIES - 1 - item % 2
    return triples_of(np.tile(item, 3), np.repeat([0, 1, 2], NUM_ITEMS), np.concatenate(tails))


def run(triples, config=QUICK, *, seed=0, workspace=None, relations=RELATIONS, num_entities=NUM_ENTITIES):
    with Workspace.temporary() as scratch:
        return denoise(
            triples,
            num_entities,
            relations,
            config,
            seed=seed,
            workspace=workspace or scratch,
            tracker=NullTracker(),
        )


def planted(num, share, gap, seed, relation=0):
    """Return scores, relations, observed, truth of triples: N(gap, 1) where true, N(0, 1) where wrong or corrupted."""
    rng = np.random.default_rng(seed)
    true = rng.random(num) >= share
    score = np.concatenate([rng.normal(size=num) + gap * true, rng.normal(size=num)]).astype(np.float32)
    return score, np.full(2 * num, relation), np.arange(2 * num) < num, true


# --- calibration


def test_planted_mixture_is_recovered():
    score, relation, observed, true = planted(20_000, 0.2, 3.0, seed=1)
    found = calibrate(score, relation, observed, CalibrationConfig(), seed=0)
    measured = curves(found.probability, true)
    assert found.share[0] == pytest.approx(0.2, abs=0.02)
    assert measured["ece"] < 0.02
    # The exact posterior at the point where both densities are equal.
    middle = np.abs(score[observed] - 1.5) < 0.05
    assert found.probability[middle].mean() == pytest.approx(0.8, abs=0.05)
    assert found.told.all()


def test_probability_never_falls_with_the_score():
    score, relation, observed, _ = planted(3000, 0.3, 1.5, seed=2)
    found = calibrate(score, relation, observed, CalibrationConfig(), seed=0)
    by_score = found.probability[np.argsort(score[observed])]
    assert (np.diff(by_score) >= 0).all()
    assert by_score[0] < 0.1 and by_score[-1] > 0.95


def test_what_can_not_be_told_falls_back_to_the_base_rate():
    told, alike = planted(5000, 0.2, 4.0, seed=3), planted(5000, 0.2, 0.0, seed=4, relation=1)
    score, relation, observed = (np.concatenate(pair) for pair in zip(told[:3], alike[:3], strict=True))
    found = calibrate(score, relation, observed, CalibrationConfig(), seed=0)
    first = relation[observed] == 0
    assert found.told.tolist() == first.tolist()
    assert np.ptp(found.probability[~first]) == 0
    assert found.probability[~first][0] == pytest.approx(1 - found.share[first][0])
    assert found.probability[~first][0] == pytest.approx(0.8, abs=0.03)


def test_a_weak_relation_keeps_its_ranking_and_borrows_its_share():
    told, weak = planted(5000, 0.2, 4.0, seed=3), planted(5000, 0.2, 0.5, seed=4, relation=1)
    score, relation, observed = (np.concatenate(pair) for pair in zip(told[:3], weak[:3], strict=True))
    found = calibrate(score, relation, observed, CalibrationConfig(), seed=0)
    second = relation[observed] == 1
    assert found.told.all()
    assert np.unique(found.share).size == 1
    measured = curves(found.probability[second], weak[3])
    assert measured["ece"] < 0.03
    assert measured["auroc"] == pytest.approx(auroc(score[observed][second], weak[3]), abs=0.01)


def test_a_missing_score_is_no_evidence():
    score, relation, observed, _ = planted(4000, 0.2, 4.0, seed=5)
    score[::10] = np.nan
    found = calibrate(score, relation, observed, CalibrationConfig(), seed=0)
    silent = np.isnan(score[observed])
    assert not found.told[silent].any() and found.told[~silent].all()
    assert found.probability[silent] == pytest.approx(0.8, abs=0.03)


def test_shares_given_by_the_user():
    score, relation, observed, _ = planted(2000, 0.2, 4.0, seed=6)
    known = calibrate(score, relation, observed, CalibrationConfig(noise_share=0.05), seed=0)
    assert known.share == pytest.approx(0.05)
    assert known.probability.mean() == pytest.approx(0.95, abs=0.02)
    nothing = calibrate(np.zeros_like(score), relation, observed, CalibrationConfig(fallback_share=0.3), seed=0)
    assert nothing.probability == pytest.approx(0.7)


def test_small_relations_are_calibrated_together():
    score, relation, observed, true = planted(2000, 0.2, 4.0, seed=7)
    found = calibrate(score, np.arange(4000) % 50, observed, CalibrationConfig(), seed=0)
    assert found.told.all()
    assert curves(found.probability, true)["ece"] < 0.05


def test_wrong_share_at_its_ends():
    rng = np.random.default_rng(8)
    null = rng.normal(size=4000).astype(np.float32)
    assert wrong_share(rng.normal(size=4000).astype(np.float32), null) == pytest.approx(1, abs=0.1)
    assert wrong_share(null + 20, null) == 0


# --- curves


def test_curves_by_hand():
    found = curves(np.array([0.1, 0.4, 0.6, 0.9]), np.array([False, True, False, True]))
    assert found["auroc"] == pytest.approx(3 / 4)
    assert found["average_precision"] == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)
    assert found["ece"] == pytest.approx((0.1 + 0.6 + 0.6 + 0.1) / 4)
    assert found["base_rate"] == 0.5
    assert np.allclose(found["precision_recall"], [[0.5, 1], [1, 2 / 3]])
    assert np.allclose(found["reliability"], [[0.1, 0, 1], [0.4, 1, 1], [0.6, 0, 1], [0.9, 1, 1]])


def test_curves_of_ties_and_of_one_kind():
    tied = curves(np.full(10, 0.5), np.arange(10) < 7)
    assert (tied["auroc"], tied["base_rate"]) == (0.5, pytest.approx(0.3))
    assert tied["average_precision"] == pytest.approx(0.3)
    assert curves(np.full(3, 0.5), np.ones(3, dtype=bool)) is None
    assert auroc(np.arange(3.0), np.ones(3, dtype=bool)) == 0.5
    long = curves(np.linspace(0, 1, 5000), np.arange(5000) % 2 == 0)
    assert len(long["precision_recall"]) <= 100


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

    def __init__(self, dies_at=None):
        self.dies_at, self.asked = dies_at, []

    def score(self, fold: Fold):
        if fold.index == self.dies_at:
            raise KeyboardInterrupt
        self.asked.append(fold.index)
        known = np.isin(*(triple_keys(part, fold.num_entities) for part in (fold.asked, fold.train)))
        return known.astype(np.float32) + np.float32(fold.index / 8)


def memory_fit(signal, triples, workspace):
    wrong = corrupt(triples, 500, num_entities=NUM_ENTITIES, seed=1)
    return cross_fit(
        signal,
        triples,
        wrong,
        num_folds=4,
        num_entities=NUM_ENTITIES,
        num_relations=3,
        seed=0,
        workspace=workspace,
        tracker=NullTracker(),
    )


def test_no_triple_is_scored_by_a_signal_that_saw_it(tmp_path):
    score = memory_fit(Memory(), shop(), Workspace(tmp_path))
    assert len(score) == 3 * NUM_ITEMS + 500
    assert score.max() < 1
    assert len(np.unique(score)) == 4


def test_a_killed_cross_fit_goes_on_where_it_stopped(tmp_path):
    (tmp_path / "other").mkdir()
    whole = memory_fit(Memory(), shop(), Workspace(tmp_path / "other"))
    with pytest.raises(KeyboardInterrupt):
        memory_fit(Memory(dies_at=2), shop(), Workspace(tmp_path))
    rest = Memory()
    assert memory_fit(rest, shop(), Workspace(tmp_path)).tobytes() == whole.tobytes()
    assert rest.asked == [2, 3]


# --- the whole


@pytest.fixture(scope="module")
def noisy():
    return inject(shop(), 0.15, num_entities=NUM_ENTITIES, seed=1)


@pytest.fixture(scope="module")
def result(noisy):
    return run(noisy[0])


def test_toy_world(noisy, result):
    triples, truth = noisy
    for relation in (0, 1):
        rows = triples.relation == relation
        assert auroc(result.probability[rows], truth[rows]) > 0.9
    assert result.probability.dtype == np.float32
    assert result.probability.min() >= 0 and result.probability.max() <= 1
    assert curves(result.probability, truth)["ece"] < 0.12


def test_summary(noisy, result):
    triples, summary = noisy[0], result.summary
    assert summary["num_triples"] == len(triples) == sum(row["num_triples"] for row in summary["relations"])
    assert [row["relation"] for row in summary["relations"]] == list(RELATIONS)
    types = triples.relation == 0
    assert summary["relations"][0]["mean_probability"] == pytest.approx(result.probability[types].mean(), abs=1e-5)
    assert summary["relations"][0]["num_below_half"] == (result.probability[types] < 0.5).sum()
    assert summary["noise_share"] == pytest.approx(0.15, abs=0.12)
    assert summary["heldout"]["ece"] < 0.08
    assert summary["truth"] is None


def test_equal_seeds_give_equal_bytes_and_leave_torch_alone(noisy, result, tmp_path):
    before = torch.random.get_rng_state()
    assert run(noisy[0], workspace=Workspace(tmp_path)).probability.tobytes() == result.probability.tobytes()
    assert torch.equal(torch.random.get_rng_state(), before)
    kept = sorted(tmp_path.rglob("*.safetensors"))
    assert len(kept) == QUICK.folds
    for path in kept[1:]:
        path.unlink()
    resumed = run(noisy[0], workspace=Workspace(tmp_path)).probability
    assert resumed.tobytes() == result.probability.tobytes()


def test_scores_of_other_data_or_seeds_are_not_taken_up(noisy, tmp_path):
    brief = DenoiseConfig(folds=2, embedding=EmbeddingConfig(dim=8, epochs=1))
    for triples, seed in ((noisy[0], 0), (noisy[0], 1), (shop(), 0), (noisy[0], 0)):
        run(triples, brief, seed=seed, workspace=Workspace(tmp_path))
    assert len(list(tmp_path.iterdir())) == 3


def test_equal_triples_get_equal_probabilities(noisy):
    triples = noisy[0]
    doubled = run(join(triples, triples), DenoiseConfig(folds=2, embedding=EmbeddingConfig(dim=8, epochs=1)))
    first, second = np.split(doubled.probability, 2)
    assert np.array_equal(first, second)
    assert doubled.summary["num_distinct"] == len(triples)


def test_no_triples_and_too_few_to_tell():
    nothing = run(triples_of([], [], []), num_entities=0, relations=())
    assert len(nothing.probability) == 0
    assert nothing.summary["num_triples"] == 0 and nothing.summary["note"].startswith("no triples")
    one = run(triples_of([0], [0], [1]), num_entities=2, relations=("likes",))
    assert one.probability.tolist() == pytest.approx([0.9])
    few = run(triples_of([0, 1, 2], [0, 0, 0], [3, 4, 3]), num_entities=5, relations=("likes",))
    assert few.probability == pytest.approx(0.9)


# --- signals and options


def fold_of(triples, asked):
    return Fold(
        index=0,
        train=take(triples, ~asked),
        asked=take(triples, asked),
        num_entities=NUM_ENTITIES + 1,
        num_relations=3,
        seed=1,
        tracker=NullTracker(),
    )


@pytest.mark.parametrize("name", SIGNALS)
def test_every_signal_scores_a_fold(name):
    triples = join(shop(), triples_of([NUM_ENTITIES], [0], [NUM_ITEMS]))
    asked = (triples.head + triples.relation) % 4 == NUM_ENTITIES % 4
    score = load_signal(name, getattr(DenoiseConfig(), name)).score(fold_of(triples, asked))
    assert (score.shape, score.dtype) == ((asked.sum(),), np.float32)
    assert np.isfinite(score[:-1]).all()


@pytest.mark.parametrize("model", MODELS)
def test_every_model_finds_wrong_types(noisy, model):
    triples, truth = noisy
    options = EmbeddingConfig(model=model, dim=16, epochs=20, lr=0.1)
    asked = (triples.relation == 0) & (triples.head % 4 == 0)
    score = load_signal("embedding", options).score(fold_of(triples, asked))
    assert auroc(score, truth[asked]) > 0.75


def test_an_entity_that_training_never_met_is_not_scored():
    asked = np.arange(3 * NUM_ITEMS) % NUM_ITEMS == 7
    score = load_signal("embedding", EmbeddingConfig(dim=4, epochs=1)).score(fold_of(shop(), asked))
    assert np.isnan(score).all()


def test_a_diverging_model_is_one_clear_error():
    config = DenoiseConfig(folds=2, embedding=EmbeddingConfig(model="DistMult", dim=4, epochs=2, lr=1e30))
    with pytest.raises(ConfigError, match=r"denoise.embedding: DistMult diverged; lower lr \(1e\+30\)"):
        run(shop(), config)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"embedding": {"model": "TransF"}}, "x: embedding.model: 'TransF' is not one of TransE, RotatE"),
        ({"signal": "oracle"}, "x: signal: 'oracle' is not one of embedding"),
        ({"folds": 1}, "x: folds: input should be greater than or equal to 2, got 1"),
        ({"embedding": {"dims": 8}}, "x: embedding.dims: unknown key; did you mean: dim"),
        ({"calibration": {"noise_share": 1}}, "x: calibration.noise_share: input should be less than 1"),
        ({"corruption": "near"}, "x: corruption: 'near' is not one of same_type, uniform"),
    ],
)
def test_wrong_options(mapping, message):
    with pytest.raises(ConfigError) as error:
        parse(DenoiseConfig, mapping, source="x")
    assert str(error.value).startswith(message)


def test_every_option_has_help_and_every_signal_its_section():
    docs = {doc.path: doc for doc in describe(DenoiseConfig)}
    assert all(doc.help.endswith(".") for doc in docs.values())
    assert all(any(path.startswith(f"{name}.") for path in docs) for name in SIGNALS)


# --- the shell


def data_of(triples):
    none = np.empty(0, dtype=np.int64)
    events = Events(user=none, item=none, domain=none)
    return Dataset(
        domains=("shop",),
        relations=RELATIONS,
        users=IdMap.build("user", pl.Series([1])),
        items=IdMap.build("item", pl.Series([1])),
        entities=IdMap.build("entity", pl.Series(np.arange(NUM_ENTITIES))),
        catalog={"shop": np.zeros(1, dtype=np.int64)},
        train=events,
        valid=events,
        triples=triples,
        link_item=none,
        link_entity=none,
        text=("",),
    )


def stage_run(folder, triples, truth=None):
    ingest, out = folder / "in", folder / "out"
    ingest.mkdir(parents=True)
    out.mkdir()
    data = data_of(triples)
    save_dataset(data, data.train, ingest)
    if truth is not None:
        pl.DataFrame({"true": truth}).write_parquet(ingest / "truth.parquet")
    context = StageContext(
        inputs={"ingest": Artifact(ingest, {})},
        out=out,
        workspace=Workspace(folder).part("work"),
        tracker=NullTracker(),
        search=MemorySearch(),
        seed=0,
        target="shop",
        sources=(),
    )
    stage.run(context, QUICK)
    return files.read_json(out / "summary.json"), read_records(out / "metrics.json"), out


def test_the_shell_writes_what_merge_and_the_report_read(noisy, result, tmp_path):
    triples, truth = noisy
    summary, records, out = stage_run(tmp_path, triples, truth)
    written = pl.read_parquet(out / "triples.parquet")
    assert written.schema == {"probability": pl.Float32}
    assert np.array_equal(written["probability"].to_numpy(), result.probability)
    assert summary["truth"] == curves(result.probability, truth)
    found = {(r.group, r.split, r.metric): r.value for r in records}
    assert found["all", "test", "auroc"] == summary["truth"]["auroc"]
    assert found["all", "valid", "ece"] == summary["heldout"]["ece"]
    assert {("has_type", "test", "auroc"), ("in_category", "test", "average_precision")} <= set(found)


def test_the_shell_without_truth_and_without_triples(noisy, tmp_path):
    summary, records, _ = stage_run(tmp_path / "unknown", noisy[0])
    assert summary["truth"] is None
    assert {record.split for record in records} == {"valid"}
    summary, records, out = stage_run(tmp_path / "empty", triples_of([], [], []), np.empty(0, dtype=bool))
    assert (summary["num_triples"], summary["heldout"], summary["truth"], records) == (0, None, None, [])
    assert pl.read_parquet(out / "triples.parquet").height == 0
