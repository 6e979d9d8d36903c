"""Order numbered events, merge repeats, and drop what is too rare, domain by domain.

Everything here is vectorised over integer columns and holds one domain's copy at a time.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graphrec.core.errors import DataError
from graphrec.core.types import BoolArray
from graphrec.data.config import CleanConfig

EVENTS = {
    "user": pl.Int32,
    "item": pl.Int32,
    "domain": pl.UInt16,
    "order": pl.Int64,
    "weight": pl.Float32,
    "split": pl.UInt8,
}
"""Columns of numbered events; `split` counts positions in `graphrec.data.split.PARTS`."""


def clean(events: pl.DataFrame, num_domains: int, config: CleanConfig) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return `events` (columns of `EVENTS`, in input order) sorted by domain, user, order, and what was dropped.

    A (user, item, domain) stands once; which of its repeats stays, `config.repeats` says, and it
    carries the largest weight of them. Events of one user at the same time keep their input order.
    Users and items with too few partners in a domain go, again and again until none is left (the
    k-core). Raises `DataError` on repeats that the configuration forbids.
    """
    dropped = {
        "repeated events": 0,
        "repeats in another part of a given split": 0,
        "events of rare items or users": 0,
    }
    parts, thin = [], max(config.min_item_users, config.min_user_items) > 1
    for domain in range(num_domains):
        part = events.filter(pl.col("domain") == domain)
        once, across = _once(part, config.repeats)
        dropped["repeats in another part of a given split"] += across
        kept = once.filter(pl.Series(_core(once, config))) if thin else once
        dropped["repeated events"] += part.height - once.height - across
        dropped["events of rare items or users"] += once.height - kept.height
        parts.append(kept)
    return pl.concat([pl.DataFrame(schema=EVENTS), *parts]), dropped


def _once(part: pl.DataFrame, repeats: str) -> tuple[pl.DataFrame, int]:
    """Sort by user and order, one event for each item; count the merged ones that another part of a split has."""
    part = _by_time(part)
    num_items = int(part["item"].to_numpy().max(initial=0)) + 1
    pair = part["user"].cast(pl.Int64) * num_items + part["item"]
    rows = pl.DataFrame({"pair": pair, "row": pl.int_range(part.height, dtype=pl.UInt32, eager=True)})
    rows = rows.sort("pair", maintain_order=True)
    new = np.ones(part.height, dtype=np.bool_)
    ordered = rows["pair"].to_numpy()
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    across = 0
    if not new.all():
        part, across = _merged(part, rows["row"].to_numpy(), new, repeats)
    return part if part["user"].is_sorted() else part.sort("user", maintain_order=True), across


def _by_time(part: pl.DataFrame) -> pl.DataFrame:
    """Sort by user and time in one pass where both fit one integer, else by time alone."""
    if not part.height:
        return part
    order = part["order"]
    first, users = int(order.min()), int(part["user"].max()) + 1  # type: ignore[arg-type]
    span = int(order.max()) - first + 1  # type: ignore[arg-type]
    if users * span >= 2**63:
        return part.sort("order", maintain_order=True)
    return part.sort(part["user"].cast(pl.Int64) * span + (order - first), maintain_order=True)


def _merged(part: pl.DataFrame, row: NDArray[np.uint32], new: BoolArray, repeats: str) -> tuple[pl.DataFrame, int]:
    """Keep one event of each group; `row` lists events group by group, `new` marks where a group begins."""
    if repeats == "error":
        raise DataError(
            f"{int((~new).sum())} events repeat a user and an item; ingest.clean.repeats=first or last merges them"
        )
    begin = np.flatnonzero(new)
    end = np.append(begin[1:], len(row)) - 1
    kept = row[begin if repeats == "first" else end]
    weight = part["weight"].to_numpy(writable=True)
    weight[kept] = np.maximum.reduceat(weight[row], begin)
    said = part["split"].to_numpy()
    across = int((said[row] != np.repeat(said[kept], end - begin + 1)).sum())
    return part.with_columns(pl.Series("weight", weight))[np.sort(kept)], across


def _core(part: pl.DataFrame, config: CleanConfig) -> BoolArray:
    """Return the k-core of one domain: the largest part in which every item and user has enough partners."""
    ends = [(part["item"].to_numpy(), config.min_item_users), (part["user"].to_numpy(), config.min_user_items)]
    keep, before = np.ones(part.height, dtype=np.bool_), part.height + 1
    while before != (before := int(keep.sum())):
        for ids, least in ends:
            keep &= (np.bincount(ids[keep], minlength=int(ids.max(initial=0)) + 1) >= least)[ids]
    return keep


def segments(events: pl.DataFrame) -> NDArray[np.int64]:
    """Return where each run of one (domain, user) begins in sorted `events`, and at last their number."""
    user, domain = events["user"].to_numpy(), events["domain"].to_numpy()
    new = (user[1:] != user[:-1]) | (domain[1:] != domain[:-1])
    begin = np.flatnonzero(new) + 1
    return np.concatenate([[0] if events.height else [], begin, [events.height]]).astype(np.int64)


def compact(codes: NDArray[np.int32], num: int) -> tuple[BoolArray, NDArray[np.int32]]:
    """Return which of `num` ids occur in `codes`, and the new number of each that does."""
    used = np.zeros(num, dtype=np.bool_)
    used[codes] = True
    return used, np.cumsum(used, dtype=np.int32) - 1


def domain_slices(events: pl.DataFrame, num_domains: int) -> Iterator[slice]:
    """Yield the rows of each domain in sorted `events`."""
    bounds = np.searchsorted(events["domain"].to_numpy(), np.arange(num_domains + 1))
    yield from (slice(int(a), int(b)) for a, b in zip(bounds[:-1], bounds[1:], strict=True))
