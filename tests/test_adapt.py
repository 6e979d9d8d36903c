"""Adapt and its guard: what ships in planted worlds, the rule by hand, resume, and a domain that arrives later."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from scipy.sparse import csr_array

from finetune.adapt import adapt, subsets
from finetune.channels import NEW, OWN, POPULARITY, Parts, Vectors
from finetune.evidence import Evidence, HeldOut, counts_of
from finetune.fitting import Fitted, Fitting, Judged
from finetune.guard import ALL_DOMAINS, CHOSEN, TARGET_ONLY, Decision, guard, worth_more
from finetune.logit import Choices, Logit
from finetune.model import new_encoder
from finetune.target import Target, target_graph
from finetune.task import BASE, fit_own
from graphrec.core.seeds import generator
from graphrec.core.tracking import NullTracker
from graphrec.core.workspace import Workspace
from graphrec.encoders.pretrained import FULL, TRAIN, Pretrained
from graphrec.graph.graph import Edges, EventEdges, MultiDomainGraph
from graphrec.metrics.scorers import hybrid_scorer
from graphrec.training.checkpoint import hand_over
from graphrec.training.config import FitConfig
from tests.planted import ADAPT, NUM_ITEMS, NUM_USERS, TASTE, relevant, unit, unrelated, world


class Interrupted(Exception):
    pass


class DyingTracker(NullTracker):
    """Dies at the n-th epoch that is logged."""

    def __init__(self, epochs):
        self.left = epochs

    def log_metrics(self, metrics, step=0):
        self.left -= 1
        if self.left < 0:
            raise Interrupted


def run(target, chosen, config=ADAPT, tracker=None, workspace=None):
    def call(space):
        return adapt(target, chosen, config, seed=1, workspace=space, tracker=tracker or NullTracker())

    if workspace is not None:
        return call(workspace)
    with Workspace.temporary() as space:
        return call(space)


def hits(arrays, prefix, test_item, k=10):
    scores = hybrid_scorer(arrays, prefix).score(np.arange(len(test_item)))
    own = scores[np.arange(len(test_item)), test_item]
    return float(((scores > own[:, None]).sum(axis=1) < k).mean())


@pytest.fixture(scope="module")
def helped():
    # Several unrelated sources blur the one that knows, so that all_domains is worse than the chosen one.
    target, test_item = world({"A": relevant(), **{f"B{n}": unrelated(n) for n in range(4)}})
    return target, test_item, run(target, ("A",))


def test_the_chosen_ships_and_the_test_agrees(helped):
    target, test_item, adapted = helped
    rows = {row["name"]: row for row in adapted.summary["candidates"]}
    assert set(rows) == {CHOSEN, TARGET_ONLY, ALL_DOMAINS}
    assert adapted.shipped == adapted.summary["shipped"] != TARGET_ONLY
    assert rows[CHOSEN]["valid_ndcg10"] > rows[TARGET_ONLY]["valid_ndcg10"]
    assert rows[CHOSEN]["low"] < rows[CHOSEN]["valid_ndcg10"] < rows[CHOSEN]["high"]
    assert hits(adapted.arrays, "", test_item) > hits(adapted.arrays, "target_only.", test_item)
    kept = adapted.summary["curve"][adapted.summary["kept"] - 1]
    assert kept["epoch"] == adapted.summary["kept"] and kept["valid"] == max(
        r["valid"] for r in adapted.summary["curve"]
    )
    gates = adapted.summary["gates"]
    assert set(gates) == set(target.sources) and gates["A"] > 3 * max(v for d, v in gates.items() if d != "A")


def test_every_array_of_the_contract_is_there(helped):
    _, _, adapted = helped
    models = ("", "target_only.", "all_domains.", "vectors.")
    shipped = {f"{prefix}{kind}" for prefix in models for kind in ("user", "item")}
    others = {"train.item", "full.item", *(f"{prefix}share" for prefix in models)}
    # The worlds have no events of the sources, and of the target next to none: nothing is counted item by item.
    assert adapted.summary["together"] == [] and "not counted item by item" in adapted.summary["reason"]
    assert set(adapted.arrays) == shipped | others
    assert all(np.array_equal(adapted.arrays[kind], adapted.arrays[f"vectors.{kind}"]) for kind in ("user", "item"))
    for name in sorted(shipped | {"train.item", "full.item"}):
        array = adapted.arrays[name]
        assert array.dtype == np.float32
        dim, rows = ADAPT.model.encoder.dim, NUM_USERS if name.endswith("user") else NUM_ITEMS
        if name in ("train.item", "full.item"):
            assert array.shape == (rows, dim)
        else:
            # The target's space, spaces of what goes together, and popularity last; users take it as it is.
            other = f"{name.removesuffix('user').removesuffix('item')}{'user' if name.endswith('item') else 'item'}"
            assert len(array) == rows and array.shape[1] == adapted.arrays[other].shape[1] > dim + 1
        if name.endswith("item"):
            assert np.linalg.norm(array[:, :dim], axis=1) == pytest.approx(np.ones(len(array)), abs=1e-4)
        else:
            assert (array[:, -1] == 1).all()


def test_popularity_counts_where_held_out_events_follow_it():
    rng = np.random.default_rng(0)
    user, valid = np.repeat(np.arange(200), 6), np.tile(np.arange(6) == 5, 200)
    item = np.where(valid, rng.integers(0, 3, 1200), (40 * rng.random(1200) ** 3).astype(np.int64))
    pairs = pl.DataFrame({"user": user, "item": item, "valid": valid}).unique(["user", "item"], keep="last")
    events = EventEdges(**{name: pairs.sort("user", "valid")[name].to_numpy() for name in ("user", "item", "valid")})
    graph = MultiDomainGraph(
        num_users=200, num_items=40, num_entities=0, catalog={"t": np.arange(40)}, events={"t": events}, knowledge={}
    )
    pretrained = Pretrained(domains=(), dim=16, user_views={TRAIN: {}, FULL: {}}, item={}, entity=np.zeros((0, 16)))
    adapted = run(Target.of(graph, "t", pretrained, ()), ())
    weight = adapted.summary["popularity"][TARGET_ONLY]
    count = np.bincount(events.item, minlength=40)
    assert weight > 0 and adapted.arrays["item"][:, -1] == pytest.approx(weight * np.log1p(count), rel=1e-5)


def test_items_without_an_event_are_found_by_their_knowledge(caplog):
    # Even users take even items; validation asks for items that nobody has had, whose parity knowledge tells.
    rng = np.random.default_rng(0)
    had = np.stack([rng.permutation(np.arange(u % 2, 40, 2))[:6] for u in range(200)])
    asked = 40 + 2 * rng.integers(0, 20, 200) + np.arange(200) % 2
    item = np.concatenate([had, asked[:, None]], axis=1).ravel()
    events = EventEdges(user=np.repeat(np.arange(200), 7), item=item, valid=np.tile(np.arange(7) == 6, 200))
    parity = np.arange(80)
    knowledge = Edges(source=parity, target=parity % 2, weight=np.ones(80, dtype=np.float32))
    graph = MultiDomainGraph(
        num_users=200,
        num_items=80,
        num_entities=2,
        catalog={"t": np.arange(80)},
        events={"t": events},
        knowledge={("item", "parity", "entity"): knowledge},
    )
    pretrained = Pretrained(domains=(), dim=16, user_views={TRAIN: {}, FULL: {}}, item={}, entity=np.zeros((2, 16)))
    target, gap = Target.of(graph, "t", pretrained, ()), {}
    for cold in (False, True):
        model = replace(ADAPT.model, cold_items=cold, encoder=replace(ADAPT.model.encoder, kg_weight=0.5))
        config = replace(ADAPT, model=model, fit=replace(ADAPT.fit, epochs=8, patience=8), refit=False)
        made = run(target, (), config)
        alike = made.arrays["full.item"][40:] @ made.arrays["full.item"][:40].T
        same = (np.arange(40)[:, None] + np.arange(40)) % 2 == 0
        gap[cold] = alike[same].mean() - alike[~same].mean()
        assert ("without a train event: set" in caplog.text) is not cold
        score = hybrid_scorer(made.arrays).score(np.arange(200))
        right = (np.arange(200)[:, None] + np.arange(40, 80)) % 2 == 0
        assert score[:, 40:][right].mean() > score[:, 40:][~right].mean() + score[:, 40:].std()
        caplog.clear()
    assert gap[True] > 2 * gap[False], "in the target's own space an item is where those of its parity are"


def counting_world(view=None):
    """What users had in A follows the taste that the target follows, what they had in B does not.

    Views say nothing, but for that of A where it is given.
    """
    target, test_item = world({"B": unrelated(0), "A": unrelated(1) if view is None else view})
    rng = np.random.default_rng(5)
    taste = unit(np.random.default_rng(0).normal(size=(NUM_USERS, TASTE)))
    noisy = 8 * taste @ unit(rng.normal(size=(80, TASTE))).T + rng.gumbel(size=(NUM_USERS, 80))
    had = {"B": rng.random((NUM_USERS, 90)) < 0.1, "A": noisy >= -np.sort(-noisy, axis=1)[:, 9:10]}
    sources = {name: csr_array(value.astype(np.float32)) for name, value in had.items()}
    return replace(target, elsewhere={TRAIN: sources, FULL: sources}), test_item


@pytest.mark.parametrize(("refit", "saturation"), [(True, 9.0), (False, 0.1)])
def test_what_goes_together_in_each_domain_is_counted_where_it_belongs(refit, saturation):
    # Few dimensions cannot hold it, counts can.
    target, test_item = counting_world()
    config = replace(ADAPT, refit=refit, evidence=replace(ADAPT.evidence, cross_rank=4, saturations=(saturation,)))
    adapted = run(target, ("A",), config)
    arrays, everyone = adapted.arrays, np.arange(NUM_USERS)
    names = ["" if name == "new" else name for name in adapted.summary["together"]]
    share = dict(zip(names, arrays["share"], strict=True))
    assert adapted.shipped != TARGET_ONLY and share.get("A", 0.0) > 3 * share.get("B", 0.0)
    assert hits(arrays, "", test_item) > 1.2 * hits(arrays, "target_only.", test_item)
    assert hits(arrays, "", test_item) > hits(arrays, "vectors.", test_item)
    assert "also counted item by item" in adapted.summary["reason"]
    # By hand: vectors, and the counts of the history that the model was fitted on asked with all of a user's events.
    assert adapted.summary["saturation"] == saturation
    every = counts_of(target, FULL if refit else TRAIN, config.evidence)
    counts = {name: replace(found, saturation=saturation) for name, found in every.items()}
    for prefix in ("", "target_only.", "all_domains."):
        want = arrays[f"{prefix}user"] @ arrays[f"{prefix}item"].T
        for name, value in zip(names, arrays[f"{prefix}share"], strict=True):
            want += value * counts[name].together(target.everywhere(FULL)[name]).told(everyone).toarray()
        assert hybrid_scorer(arrays, prefix).score(everyone) == pytest.approx(want, abs=1e-4)
    alone = dict(zip(names, arrays["target_only.share"], strict=True))
    assert not any(value for name, value in alone.items() if name) and not arrays["vectors.share"].any()


def test_validation_chooses_how_counts_bend():
    target, _ = counting_world()
    evidence, found = replace(ADAPT.evidence, cross_rank=4), {}
    for asked in ((0.01,), (1000.0,), (0.01, 1000.0), (1000.0, 0.01)):
        config = replace(ADAPT, refit=False, evidence=replace(evidence, saturations=asked))
        summary = run(target, ("A",), config).summary
        rows = {row["name"]: row["valid_ndcg10"] for row in summary["candidates"]}
        found[asked] = summary["saturation"], rows[summary["shipped"]]
    alone = {asked[0]: value for asked, (_, value) in found.items() if len(asked) == 1}
    best = max(alone, key=lambda value: alone[value])
    assert alone[best] > min(alone.values())
    assert all(found[asked] == (best, alone[best]) for asked in found if len(asked) == 2)


@pytest.mark.parametrize(("errors", "ships"), [(1.5, TARGET_ONLY), (4.0, ALL_DOMAINS)])
def test_counts_bring_in_no_source_that_validation_is_not_sure_of(errors, ships, monkeypatch):
    target, _ = world({"B": unrelated(0), "C": unrelated(1)})

    def counted(self, candidates, _):
        plain = candidates[TARGET_ONLY].held_out.ndcg
        noise = np.random.default_rng(0).normal(size=len(plain)) / 100
        more = noise - noise.mean() + errors * noise.std(ddof=1) / np.sqrt(len(plain))
        made = candidates | {ALL_DOMAINS: replace(candidates[ALL_DOMAINS], held_out=HeldOut(plain + more))}
        return Judged(candidates=made, saturation=9.0, decision=Decision(ALL_DOMAINS, "Sources.", []))

    monkeypatch.setattr(Fitting, "_counted", counted)
    adapted = run(target, (), replace(ADAPT, refit=False))
    assert adapted.shipped == ships
    assert ("also counted" if ships == ALL_DOMAINS else "not counted") in adapted.summary["reason"]


@pytest.mark.parametrize(
    ("weight", "error", "kept"),
    [(-0.5, 0.1, False), (-0.5, np.inf, True), (-0.5, 100.0, True), (0.0, 0.1, False), (1e-6, 0.1, False)],
)
def test_an_own_view_without_weight_is_kept_where_validation_cannot_tell(weight, error, kept, monkeypatch):
    target, _ = world({"A": relevant()})
    with Workspace.temporary() as space:
        encoder, _ = fit_own(target, ADAPT.model, ADAPT.fit, seed=1, workspace=space, tracker=NullTracker())
    evidence = Evidence.of(encoder, target, ADAPT.evidence, 1)
    fit = Logit(weight=np.array([weight, 0.3]), error=np.array([error, 0.1]), value=np.zeros(len(evidence.choices)))
    usual, (own, _) = evidence.past.usual[0], evidence._settled(fit, (0, 1))
    assert usual > 0
    if kept:
        assert own == usual
    else:
        # Else NDCG@10 says, of a few values, and none that the others would not have had.
        shares = (0.0, 0.3, 0.6, 1.0, 1.6) if weight > 0 else (0.0, 0.03, 0.1, 0.3, 1.0)
        assert any(own == pytest.approx(share * (weight if weight > 0 else usual)) for share in shares)
    # And where NDCG@10 tells nothing either, likelihood's word stands.
    monkeypatch.setattr(Choices, "ndcg", lambda *_: 0.5)
    assert evidence._settled(fit, (0, 1))[0] == (usual if kept else max(0.0, weight))


@pytest.mark.parametrize(("asked", "error", "first"), [(8, 2.7, 0.0), (8, 1.0, 5.8), (200, 2.7, 0.0), (200, 1.0, 5.8)])
def test_a_handful_of_choices_puts_no_new_item_first(asked, error, first):
    target, _ = world({"A": relevant()})
    with Workspace.temporary() as space:
        encoder, _ = fit_own(target, ADAPT.model, ADAPT.fit, seed=1, workspace=space, tracker=NullTracker())
    evidence = Evidence.of(encoder, target, ADAPT.evidence, 1)
    new = Vectors(kind=NEW, source="", user=np.ones((1, 1), np.float32), item=np.ones((1, 1), np.float32))
    some = evidence.choices.where(np.arange(len(evidence.choices)) < asked)
    evidence = replace(evidence, channels=[*evidence.channels[:2], new], choices=some)
    fit = Logit(weight=np.array([0.5, 0.3, 5.8]), error=np.array([0.1, 0.1, error]), value=np.zeros(len(some)))
    assert len(some) <= asked and evidence._settled(fit, (0, 1, 2))[2] == first


def test_nothing_relevant_ships_target_only():
    target, _ = world({"B": unrelated(0), "C": unrelated(1)})
    adapted = run(target, ())
    assert adapted.shipped == TARGET_ONLY
    assert {row["name"] for row in adapted.summary["candidates"]} == {TARGET_ONLY, ALL_DOMAINS}
    assert np.array_equal(adapted.arrays["user"], adapted.arrays["target_only.user"])
    assert adapted.summary["gates"] == {"B": 0.0, "C": 0.0}


@pytest.mark.parametrize("tune", ["adapter", "full"])
def test_validation_judges_every_tune_alike(helped, tune):
    target, _, gate = helped
    # A step of nothing: the same model, whatever trains it.
    still = replace(ADAPT, tune=tune, refit=False, transfer=FitConfig(epochs=1, lr=1e-9, batch_size=1024))
    tuned = {row["name"]: row["valid_ndcg10"] for row in run(target, ("A",), still).summary["candidates"]}
    for row in gate.summary["candidates"]:
        assert tuned[row["name"]] == pytest.approx(row["valid_ndcg10"], abs=0.01)


def test_training_that_gains_nothing_leaves_the_closed_form():
    target, _ = counting_world(relevant())
    gate = replace(ADAPT, evidence=replace(ADAPT.evidence, cross_rank=4, saturations=(9.0,)))
    harmful = replace(gate, tune="full", transfer=FitConfig(epochs=1, lr=1.0, batch_size=256))
    made, want = run(target, ("A",), harmful), run(target, ("A",), gate)
    epochs = made.summary["best_epoch"]
    assert not any(epochs[name] for name in epochs if name != "base") and made.shipped == want.shipped != TARGET_ONLY
    # Refitted, and with counts, whose weights go with maps that have no weight in them. Which vectors would ship alone
    # is for likelihood too, where nothing is trained on.
    assert made.summary["saturation"] == want.summary["saturation"] == 9.0
    for name in (n for n in want.arrays if not n.startswith("vectors.")):
        assert made.arrays[name] == pytest.approx(want.arrays[name], abs=1e-4), name


def test_an_encoder_whose_view_has_no_weight_can_still_be_trained():
    target, _ = world({})
    with Workspace.temporary() as space:
        fitting = Fitting(target, replace(ADAPT, tune="full"), 1, space, NullTracker())
        base = new_encoder(target, ADAPT.model, 1)
        begun = Fitted(encoder=base, parts=Parts(), weight={OWN: 0.0, POPULARITY: 0.1})
        tuned, result = fitting._tuned(begun, TRAIN, "unweighed", 5.0)
    assert result.best_epoch > 0
    before, after = base.state_dict(), tuned.encoder.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_training_from_a_weight_that_was_none_must_beat_the_model_without_it():
    target, _ = world({"A": relevant()})
    with Workspace.temporary() as space:
        fitting = Fitting(target, replace(ADAPT, tune="full"), 1, space, NullTracker())
        base, _ = fitting.base(TRAIN)
        evidence = Evidence.of(base, target, ADAPT.evidence, 1)
        weight = {**evidence.weights(("A",)).value, OWN: 0.0}
        begun = Fitted(encoder=base, parts=evidence.parts, weight=weight)
        # So much of an own view drowns what the source knows, and training gains over that alone.
        tuned, result = fitting._tuned(begun, TRAIN, "drowned", 20.0)
    assert result.best > result.start and result.best_epoch == 0 and tuned is begun


def test_a_source_gets_no_credit_for_training_longer():
    target, _ = world({"B": unrelated(0), "C": unrelated(1)})
    # The base is far from done, so whoever trains on gains; target_only does so as well.
    short = FitConfig(epochs=1, lr=0.02, batch_size=256)
    adapted = run(target, (), replace(ADAPT, fit=short, tune="full", refit=False))
    assert adapted.summary["best_epoch"]["base"] == 1
    assert adapted.shipped == TARGET_ONLY


def test_a_harmful_choice_does_not_ship():
    target, _ = world({"A": relevant(), "B": unrelated(0)})
    adapted = run(target, ("B",))
    assert adapted.shipped != CHOSEN and "chosen subset is not surely better" in adapted.summary["reason"]


def test_without_sources_there_is_one_candidate():
    target, _ = world({})
    adapted = run(target, (), replace(ADAPT, refit=False))
    assert adapted.shipped == TARGET_ONLY and adapted.summary["reason"].startswith("There is no source domain.")
    assert np.array_equal(adapted.arrays["all_domains.item"], adapted.arrays["target_only.item"])
    assert adapted.summary["gates"] == {}


def test_a_choice_that_is_a_guard_is_not_trained_twice():
    target, _ = world({"A": relevant(), "B": unrelated(0)})
    assert subsets(target, ()) == {TARGET_ONLY: (), ALL_DOMAINS: ("A", "B")}
    assert subsets(target, ("B", "A")) == {TARGET_ONLY: (), ALL_DOMAINS: ("A", "B")}
    assert subsets(target, ("A",)) == {TARGET_ONLY: (), ALL_DOMAINS: ("A", "B"), CHOSEN: ("A",)}


def test_no_validation_ships_target_only():
    target, _ = world({"A": relevant()})
    events = target.graph.events["new"]
    blind = EventEdges(user=events.user, item=events.item, valid=np.zeros_like(events.valid))
    target = replace(target, graph=replace(target.graph, events={"new": blind}))
    adapted = run(target, ("A",))
    assert adapted.shipped == TARGET_ONLY and "No validation events" in adapted.summary["reason"]


@pytest.mark.parametrize("views", [{}, {"A": np.zeros((NUM_USERS, 8))}], ids=["no source", "none known"])
@pytest.mark.parametrize("left", [0, 5])
def test_the_own_view_counts_where_no_source_knows_anybody(views, left):
    target, test_item = world(views)
    events = target.graph.events["new"]
    few = events.valid & (events.user < left)
    events = EventEdges(user=events.user, item=events.item, valid=few)
    target = replace(target, graph=replace(target.graph, events={"new": events}))
    adapted = run(target, ())
    assert np.linalg.norm(adapted.arrays["user"][:, :-1], axis=1).min() > 1
    assert hits(adapted.arrays, "", test_item) > 1.5 * 10 / NUM_ITEMS


def test_a_user_is_judged_by_weights_that_other_users_gave():
    target, _ = world({"A": relevant()})
    with Workspace.temporary() as space:
        encoder, _ = fit_own(target, ADAPT.model, ADAPT.fit, seed=1, workspace=space, tracker=NullTracker())
    evidence = Evidence.of(encoder, target, ADAPT.evidence, 1)
    fold = generator(0, "evidence", "folds").permutation(len(evidence.view.users)) % 5
    mine = np.flatnonzero(fold == 0)
    # All of the first fold but ten users take something else, which says nothing of what the ten are judged by.
    changed, ten = np.isin(evidence.row, mine[10:]), mine[:10]
    pos = np.where(changed, (evidence.choices.pos + 7) % evidence.choices.size, evidence.choices.pos)
    other = replace(evidence, choices=replace(evidence.choices, pos=pos), _known={})
    before, after = evidence.held_out(("A",)), other.held_out(("A",))
    assert after.likelihood[ten] == pytest.approx(before.likelihood[ten], abs=0.01)
    assert np.array_equal(after.ndcg[mine], before.ndcg[mine])
    elsewhere = np.flatnonzero(fold != 0)
    assert np.abs(after.likelihood[elsewhere] - before.likelihood[elsewhere]).max() > 0.1


RNG = np.random.default_rng(0)
LOW = RNG.random(400)


def decided(values, likelihood=None):
    told = likelihood or {}
    return guard({name: HeldOut(v, told.get(name)) for name, v in values.items()}, samples=200, seed=1)


@pytest.mark.parametrize(
    ("chosen", "everything", "ships"),
    [
        (0.2, 0.1, CHOSEN),  # surely above both guards
        (0.2, 0.2, ALL_DOMAINS),  # not above all_domains, which is surely above none
        (0.2, 0.3, ALL_DOMAINS),
        (-0.1, -0.1, TARGET_ONLY),
        (0.0, 0.0, TARGET_ONLY),
        (None, 0.1, ALL_DOMAINS),
        (None, -0.1, TARGET_ONLY),
    ],
)
def test_the_guard_by_hand(chosen, everything, ships):
    values = {TARGET_ONLY: LOW, ALL_DOMAINS: LOW + everything}
    values |= {} if chosen is None else {CHOSEN: LOW + chosen}
    decision = decided(values)
    assert decision.shipped == ships
    assert decision.rows[0]["valid_ndcg10"] == pytest.approx(LOW.mean())


def test_a_handful_of_users_is_sure_of_nothing():
    one = np.zeros(400)
    one[:9] = 0.5
    assert decided({TARGET_ONLY: LOW, ALL_DOMAINS: LOW + one}).shipped == TARGET_ONLY
    assert decided({TARGET_ONLY: np.zeros(1), ALL_DOMAINS: np.ones(1)}).shipped == TARGET_ONLY


def test_all_cold_validation_leaves_other_users_their_own_history():
    target, _ = world({"A": relevant()})
    events = target.graph.events["new"]
    cold = replace(events, valid=events.user < 150)
    target = replace(target, graph=replace(target.graph, events={"new": cold}))
    with Workspace.temporary() as space:
        encoder, result = fit_own(target, ADAPT.model, ADAPT.fit, seed=1, workspace=space, tracker=NullTracker())
    # Validation cannot say what an own history counts for, nor when to stop; train events can.
    assert result.best_epoch == ADAPT.fit.epochs
    weight = Evidence.of(encoder, target, ADAPT.evidence, 1).weights(("A",)).value
    assert weight["own"] > 1 and weight["popularity"] > 0 and weight["users:A"] > 0


def test_a_gain_within_the_noise_does_not_ship():
    noise = RNG.normal(size=400)
    noise += 0.5 * noise.std() / 20 - noise.mean()  # half a standard error above zero
    assert decided({TARGET_ONLY: LOW, ALL_DOMAINS: LOW + noise}).shipped == TARGET_ONLY


@pytest.mark.parametrize(("errors", "taken"), [(1.1, True), (0.9, False), (-3.0, False)])
def test_what_is_less_simple_must_gain_more_than_a_standard_error(errors, taken):
    noise = RNG.normal(size=400)
    more = noise - noise.mean() + errors * noise.std(ddof=1) / 20
    better, told = worth_more(HeldOut(LOW + more), HeldOut(LOW))
    assert better is taken and told == f"NDCG@10 {more.mean():+.4f}, standard error {noise.std(ddof=1) / 20:.4f}"


def test_a_gain_that_nine_users_alone_have_is_none():
    better, told = worth_more(HeldOut(LOW[:9] + 0.1), HeldOut(LOW[:9]))
    assert not better and "fewer than 10 users" in told
    assert decided({TARGET_ONLY: LOW[:9], ALL_DOMAINS: LOW[:9] + 0.1}).reason.startswith("Only 9 users validate")


@pytest.mark.parametrize(("mean", "ships"), [(0.01, ALL_DOMAINS), (-0.01, TARGET_ONLY)])
def test_where_the_chosen_shows_that_sources_help_the_better_guard_ships(mean, ships):
    noise = RNG.normal(size=400)
    everything = LOW + noise - noise.mean() + mean
    # The chosen one is surely above none, and all domains too uncertain to be above or below anything.
    assert decided({TARGET_ONLY: LOW, ALL_DOMAINS: everything, CHOSEN: LOW + 0.02}).shipped == ships
    assert decided({TARGET_ONLY: LOW, ALL_DOMAINS: everything}).shipped == TARGET_ONLY


@pytest.mark.parametrize(("ndcg", "nats", "ships"), [(1, 1, True), (1, -1, False), (-1, 1, False), (1, 0, False)])
def test_likelihood_is_sure_where_few_users_have_any_ndcg(ndcg, nats, ships):
    noise = RNG.normal(size=400) / 10
    within = ndcg * (0.5 * noise.std() / 20) + noise - noise.mean()
    values = {TARGET_ONLY: LOW, ALL_DOMAINS: LOW + within}
    likelihood = {TARGET_ONLY: -LOW, ALL_DOMAINS: nats * 0.1 * LOW - LOW}
    decision = decided(values, likelihood)
    assert (decision.shipped == ALL_DOMAINS) == ships
    assert f"{nats * 0.1 * LOW.sum():+.1f} nats" in decision.reason
    # Where one candidate has none, nothing is decided by it.
    assert decided(values, {TARGET_ONLY: -LOW}).shipped == TARGET_ONLY


def test_same_seed_same_bytes_and_a_killed_run_ends_alike(tmp_path):
    target, _ = world({"A": relevant(), "B": unrelated(0)})
    config = replace(ADAPT, tune="full")
    whole = run(target, ("A",), config)
    # Two epochs of target_only, then deep in the candidates, then in the refit.
    for epochs in (2, 9, 12):
        with pytest.raises(Interrupted):
            run(target, ("A",), config, DyingTracker(epochs), Workspace(tmp_path))
    again = run(target, ("A",), config, workspace=Workspace(tmp_path))
    assert again.summary == whole.summary
    assert {n: a.tobytes() for n, a in again.arrays.items()} == {n: a.tobytes() for n, a in whole.arrays.items()}


def ints(*values):
    return np.array(values, dtype=np.int64)


def test_the_target_is_cut_out_of_the_graph():
    def edges(source, target, weight):
        return Edges(source=ints(*source), target=ints(*target), weight=np.array(weight, dtype=np.float32))

    graph = MultiDomainGraph(
        num_users=3,
        num_items=4,
        num_entities=5,
        catalog={"a": ints(0, 2), "b": ints(1, 3)},
        events={
            "a": EventEdges(user=ints(0), item=ints(0), valid=np.array([False])),
            "b": EventEdges(user=ints(1, 2), item=ints(3, 1), valid=np.array([False, True])),
        },
        knowledge={
            ("item", "brand", "entity"): edges([0, 1, 3], [0, 2, 4], [0.1, 0.2, 0.3]),
            ("item", "like", "item"): edges([1, 2], [3, 3], [0.4, 0.5]),
            ("entity", "is", "entity"): edges([0, 2], [1, 4], [0.6, 0.7]),
            ("entity", "made", "item"): edges([3], [2], [0.8]),
        },
    )
    own = target_graph(graph, "b")
    assert (own.num_users, own.num_items, own.num_entities) == (3, 2, 2)
    assert own.domains == ("b",) and own.catalog["b"].tolist() == [0, 1]
    assert own.events["b"].item.tolist() == [1, 0] and own.events["b"].valid.tolist() == [False, True]
    found = {t: list(zip(e.source.tolist(), e.target.tolist(), strict=True)) for t, e in own.knowledge.items()}
    # Entities 2 and 4 touch items 1 and 3; they become 0 and 1.
    assert found == {
        ("item", "brand", "entity"): [(0, 0), (1, 1)],
        ("item", "like", "item"): [(0, 1)],
        ("entity", "is", "entity"): [(0, 1)],
    }


def test_adapt_goes_on_from_the_base_of_select(tmp_path):
    target, _ = world({"A": relevant()})
    selected, adapting = Workspace(tmp_path).part("select"), Workspace(tmp_path).part("adapt")
    fit_own(target, ADAPT.model, ADAPT.fit, seed=1, workspace=selected, tracker=NullTracker())
    hand_over(BASE, selected.path, adapting.path)
    config = replace(ADAPT, refit=False)
    # Nothing is left to train.
    adapted, whole = run(target, ("A",), config, DyingTracker(0), adapting), run(target, ("A",), config)
    assert adapted.summary == whole.summary
    assert {n: a.tobytes() for n, a in adapted.arrays.items()} == {n: a.tobytes() for n, a in whole.arrays.items()}


def test_a_base_of_other_options_is_not_taken_for_its_own(tmp_path):
    target, _ = world({"A": relevant()})
    warm = replace(ADAPT.model, temperature=2 * ADAPT.model.temperature)

    def base(model, space):
        made, _ = fit_own(target, model, ADAPT.fit, seed=1, workspace=space, tracker=NullTracker())
        return [value.tolist() for value in made.parameters()]

    shared = Workspace(tmp_path)
    first, other = base(ADAPT.model, shared), base(warm, shared)
    with Workspace.temporary() as space:
        assert first != other == base(warm, space)
