"""The planted world: same seed same bytes, truth apart and right, roles that do not show, frozen difficulty."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize

import graphrec.data.simulate as simulator
from graphrec.cli.config import load_config
from graphrec.core.config import describe, parse
from graphrec.core.errors import ConfigError, DataError
from graphrec.data.simulate import FROZEN_SEEDS, SimulateConfig, WorldConfig
from graphrec.data.simulate.behaviour import Behaviour
from graphrec.data.simulate.contract import measure
from graphrec.data.simulate.events import LAST, SWITCH
from graphrec.data.simulate.plan import HARMFUL, HELPFUL, IRRELEVANT, draw_domains
from graphrec.data.simulate.reference import Reference, next_items
from graphrec.data.simulate.world import World, play_domains, simulate
from graphrec.data.simulate.write import plant, write_world
from graphrec.metrics.transferability import logme
from graphrec.stages.ingest import ingest, read
from tests.house import HOME

SMALL = {"target_users": 300, "target_items": 60, "source_items": 60, "interest": {"topics": 20}}


def config(**changes: object) -> WorldConfig:
    return parse(WorldConfig, {**SMALL, **changes}, source="test")


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(config(), 1)


def test_equal_seeds_give_equal_bytes_and_others_do_not(world: World, tmp_path: Path) -> None:
    write_world(world, tmp_path / "a", tmp_path / "a-truth")
    write_world(simulate(config(), 1), tmp_path / "b", tmp_path / "b-truth")
    for folder in ("{}", "{}-truth"):
        first, second = (sorted((tmp_path / folder.format(name)).glob("*.parquet")) for name in "ab")
        assert [p.name for p in first] == [p.name for p in second]
        assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    other = simulate(config(), 2).tables
    assert not any(table.equals(other[name]) for name, table in world.tables.items())


def test_tables_are_canonical_and_the_truth_is_apart(world: World, tmp_path: Path) -> None:
    assert {name: table.columns for name, table in world.tables.items()} == {
        "interactions": ["user", "item", "domain", "timestamp"],
        "items": ["item", "domain", "title", "text", "category", "brand"],
        "triples": ["head", "relation", "tail", "source", "confidence"],
        "links": ["item", "entity", "domain"],
    }
    write_world(world, tmp_path / "out", tmp_path / "truth")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"interactions.parquet", "items.parquet", "triples.parquet", "links.parquet", "world.yaml"}
    assert not {"role", "helpful", "harmful"} & set((tmp_path / "out" / "world.yaml").read_text().split())


def test_the_truth_agrees_with_the_tables(world: World) -> None:
    events, truth = world.tables["interactions"], world.truth
    assert not events.select("user", "item", "domain").is_duplicated().any()
    assert truth["triples"].drop("is_true", "kind").equals(world.tables["triples"])
    assert truth["items"].select("item", "domain").equals(world.tables["items"].select("item", "domain"))
    users = events.filter(domain=world.target)["user"].unique()
    assert set(truth["relevance"]["user"]) == set(users)
    counted = events.group_by("domain").len("events").sort("domain").cast({"events": pl.Int64})
    assert truth["domains"].select("domain", "events").equals(counted)
    assert sorted(truth["domains"].filter(role=HELPFUL)["domain"]) == world.true_subset
    chance = next_items(world.played[0])
    np.testing.assert_allclose(chance.sum(axis=1), 1, rtol=1e-9)
    items = truth["items"].filter(domain=world.target)
    np.testing.assert_allclose(items["share"].sum(), 20, rtol=1e-9)


def test_events_follow_what_is_wanted() -> None:
    interest = {"topics": 20, "passing_share": 0.8}
    target = play_domains(config(target_users=4000, target_items=600, interest=interest), 0)[0]
    late, users = target.events.time >= SWITCH, target.events.user
    np.testing.assert_array_equal(np.bincount(users[late]), LAST)
    assert np.bincount(users).min() >= 3
    # Late events follow the lasting interests; early ones, here, mostly not.
    chance = next_items(target)[users, target.events.item]
    assert chance[late].mean() > 1.3 * chance[~late].mean()
    topic = np.bincount(target.catalogue.topic[target.events.item[late]], minlength=20) / late.sum()
    np.testing.assert_allclose(topic, target.wanted.mean(axis=0), atol=0.02)


def distances(world: World) -> pl.DataFrame:
    """Every triple with both ends' latent entity, and the cosine between them."""
    ends = world.truth["entities"]
    joined = world.truth["triples"].join(ends, left_on="head", right_on="entity")
    joined = joined.join(ends, left_on="tail", right_on="entity", suffix="_tail")
    cosine = (np.array(joined["point"].to_list()) * np.array(joined["point_tail"].to_list())).sum(axis=1)
    return joined.with_columns(cosine=pl.Series(cosine))


def test_wrong_triples_are_wrong_and_of_their_kind() -> None:
    world = simulate(config(knowledge={"wrong_share": 0.4, "random": 1, "same_type": 2, "near": 1}), 5)
    facts = distances(world)
    # Apart from similar_to, a triple is true exactly when its ends have one topic and the tail the right type.
    plain = facts.filter(pl.col("relation") != "similar_to")
    types = facts.filter("is_true").group_by("relation").agg(pl.col("type_tail").unique())
    assert types["type_tail"].list.len().to_list() == [1] * 6
    right = plain.join(types.explode("type_tail").rename({"type_tail": "expected"}), on="relation")
    same = (right["topic"] == right["topic_tail"]) & (right["type_tail"] == right["expected"])
    assert (same == right["is_true"]).all()
    typed = right.filter(pl.col("kind").is_in(["same_type", "near"]))
    assert (typed["type_tail"] == typed["expected"]).all()
    mean = dict(facts.group_by("kind").agg(pl.col("cosine").mean()).iter_rows())
    assert mean["true"] > mean["near"] + 0.1 > mean["same_type"] + 0.3
    assert abs(mean["random"] - mean["same_type"]) < 0.15
    counts = dict(facts["kind"].value_counts().iter_rows())
    wrong = len(facts) - counts["true"]
    assert wrong == round(counts["true"] * 0.4 / 0.6)
    np.testing.assert_allclose([counts["random"], counts["same_type"]], [wrong / 4, wrong / 2], atol=1)
    assert not facts.select("head", "relation", "tail").is_duplicated().any()


def test_confidence_tells_a_little_and_no_more(world: World) -> None:
    rank = world.truth["triples"].with_columns(rank=pl.col("confidence").rank())
    true, wrong = rank.filter("is_true")["rank"], rank.filter(~pl.col("is_true"))["rank"]
    area = (true.sum() - len(true) * (len(true) + 1) / 2) / (len(true) * len(wrong))
    assert 0.6 < area < 0.8


def test_entities_bridge_domains(world: World) -> None:
    links = world.tables["links"].join(world.tables["triples"], left_on="entity", right_on="head")
    shared = links.group_by("tail").agg(pl.col("domain").n_unique())
    assert (shared["domain"] > 1).mean() > 0.2


def test_disjoint_domains_share_no_user_but_the_meaning_of_topics() -> None:
    agreement: dict[str, list[float]] = {HELPFUL: [], IRRELEVANT: [], HARMFUL: []}
    for seed in range(2):
        played = play_domains(config(users="disjoint", target_users=2000), seed)
        seen = np.concatenate([p.domain.users for p in played])
        assert len(np.unique(seen)) == len(seen)
        target = together(played[0])
        for p in played[1:]:
            agreement[p.domain.role].append(float(np.corrcoef(together(p), target)[0, 1]))
    # Topics wanted together in the target are so in a helpful domain, too, and nowhere else.
    assert min(agreement[HELPFUL]) > 0.6
    assert max(agreement[HARMFUL]) < 0.0 < 0.4 > max(agreement[IRRELEVANT])
    shared = play_domains(config(), 0)
    assert all(np.isin(p.domain.users, shared[0].domain.users).sum() > 50 for p in shared[1:])


def together(played: Behaviour) -> np.ndarray:
    """How much more often than by chance each pair of topics meets in one user."""
    counts = np.zeros(played.wanted.shape)
    np.add.at(counts, (played.events.user, played.catalogue.topic[played.events.item]), 1)
    counts -= counts.mean(axis=0)
    gram = counts.T @ counts / np.outer(counts.std(axis=0), counts.std(axis=0))
    return gram[np.triu_indices(len(gram), 1)]


def test_roles_show_in_no_name_size_or_user() -> None:
    one, _ = draw_domains(config(helpful=2, irrelevant=2, harmful=2), 7)
    other, _ = draw_domains(config(helpful=4, irrelevant=1, harmful=1), 7)
    assert [d.role for d in one] != [d.role for d in other]
    for a, b in zip(one, other, strict=True):
        assert (a.name, a.num_items, a.mean_events) == (b.name, b.num_items, b.mean_events)
        np.testing.assert_array_equal(a.users, b.users)
    targets = {draw_domains(config(), seed)[0][0].name for seed in range(40)}
    assert len(targets) > 10
    firsts = [sorted(draw_domains(config(), seed)[0][1:], key=lambda d: d.name)[0].role for seed in range(60)]
    assert all(10 <= firsts.count(role) <= 30 for role in (HELPFUL, IRRELEVANT, HARMFUL))


# Seed -> gains over the target alone and over all domains. Other numbers mean other worlds: search the seeds again.
FROZEN = {3: (0.07435, 0.11492), 16: (0.10730, 0.09878), 35: (0.05647, 0.13319)}


@pytest.mark.parametrize("seed", FROZEN)
def test_frozen_worlds_keep_their_contract(seed: int) -> None:
    assert len(set(FROZEN_SEEDS)) == 30
    assert seed in FROZEN_SEEDS
    found = measure(play_domains(WorldConfig(), seed))
    assert 0.05 <= found.gain_over_target <= 0.15
    assert 0.05 <= found.gain_over_all <= 0.15
    for effects in (found.alone, found.within):
        assert len(effects) == 6
        helps = {name: name in found.true_subset for name in effects}
        assert all((effect > 0.01) if helps[name] else (effect < -0.01) for name, effect in effects.items())
    assert found.holds
    assert max(found.error, found.effect_error) < 0.01
    np.testing.assert_allclose([found.gain_over_target, found.gain_over_all], FROZEN[seed], atol=5e-5)


def test_the_reference_is_a_ridge_regression_per_item_and_an_exact_expectation() -> None:
    played = play_domains(config(target_users=80, helpful=1, irrelevant=0, harmful=1), 3)
    reference = Reference.of(played)
    matrix, num = reference.matrix[:, np.concatenate(reference.columns[:2])], len(reference.columns[0])
    score = np.zeros((80, num))
    for item in range(num):
        rest = np.delete(matrix, item, axis=1)
        weight = np.linalg.solve(rest.T @ rest + 7 * np.eye(rest.shape[1]), rest.T @ matrix[:, item])
        score[:, item] = rest @ weight
    score[matrix[:, :num] > 0] = -np.inf
    gain = []
    for user in range(80):
        chance = next_items(played[0])[user] * (matrix[user, :num] == 0)
        best = np.argsort(-score[user])[:10]
        gain.append(sum(chance[i] / chance.sum() / np.log2(rank + 2) for rank, i in enumerate(best)))
    np.testing.assert_allclose(reference.ndcg([1], ridge=7.0), gain, rtol=1e-6)


def test_logme_is_the_greatest_log_evidence() -> None:
    rng = np.random.default_rng(0)
    features, noise = rng.normal(size=(60, 4)), rng.normal(size=60)
    label = features @ [1.0, -1.0, 0.5, 0.0] + noise

    def negative(logs: np.ndarray) -> float:
        alpha, beta = np.exp(logs)
        # y ~ N(0, I / beta + F F' / alpha)
        cover = np.eye(60) / beta + features @ features.T / alpha
        return 0.5 * (60 * np.log(2 * np.pi) + np.linalg.slogdet(cover)[1] + label @ np.linalg.solve(cover, label))

    best = -minimize(negative, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10}).fun / 60
    np.testing.assert_allclose(logme(features, label[:, None]), best, rtol=1e-5)
    assert logme(features, label[:, None]) > logme(rng.normal(size=(60, 4)), label[:, None])


def test_a_written_world_loads(world: World, tmp_path: Path) -> None:
    write_world(world, tmp_path / "w", tmp_path / "t")
    run = load_config(tmp_path / "w" / "world.yaml", [])
    assert run.target == world.target
    dataset = ingest(read(run.ingest), run.ingest, seed=0)[0].dataset
    assert sorted(dataset.domains) == sorted(world.roles())
    assert len(dataset.triples) == len(world.tables["triples"])
    told = "ingest.tables.triples=[{path: ../t/triples.parquet, label: is_true}]"
    labelled = load_config(tmp_path / "w" / "world.yaml", [told])
    labels = ingest(read(labelled.ingest), labelled.ingest, seed=0)[1]
    assert labels is not None
    assert labels.sum() == world.truth["triples"]["is_true"].sum() < len(labels)
    assert len(dataset.link_item) == world.tables["interactions"].select("item", "domain").n_unique()


def test_the_shipped_configuration_names_the_target_of_the_default_world() -> None:
    run = load_config(HOME / "configs" / "planted.yaml", [])
    assert run.target == play_domains(WorldConfig(), SimulateConfig().seed)[0].domain.name
    assert not [doc.path for doc in describe(SimulateConfig) if not doc.help.endswith(".")]


def test_folders_are_written_whole_or_not_at_all(world: World, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("kept")
    with pytest.raises(DataError, match="full: exists and is not an empty folder; choose another or remove it"):
        plant(tmp_path / "full")
    with pytest.raises(DataError, match="full: exists and is not an empty folder"):
        write_world(world, tmp_path / "out", tmp_path / "full")
    with pytest.raises(DataError, match="the truth must stand apart from the tables"):
        write_world(world, tmp_path / "out", tmp_path / "out" / "truth")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file: cannot be written: "):
        write_world(world, tmp_path / "out", tmp_path / "file" / "truth")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]
    (tmp_path / "out").mkdir()
    write_world(world, tmp_path / "out", tmp_path / "truth")
    assert (tmp_path / "truth" / "truth.json").is_file()


def test_the_options_alone_load_nothing_heavy() -> None:
    code = "import sys, graphrec.data.simulate; print({'polars', 'scipy', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
    assert all(getattr(simulator, name) for name in simulator.__all__)


def test_mistakes_in_options_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"target_user: unknown key; did you mean: target_users"):
        plant(tmp_path / "w", ["target_user=100"])
    with pytest.raises(ConfigError, match="interest.topics: 40 topics, but the smallest domain has 20 items"):
        plant(tmp_path / "w", ["target_items=20"])
    assert not list(tmp_path.iterdir())
