"""Order numbered events, merge repeats, and drop what is too rare, domain by domain.

Everything here is compiled or vectorised over integer columns; two domains are worked on at a time.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graphrec.core.errors import DataError
from graphrec.core.types import BoolArray
from graphrec.data._numba_order import Rows, arrange, core
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
    num_users, num_items = (int(events[kind].to_numpy().max(initial=-1)) + 1 for kind in ("user", "item"))

    def one(domain: int) -> tuple[pl.DataFrame, tuple[int, int, int]]:
        part = events.filter(pl.col("domain") == domain)
        return _clean_domain(part, num_users, num_items, config)

    with ThreadPoolExecutor(max_workers=2) as threads:
        parts = list(threads.map(one, range(num_domains)))
    dropped = [sum(counts) for counts in zip(*(counts for _, counts in parts), (0, 0, 0), strict=True)]
    return pl.concat([pl.DataFrame(schema=EVENTS), *(part for part, _ in parts)]), dict(
        zip(_REASONS, dropped, strict=True)
    )


_REASONS = ("repeated events", "repeats in another part of a given split", "events of rare items or users")


def _clean_domain(
    part: pl.DataFrame, num_users: int, num_items: int, config: CleanConfig
) -> tuple[pl.DataFrame, tuple[int, int, int]]:
    """Return the clean events of one domain, and a count for each of `_REASONS`."""
    user, item, order = (part[name].to_numpy() for name in ("user", "item", "order"))
    rows, gone, into = arrange(user, item, order, num_users, config.repeats == "last")
    part, across = _merged(part, gone, into, config.repeats)
    part = part[rows]
    least = np.array([config.min_item_users, config.min_user_items])
    if least.max() == 1:
        return part, (len(gone) - across, across, 0)
    kept = part.filter(pl.Series(core(part["user"].to_numpy(), part["item"].to_numpy(), num_items, least)))
    return kept, (len(gone) - across, across, part.height - kept.height)


def _merged(part: pl.DataFrame, gone: Rows, into: Rows, repeats: str) -> tuple[pl.DataFrame, int]:
    """Give the rows `into` the weights of their repeats `gone`; count repeats from another part of a split."""
    if not len(gone):
        return part, 0
    if repeats == "error":
        raise DataError(f"{len(gone)} events repeat a user and an item; ingest.clean.repeats=first or last merges them")
    weight, said = part["weight"].to_numpy(writable=True), part["split"].to_numpy()
    np.maximum.at(weight, into, weight[gone])
    return part.with_columns(pl.Series("weight", weight)), int((said[gone] != said[into]).sum())


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
    domain = events["domain"].to_numpy()
    # In the column's own type, or the search would copy the whole column into a wider one.
    bounds = np.searchsorted(domain, np.arange(num_domains + 1, dtype=domain.dtype))
    yield from (slice(int(a), int(b)) for a, b in zip(bounds[:-1], bounds[1:], strict=True))
