"""Cut clean events into train, valid and test, by user or by time.

*leave_last_out*: per (user, domain) the last event is the test, the one before it the validation.
It evaluates most users, but an event of one domain may be later than another domain's test event.

*global_time*: one pair of dates for all domains. Nothing that is trained on is later than what is
predicted, but a user who first appears in a domain after the first date cannot be evaluated there.

Events of one user at the same time keep the order of their input rows.
"""

import polars as pl

from graphrec.core.errors import DataError
from graphrec.data.config import GLOBAL_TIME, SplitConfig
from graphrec.data.dataset import TEST, TRAIN, VALID

LEFT_OUT = "left_out"
"""Events after the first date of users without a training event in the domain; in no split."""

_KEY = ("domain", "user")


def split_events(events: pl.DataFrame, config: SplitConfig) -> pl.DataFrame:
    """Cut `events` (int64 columns `user`, `item`, `domain`, and `order`, a time or a position).

    Returns the events sorted by domain, user and time, with the column `split`: "train", "valid",
    "test", or `LEFT_OUT` (time cut only). Of events with equal (user, item, domain) the first is
    kept, so a held-out item is never one that the user already has. Raises `DataError` when a time
    cut leaves nothing to test on.
    """
    first = first_events(events)
    cut = _by_time(first, config) if config.kind == GLOBAL_TIME else _by_user(first, config)
    assert not cut.select(*_KEY, "item").is_duplicated().any(), "a held-out item is in the history"
    return cut


def first_events(events: pl.DataFrame) -> pl.DataFrame:
    """Keep the first event of each (user, item, domain), sorted by domain, user, `order`, input row."""
    ordered = events.sort(*_KEY, "order", maintain_order=True)
    return ordered.unique([*_KEY, "item"], keep="first", maintain_order=True)


def count_left_out(split: pl.DataFrame) -> pl.DataFrame:
    """Count what a time cut left out: `domain`, `num_users`, `num_events`, a row per domain that lost any."""
    dropped = split.filter(pl.col("split") == LEFT_OUT).group_by("domain")
    return dropped.agg(num_users=pl.col("user").n_unique(), num_events=pl.len()).sort("domain")


def _by_user(events: pl.DataFrame, config: SplitConfig) -> pl.DataFrame:
    size = pl.len().over(_KEY)
    from_end = size - pl.int_range(pl.len()).over(_KEY)
    enough = size >= config.min_events
    split = pl.when(enough & (from_end == 1)).then(pl.lit(TEST)).when(enough & (from_end == 2)).then(pl.lit(VALID))
    return events.with_columns(split=split.otherwise(pl.lit(TRAIN)))


def _by_time(events: pl.DataFrame, config: SplitConfig) -> pl.DataFrame:
    order = pl.col("order")
    # Cuts are numbers, not expressions: below, `over` would take the quantile of every single user.
    valid_cut = events["order"].quantile(1 - config.test_share - config.valid_share, "lower")
    test_cut = events["order"].quantile(1 - config.test_share, "lower")
    later = pl.when(order > test_cut).then(pl.lit(TEST)).otherwise(pl.lit(VALID))
    known = (order <= valid_cut).any().over(_KEY)
    split = pl.when(order <= valid_cut).then(pl.lit(TRAIN)).when(known).then(later).otherwise(pl.lit(LEFT_OUT))
    cut = events.with_columns(split=split)
    if not (cut["split"] == TEST).any():
        raise DataError(
            "split.kind global_time: no user with a training event has an event after the test cut; "
            "use split.kind leave_last_out or other shares"
        )
    return cut
