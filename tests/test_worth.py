"""The worth test: arms, cells that survive, comparisons by hand, a planted world where knowledge must show."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from graphrec.cli import worth as command
from graphrec.cli.config import RunConfig, load_config
from graphrec.cli.main import app
from graphrec.cli.worth import make_plan, measure_worth, summarize
from graphrec.cli.worth_arms import ALL, DENOISED, FULL, KNOWLEDGE, NONE, RANDOM, Arm, arm_graph, arms_of, shuffle_tails
from graphrec.cli.worth_measure import NDCG, RECALL, Measured, compare, measure, paired_p
from graphrec.core.artifacts import Recipe, RunFolder
from graphrec.core.config import to_mapping
from graphrec.core.errors import ConfigError, DataError
from graphrec.core.workspace import Workspace
from graphrec.data.dataset import Dataset, Events, Triples, save_dataset
from graphrec.data.simulate import plant
from graphrec.graph.build import build_graph
from graphrec.graph.graph import MultiDomainGraph
from graphrec.report.facts import Facts
from graphrec.report.sections.worth import worth
from graphrec.samplers.negatives import NegativeSampler
from graphrec.stages.config import MergeConfig
from graphrec.stages.ingest import ingest, read
from graphrec.stages.merge import Believed
from pretrain.config import PretrainConfig

WORLD = [
    "target_users=400",
    "target_items=320",
    "target_events=5",
    "helpful=1",
    "irrelevant=0",
    "harmful=0",
    "source_items=40",
    "source_overlap=0.2",
    "source_outside=0.1",
    "knowledge.wrong_share=0.3",
]
FIT = [
    "pretrain.temperature=0.3",
    "pretrain.encoder.kg_weight=4",
    "pretrain.encoder.dim=16",
    "pretrain.fit.epochs=4",
    "pretrain.fit.batch_size=256",
    "pretrain.num_negatives=256",
]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, Dataset, Events, np.ndarray]:
    """A world of few events and much knowledge, its test events, and which triples are true."""
    folder = tmp_path_factory.mktemp("world")
    plant(folder / "w", WORLD, folder / "truth")
    config = load_config(folder / "w" / "world.yaml", FIT)
    labelled = {"path": str(folder / "truth" / "triples.parquet"), "confidence": "confidence", "label": "is_true"}
    tables = replace(config.ingest.tables, triples=(replace(config.ingest.tables.triples[0], **labelled),))
    ingested = replace(config.ingest, tables=tables)
    built, labels = ingest(read(ingested), ingested, seed=0)
    assert labels is not None
    return replace(config, sources=()), built.dataset, built.test, labels.to_numpy().astype(bool)


def make_run(path: Path, config: RunConfig, dataset: Dataset, test: Events, true: np.ndarray) -> RunFolder:
    """A run whose ingest and denoise are finished; denoise knows the truth, but for one row in ten."""
    run = RunFolder(path)
    sure = np.where(true, 0.95, 0.05).astype(np.float32)
    sure[::10] = 0.5
    believed = pl.DataFrame({"probability": sure, "keep": sure > 0.1, "weight": sure * dataset.triples.confidence})
    first = Recipe(stage="ingest", config={}, seed=0, parents={}, code="", libraries={})
    second = replace(first, stage="denoise", parents={"ingest": first.fingerprint})
    run.make(first, lambda out, _: save_dataset(dataset, test, out), facts={})
    run.make(second, lambda out, _: believed.write_parquet(out / "triples.parquet"), facts={})
    entries = {"name": "w", "target": config.target, "sources": [], "seed": 0, "config": to_mapping(config)}
    run.publish({"ingest": first, "denoise": second}, **entries)
    return run


@pytest.fixture(scope="module")
def run(planted: tuple[RunConfig, Dataset, Events, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_run(tmp_path_factory.mktemp("worth") / "run", *planted)


def cell(*ndcg: float) -> Measured:
    values = np.array(ndcg)
    return Measured(user=np.arange(len(values)), ndcg=values, recall=values / 2, best_epoch=1)


def tied(relations: tuple[str, ...], rows: list[tuple[int, int, int]], like: Dataset) -> Dataset:
    head, relation, tail = np.array(rows, dtype=np.int64).T
    triples = Triples(head=head, relation=relation, tail=tail, confidence=np.ones(len(rows), np.float32))
    return replace(like, relations=relations, triples=triples)


def test_knowledge_shows_where_events_are_few(run: RunFolder) -> None:
    found = measure_worth(run.path, [], 2)
    scores = {row["arm"]: row[NDCG]["mean"] for row in found["arms"]}
    assert scores[FULL] > scores[NONE]
    assert scores[DENOISED] > scores[RANDOM]
    pairs = {(row["arm"], row["against"]): row[NDCG] for row in found["comparisons"]}
    assert pairs[DENOISED, NONE]["p"] < 0.05
    assert pairs[DENOISED, NONE]["low"] > 0
    assert pairs[DENOISED, NONE]["difference"] == pytest.approx(scores[DENOISED] - scores[NONE])
    assert found["num_users"] > 250
    section = worth(Facts.read(run))
    assert not section["stale"]
    assert len(section["arms"]) == 4


def test_finished_cells_are_kept_and_more_seeds_add_to_them(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    before = measure_worth(run.path, [], 2)
    asked = []

    def counted(graph: MultiDomainGraph, test: Events, *_: object, seed: int, **__: object) -> Measured:
        asked.append(seed)
        users = np.unique(test.user)
        return Measured(user=users, ndcg=np.zeros(len(users)), recall=np.zeros(len(users)), best_epoch=1)

    monkeypatch.setattr(command, "measure", counted)
    assert measure_worth(run.path, [], 2) == before
    assert asked == []
    again = measure_worth(run.path, [], 3)
    assert len(asked) == 4
    assert len(set(asked)) == 1
    assert again["seeds"] == 3
    assert again["arms"][0][NDCG]["mean"] == pytest.approx(before["arms"][0][NDCG]["mean"] * 2 / 3)
    assert not list(run.path.glob("worth/*/*-0"))


def test_a_changed_option_is_another_measurement(run: RunFolder) -> None:
    one, other = make_plan(run, []), make_plan(run, ["pretrain.encoder.kg_weight=1"])
    assert one.recipe.fingerprint == make_plan(run, []).recipe.fingerprint
    assert one.recipe.fingerprint != other.recipe.fingerprint
    assert one.domains[0] == one.target
    assert len(one.domains) == 2


def test_a_run_that_changed_makes_the_measurement_stale(run: RunFolder) -> None:
    facts = Facts.read(run)
    other = replace(facts, worth={**facts.worth, "made_from": {**facts.worth["made_from"], "denoise": "other"}})
    assert "graphrec worth RUN" in worth(other)["stale"]
    assert "Not measured" in worth(replace(facts, worth={}))["missing"]


def test_the_random_graph_keeps_degrees_and_relations(planted: tuple[RunConfig, Dataset, Events, np.ndarray]) -> None:
    triples = planted[1].triples
    dealt = shuffle_tails(triples, 1)
    assert (dealt.head == triples.head).all()
    assert (dealt.relation == triples.relation).all()
    for relation in np.unique(triples.relation):
        rows = triples.relation == relation
        assert (np.sort(dealt.tail[rows]) == np.sort(triples.tail[rows])).all()
    assert (dealt.tail != triples.tail).mean() > 0.8
    assert (dealt.tail == shuffle_tails(triples, 1).tail).all()


def test_each_arm_has_its_graph(planted: tuple[RunConfig, Dataset, Events, np.ndarray]) -> None:
    data = tied(("about", "also_bought"), [(0, 0, 1), (0, 0, 2), (3, 1, 4)], planted[1])
    data = replace(data, link_item=np.empty(0, np.int64), link_entity=np.empty(0, np.int64))
    weight = np.array([0.9, 0.2, 0.8], np.float32)
    believed = Believed(probability=weight, keep=weight > 0.5, weight=weight)

    def edges(name: str, part: str = ALL) -> list[float]:
        graph = arm_graph(data, believed, Arm(name, part), MergeConfig(), 0)
        return sorted(float(w) for e in graph.knowledge.values() for w in e.weight)

    assert edges(FULL) == [1, 1, 1]
    assert edges(FULL, KNOWLEDGE) == [1, 1]
    assert edges(DENOISED) == pytest.approx([0.8, 0.9])
    assert edges(DENOISED, KNOWLEDGE) == pytest.approx([0.9])
    assert edges(NONE) == []
    assert len(edges(RANDOM)) == 3
    assert [(arm.name, arm.relations) for arm in arms_of(data)][3:] == [
        (FULL, KNOWLEDGE),
        (DENOISED, KNOWLEDGE),
        (RANDOM, KNOWLEDGE),
        (NONE, ALL),
    ]
    assert len(arms_of(replace(data, relations=("also_bought",)))) == 4


def test_differences_are_paired_over_users() -> None:
    found = compare([cell(0.1, 0.4, 0.3), cell(0.3, 0.4, 0.5)], [cell(0.0, 0.2, 0.2), cell(0.2, 0.4, 0.4)], 0)
    # Means over seeds: .2 .4 .4 against .1 .3 .3, the difference .1 for every user.
    assert found[NDCG]["difference"] == pytest.approx(0.1)
    assert found[NDCG]["low"] == pytest.approx(0.1)
    assert found[NDCG]["by_seed"] == pytest.approx([0.4 / 3, 0.2 / 3])
    assert found[RECALL]["difference"] == pytest.approx(0.05)
    # t = 2 / (1 / sqrt 3) with 2 degrees of freedom.
    assert paired_p(np.array([1.0, 2.0, 3.0])) == pytest.approx(0.0741799, abs=1e-6)
    assert paired_p(np.array([0.0, 0.0])) == 1.0


def test_behaviour_is_compared_apart() -> None:
    cells = {Arm(FULL): [cell(0.5, 0.6)], Arm(FULL, KNOWLEDGE): [cell(0.2, 0.3)], Arm(NONE): [cell(0.1, 0.1)]}
    rows = summarize(cells, 0)["comparisons"]
    assert [(row["relations"], row["arm"], row["against"]) for row in rows] == [
        (ALL, FULL, NONE),
        (KNOWLEDGE, FULL, NONE),
    ]
    assert [row[NDCG]["difference"] for row in rows] == pytest.approx([0.45, 0.15])


def test_items_nobody_met_are_reached_by_knowledge_alone(
    planted: tuple[RunConfig, Dataset, Events, np.ndarray],
) -> None:
    config, whole, _, true = planted
    held = np.isin(whole.train.item, whole.catalog[config.target][::5])
    data = replace(whole, train=whole.train.where(~held))
    domain = data.domain_index(config.target)
    test = whole.train.where(held).of(domain)
    options = replace(config.pretrain, cold_items=True)

    def score(keep: np.ndarray, options: PretrainConfig) -> float:
        graph = build_graph(data, data.triples.confidence, keep=keep)
        with Workspace.temporary() as workspace:
            found = measure(graph, test, config.target, (config.target,), options, seed=0, workspace=workspace)
        return float(found.ndcg.mean())

    assert score(true, options) > 3 * score(true, config.pretrain)
    # Without a triple they all have the same zero vector, and never come first.
    assert score(~true & true, options) < 0.01


def test_negatives_can_be_kept_to_items_that_somebody_met() -> None:
    sampler = NegativeSampler.of(np.array([0, 3, 0, 1]), 0.0, met_only=True)
    assert set(sampler.draw(np.random.default_rng(0), 100).tolist()) == {1, 3}
    assert np.exp(sampler.log_q) == pytest.approx([0, 0.5, 0, 0.5])
    by_popularity = NegativeSampler.of(np.array([0, 3, 0, 1]), 1.0, met_only=True)
    assert set(by_popularity.draw(np.random.default_rng(0), 100).tolist()) == {1, 3}
    assert np.exp(by_popularity.log_q) == pytest.approx([0, 2 / 3, 0, 1 / 3])


def test_what_cannot_be_measured_is_said_in_one_line(
    planted: tuple[RunConfig, Dataset, Events, np.ndarray], run: RunFolder, tmp_path: Path
) -> None:
    config, dataset, test, _ = planted
    none = np.empty(0, dtype=np.int64)
    empty = Triples(head=none, relation=none, tail=none, confidence=none.astype(np.float32))
    bare = make_run(tmp_path / "bare", config, replace(dataset, triples=empty), test, none.astype(bool))
    with pytest.raises(DataError, match="no triples"):
        measure_worth(bare.path, [], 1)
    with pytest.raises(ConfigError, match="ingest.split.kind=random"):
        make_plan(run, ["ingest.split.kind=random"])
    with pytest.raises(DataError, match="no user with a history"):
        nobody = test.where(np.zeros(len(test), dtype=np.bool_))
        graph = build_graph(dataset, dataset.triples.confidence)
        with Workspace.temporary() as workspace:
            fast = replace(config.pretrain, fit=replace(config.pretrain.fit, epochs=0))
            measure(graph, nobody, config.target, (config.target,), fast, seed=0, workspace=workspace)


def test_the_command_prints_both_tables(run: RunFolder) -> None:
    done = CliRunner().invoke(app, ["worth", str(run.path), "--seeds", "2"], catch_exceptions=False)
    assert done.exit_code == 0
    for word in ("denoised", "random", "95 %", "Denoising changes NDCG@10"):
        assert word in done.output
