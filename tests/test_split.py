"""Splits: the last event of each user, or everything after a date; never an item the user already has."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from graphrec.core.errors import DataError
from graphrec.data.config import SplitConfig
from graphrec.data.split import count_left_out, first_events, split_events

LAST = SplitConfig()
TIME = SplitConfig(kind="global_time", valid_share=0.2, test_share=0.2)


def frame(*rows):
    return pl.DataFrame(rows, schema=dict.fromkeys(("user", "item", "domain", "order"), pl.Int64), orient="row")


def pairs(split, part):
    return split.filter(pl.col("split") == part).select("user", "item", "domain").rows()


def test_last_event_is_test_and_the_one_before_valid_in_each_domain():
    events = frame((0, 5, 0, 40), (0, 6, 0, 10), (0, 7, 0, 30), (0, 8, 0, 20), (0, 9, 1, 1), (0, 1, 1, 2), (0, 2, 1, 3))
    split = split_events(events, LAST)
    assert pairs(split, "train") == [(0, 6, 0), (0, 8, 0), (0, 9, 1)]
    assert pairs(split, "valid") == [(0, 7, 0), (0, 1, 1)]
    assert pairs(split, "test") == [(0, 5, 0), (0, 2, 1)]


def test_users_with_too_few_events_only_train():
    split = split_events(frame((0, 1, 0, 1), (0, 2, 0, 2), (1, 1, 0, 1), (1, 2, 0, 2), (1, 3, 0, 3)), LAST)
    assert pairs(split, "train") == [(0, 1, 0), (0, 2, 0), (1, 1, 0)]
    strict = split_events(split.drop("split"), SplitConfig(min_events=4))
    assert strict["split"].unique().to_list() == ["train"]


def test_events_at_one_time_keep_the_order_of_the_rows():
    split = split_events(frame((0, 3, 0, 7), (0, 1, 0, 7), (0, 2, 0, 7)), LAST)
    assert (pairs(split, "train"), pairs(split, "test")) == ([(0, 3, 0)], [(0, 2, 0)])


def test_duplicates_keep_the_first_event_and_do_not_count():
    events = frame((0, 1, 0, 9), (0, 1, 0, 1), (0, 2, 0, 2), (0, 1, 1, 3))
    assert first_events(events).rows() == [(0, 1, 0, 1), (0, 2, 0, 2), (0, 1, 1, 3)]
    assert pairs(split_events(events, LAST), "train") == [(0, 1, 0), (0, 2, 0), (0, 1, 1)]


def test_time_cut_is_one_date_for_all_domains_and_counts_unknown_users():
    rows = [(0, item, item % 2, item) for item in range(10)]
    split = split_events(frame(*rows, (7, 0, 0, 9), (8, 1, 1, 8), (8, 2, 1, 9)), TIME)
    orders = {part: split.filter(pl.col("split") == part)["order"].to_list() for part in ("train", "valid", "test")}
    assert max(orders["train"]) < min(orders["valid"]) <= max(orders["valid"]) < min(orders["test"])
    assert split.filter(pl.col("split") != "left_out")["user"].unique().to_list() == [0]
    assert count_left_out(split).rows() == [(0, 1, 1), (1, 1, 2)]


def test_one_user_may_have_several_test_events_after_the_cut():
    split = split_events(frame(*((0, item, 0, item) for item in range(10))), TIME)
    assert [len(pairs(split, p)) for p in ("train", "valid", "test")] == [6, 2, 2]


def test_a_cut_without_test_events_is_an_error():
    with pytest.raises(DataError, match="no user with a training event"):
        split_events(frame(*((0, item, 0, 5) for item in range(10))), TIME)


def test_empty_events_give_empty_splits():
    split = split_events(frame(), LAST)
    assert split.columns == ["user", "item", "domain", "order", "split"]
    assert split.is_empty() and count_left_out(split).is_empty()


def test_splitting_is_independent_of_the_row_order_of_other_users():
    events = frame(*((user, item, 0, (user * item) % 7 * 10 + item) for user in range(5) for item in range(6)))
    other = events.sort("user", descending=True, maintain_order=True)
    assert_frame_equal(split_events(events, LAST), split_events(other, LAST))
