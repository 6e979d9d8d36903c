"""Both regimes of pretraining: the same gradients where all neighbours are drawn, the same quality, exact resume."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from graphrec.core.errors import ConfigError
from graphrec.core.memory import available_memory
from graphrec.core.workspace import Workspace
from graphrec.encoders import part
from graphrec.encoders.config import EncoderConfig
from graphrec.encoders.part import Rows
from graphrec.encoders.pretrained import FULL, TRAIN
from graphrec.encoders.registry import make_encoder
from graphrec.graph.histories import Histories
from graphrec.graph.neighbourhood import Neighbourhood
from pretrain import regime as regimes
from pretrain.objectives.config import ObjectivesConfig
from pretrain.task import PretrainTask
from pretrain.validate import Validation
from tests.test_pretrain import CONFIG, checkerboard, parity_gap, run

SAMPLED = replace(CONFIG, regime="sampled")


def task_of(config, graph=None, domains=("a", "b"), seed=0):
    graph = graph or checkerboard()
    histories = Histories.of(graph, domains, with_valid=False)
    encoder = make_encoder(graph, histories, domains, config.encoder, seed)
    with torch.no_grad():
        for table in encoder.item_parameters():
            table += 0.1 * torch.randn(table.shape, generator=torch.Generator().manual_seed(1))
    task = PretrainTask(encoder, graph, config, Validation(graph, histories), seed)
    task.sampled = config.regime == "sampled"
    return task


def star(num_leaves=5, weight=None):
    """Node 2 is tied to nodes 10, 11, ...; node 4 is untouched."""
    touched = np.array([2, *range(10, 10 + num_leaves)])
    indptr = np.array([0, num_leaves, *range(num_leaves + 1, 2 * num_leaves + 1)])
    weight = np.ones(num_leaves, dtype=np.float32) if weight is None else np.array(weight, dtype=np.float32)
    indices = np.array([*range(1, num_leaves + 1), *([0] * num_leaves)])
    return Neighbourhood(touched, indptr, touched[indices], np.concatenate([weight, weight]))


@pytest.mark.parametrize("cold_items", [False, True])
def test_with_all_neighbours_a_sampled_step_has_the_loss_and_the_gradients_of_a_full_one(cold_items):
    full = task_of(replace(CONFIG, cold_items=cold_items))
    sampled = task_of(replace(SAMPLED, kg_fanout=1000, cold_items=cold_items))
    for (one, other), _ in zip(zip(full.batches(1), sampled.batches(1), strict=False), range(3), strict=False):
        assert np.array_equal(one[0].neg, other[0].neg)
        losses = full.loss(one), sampled.loss(other)
        assert torch.allclose(*losses, rtol=1e-5)
        for loss in losses:
            loss.backward()
        for name, parameter in full.parameters().items():
            grad = sampled.parameters()[name].grad
            assert grad.is_sparse == (name in sampled.encoder.tables)
            assert torch.allclose(parameter.grad, grad.to_dense(), atol=1e-6), name
            parameter.grad = sampled.parameters()[name].grad = None


def test_a_sampled_step_touches_the_rows_of_its_batch_alone():
    task = task_of(replace(SAMPLED, num_negatives=2, fit=replace(CONFIG.fit, batch_size=2)))
    (batch,) = next(iter(task.batches(1)))
    task.loss([batch]).backward()
    touched = set(task.encoder.score.grad.coalesce().indices()[0].tolist())
    items = task.catalogs[batch.domain][np.concatenate([batch.pos, batch.neg])]
    assert touched == set(items.tolist()) | {40 + item % 2 for item in items.tolist()}


def test_both_regimes_learn_the_checkerboard_equally_well(tmp_path):
    made = {
        config.regime: run(checkerboard(), ("a", "b"), tmp_path / config.regime, config)
        for config in (replace(CONFIG, regime="full"), SAMPLED)
    }
    for outcome in made.values():
        for history in (TRAIN, FULL):
            for domain in ("a", "b"):
                views, item = outcome.pretrained.user_views[history], outcome.pretrained.item[history]
                assert parity_gap(views[domain], item[domain]) > 0.3
    assert {name: outcome.summary["regime"]["name"] for name, outcome in made.items()} == {n: n for n in made}
    best = {name: max(row["valid"] for row in outcome.summary["curve"]) for name, outcome in made.items()}
    assert best["sampled"] == pytest.approx(best["full"], rel=0.15)


def test_a_killed_sampled_pretraining_resumes_to_the_same_bytes(tmp_path, monkeypatch):
    whole = run(checkerboard(), ("a", "b"), tmp_path / "whole", SAMPLED).pretrained
    batches = PretrainTask.batches

    def killed(self, epoch):
        if epoch == 4:
            raise KeyboardInterrupt
        return batches(self, epoch)

    monkeypatch.setattr(PretrainTask, "batches", killed)
    with pytest.raises(KeyboardInterrupt):
        run(checkerboard(), ("a", "b"), tmp_path / "killed", SAMPLED)
    monkeypatch.undo()
    resumed = run(checkerboard(), ("a", "b"), tmp_path / "killed", SAMPLED).pretrained
    assert np.array_equal(whole.item[FULL]["a"], resumed.item[FULL]["a"])
    assert np.array_equal(whole.user_views[FULL]["b"], resumed.user_views[FULL]["b"])


CHILD = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
torch.set_num_threads(1)
from tests.test_pretrain import CONFIG, checkerboard, run
config = replace(CONFIG, regime=sys.argv[2], fit=replace(CONFIG.fit, epochs=12, patience=12))
print("begins", flush=True)
made = run(checkerboard(num_users=400), ("a", "b"), Path(sys.argv[1]), config)
made.pretrained.save(Path(sys.argv[1]))
"""


def test_kill_9_and_a_second_start_end_with_the_same_bytes(tmp_path):
    def start(folder):
        # The full regime is killed in the tests of the pipeline.
        command = [sys.executable, "-c", CHILD, str(folder), "sampled"]
        return subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    assert start(whole).communicate() and (whole / "pretrained.safetensors").exists()
    victim = start(broken)
    deadline = time.monotonic() + 120
    while not list(broken.glob("pretrain.*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    assert list(broken.glob("pretrain.*.safetensors")) and not (broken / "pretrained.safetensors").exists()
    start(broken).communicate()
    assert (whole / "pretrained.safetensors").read_bytes() == (broken / "pretrained.safetensors").read_bytes()


def test_auto_takes_what_fits_says_why_and_stays_with_it(tmp_path, monkeypatch, caplog):
    encoder, caplog_level = task_of(CONFIG).encoder, caplog.set_level("INFO", logger="graphrec")
    assert caplog_level is None
    first, second = Workspace(tmp_path).part("1"), Workspace(tmp_path).part("2")
    assert regimes.choose_regime("auto", encoder, (), first).name == "full"
    assert "regime full, all nodes take about" in caplog.text
    monkeypatch.setattr(regimes, "available_memory", lambda: 1000)
    assert regimes.choose_regime("auto", encoder, (), first).name == "full", "a resumed run keeps its regime"
    assert regimes.choose_regime("auto", encoder, (), second).name == "sampled"
    assert regimes.choose_regime("full", encoder, (), second).summary()["why"] == "asked for"
    third = Workspace(tmp_path).part("3")
    assert regimes.choose_regime("auto", encoder, ("encoder x",), third).name == "full"
    assert "these need all in every step: encoder x" in caplog.text


def test_the_estimate_counts_gradients_moments_and_the_best_copy():
    encoder = task_of(CONFIG).encoder
    tables = 2 * 43 * 16 * 4
    assert regimes.full_bytes(encoder) == 4 * (tables + 4 * (4 + 2 * 30)) + 2 * tables


@pytest.mark.parametrize(
    "change, named",
    [
        ({"encoder": EncoderConfig(dim=16, kind="lightgcn")}, "encoder lightgcn"),
        ({"gradients": "pcgrad"}, "gradients: pcgrad"),
        ({"objectives": ObjectivesConfig(kg_view=0.1)}, "masked_edges or kg_view"),
    ],
)
def test_sampled_is_refused_where_something_needs_all_nodes(tmp_path, change, named):
    with pytest.raises(ConfigError, match=f"pretrain.regime: sampled does not go with {named}; use full or auto"):
        run(checkerboard(), ("a", "b"), tmp_path / "w", replace(SAMPLED, **change))


def test_memory_is_known_here():
    left = available_memory()
    assert left is None or left > 2**20


def test_few_neighbours_are_all_there_and_untouched_nodes_have_none():
    near = star(3, weight=(1, 2, 4)).near(np.array([4, 2, 11, 99]), 3, np.random.default_rng(0))
    assert near.start.tolist() == [0, 0, 3, 4] and near.node.tolist() == [10, 11, 12, 2]
    assert near.weight.tolist() == [1, 2, 4, 2]
    none = Neighbourhood.empty().near(np.array([4, 2]), 3, np.random.default_rng(0))
    assert none.start.tolist() == [0, 0] and not len(none.node)


def test_drawn_neighbours_have_the_mean_of_all():
    weight = np.array([1, 2, 3, 10, 0.5], dtype=np.float32)
    around, rng, sums = star(5, weight), np.random.default_rng(0), np.zeros(5)
    for _ in range(4000):
        near = around.near(np.array([2]), 2, rng)
        assert len(near.node) == 2 and near.weight.sum() == pytest.approx(16.5)
        np.add.at(sums, near.node - 10, near.weight)
    assert np.allclose(sums / 4000, weight, atol=0.35)


def test_rows_say_where_everything_is():
    rows = Rows.of(np.array([11, 2, 11, 4]), 20, star(3), 8, np.random.default_rng(0))
    assert rows.node.tolist() == [2, 4, 11] and rows.read.tolist() == [2, 4, 10, 11, 12]
    assert rows.place[[2, 4, 11]].tolist() == [0, 1, 2]
    assert rows.read[rows.own].tolist() == [2, 4, 11] and rows.read[rows.near].tolist() == [10, 11, 12, 2]


@pytest.mark.parametrize("nodes", [[11, 2, 11, 4], []])
def test_in_a_graph_much_larger_than_the_batch_rows_are_searched_and_the_same(nodes):
    asked = np.array(nodes, dtype=np.int64)
    # Anything as long as that graph would not fit into memory.
    small, large = (Rows.of(asked, size, star(3), 8, np.random.default_rng(0)) for size in (20, 10**15))
    for name in ("node", "read", "own", "near", "weight", "start"):
        one, other = getattr(small, name), getattr(large, name)
        assert np.array_equal(one, other) and one.dtype == other.dtype, name
    assert large.place is None and (small.place is not None or not nodes)
    find = (rows.places(torch.device("cpu"))(torch.from_numpy(asked)) for rows in (small, large))
    assert torch.equal(*find)


def test_searched_rows_train_to_the_same_bytes(tmp_path, monkeypatch):
    config = replace(SAMPLED, fit=replace(SAMPLED.fit, epochs=2), kg_fanout=4)
    made = [run(checkerboard(), ("a", "b"), tmp_path / "marked", config).pretrained]
    monkeypatch.setattr(part, "_SPARSE", 0)
    made.append(run(checkerboard(), ("a", "b"), tmp_path / "searched", config).pretrained)
    for domain in ("a", "b"):
        for kind in ("user_views", "item"):
            one, other = (getattr(m, kind)[FULL][domain] for m in made)
            assert np.array_equal(one, other)


def test_validation_draws_the_same_users_every_time(tmp_path):
    task = task_of(CONFIG)
    some = Validation(task.validation.graph, task.histories, limit=10, seed=3)
    everyone = dict(task.validation.ranks(task.encoder))
    for (domain, one), (_, two) in zip(some.ranks(task.encoder), some.ranks(task.encoder), strict=True):
        assert len(one) == 10 and np.array_equal(one.user, two.user) and np.array_equal(one.value, two.value)
        mine = np.isin(everyone[domain].user, one.user)
        assert np.array_equal(everyone[domain].value[mine], one.value)
        assert not np.array_equal(one.user, np.arange(10))
