"""Which sources help: planted worlds with one right answer, and the choice rule by hand."""

import json
from dataclasses import replace
from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest

from finetune.evidence import Evidence
from finetune.explain import _item_members, exact_shapley
from finetune.select import Selection, select
from finetune.strategies import Gains, exhaustive, greedy
from finetune.task import fit_own, gain
from graphrec.core.search import MemorySearch, Trial
from graphrec.core.tracking import NullTracker
from graphrec.core.workspace import Workspace
from graphrec.metrics.transferability import _hsic, graph_cka
from tests.planted import NUM_USERS, SELECT, VIEW, relevant, unrelated, world


def run(target, config=SELECT, search=None, workspace=None) -> Selection:
    def call(space):
        return select(target, config, search or MemorySearch(), seed=1, workspace=space, tracker=NullTracker())

    if workspace is not None:
        return call(workspace)
    with Workspace.temporary() as space:
        return call(space)


def test_the_relevant_source_is_chosen_and_the_other_is_not():
    target, _ = world({"A": relevant(), "B": unrelated(0)})
    selection = run(target)
    assert selection.chosen == ("A",)
    summary = selection.summary(target)
    assert [trial["domains"] for trial in summary["trials"]] == [[], ["B"], ["A"], ["A", "B"]]
    assert summary["trials"][0]["standard_error"] == summary["trials"][0]["gain"] == 0 and summary["chosen"] == ["A"]
    by_name = {tuple(t["domains"]): t for t in summary["trials"]}
    assert by_name["A",]["value"] > by_name[()]["value"] + 2 * by_name["A",]["standard_error"]
    assert by_name["B",]["gain"] <= 0 and by_name["A",]["gain"] >= by_name["A", "B"]["gain"] > 20


def test_the_summary_says_what_each_source_is_worth_and_to_whom():
    target, _ = world({"A": relevant(), "B": unrelated(0)})
    summary = run(target).summary(target)
    worth = {row["source"]: row for row in summary["by_source"]}
    assert summary["shapley_unit"] == "ndcg@10" and worth["A"]["chosen"] and not worth["B"]["chosen"]
    assert worth["A"]["low"] > 0 >= worth["B"]["low"] and worth["A"]["users_z"] > 5 > 3 > worth["B"]["users_z"]
    # The Shapley values share out what all sources together are worth.
    trials = {tuple(trial["domains"]): trial["value"] for trial in summary["trials"]}
    assert sum(row["shapley"] for row in worth.values()) == pytest.approx(trials["A", "B"] - trials[()])
    screens = worth["A"]["screens"]
    assert set(screens) == {"users", "entities", "logme", "h_score", "cka", "graph", "gradient"}
    assert screens["users"] == 1 and screens["entities"] == 0
    assert all(screens[name] > worth["B"]["screens"][name] for name in ("logme", "h_score", "cka", "gradient"))
    groups = {row["group"]: row for row in summary["by_group"]}
    assert groups["users with 1 to 5"]["users"] == 500 and groups["users with 1 to 5"]["chosen"] > 0


def test_a_source_without_a_user_of_the_target_is_told_in_numbers_too():
    target, _ = world({"A": relevant(), "B": np.zeros((NUM_USERS, VIEW))})
    summary = run(target).summary(target)
    assert summary["chosen"] == ["A"]
    written = json.dumps(summary, allow_nan=False)
    screens = summary["by_source"][1]["screens"]
    assert '"users": 0.0' in written and {name for name, value in screens.items() if value is None} == {
        "logme",
        "h_score",
        "cka",
        "graph",
    }
    assert screens["users"] == screens["entities"] == screens["gradient"] == 0.0


def test_one_validation_event_chooses_nothing():
    target, _ = world({"A": relevant()})
    events = target.graph.events["new"]
    alone = replace(events, valid=events.valid & (events.user == 3))
    target = replace(target, graph=replace(target.graph, events={"new": alone}))
    assert run(target).chosen == ()


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_search_that_goes_on_halfway_ends_alike(seeds):
    target, _ = world({"A": relevant(), "B": unrelated(0), "C": unrelated(1)})
    config = replace(SELECT, seeds=seeds)
    whole, half = run(target, config), MemorySearch()
    for subset in list(whole.gains)[::2]:
        point = {name: name in subset for name in target.sources}
        half.known[tuple(sorted(point.items()))] = whole.gains[subset]
    assert run(target, config, search=half).summary(target) == whole.summary(target)


class Told:
    """Evidence of one seed that says what it is told."""

    target = SimpleNamespace(sources=("A", "B"))

    def __init__(self, a: float, b: float, both: float) -> None:
        self.known = {(): 0.0, ("A",): a, ("B",): b, ("A", "B"): both}

    def gain(self, subset):
        return self.known[subset]


@pytest.mark.parametrize("way", [exhaustive, greedy])
@pytest.mark.parametrize(
    ("seeds", "chosen"),
    [
        ([(10, 0, 11)], ("A", "B")),  # of one seed any gain counts
        ([(10, 0, 11), (10, 0, 14)], ("A", "B")),  # 2.5 more, with an error of 1.5
        ([(10, 0, 9.5), (10, 0, 14)], ("A",)),  # 1.75 more, with an error of 2.25
        ([(1, 0, 1), (-0.5, 0, -0.5)], ()),  # .25, with an error of .75
        # B is surely worth 21; that A seems to be worth more, alone or beside it, changes nothing.
        ([(100, 20, 120), (-50, 22, -28)], ("B",)),
    ],
)
def test_a_source_must_gain_more_than_the_standard_error_over_seeds(way, seeds, chosen):
    gains, search = Gains([Told(*values) for values in seeds]), MemorySearch()
    found = way(gains, search)
    assert found.best == chosen and found.gain[()] == 0
    assert found.gain["A",] == pytest.approx(np.mean([values[0] for values in seeds]))
    # What a killed search remembers are means; the errors are found anew.
    assert way(gains, search) == found


def test_several_seeds_tell_how_sure_a_gain_is():
    target, _ = world({"A": relevant(), "B": unrelated(0)})
    one, two = run(target), run(target, replace(SELECT, seeds=2))
    assert two.chosen == ("A",) and not one.errors and "gain_error" not in one.summary(target)["trials"][0]
    told = {tuple(trial["domains"]): trial for trial in two.summary(target)["trials"]}
    assert told[()]["gain_error"] == 0 < told["A",]["gain_error"] < told["A",]["gain"] / 5
    # The first seed is the run's own, and the mean is between both.
    assert told["A",]["value"] == one.values["A",].mean() and told["A",]["gain"] != one.gains["A",]
    assert abs(told["A",]["gain"] - one.gains["A",]) == pytest.approx(told["A",]["gain_error"])
    assert run(target, replace(SELECT, seeds=2)).summary(target) == two.summary(target)


def test_shapley_by_hand():
    # a alone 1, b alone 2, both 4: a brings 1 first and 2 second, b 2 first and 3 second.
    values = {(): np.zeros(1), ("a",): np.ones(1), ("b",): 2 * np.ones(1), ("a", "b"): 4 * np.ones(1)}
    assert {name: float(v[0]) for name, v in exact_shapley(("a", "b"), values).items()} == {"a": 1.5, "b": 2.5}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nothing_relevant_chooses_nothing(seed):
    target, _ = world({f"S{n}": unrelated(10 * seed + n) for n in range(3)}, seed)
    selection = run(target)
    assert selection.chosen == () and selection.reason.startswith("No source: ")


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("search", ["greedy", "gates"])
def test_other_ways_find_it_too_with_fewer_trials(search, seeds):
    views = {"A": relevant(), **{f"B{n}": unrelated(n) for n in range(5)}}
    selection = run(world(views)[0], replace(SELECT, search=search, seeds=seeds))
    assert selection.chosen == ("A",) and () in selection.values
    assert selection.explained.all_against_chosen is not None, "what all would give is told, tried or not"
    # Greedy: none, six of one source, five of two; gates: none, the result, all.
    assert len(selection.values) == {"greedy": 12, "gates": 3}[search]
    assert selection.summary(world(views)[0])["shapley_unit"] == "nats"


def test_many_sources_are_searched_step_by_step():
    views = {"A": relevant(), "B": unrelated(0), "C": unrelated(1)}
    selection = run(world(views)[0], replace(SELECT, max_sources=2))
    assert selection.chosen == ("A",) and len(selection.values) == 6


def test_no_sources_and_no_validation_pass_with_a_reason():
    target, _ = world({})
    assert run(target) == Selection(
        chosen=(), reason="There are no source domains to choose from.", gains={}, values={}
    )
    assert run(target).summary(target)["trials"] == []
    target, _ = world({"A": relevant()})
    events = target.graph.events["new"]
    blind = replace(events, valid=np.zeros_like(events.valid))
    target = replace(target, graph=replace(target.graph, events={"new": blind}))
    assert run(target).chosen == () and "no validation events" in run(target).reason


class Killed(Exception):
    pass


class DyingSearch:
    """Runs two trials, then dies; on the second life it remembers none of them."""

    def run(self, points, objective):
        for point in points[:2]:
            objective(point)
        raise Killed


class Remembering:
    """A search that knows every value already and calls no objective, as a study after a kill may."""

    def __init__(self, gains):
        self.gains = gains

    def run(self, points, objective):
        return [Trial(point, self.gains[tuple(name for name, on in point.items() if on)]) for point in points]


def test_a_killed_search_ends_with_the_same_bytes(tmp_path):
    target, _ = world({"A": relevant(), "B": unrelated(0)})
    whole = run(target)
    with pytest.raises(Killed):
        run(target, search=DyingSearch(), workspace=Workspace(tmp_path))
    again = run(target, workspace=Workspace(tmp_path))
    assert again.chosen == whole.chosen and again.reason == whole.reason
    assert {s: v.tobytes() for s, v in again.values.items()} == {s: v.tobytes() for s, v in whole.values.items()}
    remembered = run(target, search=Remembering(whole.gains))
    assert remembered.summary(target) == whole.summary(target)


GOOD, SAME, BAD = np.array([3.0, 1, 2, 3]), np.array([2.9, 1.2, 2, 3]), np.array([1.0, 0, 1, 1])


def test_gain_by_hand():
    # Differences 2, 1, 1, 2: mean 1.5, sample deviation sqrt(1/3), error sqrt(1/3) / 2.
    assert gain(GOOD, BAD) == pytest.approx((1.5, np.sqrt(1 / 3) / 2))
    assert gain(GOOD, GOOD) == (0.0, 0.0)
    assert gain(np.array([1.0]), np.array([0.5])) == (0.5, 0.0)


def test_an_item_group_has_the_users_who_validate_on_it_alone():
    # Item 0 is the head, item 2 the tail, item 3 cold; user 0 asks for head and tail.
    target = SimpleNamespace(valid=(np.array([0, 0, 4, 5, 5]), np.array([0, 2, 2, 0, 0])))
    evidence = SimpleNamespace(target=target, view=SimpleNamespace(count=np.array([9, 3, 1, 0])))
    found = {name: mask.tolist() for name, mask in _item_members(evidence, np.array([0, 4, 5])).items()}
    assert found["head items"] == [False, False, True] and found["tail items"] == [False, True, False]
    assert not any(found["mid items"]) and not any(found["cold items"])


def test_a_gain_is_what_is_likelier_less_the_price_of_its_weights():
    target, _ = world({"A": relevant(), "B": unrelated(0)})
    with Workspace.temporary() as space:
        encoder, _ = fit_own(target, SELECT.model, SELECT.fit, seed=1, workspace=space, tracker=NullTracker())
    evidence = Evidence.of(encoder, target, SELECT.evidence, 1)
    assert evidence.price == pytest.approx(1.5 * np.log(len(evidence.choices)))
    likelier = evidence.log_likelihood(("A",)).sum() - evidence.log_likelihood(()).sum()
    assert evidence.gain(("A",)) == pytest.approx(likelier - evidence.price)


def test_graphs_are_alike_as_far_as_their_edges_are():
    rng = np.random.default_rng(0)
    had = rng.random((60, 40)) < 0.2
    first, second = (m.astype(float) @ m.T for m in (had, rng.random((60, 40)) < 0.2))
    assert graph_cka(first, 3 * first) == pytest.approx(1) and abs(graph_cka(first, second)) < 0.1
    # What a node has in common with itself does not count.
    assert graph_cka(first + 100 * np.eye(60), first) == pytest.approx(1)
    # By the definition of Song et al. (2012, eq. 2): means over distinct nodes i, j, q, r.
    k, m = first[:6, :6], second[:6, :6]
    terms = [k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in permutations(range(6), 4)]
    assert _hsic(k, m) == pytest.approx(np.mean(terms))


def test_a_useless_source_changes_no_gain_by_one_bit():
    target, _ = world({"A": relevant(), "B": unrelated(0), "C": unrelated(1)})
    with Workspace.temporary() as space:
        encoder, _ = fit_own(target, SELECT.model, SELECT.fit, seed=1, workspace=space, tracker=NullTracker())
    evidence = Evidence.of(encoder, target, SELECT.evidence, 1)
    assert evidence.gain(("B",)) == evidence.gain(("B", "C")) == evidence.gain(()) == 0
    assert evidence.gain(("A", "B", "C")) == evidence.gain(("A", "C")) == evidence.gain(("A",)) > 0
