"""Denoise as a whole: the toy world, resume, votes, labels, the signals' contract, options, and the shell."""

import numpy as np
import polars as pl
import pytest

from graphrec.cli.config import load_config
from graphrec.cli.pipeline import make_recipes
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
from graphrec.data.corrupt import corrupt, inject, join
from graphrec.data.dataset import Dataset, Events, Votes, save_dataset
from kg_denoise import stage
from kg_denoise.calibrate import Calibrated
from kg_denoise.config import PROFILES, CalibrationConfig, DenoiseConfig
from kg_denoise.curves import auroc, curves
from kg_denoise.evidence import Evidence, Pairs
from kg_denoise.fold import Fold, load_signal
from kg_denoise.line import Line, Outcome, together
from kg_denoise.rows import SORTS
from kg_denoise.signals import LATE, SIGNALS
from tests.toy_shop import BRIEF, EVIDENCE, NUM_ENTITIES, NUM_ITEMS, QUICK, RELATIONS, run, shop, triples_of


@pytest.fixture(scope="module")
def noisy():
    return inject(shop(), 0.15, num_entities=NUM_ENTITIES, seed=1)


@pytest.fixture(scope="module")
def result(noisy):
    return run(noisy[0])


# --- the toy world


def test_wrong_triples_are_found(noisy, result):
    triples, truth = noisy
    for relation in (0, 1):
        rows = triples.relation == relation
        assert auroc(result.log_odds[rows], truth[rows]) > 0.9
    assert result.probability.dtype == np.float32
    assert result.probability.min() >= 0 and result.probability.max() <= 1
    assert curves(result.probability, truth)["ece"] < 0.12


def test_what_each_signal_said_is_told(noisy, result):
    assert result.signals[:2] == ("schema", "facts")
    assert result.said.shape == (len(noisy[0]), len(result.signals))
    told = noisy[0].relation < 2
    assert auroc(result.said[told, 1], noisy[1][told]) > 0.7, "facts alone knows much here"


def test_summary(noisy, result):
    triples, summary = noisy[0], result.summary
    assert summary["num_triples"] == len(triples) == sum(row["num_triples"] for row in summary["relations"])
    assert [row["relation"] for row in summary["relations"]] == list(RELATIONS)
    types = triples.relation == 0
    assert summary["relations"][0]["mean_probability"] == pytest.approx(result.probability[types].mean(), abs=1e-5)
    assert summary["noise_share"] == pytest.approx(0.15, abs=0.12)
    assert summary["signals"] == list(result.signals) and len(summary["said"]) == len(result.signals)
    assert summary["num_labels"] == 0 and summary["truth"] is None


def test_signals_without_food_are_passed_over(noisy):
    config = DenoiseConfig(signals=("schema", "collaborative", "cross_encoder"))
    assert run(noisy[0], config).summary["passed_over"] == ["collaborative", "cross_encoder"]


def test_equal_seeds_give_equal_bytes_and_resume_too(noisy, result, tmp_path):
    assert run(noisy[0], workspace=Workspace(tmp_path)).log_odds.tobytes() == result.log_odds.tobytes()
    kept = sorted(tmp_path.rglob("*.safetensors"))
    # The signal leaves out for itself: one fold in each round.
    assert [path.name for path in kept if path.name.startswith("facts")] == ["facts-0.safetensors"] * 2
    kept[0].unlink()
    assert run(noisy[0], workspace=Workspace(tmp_path)).log_odds.tobytes() == result.log_odds.tobytes()
    assert run(noisy[0], seed=1).log_odds.tobytes() != result.log_odds.tobytes()


def test_scores_of_other_data_or_seeds_are_not_taken_up(noisy, tmp_path):
    kept = [0]
    for triples, seed in ((noisy[0], 0), (noisy[0], 1), (shop(), 0), (noisy[0], 0)):
        run(triples, BRIEF, seed=seed, workspace=Workspace(tmp_path))
        kept.append(len(list(tmp_path.iterdir())))
    assert kept[0] < kept[1] < kept[2] < kept[3] == kept[4]


def test_equal_triples_get_equal_probabilities(noisy):
    doubled = run(join(noisy[0], noisy[0]), BRIEF)
    first, second = np.split(doubled.log_odds, 2)
    assert np.array_equal(first, second)
    assert doubled.summary["num_distinct"] == len(noisy[0])


def test_no_triples_and_too_few_to_tell():
    nothing = run(triples_of([], [], []), evidence=Evidence(num_entities=0, relations=()))
    assert len(nothing.probability) == 0 and nothing.summary["note"].startswith("no triples")
    few = run(triples_of([0, 1, 2], [0, 0, 0], [3, 4, 3]), evidence=Evidence(num_entities=5, relations=("likes",)))
    assert few.probability == pytest.approx(0.9, abs=0.05)


def test_a_second_round_does_not_learn_from_what_the_first_doubts(noisy):
    rows = noisy[0].relation < 2
    once, twice = (
        auroc(run(noisy[0], DenoiseConfig(signals=("schema", "facts"), rounds=rounds)).log_odds[rows], noisy[1][rows])
        for rounds in (1, 2)
    )
    assert twice > max(once, 0.9)


def test_of_several_rounds_the_mean_counts(noisy):
    with Workspace.temporary() as workspace:
        config = DenoiseConfig(signals=("schema", "facts"), rounds=2)
        line = Line(noisy[0], EVIDENCE, config, 0, workspace, NullTracker())
        rounds, whole = list(line.rounds()), line.run()
    first, second = (each.found.probability for each in rounds)
    both = rounds[0].found.told & rounds[1].found.told
    assert not np.allclose(first[both], second[both], atol=0.1)
    assert whole.found.probability[both] == pytest.approx((first[both] + second[both]) / 2, abs=1e-6)
    assert whole.said == pytest.approx((rounds[0].said + rounds[1].said) / 2, abs=1e-5)


def test_a_late_signal_is_asked_last_and_heard_in_every_round(noisy, monkeypatch):
    monkeypatch.setattr("kg_denoise.line.LATE", {"schema"})
    config = DenoiseConfig(signals=("schema", "facts"), rounds=2, band=2000)
    with Workspace.temporary() as workspace:
        line = Line(noisy[0], EVIDENCE, config, 0, workspace, NullTracker())
        first, second = line.rounds()
        alone = Line(noisy[0], EVIDENCE, DenoiseConfig(signals=("schema",)), 0, workspace, NullTracker())
        assert len(list(alone.rounds())) == 1, "nothing is known before a late signal alone"
    assert "schema" not in first.names and "schema" in second.names
    assert not first.late.any() and 0 < (second.late != 0).mean() < 1
    moved = 1 / (1 + np.exp(-(first.found.log_odds + second.late).astype(np.float64)))
    both = first.found.told & second.found.told
    expected = (moved + second.found.probability)[both] / 2
    assert together([first, second]).found.probability[both] == pytest.approx(expected, abs=1e-6)


def judged(log_odds, told, late=0.0, names=("facts",)):
    one = np.float32([log_odds])
    found = Calibrated(
        log_odds=one,
        share=np.float32([0.1]),
        told=np.array([told]),
        kinds=np.full(2 if told else 3, 0.1),
        expected=one,
        observed=one > 0,
        weight=one,
    )
    return Outcome(
        names=names, said=np.full((1, len(names)), log_odds, np.float32), found=found, late=np.float32([late])
    )


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        ([judged(2.0, True), judged(-2.0, True)], 0.0),
        ([judged(2.0, True), judged(-2.0, False)], 2.0),
        ([judged(2.0, False), judged(-2.0, False)], 0.0),
        # What a late signal said counts in full, not by the number of rounds that asked it.
        ([judged(2.0, True), judged(5.0, True, late=3.0, names=("facts", "reader"))], 5.0),
        ([judged(90.0, True), judged(80.0, True)], 80.693),
    ],
)
def test_rounds_count_where_they_had_a_say(rounds, expected):
    whole = together(rounds)
    assert whole.found.log_odds[0] == pytest.approx(expected, abs=1e-3)
    assert len(whole.found.kinds) == len(SORTS)
    asked = [each.said[0, each.names.index(whole.names[-1])] for each in rounds if whole.names[-1] in each.names]
    assert whole.said[0, -1] == pytest.approx(sum(asked) / len(asked))


def test_tables_of_a_few_triples_in_every_seed():
    evidence = Evidence(num_entities=6, relations=("likes", "has"))
    for num in (1, 2, 5):
        table = triples_of(np.arange(num) % 3, np.arange(num) % 2, 3 + np.arange(num) % 3)
        for seed in range(25):
            config = DenoiseConfig(signals=("schema",), calibration=CalibrationConfig(noise_share=0.95))
            assert np.isfinite(run(table, config, evidence=evidence, seed=seed).log_odds).all()


# --- what else is known


def test_votes_are_heard(noisy):
    triples, truth = noisy
    every, rng = np.arange(len(triples)), np.random.default_rng(3)
    right = np.where(rng.random((3, len(triples))) < 0.8, truth, ~truth).astype(np.float32)
    votes = Votes(
        triple=np.tile(every, 3),
        voter=np.repeat(np.arange(3), len(every)),
        vote=right.ravel(),
        num=np.ones(right.size, dtype=np.int64),
        voters=("a", "b", "c"),
    )
    evidence = Evidence(num_entities=NUM_ENTITIES, relations=RELATIONS, votes=votes)
    heard = run(triples, evidence=evidence)
    shelf = triples.relation == 2
    assert "testimony" in heard.signals
    assert auroc(heard.log_odds[shelf], truth[shelf]) > 0.8, "only votes can tell who shelved what"


def test_labels_decide_what_they_name_and_bend_the_rest(noisy, result):
    triples, truth = noisy
    labels = np.full(len(triples), -1)
    chosen = np.random.default_rng(0).choice(len(triples), 100, replace=False)
    labels[chosen] = truth[chosen]
    bent = run(triples, labels=labels)
    assert ((bent.probability[chosen] > 0.5) == truth[chosen]).all()
    rest = labels < 0
    assert bent.summary["num_labels"] == 100
    assert auroc(bent.log_odds[rest], truth[rest]) > auroc(result.log_odds[rest], truth[rest]) - 0.02


# --- signals and options

NAMES = ("red", "green", "blue", "small", "round", "old", "heavy", "sweet", "loud", "warm")


def random_fold(seed=0, num=1500):
    """A graph in which nothing follows from anything, with words and users that say nothing either."""
    rng, num_entities = np.random.default_rng(seed), 120
    table = triples_of(
        rng.integers(num_entities, size=num), rng.integers(2, size=num), rng.integers(num_entities, size=num)
    )
    keys = np.unique(np.stack([table.head, table.relation, table.tail]), axis=1)
    table = triples_of(*keys)
    wrong = corrupt(table, len(table), num_entities=num_entities, seed=seed, kind="uniform")
    asked = join(table, wrong)
    own = np.arange(len(asked)) < len(table)
    evidence = Evidence(
        num_entities=num_entities,
        relations=("likes", "has"),
        text=tuple(" ".join(rng.choice(NAMES, 3)) for _ in range(num_entities)),
        users=Pairs.of(rng.integers(num_entities, size=900), rng.integers(200, size=900), 200),
    )
    return Fold(index=0, train=table, asked=asked, own=own, evidence=evidence, seed=1, tracker=NullTracker())


@pytest.mark.parametrize("name", [name for name in SIGNALS if name not in LATE])
def test_every_signal_keeps_its_contract_and_gives_nothing_away(name):
    fold = random_fold()
    signal = load_signal(name, getattr(DenoiseConfig(), name))
    if not signal.leaves_out:
        # Half is learnt from, the other half and the corruptions are asked.
        half = np.arange(len(fold.train)) % 2 == 0
        train = triples_of(*(column[half] for column in (fold.train.head, fold.train.relation, fold.train.tail)))
        asked = np.concatenate([~half, np.ones((~fold.own).sum(), dtype=bool)])
        parts = (column[asked] for column in (fold.asked.head, fold.asked.relation, fold.asked.tail))
        fold = Fold(**{**vars(fold), "train": train, "asked": triples_of(*parts), "own": np.zeros(asked.sum(), bool)})
        own = np.arange(asked.sum()) < (~half).sum()
    else:
        own = fold.own
    columns = signal.columns(fold.evidence)
    score = signal.score(fold)
    assert score.shape == (len(fold.asked), len(columns)) and score.dtype == np.float32
    assert set(columns.values()) <= {0, 1}
    for index, (column, monotone) in enumerate(columns.items()):
        told = ~np.isnan(score[:, index])
        if monotone and told.mean() > 0.5:
            assert auroc(score[told, index], own[told]) == pytest.approx(0.5, abs=0.08), column


def test_a_diverging_model_is_one_clear_error():
    config = parse(
        DenoiseConfig,
        {"signals": ["embedding"], "folds": 2, "embedding": {"models": ["DistMult"], "epochs": 2, "lr": 1e30}},
        source="x",
    )
    with pytest.raises(ConfigError, match=r"denoise.embedding: DistMult diverged; lower lr"):
        run(shop(), config)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"embedding": {"models": ["TransF"]}}, "x: embedding.models: 'TransF' is not one of TransE, RotatE"),
        ({"signals": ["oracle"]}, "x: signals: 'oracle' is not one of schema"),
        ({"profile": "best"}, "x: profile: 'best' is not one of quick, default, full"),
        ({"folds": 1}, "x: folds: input should be greater than or equal to 2, got 1"),
        ({"calibration": {"noise_share": 1}}, "x: calibration.noise_share: input should be less than 1"),
        ({"corruption": ["far"]}, "x: corruption: 'far' is not one of uniform, same_type, near"),
    ],
)
def test_wrong_options(mapping, message):
    with pytest.raises(ConfigError) as error:
        parse(DenoiseConfig, mapping, source="x")
    assert str(error.value).startswith(message)


def test_every_option_has_help_and_every_signal_its_section_and_profile():
    docs = {doc.path: doc for doc in describe(DenoiseConfig)}
    assert all(doc.help.endswith(".") for doc in docs.values())
    assert all(any(path.startswith(f"{name}.") for path in docs) for name in SIGNALS)
    assert set().union(*PROFILES.values()) == set(SIGNALS)


# --- the shell


def data_of(triples):
    none = np.empty(0, dtype=np.int64)
    events = Events(user=none, item=none, domain=none)
    return Dataset(
        domains=("shop",),
        relations=RELATIONS,
        users=IdMap.build("user", pl.Series([1])),
        items=IdMap.build("item", pl.Series([1])),
        entities=IdMap.build("entity", pl.Series([f"e{number:04d}" for number in range(NUM_ENTITIES)])),
        catalog={"shop": np.zeros(1, dtype=np.int64)},
        train=events,
        valid=events,
        triples=triples,
        link_item=none,
        link_entity=none,
        text=("",),
    )


def stage_run(folder, triples, truth=None, config=QUICK):
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
    stage.run(context, config)
    return files.read_json(out / "summary.json"), read_records(out / "metrics.json"), out


def test_the_shell_writes_what_merge_and_the_report_read(noisy, result, tmp_path):
    triples, truth = noisy
    summary, records, out = stage_run(tmp_path, triples, truth)
    written = pl.read_parquet(out / "triples.parquet")
    assert written.columns == ["probability", "keep", "weight", "guarded"]
    assert written["probability"].to_numpy() == pytest.approx(result.probability, abs=1e-6)
    assert pl.read_parquet(out / "said.parquet").columns == list(result.signals)
    found = {(r.group, r.split, r.metric): r.value for r in records}
    assert found["all", "test", "auroc"] == summary["truth"]["auroc"] > 0.7
    assert ("has_type", "test", "auroc") in found
    assert summary["kept"]["num_kept"] == written["keep"].sum()


def test_a_review_filled_in_is_taken_back(noisy, tmp_path):
    triples, truth = noisy
    _, _, out = stage_run(tmp_path / "first", triples, truth)
    asked = pl.read_csv(out / "review.csv", infer_schema=False)
    assert asked.height == 100 and asked["label"].null_count() == 100
    filled = tmp_path / "labels.csv"
    asked.with_columns(label=pl.lit("1")).write_csv(filled)
    config = DenoiseConfig(signals=("schema", "facts"), labels=str(filled))
    summary, _, out = stage_run(tmp_path / "second", triples, truth, config)
    assert summary["num_labels"] == 100
    named = set(zip(asked["head"], asked["relation"], asked["tail"], strict=True))
    ids = [f"e{number:04d}" for number in range(NUM_ENTITIES)]
    mine = [
        (ids[h], RELATIONS[r], ids[t]) in named
        for h, r, t in zip(triples.head.tolist(), triples.relation.tolist(), triples.tail.tolist(), strict=True)
    ]
    assert pl.read_parquet(out / "triples.parquet").filter(pl.Series(mine))["probability"].min() > 0.9
    judged = sum(count for _, _, count in summary["truth"]["reliability"])
    assert judged == len(triples) - 100, "what was labelled is not judged by"


def test_labels_are_part_of_the_fingerprint(tmp_path):
    labels, config = tmp_path / "labels.csv", tmp_path / "run.yaml"
    config.write_text(f"name: x\ningest:\n  tables:\n    folder: {tmp_path}\ndenoise:\n  labels: {labels}\n")
    with pytest.raises(ConfigError, match="denoise.labels: .*labels.csv: no such file; a run of denoise leaves"):
        make_recipes(load_config(config, []), ["ingest", "denoise"])
    prints = []
    for text in ("head,relation,tail,label\n", "head,relation,tail,label\na,b,c,1\n"):
        labels.write_text(text)
        prints.append(make_recipes(load_config(config, []), ["ingest", "denoise"])["denoise"].fingerprint)
    assert prints[0] != prints[1]


def test_the_shell_without_truth_and_without_triples(noisy, tmp_path):
    summary, records, _ = stage_run(tmp_path / "unknown", noisy[0], config=BRIEF)
    assert summary["truth"] is None
    assert {record.split for record in records} == {"valid"}
    summary, records, out = stage_run(tmp_path / "empty", triples_of([], [], []), np.empty(0, dtype=bool))
    assert (summary["num_triples"], summary["heldout"], summary["truth"], records) == (0, None, None, [])
    assert pl.read_parquet(out / "triples.parquet").height == 0


def test_shop_is_the_size_it_says():
    assert len(shop()) == 3 * NUM_ITEMS and EVIDENCE.num_relations == len(RELATIONS)
