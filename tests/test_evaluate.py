"""The evaluation: hand numbers on a tiny domain, the shapes that the report reads, and the shell."""

import json

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from graphrec.core.artifacts import Artifact
from graphrec.core.config import parse
from graphrec.core.errors import DataError
from graphrec.core.ids import IdMap
from graphrec.core.records import read_records
from graphrec.core.search import MemorySearch
from graphrec.core.stage import StageContext
from graphrec.core.tracking import NullTracker
from graphrec.core.types import FloatArray
from graphrec.core.workspace import Workspace
from graphrec.data.dataset import Dataset, DomainSplit, Events, Triples, domain_split, save_dataset
from graphrec.data.history import known_history, train_history
from graphrec.metrics.measures import CUTOFFS
from graphrec.metrics.scorers import VectorScorer
from graphrec.stages.config import EvaluateConfig
from graphrec.stages.evaluate import evaluate, mean_of_history, run

QUICK = EvaluateConfig(baselines=("popularity", "rp3beta"), bootstrap=100)


def pairs(*rows):
    table = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def make_split(train, valid, test, num_users=4, num_items=30) -> DomainSplit:
    columns = {}
    for name, rows in (("train", train), ("valid", valid), ("test", test)):
        columns[f"{name}_user"], columns[f"{name}_item"] = pairs(*rows)
    return DomainSplit(domain="tea", num_users=num_users, catalog=np.arange(num_items), **columns)


TRAIN = [(0, 0), (0, 1), (1, 0), (2, 0), (2, 2)]
SPLIT = make_split(TRAIN, [(0, 2), (1, 3)], [(0, 3), (1, 29), (3, 5)])


class Oracle:
    """Scores one item per user above all others."""

    def __init__(self, best: dict[int, int]):
        self.best = best

    def score(self, users) -> FloatArray:
        scores = np.zeros((len(users), 30), dtype=np.float32)
        for row, user in enumerate(users):
            scores[row, self.best.get(int(user), 0)] = 1
        return scores


def value(records, model, group, metric, k):
    found = [r.value for r in records if (r.model, r.group, r.metric, r.k) == (model, group, metric, k)]
    assert len(found) == 1
    return found[0]


def test_a_model_that_knows_the_answer_and_one_that_knows_half():
    models = {"graphrec": Oracle({0: 3, 1: 29}), "half": Oracle({0: 3})}
    records = evaluate(SPLIT, models, QUICK, seed=7).records
    assert value(records, "graphrec", "all", "ndcg", 10) == 1
    assert value(records, "graphrec", "all", "mrr", 50) == 1
    # User 1 has 2 known items: 29 is tied with the 27 other unseen ones, one of which is scored like it.
    assert value(records, "half", "all", "hr", 10) == 0.5
    assert value(records, "half", "all", "hr", 20) == 1.0
    assert {(r.stage, r.domain, r.split, r.seed) for r in records} == {("evaluate", "tea", "test", 7)}


def test_groups_split_the_pairs_by_training_popularity():
    evaluation = evaluate(SPLIT, {"graphrec": Oracle({0: 3, 1: 29})}, QUICK, seed=0)
    # Item 3 has a validation event but no training event: cold, as item 29.
    assert evaluation.summary["groups"] == {"all": 2, "head": 0, "mid": 0, "tail": 0, "cold": 2}
    assert value(evaluation.records, "-", "cold", "num_pairs", 0) == 2
    assert value(evaluation.records, "graphrec", "cold", "ndcg", 10) == 1
    assert not [r for r in evaluation.records if r.group == "head" and r.metric == "ndcg"]


def test_users_without_history_or_test_event_are_counted_not_ranked():
    summary = evaluate(SPLIT, {"graphrec": Oracle({})}, QUICK, seed=0).summary
    assert (summary["num_users"], summary["left_out_users"]) == (2, 2)


def test_coverage_is_the_share_of_the_catalogue_shown():
    records = evaluate(SPLIT, {"graphrec": Oracle({0: 3, 1: 29})}, QUICK, seed=0).records
    # User 0 knows items 0, 1, 2 and is shown 3, then 4..12; user 1 knows 0, 3 and is shown 29, then 1, 2, 4..10.
    assert value(records, "graphrec", "all", "coverage", 10) == pytest.approx(13 / 30)
    # Both know item 0 already.
    assert value(records, "graphrec", "all", "coverage", 50) == pytest.approx(29 / 30)


def test_summary_compares_with_the_best_baseline():
    models = {"graphrec": Oracle({0: 3, 1: 29}), "half": Oracle({0: 3})}
    summary = evaluate(SPLIT, models, QUICK, seed=0).summary
    best = summary["comparison"][0]["against"]
    assert best in QUICK.baselines and {row["against"] for row in summary["comparison"]} == {best}
    assert {row["model"] for row in summary["comparison"]} == {"graphrec", "half", *QUICK.baselines} - {best}
    ours = next(row for row in summary["differences"] if row["model"] == "half")
    assert ours["low"] <= ours["difference"] <= ours["high"] and ours["difference"] > 0
    assert (summary["ours"], summary["variants"]) == ("graphrec", ["half"])
    table = {(row["model"], row["group"]): row for row in summary["table"]}
    assert {f"{m}@{k}" for m in ("hr", "recall", "ndcg", "mrr", "coverage") for k in CUTOFFS} <= table[
        "half", "all"
    ].keys()
    json.dumps(summary, allow_nan=False)


def test_notes_of_baselines_reach_the_summary():
    config = parse(EvaluateConfig, {"baselines": ["ease"], "options": {"ease": {"max_items": 10}}}, source="test")
    summary = evaluate(SPLIT, {"graphrec": Oracle({})}, config, seed=0).summary
    assert summary["notes"] == ["ease: learned on the 10 most popular of 30 items"]


def test_nothing_to_compare_with_is_no_error():
    summary = evaluate(SPLIT, {"graphrec": Oracle({})}, EvaluateConfig(baselines=()), seed=0).summary
    assert summary["comparison"] == [] and summary["differences"] == []


def test_no_test_events_is_one_clear_line():
    with pytest.raises(DataError, match="domain tea: no user with a history has a test event"):
        evaluate(make_split(TRAIN, [], [(3, 5)]), {"graphrec": Oracle({})}, QUICK, seed=0)


def test_a_user_known_only_elsewhere_is_asked_about_when_told_so():
    best = {"graphrec": Oracle({0: 3, 1: 29, 3: 5})}
    assert evaluate(SPLIT, best, QUICK, seed=0).summary["num_users"] == 2
    both = evaluate(SPLIT, best, QUICK, seed=0, elsewhere=np.array([False, False, False, True]))
    assert both.summary["num_users"] == 3
    assert value(both.records, "graphrec", "all", "ndcg", 10) == 1
    assert both.summary["num_users_known_elsewhere"] == 1


def test_baselines_offer_what_is_popular_to_whom_they_do_not_know():
    # User 3 is known elsewhere alone; item 1 is the most popular one.
    train = [(0, 1), (0, 2), (1, 1), (1, 3), (2, 1)]
    config = EvaluateConfig(baselines=("rp3beta", "ease", "popularity"), bootstrap=100)
    found = evaluate(
        make_split(train, [], [(3, 1)]), {"graphrec": Oracle({3: 9})}, config, 0, elsewhere=np.ones(4, np.bool_)
    )
    assert [value(found.records, name, "all", "ndcg", 10) for name in config.baselines] == [1, 1, 1]


def test_same_seed_same_evaluation():
    models = {"graphrec": Oracle({0: 3})}
    config = EvaluateConfig(baselines=("ials", "ease"), bootstrap=100)
    assert evaluate(SPLIT, models, config, 1) == evaluate(SPLIT, models, config, 1)


def test_histories():
    assert np.argwhere(train_history(SPLIT).toarray()).tolist() == [list(row) for row in TRAIN]
    assert known_history(SPLIT).nnz == len(TRAIN) + 2 and known_history(SPLIT).dtype == np.float32


def test_mean_of_history():
    item = np.arange(60, dtype=np.float32).reshape(30, 2)
    mean = mean_of_history(known_history(SPLIT), item)
    np.testing.assert_allclose(mean, [[2, 3], [3, 4], [2, 3], [0, 0]])
    assert mean.dtype == np.float32


def events(user, item):
    return Events(user=user, item=item, domain=np.zeros(len(user), dtype=np.int64))


def sealed(folder, stage):
    return Artifact(folder, {"files": {p.name: {} for p in folder.iterdir()}, "stage": stage})


def test_shell_reads_the_contracts_and_writes_both_files(tmp_path):
    folders = {stage: tmp_path / stage for stage in ("ingest", "adapt", "longtail", "evaluate")}
    for folder in folders.values():
        folder.mkdir()
    numbers = pl.Series(np.arange(30))
    empty = np.empty(0, dtype=np.int64)
    dataset = Dataset(
        domains=("tea",),
        relations=(),
        users=IdMap.build("user", numbers[:4]),
        items=IdMap.build("item", numbers),
        entities=IdMap.build("entity", numbers[:0]),
        catalog={"tea": np.arange(30)},
        train=events(SPLIT.train_user, SPLIT.train_item),
        valid=events(SPLIT.valid_user, SPLIT.valid_item),
        triples=Triples(head=empty, relation=empty, tail=empty, confidence=empty.astype(np.float32)),
        link_item=empty,
        link_entity=empty,
        text=("",) * 30,
    )
    test = events(SPLIT.test_user, SPLIT.test_item)
    save_dataset(dataset, test, folders["ingest"])
    rng = np.random.default_rng(0)
    user, item = rng.standard_normal((4, 3)).astype(np.float32), rng.standard_normal((30, 3)).astype(np.float32)
    names, share = ("", "target_only.", "all_domains.", "vectors."), np.zeros(0, dtype=np.float32)
    arrays = (("user", user), ("item", item), ("share", share))
    adapted = {f"{n}{kind}": v.copy() for n in names for kind, v in arrays}
    save_file(adapted, folders["adapt"] / "adapted.safetensors")
    save_file({"item": item}, folders["longtail"] / "i2i.safetensors")
    context = StageContext(
        inputs={stage: sealed(folders[stage], stage) for stage in ("ingest", "adapt", "longtail")},
        out=folders["evaluate"],
        workspace=Workspace(tmp_path),
        tracker=NullTracker(),
        search=MemorySearch(),
        seed=3,
        target="tea",
        sources=(),
    )
    run(context, QUICK)
    records = read_records(folders["evaluate"] / "metrics.json")
    models = ["graphrec", "target_only", "all_domains", "vectors", "i2i", "popularity", "rp3beta"]
    assert list(dict.fromkeys(r.model for r in records if r.model != "-")) == models
    expected = evaluate(domain_split(dataset, "tea", test), {"graphrec": VectorScorer(user, item)}, QUICK, 3).records
    assert value(records, "graphrec", "all", "mrr", 50) == value(expected, "graphrec", "all", "mrr", 50)
    assert json.loads((folders["evaluate"] / "summary.json").read_text())["domain"] == "tea"
