"""The picture of the data that `graphrec inspect` shows: one JSON mapping, made from integer arrays.

Every figure costs one or two passes over the events of one domain, and no copy of all of them; `overlap.py`
compares domains, `coverage.py` looks at the knowledge graph, `leaks.py` and `behaviour.py` at what must
not be trusted, `cost.py` at what a run will take.
"""

import datetime
from dataclasses import asdict

import numpy as np
import polars as pl

from graphrec.core.types import JSON, IntArray
from graphrec.data.build import Built
from graphrec.data.clean import domain_slices, segments
from graphrec.data.config import LeaksConfig
from graphrec.data.dataset import Dataset
from graphrec.data.inspect.behaviour import behaviour_relations
from graphrec.data.inspect.cost import cost_plan
from graphrec.data.inspect.coverage import bridges, coverage, relations
from graphrec.data.inspect.leaks import leak_report
from graphrec.data.inspect.overlap import Membership, identity
from graphrec.data.raw import RawTables
from graphrec.data.split import PARTS

RARE_USERS = 5
"""Items with fewer users are counted as rare."""

TOP_SHARE = 0.2
"""The share of items, the most used ones, whose share of events is told."""


def profile(built: Built, raw: RawTables, *, leaks: LeaksConfig | None = None, seed: int = 0) -> JSON:
    """Return everything that `inspect` shows of `built`, which was made from `raw`.

    `leaks` says what twins are; None takes the defaults. There may be no domain, one domain, or no
    triples.
    """
    dataset, events = built.dataset, built.events
    slices = list(domain_slices(events, len(dataset.domains)))
    user, item = events["user"].to_numpy(), events["item"].to_numpy()
    domains = [_domain(built, index, rows, timed=raw.timed) for index, rows in enumerate(slices)]
    users = Membership.of([user[rows] for rows in slices], len(dataset.users))
    items = Membership.of([item[rows] for rows in slices], len(dataset.items))
    sizes = {"users": len(dataset.users), "items": len(dataset.items), "entities": len(dataset.entities)}
    sizes |= {"triples": len(dataset.triples)}
    return {
        "timed": raw.timed,
        "num_events": events.height,
        **{f"num_{name}": number for name, number in sizes.items()},
        "num_links": len(dataset.link_item),
        "tables": [asdict(table) for table in raw.tables],
        "warnings": [*raw.warnings, *built.warnings],
        "domains": domains,
        "coverage": coverage(dataset, [np.bincount(item[rows], minlength=len(dataset.items)) for rows in slices]),
        "overlap": {"domains": list(dataset.domains), "users": users.overlap(), "items": items.overlap()},
        "spread": {"users": users.spread(), "items": items.spread()},
        "identity": [identity(dataset.users, users, dataset.domains), identity(dataset.items, items, dataset.domains)],
        "relations": relations(dataset),
        "behaviour": behaviour_relations(dataset, events, seed=seed),
        "bridges": bridges(dataset),
        "leaks": leak_report(events, dataset.domains, len(dataset.items), leaks or LeaksConfig(), seed=seed),
        "dropped": dict(built.dropped),
        "notes": _notes(dataset, timed=raw.timed),
        "cost": cost_plan(domains, sum(built.num_read.values()), sizes),
    }


def _domain(built: Built, index: int, rows: slice, *, timed: bool) -> JSON:
    name, events = built.dataset.domains[index], built.events[rows]
    per_user = np.diff(segments(events))
    per_item = np.bincount(events["item"].to_numpy())
    per_item = per_item[per_item > 0]
    parts = np.bincount(events["split"].to_numpy(), minlength=len(PARTS))
    num_events = rows.stop - rows.start
    return {
        "domain": name,
        "num_read": built.num_read.get(name, num_events),
        "num_events": num_events,
        "num_users": len(per_user),
        "num_items": len(per_item),
        **{f"num_{part}": int(number) for part, number in zip(PARTS, parts, strict=False)},
        "density": num_events / max(len(per_user) * len(per_item), 1),
        "times": _times(events["order"]) if timed else None,
        "users": degrees(per_user),
        "items": degrees(per_item) | long_tail(per_item),
    }


def degrees(counts: IntArray) -> JSON:
    """Return the median and largest of `counts`, all positive, and how many fall in each doubling bin.

    A bin holds the counts above half its `up_to`, up to it: 1, 2, 3-4, 5-8, 9-16 and so on.
    """
    if not len(counts):
        return {"median": None, "largest": None, "histogram": []}
    # Counts are many but small: everything is read off how often each of them occurs.
    often = np.bincount(counts)
    values = np.flatnonzero(often)
    bins = np.bincount(np.ceil(np.log2(values)).astype(np.int64), weights=often[values])
    middle = np.searchsorted(np.cumsum(often), [(len(counts) - 1) // 2, len(counts) // 2], side="right")
    return {
        "median": float(middle.mean()),
        "largest": int(values[-1]),
        "histogram": [{"up_to": 2**power, "num": int(number)} for power, number in enumerate(bins)],
    }


def long_tail(counts: IntArray) -> JSON:
    """Return how unevenly events fall on items: share of the top ones, rare items, and the Gini index of `counts`."""
    if not len(counts):
        return {"top_share": None, "num_rare": 0, "gini": None}
    ordered = np.sort(counts)
    total, size = int(ordered.sum()), len(ordered)
    top = max(round(TOP_SHARE * size), 1)
    # Mean of the Lorenz curve's gaps: 0 where all items are alike, near 1 where one has everything.
    gini = 2 * float(np.arange(1, size + 1) @ ordered) / (size * total) - (size + 1) / size
    return {
        "top_share": int(ordered[-top:].sum()) / total,
        "num_rare": int((counts < RARE_USERS).sum()),
        "gini": gini,
    }


def _times(order: pl.Series) -> JSON | None:
    """Return the first and last time, given in microseconds since 1970."""
    if not len(order):
        return None
    bounds = order.to_numpy()
    return {"first": _as_text(int(bounds.min())), "last": _as_text(int(bounds.max()))}


def _as_text(time: int) -> str:
    try:
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=time)
    except OverflowError:
        return f"{time:,}"
    return moment.isoformat(sep=" ", timespec="minutes")


def _notes(dataset: Dataset, *, timed: bool) -> list[str]:
    """Name what is missing, and which stages pass over for that."""
    notes = []
    if not dataset.domains:
        notes.append("no interactions: denoise and merge run on the triples, every later stage is passed over")
    if not len(dataset.triples):
        notes.append("no triples: denoise is passed over, and the graph holds interactions only")
    elif dataset.domains and not len(dataset.link_item):
        notes.append("no links between items and entities: the triples touch no item")
    if len(dataset.domains) == 1:
        notes.append(
            "one domain in these tables: what helps it can only come from a finished run (graphrec adapt RUN --target)"
        )
    if dataset.domains and not any(dataset.text):
        notes.append("no item text: text signals are passed over")
    if dataset.domains and not timed:
        notes.append("no common times: the order of rows, or of positions in `time`, counts as the order of events")
    return notes
