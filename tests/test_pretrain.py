"""Pretraining on a toy world with one right answer, and its edges: no sources, one source, resume."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from graphrec.core.tracking import NullTracker
from graphrec.core.workspace import Workspace
from graphrec.encoders.config import EncoderConfig
from graphrec.encoders.pretrained import FULL, TRAIN
from graphrec.encoders.registry import ENCODERS, make_encoder
from graphrec.graph.graph import Edges, EventEdges, MultiDomainGraph
from graphrec.graph.histories import Histories
from graphrec.training.config import FitConfig
from pretrain.config import PretrainConfig
from pretrain.objectives.config import ObjectivesConfig
from pretrain.stage import pretrain, train
from pretrain.task import PretrainTask
from pretrain.validate import Validation

CONFIG = PretrainConfig(
    encoder=EncoderConfig(dim=16),
    fit=FitConfig(epochs=10, lr=0.02, batch_size=256, patience=5),
    num_negatives=64,
)


def checkerboard(domains=("a", "b"), num_users=60, num_items=20):
    """Even users take even items, odd users odd ones, in every domain; the last event is for validation."""
    events, catalog = {}, {}
    for index, domain in enumerate(domains):
        rng = np.random.default_rng(index)
        taken = [rng.permutation(np.arange(u % 2, num_items, 2))[:6] + index * num_items for u in range(num_users)]
        user = np.repeat(np.arange(num_users), 6)
        valid = np.tile(np.arange(6) == 5, num_users)
        events[domain] = EventEdges(user=user, item=np.concatenate(taken), valid=valid)
        catalog[domain] = np.arange(num_items) + index * num_items
    parity = np.arange(num_items * len(domains))
    knowledge = Edges(source=parity, target=parity % 2, weight=np.ones(len(parity), dtype=np.float32))
    return MultiDomainGraph(
        num_users=num_users,
        num_items=len(parity),
        num_entities=3,
        catalog=catalog,
        events=events,
        knowledge={("item", "parity", "entity"): knowledge},
        item_text=np.random.default_rng(9).normal(size=(len(parity), 6)).astype(np.float32) / 6**0.5,
    )


def run(graph, domains, folder, config=CONFIG, seed=0):
    folder.mkdir(exist_ok=True)
    return pretrain(graph, domains, config, seed=seed, workspace=Workspace(folder), tracker=NullTracker())


def parity_gap(user, item):
    """Mean score of items of the user's own parity minus that of the other parity."""
    score = user @ item.T
    same = (np.arange(len(user))[:, None] + np.arange(len(item))) % 2 == 0
    return score[same].mean() - score[~same].mean()


def test_learns_the_checkerboard_in_every_domain(tmp_path):
    made = run(checkerboard(), ("a", "b"), tmp_path / "w")
    for history in (TRAIN, FULL):
        for domain in ("a", "b"):
            views, item = made.pretrained.user_views[history], made.pretrained.item[history]
            assert parity_gap(views[domain], item[domain]) > 0.3
    # The views share one space: what a user did in one domain says what they want in the other.
    assert parity_gap(made.pretrained.user_views[TRAIN]["a"], made.pretrained.item[TRAIN]["b"]) > 0.2
    assert {(r.domain, r.metric) for r in made.records} == {(d, m) for d in "ab" for m in ("ndcg", "hr")}
    assert made.summary["best_epoch"] > 0 and made.summary["curve"][-1]["valid"] is not None


@pytest.mark.parametrize("loss", ["sampled_softmax", "bpr"])
@pytest.mark.parametrize("in_batch", [False, True])
def test_one_domain_works_with_every_loss(tmp_path, loss, in_batch):
    config = PretrainConfig(encoder=CONFIG.encoder, fit=CONFIG.fit, num_negatives=64, loss=loss, in_batch=in_batch)
    made = run(checkerboard(("a",)), ("a",), tmp_path / "w", config)
    assert parity_gap(made.pretrained.user_views[TRAIN]["a"], made.pretrained.item[TRAIN]["a"]) > 0.2


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("start", ["random", "spectral"])
def test_every_encoder_learns_the_checkerboard_from_every_start(tmp_path, kind, start):
    encoder = EncoderConfig(dim=16, kind=kind, start=start)
    config = PretrainConfig(encoder=encoder, fit=CONFIG.fit, num_negatives=64)
    made = run(checkerboard(), ("a", "b"), tmp_path / "w", config).pretrained
    for history in (TRAIN, FULL):
        for domain in ("a", "b"):
            assert parity_gap(made.user_views[history][domain], made.item[history][domain]) > 0.3


def test_no_domains_give_empty_vectors(tmp_path):
    made = run(checkerboard(), (), tmp_path / "w")
    assert made.pretrained.domains == () and made.records == [] and made.summary["curve"] == []
    assert made.pretrained.entity.shape == (3, 16) and not made.pretrained.entity.any()


def test_what_nobody_touched_is_zero_and_the_rest_has_length_one(tmp_path):
    graph = checkerboard()
    graph.events["b"] = EventEdges(**{name: array[6:] for name, array in vars(graph.events["b"]).items()})
    made = run(graph, ("a", "b"), tmp_path / "w").pretrained
    assert not made.user_views[TRAIN]["b"][0].any()
    assert np.allclose(np.linalg.norm(made.user_views[TRAIN]["b"][1:], axis=1), 1, atol=1e-5)
    assert not made.entity[2].any() and np.allclose(np.linalg.norm(made.entity[:2], axis=1), 1, atol=1e-5)


def test_items_without_an_event_stand_where_their_entities_place_them(tmp_path):
    graph = checkerboard()
    cold = np.array([4, 5, 8, 9])
    graph.events["a"] = graph.events["a"].where(~np.isin(graph.events["a"].item, cold))
    histories = Histories.of(graph, ("a", "b"), with_valid=False)
    encoder = make_encoder(graph, histories, ("a", "b"), CONFIG.encoder, 0)
    PretrainTask(encoder, graph, replace(CONFIG, cold_items=True), Validation(graph, histories), 0)
    with torch.no_grad():
        assert not encoder.score[cold].any()
        even = np.setdiff1d(np.arange(0, 40, 2), cold)
        assert torch.allclose(encoder.score[40], encoder.score[even].mean(dim=0), atol=1e-6)
        assert not encoder.score[42].any(), "an entity that no item touches"
    for dropout in (0.0, 0.8):
        options = replace(CONFIG, cold_items=True, cold_dropout=dropout, fit=replace(CONFIG.fit, epochs=3))
        made = run(graph, ("a", "b"), tmp_path / f"{dropout}", options).pretrained
        assert parity_gap(made.user_views[TRAIN]["a"], made.item[TRAIN]["a"][cold]) > 0.5


@torch.no_grad()
def test_an_item_that_is_blanked_is_as_good_a_neighbour_as_before():
    graph = checkerboard()
    ring = Edges(source=np.arange(40), target=(np.arange(40) + 2) % 40, weight=np.ones(40, dtype=np.float32))
    graph = replace(graph, knowledge={("item", "like", "item"): ring})
    histories = Histories.of(graph, ("a", "b"), with_valid=False)
    encoder = make_encoder(graph, histories, ("a", "b"), replace(CONFIG.encoder, kg_weight=0.5), 0)
    whole = encoder.nodes().score
    encoder.blank(0.9, 3)
    gone = (encoder.nodes().score[:40] - whole[:40]).abs().sum(dim=1) > 1e-6
    assert 30 <= int(gone.sum()) <= 40
    assert torch.allclose(encoder.nodes().score[:40][gone], (whole - encoder.score)[:40][gone], atol=1e-6)


def test_steps_of_cold_items_offer_items_without_their_own_vectors():
    graph = checkerboard()
    histories = Histories.of(graph, ("a", "b"), with_valid=False)
    loss = {}
    for cold, dropout in ((False, 0.8), (True, 0.0), (True, 0.8)):
        options = replace(CONFIG, cold_items=cold, cold_dropout=dropout)
        encoder = make_encoder(graph, histories, ("a", "b"), CONFIG.encoder, 0)
        task = PretrainTask(encoder, graph, options, Validation(graph, histories), 0)
        loss[cold, dropout] = float(task.loss(next(iter(task.batches(1)))).detach())
        assert encoder.blanked is None, "only the step is without them"
    assert len(set(loss.values())) == 3


@pytest.mark.parametrize("kind", ENCODERS)
@torch.no_grad()
def test_what_is_blanked_is_told_by_the_rest_and_comes_back(kind):
    graph = checkerboard()
    histories = Histories.of(graph, ("a", "b"), with_valid=False)
    encoder = make_encoder(graph, histories, ("a", "b"), replace(CONFIG.encoder, kind=kind), 0)
    for table in encoder.item_parameters():
        table += torch.randn(table.shape, generator=torch.Generator().manual_seed(1))
    encoder.look_at(histories)
    before = encoder.nodes()
    encoder.blank(0.5, 7)
    blanked, again = encoder.nodes(), encoder.nodes()
    assert torch.equal(before.context, blanked.context) and torch.equal(blanked.score, again.score)
    if kind == "lightgcn":
        assert torch.equal(blanked.score, before.score), "its items have one vector for everything"
    else:
        changed = (blanked.score[:40] - before.score[:40]).abs().sum(dim=1) > 1e-3
        assert 8 <= int(changed.sum()) <= 40
        encoder.blank(0.5, 8)
        assert not torch.equal(encoder.nodes().score, blanked.score)
    encoder.blank(0.0, None)
    assert torch.equal(encoder.nodes().score, before.score)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_entities_that_no_item_touches_are_moved_by_objectives_over_triples_alone(tmp_path, weight):
    graph = checkerboard()
    edge = Edges(source=np.array([3]), target=np.array([4]), weight=np.ones(1, dtype=np.float32))
    graph = replace(graph, num_entities=5, knowledge={**graph.knowledge, ("entity", "near", "entity"): edge})
    config = replace(CONFIG, fit=replace(CONFIG.fit, epochs=2), objectives=ObjectivesConfig(kg_link=weight))
    entity = run(graph, ("a", "b"), tmp_path / "w", config).pretrained.entity
    assert np.allclose(np.linalg.norm(entity, axis=1), [1, 1, 0, weight, weight], atol=1e-5)


def test_events_of_other_domains_change_nothing(tmp_path):
    one, other = checkerboard(), checkerboard()
    events = other.events["b"]
    other.events["b"] = EventEdges(user=events.user, item=events.item[::-1].copy(), valid=events.valid)
    left, right = (run(g, ("a",), tmp_path / name).pretrained for name, g in (("l", one), ("r", other)))
    assert np.array_equal(left.item[TRAIN]["a"], right.item[TRAIN]["a"])
    assert np.array_equal(left.entity, right.entity)


def test_the_same_seed_gives_the_same_bytes_and_validation_events_are_not_trained_on(tmp_path):
    made = [run(checkerboard(), ("a", "b"), tmp_path / name).pretrained for name in ("1", "2")]
    for domain in ("a", "b"):
        assert np.array_equal(made[0].user_views[FULL][domain], made[1].user_views[FULL][domain])
        assert not np.array_equal(made[0].user_views[FULL][domain], made[0].user_views[TRAIN][domain])


def test_a_killed_pretraining_resumes_to_the_same_bytes(tmp_path, monkeypatch):
    whole = run(checkerboard(), ("a", "b"), tmp_path / "whole").pretrained
    from pretrain.task import PretrainTask

    batches = PretrainTask.batches

    def killed(self, epoch):
        if epoch == 4:
            raise KeyboardInterrupt
        return batches(self, epoch)

    monkeypatch.setattr(PretrainTask, "batches", killed)
    with pytest.raises(KeyboardInterrupt):
        run(checkerboard(), ("a", "b"), tmp_path / "killed")
    monkeypatch.undo()
    resumed = run(checkerboard(), ("a", "b"), tmp_path / "killed").pretrained
    assert np.array_equal(whole.item[FULL]["a"], resumed.item[FULL]["a"])
    assert np.array_equal(whole.user_views[FULL]["b"], resumed.user_views[FULL]["b"])


def test_without_validation_events_the_last_epoch_counts(tmp_path):
    graph = checkerboard(("a",))
    events = graph.events["a"]
    graph.events["a"] = EventEdges(user=events.user, item=events.item, valid=np.zeros_like(events.valid))
    made = run(graph, ("a",), tmp_path / "w")
    assert made.summary["best_epoch"] == 10 and made.records == []
    assert torch.isfinite(torch.from_numpy(made.pretrained.item[TRAIN]["a"])).all()


@pytest.mark.parametrize("options", [{}, {"gradients": "pcgrad"}, {"negative_power": 1.0, "cold_items": True}])
def test_the_correction_of_in_batch_is_how_often_an_item_is_a_negative(options):
    graph, rng = checkerboard(num_users=400), np.random.default_rng(0)
    events = graph.events["a"]
    often = np.minimum(rng.zipf(1.6, len(events.user)) - 1, 18)  # item 19 is never taken
    graph.events["a"] = replace(events, item=often)
    config = replace(CONFIG, in_batch=True, num_negatives=128, **options)
    encoder = make_encoder(graph, Histories.of(graph, ("a", "b"), with_valid=False), ("a", "b"), CONFIG.encoder, 0)
    task = PretrainTask(encoder, graph, config, Validation.of(graph, ("a", "b")), 0)
    for domain in range(2):
        neg = np.concatenate([b.neg for e in range(1, 30) for s in task.batches(e) for b in s if b.domain == domain])
        share = np.bincount(neg, minlength=20) / len(neg)
        np.testing.assert_allclose(np.exp(task.offsets[domain]), share, rtol=0.1, atol=1e-3)
        assert domain == 1 or share.max() > 5 * np.median(share), "some items are popular"


@pytest.mark.parametrize("known", [0, 3, 5])
@pytest.mark.parametrize("kind", ["views", "lightgcn"])
def test_pcgrad_passes_over_steps_without_events(tmp_path, kind, known):
    """Users of one training event teach nothing, and parts of few events can be empty in every domain."""
    graph = checkerboard(num_users=3)
    for domain, rows in (("a", known), ("b", min(known, 2))):
        graph.events[domain] = EventEdges(**{n: column[:rows] for n, column in vars(graph.events[domain]).items()})
    config = replace(CONFIG, encoder=EncoderConfig(dim=16, kind=kind), gradients="pcgrad")
    config = replace(config, fit=replace(CONFIG.fit, epochs=2, batch_size=1))
    assert len(run(graph, ("a", "b"), tmp_path / "w", config).summary["curve"]) == 2


def test_popularity_in_the_loss_is_an_offset_of_the_logits(tmp_path):
    graph = checkerboard(("a",))
    histories = Histories.of(graph, ("a",), with_valid=False)
    count = np.bincount(histories.item, minlength=20)
    encoder = make_encoder(graph, histories, ("a",), CONFIG.encoder, 0)
    validation = Validation.of(graph, ("a",))
    plain, prior = (
        PretrainTask(encoder, graph, replace(CONFIG, popularity=weight), validation, 0) for weight in (0.0, 0.5)
    )
    np.testing.assert_allclose(plain.offsets[0] - prior.offsets[0], 0.5 * np.log1p(count), rtol=1e-5)
    assert np.array_equal(plain.offsets[0], plain.samplers[0].log_q)


def test_popularity_counts_in_the_scores_that_choose_the_epoch(tmp_path):
    graph = checkerboard(("a",))
    given = {"seed": 0, "workspace": Workspace(tmp_path), "tracker": NullTracker()}
    config = replace(CONFIG, popularity=2.0, fit=replace(CONFIG.fit, epochs=1))
    trained = train(graph, ("a",), config, **given)
    assert trained.validation.popularity == pytest.approx(2.0 * CONFIG.temperature)
    weighted = replace(trained.validation, popularity=100.0)
    (_, ranks), (_, plain) = *weighted.ranks(trained.encoder), *trained.validation.ranks(trained.encoder)
    count = np.bincount(trained.validation.histories.item, minlength=20)
    # With so much of it, ranks follow popularity alone.
    assert np.corrcoef(count[ranks.item], ranks.value)[0, 1] < -0.5 < np.corrcoef(count[plain.item], plain.value)[0, 1]
    assert trained.summary["curve"][0]["valid"] == pytest.approx(trained.validation.mean_ndcg(trained.encoder))


def test_a_lone_domain_does_not_train_its_gate(tmp_path):
    # No score depends on it but on its sign: decay and noise once took it through zero, and every score with it.
    graph = checkerboard(("a",))
    encoder = make_encoder(graph, Histories.of(graph, ("a",), with_valid=False), ("a",), CONFIG.encoder, 0)
    task = PretrainTask(encoder, graph, CONFIG, Validation.of(graph, ("a",)), 0)
    assert "gate" not in task.parameters() and "score" in task.parameters()
    assert run(graph, ("a",), tmp_path / "w").parameters["gate"].item() == 1
