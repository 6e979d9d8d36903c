"""Which sources help: planted worlds with one right answer, and the choice rule by hand."""

from dataclasses import replace

import numpy as np
import pytest

from finetune.select import Selection, choose, select
from finetune.task import gain
from graphrec.core.search import MemorySearch, Trial
from graphrec.core.tracking import NullTracker
from graphrec.core.workspace import Workspace
from tests.planted import SELECT, relevant, unrelated, world


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
    assert summary["trials"][0]["standard_error"] == 0 and summary["chosen"] == ["A"]
    by_name = {tuple(t["domains"]): t for t in summary["trials"]}
    assert by_name["A",]["value"] > by_name[()]["value"] + 2 * by_name["A",]["standard_error"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nothing_relevant_chooses_nothing(seed):
    target, _ = world({f"S{n}": unrelated(10 * seed + n) for n in range(3)}, seed)
    selection = run(target)
    assert selection.chosen == () and selection.reason.startswith("No source: ")


def test_more_sources_than_allowed_are_screened():
    target, _ = world({"A": relevant(), "B": unrelated(0), "C": unrelated(1)})
    selection = run(target, replace(SELECT, max_sources=2))
    assert selection.chosen == ("A",)
    assert selection.reason.startswith("Of 3 sources the 2 best ones alone were combined (A, ")
    # Every single source was tried, and all subsets of the two that were kept.
    assert {(), ("A",), ("B",), ("C",)} < set(selection.values) and len(selection.values) == 5


def test_no_sources_and_no_validation_pass_with_a_reason():
    target, _ = world({})
    assert run(target) == Selection((), "There are no source domains to choose from.", {})
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


class ForgetfulObjective:
    """A search that knows every value already and calls no objective, as a study after a kill may."""

    def run(self, points, objective):
        return [Trial(point, 0.0) for point in points]


def test_a_killed_search_ends_with_the_same_bytes(tmp_path):
    target, _ = world({"A": relevant(), "B": unrelated(0)})
    whole = run(target)
    with pytest.raises(Killed):
        run(target, search=DyingSearch(), workspace=Workspace(tmp_path))
    again = run(target, workspace=Workspace(tmp_path))
    assert again.chosen == whole.chosen and again.reason == whole.reason
    assert {s: v.tobytes() for s, v in again.values.items()} == {s: v.tobytes() for s, v in whole.values.items()}
    remembered = run(target, search=ForgetfulObjective())
    assert remembered.summary(target) == whole.summary(target)


GOOD, SAME, BAD = np.array([3.0, 1, 2, 3]), np.array([2.9, 1.2, 2, 3]), np.array([1.0, 0, 1, 1])


def test_gain_by_hand():
    # Differences 2, 1, 1, 2: mean 1.5, sample deviation sqrt(1/3), error sqrt(1/3) / 2.
    assert gain(GOOD, BAD) == pytest.approx((1.5, np.sqrt(1 / 3) / 2))
    assert gain(GOOD, GOOD) == (0.0, 0.0)
    assert gain(np.array([1.0]), np.array([0.5])) == (0.5, 0.0)


def test_the_smaller_of_two_alike_is_chosen():
    assert choose({(): BAD, ("a", "b"): GOOD, ("a",): SAME}, 2)[0] == ("a",)
    assert choose({(): BAD, ("a", "b"): GOOD, ("a",): BAD}, 2)[0] == ("a", "b")
    assert choose({(): BAD, ("a",): GOOD, ("b",): GOOD}, 2)[0] == ("a",)


def test_a_doubtful_gain_chooses_nothing():
    doubtful = BAD + np.array([1.0, -0.5, 0.5, 0])
    chosen, reason = choose({(): BAD, ("a",): doubtful}, 2)
    assert chosen == () and "a has the best validation NDCG@10, +0.2500 ± 0.3227" in reason
    assert choose({(): BAD, ("a",): doubtful}, 0)[0] == ("a",)
    assert choose({(): GOOD, ("a",): BAD}, 0)[0] == ()
