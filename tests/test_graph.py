"""The graph: triples resolved through links, histories with one event left out, propagation, the merge stage."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from graphrec.core.errors import ArtifactError, ConfigError
from graphrec.core.ids import IdMap
from graphrec.data.dataset import Dataset, Events, Triples
from graphrec.graph import _numba_propagate
from graphrec.graph._pyg import to_hetero
from graphrec.graph.adjacency import propagate, symmetric_adjacency, to_torch
from graphrec.graph.build import build_graph
from graphrec.graph.graph import EventEdges, MultiDomainGraph
from graphrec.graph.histories import Histories
from graphrec.stages.config import MergeConfig
from graphrec.stages.merge import Believed, merge, summarize, with_texts
from graphrec.text.config import ReadConfig


def ids(*values):
    return np.array(values, dtype=np.int64)


def events(*rows):
    user, item, domain = zip(*rows, strict=True)
    return Events(user=ids(*user), item=ids(*item), domain=ids(*domain))


def dataset(triples=((0, 0, 1), (0, 0, 2), (2, 1, 3), (1, 1, 0)), confidence=(1.0, 0.5, 1.0, 1.0)):
    """Two users, items 0-2 in `a` and 3-4 in `b`; entity 0 is items 0 and 3, entity 1 is item 1, 2 and 3 are none."""
    head, relation, tail = (ids(*column) for column in zip(*triples, strict=True)) if triples else (ids(),) * 3
    return Dataset(
        domains=("a", "b"),
        relations=("like", "near"),
        users=IdMap.build("user", pl.Series(["u0", "u1"])),
        items=IdMap.build("item", pl.Series([f"i{i}" for i in range(5)])),
        entities=IdMap.build("entity", pl.Series([f"e{i}" for i in range(4)])),
        catalog={"a": ids(0, 1, 2), "b": ids(3, 4)},
        train=events((0, 2, 0), (0, 0, 0), (1, 1, 0), (0, 4, 1)),
        valid=events((0, 1, 0), (0, 3, 1)),
        triples=Triples(head=head, relation=relation, tail=tail, confidence=np.array(confidence, dtype=np.float32)),
        link_item=ids(0, 3, 1),
        link_entity=ids(0, 0, 1),
        text=("",) * 5,
    )


def built(weight=(1.0, 0.4, 0.5, 0.02), **options):
    return build_graph(dataset(), np.array(weight, dtype=np.float32), **options)


def listed(graph):
    return {
        key: [(int(s), int(t), round(float(w), 4)) for s, t, w in zip(e.source, e.target, e.weight, strict=True)]
        for key, e in graph.knowledge.items()
    }


def test_triple_ends_become_the_linked_items():
    assert listed(built()) == {
        ("entity", "near", "entity"): [(2, 3, 0.5)],
        ("item", "like", "entity"): [(0, 2, 0.4), (3, 2, 0.4)],
        ("item", "like", "item"): [(0, 1, 1.0), (3, 1, 1.0)],
        ("item", "near", "item"): [(1, 0, 0.02), (1, 3, 0.02)],
    }


def test_kept_triples_and_dropped_relations():
    assert set(listed(built(keep=np.array([True, True, True, False])))) == {
        ("entity", "near", "entity"),
        ("item", "like", "entity"),
        ("item", "like", "item"),
    }
    assert set(listed(built(drop_relations=("like",)))) == {("entity", "near", "entity"), ("item", "near", "item")}
    with pytest.raises(ConfigError, match="drop_relations: no relation 'lik'; known relations: like, near"):
        built(drop_relations=("lik",))


def test_doubled_edges_keep_the_better_weight_and_self_loops_go():
    data = dataset(triples=((0, 0, 1), (0, 0, 1), (1, 0, 1)), confidence=(0.3, 0.9, 1.0))
    graph = build_graph(data, data.triples.confidence)
    assert listed(graph) == {("item", "like", "item"): [(0, 1, 0.9), (3, 1, 0.9)]}


def test_events_keep_time_order_with_validation_last():
    a = built().events["a"]
    assert a.user.tolist() == [0, 0, 0, 1] and a.item.tolist() == [2, 0, 1, 1]
    assert a.valid.tolist() == [False, False, True, False]


def test_a_graph_without_triples_survives_save_and_load(tmp_path):
    graph = build_graph(dataset(triples=(), confidence=()), np.empty(0, dtype=np.float32))
    graph.save(tmp_path)
    assert MultiDomainGraph.load(tmp_path).knowledge == {}


def test_save_and_load(tmp_path):
    graph = built()
    graph.save(tmp_path)
    back = MultiDomainGraph.load(tmp_path)
    assert back.num_nodes() == {"user": 2, "item": 5, "entity": 4} and back.domains == ("a", "b")
    assert listed(back) == listed(graph)
    for domain in ("a", "b"):
        assert np.array_equal(back.catalog[domain], graph.catalog[domain])
        assert all(np.array_equal(x, vars(back.events[domain])[n]) for n, x in vars(graph.events[domain]).items())
    (tmp_path / "graph.json").write_text((tmp_path / "graph.json").read_text().replace('"b"', '"c"'))
    with pytest.raises(ArtifactError, match="lacks 'catalog/c'; run merge again"):
        MultiDomainGraph.load(tmp_path)


def test_hetero_data_has_every_edge_type():
    data = to_hetero(built())
    assert data["user"].num_nodes == 2 and data["user", "a", "item"].edge_index.tolist() == [[0, 0, 0, 1], [2, 0, 1, 1]]
    assert data["user", "b", "item"].valid.tolist() == [False, True]
    assert data["item", "like", "item"].edge_weight.tolist() == [1.0, 1.0]
    data.validate()


def believed(*rows):
    probability, keep, weight = zip(*rows, strict=True)
    kept, given = (
        np.array(keep, dtype=np.bool_),
        (np.array(column, dtype=np.float32) for column in (probability, weight)),
    )
    return Believed(**dict(zip(("probability", "weight"), given, strict=True)), keep=kept)


def test_merge_stage_counts_what_it_did():
    said = believed((1, True, 0.9), (0.8, True, 0.4), (0.5, True, 0.5), (0.3, False, 0.3))
    config = MergeConfig(drop_relations=("near",))
    summary = summarize(dataset(), said, merge(dataset(), said, config), config)
    assert summary["num_triples_dropped"] == 2 and summary["num_triples_not_kept"] == 1
    assert summary["num_triples_below_threshold"] == 0
    assert summary["num_event_edges"] == 6 and summary["num_knowledge_edges"] == 4
    assert summary["events"][0] == {"source": "user", "name": "a", "target": "item", "num_edges": 4, "num_valid": 1}


def test_merge_takes_what_denoise_keeps_with_its_weight():
    said = believed((0.9, True, 0.7), (0.8, False, 0.4), (0.2, True, 0.1), (0.6, True, 0.6))
    assert listed(merge(dataset(), said, MergeConfig())) == {
        ("entity", "near", "entity"): [(2, 3, 0.1)],
        ("item", "like", "item"): [(0, 1, 0.7), (3, 1, 0.7)],
        ("item", "near", "item"): [(1, 0, 0.6), (1, 3, 0.6)],
    }
    strict = MergeConfig(threshold=0.5)
    graph = merge(dataset(), said, strict)
    assert ("entity", "near", "entity") not in listed(graph)
    assert summarize(dataset(), said, graph, strict)["num_triples_below_threshold"] == 1


def test_the_graph_holds_item_texts_when_asked(tmp_path, monkeypatch):
    monkeypatch.setattr("graphrec.text.read._BUNDLED", "no_such_package")
    told = replace(dataset(), text=("red shoe", "red boot", "", "red shoe", "blue lamp"))
    config = MergeConfig(item_text=True, reading=ReadConfig(dim=3))
    plain = merge(told, believed(*[(1, True, 0.9)] * 4), config)
    assert plain.item_text.shape == (5, 0)
    graph = with_texts(plain, told, config, seed=0)
    like = graph.item_text @ graph.item_text.T
    assert like[0, 3] == pytest.approx(1, abs=1e-5) and like[0, 1] > like[0, 4] + 0.2 and not graph.item_text[2].any()
    for made in (plain, graph):
        made.save(tmp_path)
        assert np.array_equal(MultiDomainGraph.load(tmp_path).item_text, made.item_text)


def test_what_denoise_wrote_is_read(tmp_path):
    columns = {"probability": [0.5, 1.0], "keep": [True, False], "weight": [0.25, 1.0], "guarded": [False, False]}
    schema = {"probability": pl.Float32, "weight": pl.Float32}
    pl.DataFrame(columns, schema_overrides=schema).write_parquet(tmp_path / "triples.parquet")
    said = Believed.read(tmp_path / "triples.parquet")
    assert said.keep.tolist() == [True, False] and said.weight.dtype == np.float32
    assert said.probability.tolist() == [0.5, 1.0]


def bags_of(bags, row, domain, num_domains=2):
    ends = np.append(bags.start, len(bags.item))
    part = slice(ends[row * num_domains + domain], ends[row * num_domains + domain + 1])
    return list(zip(bags.item[part].tolist(), bags.distance[part].tolist(), strict=True))


def test_histories_leave_the_event_out():
    history = Histories.of(built(), ("a", "b"), with_valid=True)
    assert history.item.tolist() == [2, 0, 1, 1, 4, 3] and history.domain.tolist() == [0, 0, 0, 0, 1, 1]
    bags = history.around(ids(1, 3, 5), reach=9)
    assert bags_of(bags, 0, 0) == [(2, 1), (1, 1)] and bags_of(bags, 0, 1) == [(4, 2), (3, 1)]
    assert bags_of(bags, 1, 0) == [] and bags_of(bags, 1, 1) == []
    assert bags_of(bags, 2, 0) == [(2, 3), (0, 2), (1, 1)] and bags_of(bags, 2, 1) == [(4, 1)]


def test_histories_are_cut_to_the_reach():
    history = Histories.of(built(), ("a", "b"), with_valid=True)
    assert bags_of(history.around(ids(0), reach=1), 0, 0) == [(0, 1)]
    assert bags_of(history.latest(ids(0, 1), reach=2), 0, 0) == [(0, 2), (1, 1)]
    assert bags_of(history.latest(ids(0, 1), reach=2), 1, 0) == [(1, 1)]


def test_train_histories_do_not_know_validation_events():
    history = Histories.of(built(), ("b", "a"), with_valid=False)
    assert history.item.tolist() == [4, 2, 0, 1]
    assert len(Histories.of(built(), (), with_valid=True)) == 0


def test_adjacency_has_hand_numbers():
    # A path 0 - 1 - 2 with weights 1 and 3: degrees 1, 4, 3; node 3 is alone.
    matrix = symmetric_adjacency(ids(0, 2), ids(1, 1), np.array([1, 3], dtype=np.float32), 4).toarray()
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[1, 0] = 1 / np.sqrt(1 * 4)
    expected[1, 2] = expected[2, 1] = 3 / np.sqrt(4 * 3)
    assert np.allclose(matrix, expected, atol=1e-7)


def test_fast_propagation_equals_the_dense_product_forward_and_backward():
    draw = np.random.default_rng(0)
    source, target = draw.integers(0, 30, size=(2, 80))
    matrix = symmetric_adjacency(source, target, draw.random(80).astype(np.float32), 30)
    fast, slow = (torch.from_numpy(draw.normal(size=(30, 5)).astype(np.float32)).requires_grad_() for _ in range(2))
    slow.data.copy_(fast.data)
    weight = torch.from_numpy(draw.normal(size=(30, 5)).astype(np.float32))
    for z, product in ((fast, propagate), (slow, torch.matmul)):
        adjacency = to_torch(matrix) if product is propagate else torch.from_numpy(matrix.toarray())
        (product(adjacency, product(adjacency, z).tanh()) * weight).sum().backward()
    assert torch.allclose(fast.grad, slow.grad, atol=1e-6)
    assert torch.allclose(propagate(to_torch(matrix), fast), torch.from_numpy(matrix.toarray()) @ slow, atol=1e-6)


@pytest.mark.parametrize("dim", [16, 64, 80, 24])
def test_propagation_equals_the_library_whatever_the_tasks_and_threads(monkeypatch, dim):
    draw = np.random.default_rng(0)
    source, target = (draw.integers(0, 150, 4000) for _ in range(2))
    # The last nodes have no edges.
    adjacency = to_torch(symmetric_adjacency(source, target, draw.random(4000).astype(np.float32), 170))
    z = torch.from_numpy(draw.normal(size=(170, dim)).astype(np.float32))
    expected = adjacency.to_dense() @ z
    whole = propagate(adjacency, z)
    assert torch.allclose(whole, expected, atol=1e-5) and not whole[150:].any()
    monkeypatch.setattr(_numba_propagate, "_TASK", 100)
    monkeypatch.setattr(_numba_propagate, "_COPIED", 0)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        # Twice, as the second call finds the space that the first one left.
        assert torch.equal(propagate(adjacency, z), whole) and torch.equal(propagate(adjacency, 2 * z), 2 * whole)
    finally:
        torch.set_num_threads(before)
    assert torch.allclose(propagate(adjacency, z.T.contiguous().T), expected, atol=1e-5)


def test_a_matrix_without_entries_gives_zeros():
    empty = to_torch(symmetric_adjacency(ids(), ids(), np.empty(0, dtype=np.float32), 5))
    assert propagate(empty, torch.ones(5, 16)).tolist() == [[0.0] * 16] * 5


@pytest.mark.parametrize("reach", [1, 3, 50])
def test_bags_of_random_histories_are_what_a_plain_loop_makes(reach):
    draw, num_users = np.random.default_rng(reach), 6
    lists = [[draw.integers(0, 20, size=draw.integers(0, 7)).tolist() for _ in range(num_users)] for _ in range(2)]
    histories = Histories.of(graph_of(lists), ("a", "b"), with_valid=True)
    assert histories.item.dtype == histories.user.dtype == histories.begin.dtype == np.int32
    assert histories.weight.strides == (0,), "ones take no memory"
    bags = histories.around(np.arange(len(histories)), reach)
    event = 0
    for own, by_user in enumerate(lists):
        for user, items in enumerate(by_user):
            for place in range(len(items)):
                for domain in range(2):
                    other = lists[domain][user]
                    middle = place if domain == own else len(other)
                    around = [(i, abs(k - middle)) for k, i in enumerate(other) if 0 < abs(k - middle) <= reach]
                    assert bags_of(bags, event, domain) == around
                    assert bags.known[event, domain] == (len(other) > (domain == own))
                event += 1
    assert event == len(histories)


def graph_of(lists):
    made = {}
    for name, by_user in zip("ab", lists, strict=True):
        user = np.repeat(np.arange(len(by_user)), [len(items) for items in by_user])
        item = np.array([i for items in by_user for i in items], dtype=np.int64)
        made[name] = EventEdges(user=user, item=item, valid=np.zeros(len(user), dtype=np.bool_))
    catalog = {name: np.arange(20) for name in made}
    return MultiDomainGraph(
        num_users=len(lists[0]), num_items=20, num_entities=0, catalog=catalog, events=made, knowledge={}
    )


def test_what_some_users_had_is_a_matrix():
    history = Histories.of(built(), ("a", "b"), with_valid=False)
    assert history.seen(ids(1, 0), 0, ids(0, 1, 2)).toarray().tolist() == [[0, 1, 0], [1, 0, 1]]
    assert history.seen(ids(1, 0), 1, ids(3, 4)).toarray().tolist() == [[0, 0], [0, 1]]
    assert history.of_domain(1) == slice(3, 4)
