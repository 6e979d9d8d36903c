"""A run that takes over another's views gets the sources' events and knowledge under its own numbers."""

from types import SimpleNamespace

import numpy as np
import polars as pl

from finetune.target import Target
from graphrec.core.ids import IdMap
from graphrec.encoders.pretrained import FULL, TRAIN, Pretrained
from graphrec.graph.graph import Edges, EventEdges, MultiDomainGraph
from pretrain.inherit import realign_graph


def ids(*names: str) -> IdMap:
    return IdMap("ids", pl.DataFrame({"scope": [""] * len(names), "id": list(names)}))


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


OLD = MultiDomainGraph(
    num_users=3,
    num_items=2,
    num_entities=2,
    catalog={"a": ints(0, 1)},
    events={"a": EventEdges(user=ints(0, 1, 2), item=ints(0, 1, 0), valid=np.array([False, True, False]))},
    knowledge={
        ("item", "made_by", "entity"): Edges(source=ints(0, 1), target=ints(0, 1), weight=np.ones(2, np.float32))
    },
)
BEFORE = SimpleNamespace(users=ids("ann", "bob", "cid"), entities=ids("acme", "brix"))
NOW = SimpleNamespace(users=ids("cid", "dora", "ann"), entities=ids("core", "brix"))


def test_numbers_are_those_of_the_new_run_and_the_unknown_is_left_out():
    found = realign_graph(OLD, BEFORE, NOW)
    assert (found.num_users, found.num_entities, found.num_items) == (3, 2, 2)
    # cid is 0 now and ann 2; bob is not there. Of the entities brix alone is known, as 1.
    assert found.events["a"].user.tolist() == [0, 2] and found.events["a"].item.tolist() == [0, 0]
    edges = found.knowledge["item", "made_by", "entity"]
    assert edges.source.tolist() == [1] and edges.target.tolist() == [1]


def test_a_late_target_sees_what_users_had_there_and_what_entities_tie():
    beside = realign_graph(OLD, BEFORE, NOW)
    late = MultiDomainGraph(
        num_users=3,
        num_items=2,
        num_entities=2,
        catalog={"new": ints(0, 1)},
        events={"new": EventEdges(user=ints(0, 1), item=ints(0, 1), valid=np.array([False, False]))},
        knowledge={
            ("item", "made_by", "entity"): Edges(source=ints(0, 1), target=ints(0, 1), weight=np.ones(2, np.float32))
        },
    )
    item = np.array([[1, 0], [0, 1]], dtype=np.float32)
    views = {history: {"a": np.eye(3, 2, dtype=np.float32)} for history in (TRAIN, FULL)}
    pretrained = Pretrained(
        domains=("a",),
        dim=2,
        user_views=views,
        item={TRAIN: {"a": item}, FULL: {"a": item}},
        entity=np.zeros((2, 2), dtype=np.float32),
    )
    target = Target.of(late, "new", pretrained, ("a",), beside)
    assert target.elsewhere[TRAIN]["a"].toarray().tolist() == [[1, 0], [0, 0], [1, 0]]
    # Item 1 of both is by brix; item 0 of both has the same number and nothing else in common.
    assert target.bridges[TRAIN]["a"].tolist() == [[0, 0], [0, 1]]
    assert Target.of(late, "new", pretrained, ("a",)).bridges[TRAIN] == {}
