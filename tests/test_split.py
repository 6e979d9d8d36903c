"""Splits: who is held out, by what rule, and never an item the user already has."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from graphrec.core.errors import DataError
from graphrec.data.clean import EVENTS, clean
from graphrec.data.config import CleanConfig, SplitConfig
from graphrec.data.split import PARTS, UNSAID, split_events

LAST = SplitConfig()
TIME = SplitConfig(kind="global_time", valid_share=0.2, test_share=0.2)


def frame(*rows, weight=None, split=None):
    named = pl.DataFrame(rows, schema=dict.fromkeys(("user", "item", "domain", "order"), pl.Int64), orient="row")
    weights = pl.Series([1.0] * named.height if weight is None else weight)
    said = pl.Series(
        [UNSAID] * named.height if split is None else [PARTS.index(part) for part in split], dtype=pl.UInt8
    )
    return named.with_columns(weight=weights, split=said).cast(EVENTS)


def tidy(events, **options):
    return clean(events, int(events["domain"].max() or 0) + 1, CleanConfig(**options))


def cut(events, config, seed=0):
    ordered, _ = tidy(events)
    names = [str(domain) for domain in range(int(ordered["domain"].max() or 0) + 1)]
    parts = split_events(ordered, names, config, seed=seed)
    return ordered.with_columns(split=pl.Series([PARTS[part] for part in parts], dtype=pl.String))


def pairs(split, part):
    return split.filter(pl.col("split") == part).select("user", "item", "domain").rows()


def test_last_event_is_test_and_the_one_before_valid_in_each_domain():
    events = frame((0, 5, 0, 40), (0, 6, 0, 10), (0, 7, 0, 30), (0, 8, 0, 20), (0, 9, 1, 1), (0, 1, 1, 2), (0, 2, 1, 3))
    split = cut(events, LAST)
    assert pairs(split, "train") == [(0, 6, 0), (0, 8, 0), (0, 9, 1)]
    assert pairs(split, "valid") == [(0, 7, 0), (0, 1, 1)]
    assert pairs(split, "test") == [(0, 5, 0), (0, 2, 1)]


def test_users_with_too_few_events_only_train():
    events = frame((0, 1, 0, 1), (0, 2, 0, 2), (1, 1, 0, 1), (1, 2, 0, 2), (1, 3, 0, 3))
    assert pairs(cut(events, LAST), "train") == [(0, 1, 0), (0, 2, 0), (1, 1, 0)]
    assert cut(events, SplitConfig(min_events=4))["split"].unique().to_list() == ["train"]


def test_events_at_one_time_keep_the_order_of_the_rows():
    split = cut(frame((0, 3, 0, 7), (0, 1, 0, 7), (0, 2, 0, 7)), LAST)
    assert (pairs(split, "train"), pairs(split, "test")) == ([(0, 3, 0)], [(0, 2, 0)])


@pytest.mark.parametrize(("repeats", "kept"), [("first", [(0, 1, 1), (0, 2, 2)]), ("last", [(0, 2, 2), (0, 1, 9)])])
def test_repeats_stand_once_with_their_largest_weight(repeats: str, kept: list):
    events = frame((0, 1, 0, 9), (0, 1, 0, 1), (0, 2, 0, 2), (0, 1, 1, 3), weight=[5.0, 2.0, 3.0, 4.0])
    once, dropped = tidy(events, repeats=repeats)
    assert once.filter(pl.col("domain") == 0).select("user", "item", "order").rows() == kept
    assert dict(once.filter(pl.col("domain") == 0).select("item", "weight").rows()) == {1: 5.0, 2: 3.0}
    assert [n for n in dropped.values() if n] == [1]
    assert once.filter(pl.col("domain") == 1).select("item", "weight").rows() == [(1, 4.0)]


def test_forbidden_repeats_are_counted():
    with pytest.raises(DataError, match="1 events repeat a user and an item"):
        tidy(frame((0, 1, 0, 9), (0, 1, 0, 1), (0, 1, 1, 1)), repeats="error")


def test_the_core_is_taken_until_nothing_goes():
    # Item 3 has one user; without it user 2 has one item left, and without user 2 item 1 is still held by two.
    events = frame((0, 1, 0, 1), (0, 2, 0, 2), (1, 1, 0, 3), (1, 2, 0, 4), (2, 1, 0, 5), (2, 3, 0, 6))
    core, dropped = tidy(events, min_item_users=2, min_user_items=2)
    assert core.select("user", "item").rows() == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert dropped["events of rare items or users"] == 2
    assert tidy(events, min_item_users=3)[0]["item"].to_list() == [1, 1, 1]
    assert tidy(events, min_item_users=4)[0].is_empty()


def test_time_cut_is_one_date_for_all_domains_and_leaves_unknown_users_out():
    rows = [(0, item, item % 2, item) for item in range(10)]
    split = cut(frame(*rows, (7, 0, 0, 9), (8, 1, 1, 8), (8, 2, 1, 9)), TIME)
    orders = {part: split.filter(pl.col("split") == part)["order"].to_list() for part in ("train", "valid", "test")}
    assert max(orders["train"]) < min(orders["valid"]) <= max(orders["valid"]) < min(orders["test"])
    assert split.filter(pl.col("split") != "left_out")["user"].unique().to_list() == [0]
    assert pairs(split, "left_out") == [(7, 0, 0), (8, 1, 1), (8, 2, 1)]


def test_one_user_may_have_several_test_events_after_the_cut():
    split = cut(frame(*((0, item, 0, item) for item in range(10))), TIME)
    assert [len(pairs(split, p)) for p in ("train", "valid", "test")] == [6, 2, 2]


def test_random_keeps_each_users_first_event_and_follows_the_seed():
    events = frame(*((user, item, 0, item) for user in range(200) for item in range(10)))
    config = SplitConfig(kind="random", valid_share=0.1, test_share=0.2)
    split = cut(events, config)
    counts = dict(split["split"].value_counts().rows())
    # Nine of ten events take part in the draw; four standard deviations of a binomial either way.
    assert counts["test"] == pytest.approx(360, abs=68)
    assert counts["valid"] == pytest.approx(180, abs=51)
    assert split.filter(pl.col("order") == 0)["split"].unique().to_list() == ["train"]
    assert_frame_equal(split, cut(events, config))
    assert not split["split"].equals(cut(events, config, seed=1)["split"])


def test_given_split_is_taken_and_validation_carved_where_there_is_none():
    rows = [(user, item, 0, item) for user in range(100) for item in range(6)]
    said = ["train"] * 5 + ["test"]
    split = cut(frame(*rows, split=said * 100), SplitConfig(kind="given", valid_share=0.2))
    assert pairs(split, "test") == [(user, 5, 0) for user in range(100)]
    valid = split.filter(pl.col("split") == "valid")
    assert len(valid) == pytest.approx(80, abs=32)
    assert 0 not in valid["item"]
    three = cut(
        frame(*rows, split=["train", "valid", "train", "train", "train", "test"] * 100), SplitConfig(kind="given")
    )
    assert pairs(three, "valid") == [(user, 1, 0) for user in range(100)]


def test_cold_users_lose_all_events_of_the_named_domain_only():
    # Users 0 to 39 are in both domains; 40 to 49 only in domain 0, so they cannot go cold there.
    rows = [
        (user, item, domain, item) for user in range(50) for domain in range(2 if user < 40 else 1) for item in range(4)
    ]
    config = SplitConfig(kind="cold_users", domains=("0",), valid_share=0.2, test_share=0.3)
    split = cut(frame(*rows), config)
    here = split.filter(pl.col("domain") == 0).group_by("user").agg(pl.col("split").unique())
    assert (here["split"].list.len() == 1).all()
    cold = here.filter(pl.col("split").list.first() != "train")["user"]
    assert 0 < len(cold) < 40
    assert cold.max() < 40
    assert split.filter(pl.col("domain") == 1)["split"].unique().to_list() == ["train"]


def test_shots_leave_a_held_out_user_the_first_events():
    rows = [(user, item, 0, item) for user in range(60) for item in range(5)]
    split = cut(frame(*rows), SplitConfig(kind="cold_users", domains=("0",), shots=2))
    held = split.filter(pl.col("split") != "train")
    assert held["item"].unique().sort().to_list() == [2, 3, 4]
    assert (held.group_by("user").len()["len"] == 3).all()


def test_cold_items_have_no_training_event():
    rows = [(user, item, 0, item) for user in range(20) for item in range(40)]
    split = cut(frame(*rows), SplitConfig(kind="cold_items", test_share=0.2))
    test = set(split.filter(pl.col("split") == "test")["item"])
    assert len(test) == 8
    assert test.isdisjoint(split.filter(pl.col("split") != "test")["item"])


@pytest.mark.parametrize("domains", [(), ("0",)])
def test_an_item_of_two_domains_is_cold_in_both(domains: tuple):
    rows = [
        (user, item, domain, 0)
        for user in range(9)
        for domain in (0, 1)
        for item in range(10 * domain, 10 * domain + 20)
    ]
    split = cut(frame(*rows), SplitConfig(kind="cold_items", domains=domains))
    test = set(split.filter(pl.col("split") == "test")["item"])
    assert test
    assert test.isdisjoint(split.filter(pl.col("split").is_in(["train", "valid"]))["item"])
    assert ("left_out" in set(split["split"])) == bool(domains and any(item >= 10 for item in test))


def test_a_given_split_is_asked_for_only_where_it_is_used():
    rows = [(user, item, domain, item) for user in range(9) for domain in (0, 1) for item in range(4)]
    said = [("train", "train", "valid", "test")[item] if domain == 0 else "train" for _, item, domain, _ in rows]
    events = frame(*rows, split=said)
    unsaid = events.with_columns(split=pl.when(pl.col("domain") == 0).then("split").otherwise(UNSAID).cast(pl.UInt8))
    split = cut(unsaid, SplitConfig(kind="given", domains=("0",)))
    assert split.filter(pl.col("domain") == 1)["split"].unique().to_list() == ["train"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "global_time"}, "no user has events on both sides of the cut"),
        ({"kind": "global_time", "domains": ("0",)}, "one date cuts all domains"),
        ({"kind": "given"}, "do not say their split"),
        ({"kind": "cold_users"}, "name the domain whose users go cold"),
        ({"kind": "cold_users", "domains": ("0",)}, "no user of the named domains has events elsewhere"),
        ({"kind": "random", "domains": ("shops",)}, "no domain shops; known domains: 0"),
    ],
)
def test_a_split_that_cannot_be_is_one_clear_line(config: dict, message: str):
    with pytest.raises(DataError, match=message):
        cut(frame(*((0, item, 0, 5) for item in range(10))), SplitConfig(**config))


def test_empty_events_give_empty_splits():
    events, dropped = clean(frame(), 0, CleanConfig())
    assert events.is_empty() and set(dropped.values()) == {0}
    assert len(split_events(events, [], SplitConfig(kind="random"), seed=0)) == 0


def test_splitting_is_independent_of_the_row_order_of_other_users():
    events = frame(*((user, item, 0, (user * item) % 7 * 10 + item) for user in range(5) for item in range(6)))
    other = events.sort("user", descending=True, maintain_order=True)
    assert_frame_equal(cut(events, LAST), cut(other, LAST))


@pytest.mark.parametrize("kind", ["leave_last_out", "random", "cold_items", "global_time"])
def test_no_held_out_item_is_in_the_history(kind: str):
    rng = np.random.default_rng(0)
    events = frame(*(tuple(map(int, row)) for row in rng.integers(0, (9, 20, 3, 50), size=(600, 4))))
    split = cut(events, SplitConfig(kind=kind, valid_share=0.2, test_share=0.2))
    history, test = (split.filter(pl.col("split").is_in(parts)) for parts in (["train", "valid"], ["test"]))
    assert test.height
    # Repeats fall on both sides of a cut: 600 events of 540 possible triples, drawn with many repeats.
    assert events.select("user", "item", "domain").is_duplicated().any()
    assert not test.join(history, on=["user", "item", "domain"], how="semi").height
