"""Encoders and what they hand over."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from graphrec.core.errors import ArtifactError, ConfigError
from graphrec.encoders.bag_sum import bag_sum
from graphrec.encoders.config import EncoderConfig
from graphrec.encoders.pretrained import FULL, TRAIN, Pretrained
from graphrec.encoders.registry import ENCODERS, make_encoder
from graphrec.encoders.spectral import spectral_vectors
from graphrec.graph.graph import Edges, EventEdges, MultiDomainGraph
from graphrec.graph.histories import Histories


def some_pretrained(domains=("a", "b")):
    draw = np.random.default_rng(0)

    def array(rows):
        return draw.normal(size=(rows, 4)).astype(np.float32)

    return Pretrained(
        domains=domains,
        dim=4,
        user_views={h: {d: array(5) for d in domains} for h in (TRAIN, FULL)},
        item={h: {d: array(3) for d in domains} for h in (TRAIN, FULL)},
        entity=array(2),
    )


@pytest.mark.parametrize("domains", [(), ("a",), ("a", "b")])
def test_pretrained_survives_save_and_load(tmp_path, domains):
    made = some_pretrained(domains)
    made.save(tmp_path)
    back = Pretrained.load(tmp_path)
    assert back.domains == domains and back.dim == 4 and np.array_equal(back.entity, made.entity)
    for history in (TRAIN, FULL):
        assert list(back.item[history]) == list(domains)
        for domain in domains:
            assert np.array_equal(back.user_views[history][domain], made.user_views[history][domain])
            assert np.array_equal(back.item[history][domain], made.item[history][domain])


def test_a_damaged_pretrained_is_one_clear_error(tmp_path):
    some_pretrained(("a",)).save(tmp_path)
    (tmp_path / "pretrained.json").write_text('{"domains": ["a", "c"], "dim": 4}')
    with pytest.raises(ArtifactError, match="lacks 'user/train/c'; run pretrain again"):
        Pretrained.load(tmp_path)


def small_graph():
    """Users 0 and 1; items 0-1 in `a`, 2-3 in `b`, item 4 in `c`; entity 0 ties items 0, 2 and 4; entity 1 is alone."""
    flags = {"a": (False, False, False), "b": (False, False), "c": (False,)}
    pairs = {"a": ((0, 0), (0, 1), (1, 1)), "b": ((0, 2), (0, 3)), "c": ((1, 4),)}
    return MultiDomainGraph(
        num_users=2,
        num_items=5,
        num_entities=2,
        catalog={"a": np.array([0, 1]), "b": np.array([2, 3]), "c": np.array([4])},
        events={
            d: EventEdges(user=np.array(p)[:, 0], item=np.array(p)[:, 1], valid=np.array(flags[d]))
            for d, p in pairs.items()
        },
        knowledge={
            ("item", "is", "entity"): Edges(
                source=np.array([0, 2, 4]), target=np.array([0, 0, 0]), weight=np.ones(3, dtype=np.float32)
            )
        },
        item_text=np.eye(5, 3, dtype=np.float32),
    )


def encoder(kg_weight=0.5, domains=("a", "b")):
    return made("views", domains, dim=8, reach=5, decay=0.5, kg_weight=kg_weight)


def made(kind, domains=("a", "b"), graph=None, seed=0, **options):
    graph = graph or small_graph()
    histories = Histories.of(graph, domains, with_valid=False)
    return make_encoder(graph, histories, domains, EncoderConfig(kind=kind, **options), seed)


def unit(vector):
    return vector / vector.norm()


@torch.no_grad()
def test_a_view_is_the_recency_weighted_sum_of_items():
    model = encoder(kg_weight=0.0)
    histories = Histories.of(small_graph(), model.domains, with_valid=False)
    views = model.views(model.nodes(), histories.latest(np.array([0, 1]), 5))
    p = model.context
    assert torch.allclose(views[0, 0], unit(0.5 * p[0] + p[1]), atol=1e-6)
    assert torch.allclose(views[0, 1], unit(0.5 * p[2] + p[3]), atol=1e-6)
    assert torch.allclose(views[1, 0], unit(p[1]), atol=1e-6) and not views[1, 1].any()
    z = model.users(views, 0)
    assert torch.allclose(z[0], unit(views[0, 0] + 0.3 * views[0, 1]), atol=1e-6)
    off = model.users(views, 0, torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    assert torch.allclose(off[0], views[0, 1], atol=1e-6) and torch.allclose(off[1], views[1, 0], atol=1e-6)


@torch.no_grad()
def test_an_event_counts_by_its_weight():
    model, graph = encoder(kg_weight=0.0), small_graph()
    first = graph.events["a"]
    heavy = EventEdges(
        user=first.user, item=first.item, valid=first.valid, weight=np.array([6, 1, 1], dtype=np.float32)
    )
    histories = Histories.of(replace(graph, events={**graph.events, "a": heavy}), model.domains, with_valid=False)
    views = model.views(model.nodes(), histories.latest(np.array([0]), 5))
    assert torch.allclose(views[0, 0], unit(6 * 0.5 * model.context[0] + model.context[1]), atol=1e-6)


@torch.no_grad()
def test_items_of_two_domains_meet_in_an_entity_and_items_of_no_domain_stay_out():
    model = encoder(kg_weight=0.5)
    nodes, p = model.nodes().score, model.score
    # Entity 0 is node 5; it has two neighbours here, because domain `c` is not one of the encoder's.
    assert torch.allclose(nodes[5], 0.5 * (p[0] + p[2]) / 2**0.5, atol=1e-6)
    assert torch.allclose(nodes[0], p[0], atol=1e-6), "the entity begins at zero"
    assert not nodes[4].any() and not nodes[6].any()


def test_the_first_vectors_of_a_domain_do_not_depend_on_the_other_domains():
    assert torch.equal(encoder().context[:2], encoder(domains=("b", "a")).context[:2])
    assert torch.equal(encoder().context[:2], encoder(domains=("a",)).context[:2])


@torch.no_grad()
@pytest.mark.parametrize("user_vectors", [False, True])
def test_lightgcn_is_what_its_paper_says_domain_by_domain(user_vectors):
    model = made("lightgcn", dim=8, layers=2, user_vectors=user_vectors, kg_weight=0.0)
    nodes, p = model.nodes(), model.vector
    # Domain a: users 0 and 1, items 0 and 1, events (0,0) (0,1) (1,1); domain b: user 0, items 2 and 3.
    start = torch.cat([model.user if user_vectors else torch.zeros(3, 8), p[:4]])
    a = torch.zeros(7, 7)
    for row, column in ((0, 3), (0, 4), (1, 4), (2, 5), (2, 6)):
        a[row, column] = a[column, row] = 1
    a = a / (a.sum(0).sqrt()[:, None] * a.sum(0).sqrt())
    want = start + a @ start + a @ a @ start
    assert torch.allclose(nodes.user, want[:3], atol=1e-6) and torch.allclose(nodes.score[:4], want[3:], atol=1e-6)
    histories = Histories.of(small_graph(), model.domains, with_valid=False)
    views = model.views(nodes, histories.latest(np.array([0, 1]), 0))
    assert torch.allclose(views[0, 1], unit(want[2]), atol=1e-6) and torch.allclose(
        views[1, 0], unit(want[1]), atol=1e-6
    )
    assert not views[1, 1].any()


@torch.no_grad()
@pytest.mark.parametrize("kind", ENCODERS)
def test_the_view_of_a_domain_knows_nothing_of_the_events_of_another(kind):
    graph = small_graph()
    other = EventEdges(user=np.array([0, 1]), item=np.array([3, 3]), valid=np.zeros(2, bool))
    changed = replace(graph, events={**graph.events, "b": other})
    views = []
    for each in (graph, changed):
        model = made(kind, graph=each, dim=8, kg_weight=0.0)
        rows = Histories.of(each, model.domains, with_valid=False).latest(np.array([0, 1]), model.reach)
        views.append(model.views(model.nodes(), rows))
    assert torch.allclose(views[0][:, 0], views[1][:, 0]) and not torch.allclose(views[0][:, 1], views[1][:, 1])


@torch.no_grad()
@pytest.mark.parametrize("kind", ENCODERS)
def test_an_encoder_looks_at_the_events_it_is_told_to(kind):
    graph = small_graph()
    first = graph.events["a"]
    late = replace(
        graph,
        events={**graph.events, "a": EventEdges(user=first.user, item=first.item, valid=np.array([0, 1, 0], bool))},
    )
    model, views = made(kind, graph=late, dim=8), []
    for with_valid in (False, True, False):
        histories = Histories.of(late, model.domains, with_valid=with_valid)
        model.look_at(histories)
        views.append(model.views(model.nodes(), histories.latest(np.array([0]), model.reach)))
    assert torch.equal(views[0], views[2]) and not torch.allclose(views[0], views[1])


def test_who_has_validation_events_alone_has_no_view_and_teaches_nothing():
    graph = small_graph()
    events = dict(graph.events)
    events["b"] = EventEdges(user=np.array([0, 1]), item=np.array([2, 3]), valid=np.array([False, True]))
    graph = replace(graph, events=events)
    encoder, histories = made("lightgcn", graph=graph), Histories.of(graph, ("a", "b"), with_valid=False)
    views = encoder.views(encoder.nodes(), histories.latest(np.array([0, 1]), 0))
    assert views[0].norm(dim=1).tolist() == pytest.approx([1, 1], abs=1e-5) and not views[1, 1].any()
    (encoder.users(views, 0) * torch.randn(2, encoder.dim)).sum().backward()
    assert not encoder.user.grad[encoder.row[1, 1]].any() and encoder.user.grad[encoder.row[0, 1]].any()


def test_lightgcn_without_any_event_has_no_views():
    none = np.empty(0, dtype=np.int64)
    events = EventEdges(user=none, item=none, valid=none.astype(np.bool_))
    graph = replace(small_graph(), events=dict.fromkeys("abc", events))
    encoder, histories = made("lightgcn", graph=graph), Histories.of(graph, ("a", "b"), with_valid=False)
    assert not encoder.views(encoder.nodes(), histories.latest(np.array([0, 1]), 0)).any()


def trusted_graph():
    """Items 0 and 2 with entity 0, item 1 with entity 1; item 0 is also like item 2, which is trusted less."""
    edges = {
        ("item", "is", "entity"): ((0, 1, 2), (0, 1, 0), (0.5, 1.0, 1.0)),
        ("item", "like", "item"): ((0,), (2,), (0.25,)),
    }
    knowledge = {
        t: Edges(source=np.array(s), target=np.array(e), weight=np.array(w, dtype=np.float32))
        for t, (s, e, w) in edges.items()
    }
    return replace(small_graph(), knowledge=knowledge)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["kg_attention", "hetero"])
def test_knowledge_is_at_first_a_mean_by_trust(kind):
    model = made(kind, graph=trusted_graph(), dim=8, layers=2, kg_weight=0.5)
    if kind == "kg_attention":
        model.query.zero_()  # no reason beside trust
    p = model.score
    p[5:] = torch.randn(2, 8)
    # Node 5 is entity 0, node 6 entity 1. Item 0: (.5 entity 0 + .25 item 2) / .75.
    mean = torch.zeros(7, 7)
    for row, column, weight in ((0, 5, 0.5), (1, 6, 1), (2, 5, 1), (0, 2, 0.25)):
        mean[row, column] = mean[column, row] = weight
    mean = mean / mean.sum(dim=1, keepdim=True).clamp(min=1e-9)
    want = p + 0.5 * mean @ p + 0.5 * mean @ mean @ p
    assert torch.allclose(model.nodes().score, want, atol=1e-6)


@torch.no_grad()
def test_attention_goes_where_the_rationale_is_and_leaves_out_what_has_little():
    model = made("kg_attention", graph=trusted_graph(), dim=8, layers=1, kg_weight=1.0)
    p = model.context
    p[0], p[5], p[2] = torch.eye(8)[0] * 4, torch.eye(8)[0] * 2, torch.eye(8)[1]
    # Edges as written: 0-e0, 1-e1, 2-e0, 0-like-2. Scores of item 0: 8 / sqrt 8 and 0, by trust .5 and .25.
    first = 0.5 * np.exp(8 / 8**0.5)
    share = model.attention(p)
    assert share[0] == pytest.approx(first / (first + 0.25)) and share[3] == pytest.approx(0.25 / (first + 0.25))
    assert share[1] == 1 and float(share.sum()) == pytest.approx(5), "five nodes have a triple"
    model.rationale = 0.9
    assert model.attention(p)[0] == 1 and model.attention(p)[3] == 0
    model.relation[0] = -1.0
    assert model.attention(p)[0] == 0, "the relation turned the reason round"


@torch.no_grad()
def test_items_begin_with_their_texts():
    model = made("text", dim=8, kg_weight=0.0)
    nodes = model.nodes()
    assert torch.allclose(nodes.score[:3], model.score[:3] + model.adapter_score, atol=1e-6)
    assert torch.equal(nodes.score[3:], model.score[3:]), "items without a text, and entities, have their own vector"
    # Two items of one text begin alike even where neither has a vector of its own.
    model.context.zero_()
    assert torch.allclose(model.nodes().context[1], model.adapter_context[1])
    with pytest.raises(ConfigError, match="set merge.item_text: true"):
        made("text", graph=replace(small_graph(), item_text=np.empty((5, 0), dtype=np.float32)))


def test_spectral_vectors_are_the_singular_vectors():
    rng = np.random.default_rng(0)
    dense = (rng.random((30, 12)) < 0.3).astype(np.float32)
    dense[:, 11] = 0
    history = csr_array(dense)
    scale = [np.sqrt(np.maximum(dense.sum(axis), 1)) for axis in (1, 0)]
    _, size, right = np.linalg.svd(dense / scale[0][:, None] / scale[1])
    made = spectral_vectors(history, 5, 0)
    want = (right[:5] * np.sqrt(size[:5])[:, None]).T
    assert np.allclose(
        made @ made.T, want @ want.T * np.square(1 / np.linalg.norm(want[:11], axis=1).mean()), atol=1e-3
    )
    assert not made[11].any() and np.linalg.norm(made[:11], axis=1).mean() == pytest.approx(1, abs=1e-3)
    assert spectral_vectors(history, 40, 0).shape == (12, 40) and not spectral_vectors(csr_array((3, 2)), 4, 0).any()


def test_sums_of_bags_are_those_of_torch_with_their_gradients():
    draw = np.random.default_rng(0)
    row, weight = torch.from_numpy(draw.integers(0, 7, size=40)), torch.from_numpy(draw.random(40))
    start = torch.tensor([0, 0, 5, 39, 40])
    z, w = torch.randn(7, 5, dtype=torch.float64), weight.clone()
    found = []
    for summed in (bag_sum, dense_bag_sum):
        parts = z.float().requires_grad_(), w.float().requires_grad_()
        made = summed(parts[0], row, parts[1], start)
        (made * torch.arange(25.0).view(5, 5)).sum().backward()
        found.append((made, *(part.grad for part in parts)))
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(*found, strict=True))


def dense_bag_sum(z, row, weight, start):
    ends = [*start[1:].tolist(), len(row)]
    each = z[row] * weight[:, None]
    return torch.stack([each[low:high].sum(dim=0) for low, high in zip(start.tolist(), ends, strict=True)])


@torch.no_grad()
def test_lightgcn_leaves_out_what_a_step_predicts_and_weighs_as_told():
    options = {"own_weight": 0.25, "degree_power": 0.4, "leave_out": True}
    model = made("lightgcn", dim=8, layers=2, kg_weight=0.0, **options)
    start = torch.cat([model.user, model.vector[:4]])
    a = torch.zeros(7, 7)
    for row, column in ((0, 3), (0, 4), (1, 4), (2, 5), (2, 6)):
        a[row, column] = a[column, row] = 1
    a = a / (a.sum(0)[:, None] * a.sum(0)) ** 0.4
    without = a.clone()
    without[0, 4] = without[4, 0] = without[2, 5] = without[5, 2] = 0
    # Events in the order of the histories: (0,0) (0,1) (1,1) of domain a, (0,2) (0,3) of b.
    for events, matrix in ((np.array([1, 3]), without), (None, a)):
        model.leave_out(events)
        nodes, want = model.nodes(), 0.25 * start + matrix @ start + matrix @ matrix @ start
        assert torch.allclose(torch.cat([nodes.user, nodes.score[:4]]), want, atol=1e-6)
    stays = made("lightgcn", dim=8, layers=2, kg_weight=0.0)
    before = stays.nodes().user
    stays.leave_out(np.array([1, 3]))
    assert torch.equal(stays.nodes().user, before)
