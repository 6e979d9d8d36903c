"""Pairs of random walks by hand counts; the item-to-item model on a world where only entities tell."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from scipy.sparse import csr_array

from graphrec.core.tracking import NullTracker
from graphrec.core.workspace import Workspace
from graphrec.data.dataset import DomainSplit
from graphrec.graph.graph import Edges, MultiDomainGraph
from graphrec.samplers.config import PairsConfig
from graphrec.samplers.pairs import Pairs, item_links, item_pairs, walk_pairs
from graphrec.stages.config import LongtailConfig
from graphrec.stages.longtail import ItemTask, longtail, nearest
from graphrec.training.config import FitConfig
from graphrec.training.loop import fit


def matrix(rows: list[list[float]]) -> csr_array:
    return csr_array(np.array(rows, dtype=np.float32))


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def as_dict(pairs: Pairs) -> dict[tuple[int, int], float]:
    return dict(zip(zip(pairs.item.tolist(), pairs.neighbour.tolist(), strict=True), pairs.weight, strict=True))


def test_pairs_meet_in_the_middle():
    # Items 0 and 1 share a user, item 2 has one of its own, item 3 none.
    incidence = matrix([[1, 0], [1, 0], [0, 1], [0, 0]])
    pairs = walk_pairs(incidence, np.full(4, 10), accept=np.ones(4), top=5, seed=1)
    assert as_dict(pairs) == {(0, 1): 1.0, (1, 0): 1.0}


def test_weights_are_shares_of_visits():
    # From item 0 a walk stays (1/4) or reaches 1, 2 or 3, each as likely.
    pairs = walk_pairs(matrix([[1], [1], [1], [1]]), ints(20_000, 0, 0, 0), accept=np.ones(4), top=5, seed=1)
    assert pairs.item.tolist() == [0, 0, 0]
    assert pairs.weight == pytest.approx([1 / 3] * 3, abs=0.02)
    assert pairs.weight.sum() == pytest.approx(1)


def test_accept_thins_and_top_cuts():
    incidence, walks = matrix([[1], [1], [1], [1]]), ints(20_000, 0, 0, 0)
    thin = as_dict(walk_pairs(incidence, walks, accept=np.array([1, 1, 0.5, 0]), top=5, seed=1))
    assert set(thin) == {(0, 1), (0, 2)} and thin[0, 1] / thin[0, 2] == pytest.approx(2, rel=0.1)
    assert set(as_dict(walk_pairs(incidence, walks, accept=np.array([1, 1, 0.5, 0]), top=1, seed=1))) == {(0, 1)}


def test_weighted_walks_prefer_trusted_edges():
    incidence = matrix([[0.9, 0.1], [1, 0], [0, 1]])
    pairs = as_dict(walk_pairs(incidence, ints(20_000, 0, 0), accept=np.ones(3), top=5, weighted=True, seed=1))
    # 0 -> middle 0 -> 1: .9 * 1/1.9; 0 -> middle 1 -> 2: .1 * 1/1.1.
    assert pairs[0, 1] / pairs[0, 2] == pytest.approx((0.9 / 1.9) / (0.1 / 1.1), rel=0.1)


def test_no_walks_no_pairs():
    assert len(walk_pairs(matrix([[1], [1]]), ints(0, 0), accept=np.ones(2), top=5, seed=1)) == 0
    empty = csr_array((3, 0), dtype=np.float32)
    assert len(walk_pairs(empty, ints(5, 5, 5), accept=np.ones(3), top=5, seed=1)) == 0


def test_blocks_of_items_make_no_gap(monkeypatch):
    incidence = matrix(np.ones((30, 1)).tolist())
    monkeypatch.setattr("graphrec.samplers.pairs._BLOCK", 64)
    pairs = walk_pairs(incidence, np.full(30, 20), accept=np.ones(30), top=3, seed=1)
    assert np.unique(pairs.item).tolist() == list(range(30)) and np.bincount(pairs.item).max() <= 3


def test_rare_items_walk_more_and_reach_items_without_events():
    # Item 0 is popular, 1 rare, 2 has no event but shares an entity with 1.
    history = matrix([[1, 0, 0]] * 3 + [[1, 1, 0]])
    links = matrix([[0], [1], [1]])
    pairs = item_pairs(history, links, np.array([False, True, True]), PairsConfig(walks=200), seed=1)
    assert set(as_dict(pairs)) == {(0, 1), (1, 0), (1, 2), (2, 1)}
    assert as_dict(pairs)[2, 1] == pytest.approx(0.5)
    users_only = item_pairs(history, csr_array((3, 0)), np.array([False, True, True]), PairsConfig(walks=200), seed=1)
    assert set(as_dict(users_only)) == {(0, 1), (1, 0)}


def test_links_of_one_domain():
    # The domain has items 1 and 3 of four, there are two entities.
    def edges(source: int, target: int, weight: float) -> Edges:
        return Edges(source=ints(source), target=ints(target), weight=np.array([weight], dtype=np.float32))

    knowledge = {
        ("item", "brand", "entity"): edges(3, 1, 0.9),
        ("entity", "made", "item"): edges(0, 1, 0.8),
        ("item", "like", "item"): edges(1, 3, 0.7),
        ("entity", "is", "entity"): edges(0, 1, 0.5),
    }
    graph = MultiDomainGraph(
        num_users=1, num_items=4, num_entities=2, catalog={"d": ints(1, 3)}, events={}, knowledge=knowledge
    )
    assert item_links(graph, "d").toarray() == pytest.approx(
        np.array([[0.8, 0, 0, 0, 0, 0.7], [0, 0.9, 0, 0, 0, 0.7]], dtype=np.float32)
    )
    assert item_links(replace(graph, knowledge={}), "d").nnz == 0
    assert item_links(replace(graph, catalog={"d": ints()}), "d").shape == (0, 6)


def test_nearest_by_hand():
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 0], [0, 1]], dtype=np.float32)
    table = nearest(vectors, 5)
    assert table.rows() == [
        (0, 1, 1, pytest.approx(0.8)),
        (0, 3, 2, 0.0),
        (1, 0, 1, pytest.approx(0.8)),
        (1, 3, 2, pytest.approx(0.6)),
        (3, 1, 1, pytest.approx(0.6)),
        (3, 0, 2, 0.0),
    ]
    assert nearest(np.zeros((3, 2), dtype=np.float32), 5).schema == table.schema
    assert nearest(vectors[:1], 5).height == 0


NUM_TOPICS, PER_TOPIC = 10, 6


def planted() -> tuple[DomainSplit, csr_array, np.ndarray]:
    """Every item belongs to a topic (its entity); users stay within one. The given vectors know nothing."""
    rng = np.random.default_rng(0)
    num_items = NUM_TOPICS * PER_TOPIC
    users = np.arange(200)
    liked = np.array([rng.permutation(PER_TOPIC)[:3] + PER_TOPIC * (u % NUM_TOPICS) for u in users])
    split = DomainSplit(
        domain="d",
        num_users=len(users),
        catalog=np.arange(num_items),
        train_user=np.repeat(users, 2),
        train_item=liked[:, :2].ravel(),
        valid_user=users,
        valid_item=liked[:, 2],
        test_user=ints(),
        test_item=ints(),
    )
    topic = np.arange(num_items) // PER_TOPIC
    links = csr_array((np.ones(num_items, dtype=np.float32), (np.arange(num_items), topic)))
    return split, links, rng.normal(size=(num_items, 16)).astype(np.float32)


CONFIG = LongtailConfig(fit=FitConfig(epochs=20, lr=0.03, batch_size=256, patience=5), negatives=64, neighbours=5)


def train(split, links, vectors, config=CONFIG, seed=1):
    with Workspace.temporary() as workspace:
        both = {"train": vectors, "full": vectors}
        return longtail(split, links, both, config, seed=seed, workspace=workspace, tracker=NullTracker())


def same_topic(neighbours: pl.DataFrame) -> float:
    return float((neighbours["item"] // PER_TOPIC == neighbours["neighbour"] // PER_TOPIC).mean())


def test_the_planted_topics_are_found():
    split, links, vectors = planted()
    model = train(split, links, vectors)
    assert same_topic(nearest(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), 5)) < 0.2
    assert same_topic(model.neighbours) > 0.95
    heldout = {row["group"]: row for row in model.summary["heldout"]}["all"]
    assert heldout["after"] > heldout["before"] + 0.2
    assert np.linalg.norm(model.item, axis=1) == pytest.approx(np.ones(len(vectors)), abs=1e-5)
    assert model.summary["best_epoch"] > 0 and model.summary["num_pairs"] > 0


def test_without_a_knowledge_graph_users_suffice():
    split, _, vectors = planted()
    model = train(split, csr_array((len(vectors), 0), dtype=np.float32), vectors)
    assert same_topic(model.neighbours) > 0.9


def test_vectors_that_cannot_be_bettered_ship_as_they_are():
    split, links, _ = planted()
    perfect = np.repeat(np.eye(NUM_TOPICS, dtype=np.float32), PER_TOPIC, axis=0)
    model = train(split, links, perfect)
    assert model.summary["best_epoch"] == 0 and "ship as they are" in model.summary["reason"]
    assert model.item == pytest.approx(perfect)


def test_an_item_that_nothing_is_known_of_stays_zero():
    split, links, vectors = planted()
    more = replace(split, catalog=np.arange(len(vectors) + 2))
    vectors = np.concatenate([vectors, np.zeros((2, 16), dtype=np.float32)])
    # The first new item shares an entity with topic 0, the second has nothing.
    links = csr_array(
        (np.append(links.data, 1.0), (np.append(np.arange(60), 60), np.append(links.indices, 0))), (62, 10)
    )
    model = train(more, links, vectors)
    assert not model.item[61].any() and model.summary["num_items_without_vector"] == 1
    found = model.neighbours.filter(pl.col("item") == 60)["neighbour"].to_numpy()
    assert np.all(found // PER_TOPIC == 0)
    assert not (model.neighbours["neighbour"] == 61).any()


def test_no_validation_and_no_events():
    split, links, vectors = planted()
    blind = replace(split, valid_user=ints(), valid_item=ints())
    model = train(blind, links, vectors)
    assert model.summary["heldout"] == [] and "unjudged" in model.summary["reason"]
    nothing = replace(blind, train_user=ints(), train_item=ints())
    assert train(nothing, links, vectors).summary["num_pairs"] > 0
    assert train(nothing, csr_array((60, 0)), vectors).summary["num_pairs"] == 0


def test_same_seed_same_bytes():
    split, links, vectors = planted()
    first, second = train(split, links, vectors), train(split, links, vectors)
    assert first.item.tobytes() == second.item.tobytes() and first.neighbours.equals(second.neighbours)
    assert first.item.tobytes() != train(split, links, vectors, seed=2).item.tobytes()


def test_a_killed_fit_goes_on_to_the_same_bytes(tmp_path):
    split, links, vectors = planted()
    pairs = item_pairs(csr_array((200, 60)), links, np.ones(60, dtype=bool), PairsConfig(), seed=1)
    config = replace(CONFIG, fit=FitConfig(epochs=6, lr=0.03))

    def run(folder, stop_after):
        task = ItemTask(vectors, pairs, None, config, seed=1)
        given = task.batches

        def batches(epoch):
            if stop_after is not None and epoch > stop_after:
                raise KeyboardInterrupt
            return given(epoch)

        task.batches = batches
        fit(task, config.fit, seed=1, workspace=Workspace(folder), tracker=NullTracker(), label="i2i")
        return task.vectors().tobytes()

    whole, part = tmp_path / "whole", tmp_path / "part"
    whole.mkdir(), part.mkdir()
    with pytest.raises(KeyboardInterrupt):
        run(part, 3)
    assert run(part, None) == run(whole, None)


def test_a_catalogue_of_two_has_a_finite_loss():
    pairs = Pairs(item=ints(0), neighbour=ints(1), weight=np.ones(1, dtype=np.float32))
    task = ItemTask(np.eye(2, dtype=np.float32), pairs, None, CONFIG, seed=1)
    loss = task.loss(next(iter(task.batches(1))))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0)
    assert all(torch.isfinite(p.grad).all() for p in task.parameters().values())
