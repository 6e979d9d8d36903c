"""How much of each domain the knowledge graph knows, what its relations hold, and which entities tie domains."""

from collections.abc import Sequence

import numpy as np

from graphrec.core.types import JSON, BoolArray, IntArray
from graphrec.data.dataset import Dataset


def coverage(dataset: Dataset, item_events: Sequence[IntArray]) -> list[JSON]:
    """Return for each domain the share of its items, and of its events, that hang on a triple.

    `item_events` holds the events of every item in each domain, `[num_items]` each. An item hangs on
    a triple when an entity that stands for it is its head or tail.
    """
    known = _known_items(dataset)
    return [
        {
            "domain": name,
            "items": float(known[events > 0].mean()) if events.any() else 0.0,
            "events": float(events[known].sum() / max(events.sum(), 1)),
            "num_unlinked": int((~known[events > 0]).sum()),
        }
        for name, events in zip(dataset.domains, item_events, strict=True)
    ]


def relations(dataset: Dataset) -> list[JSON]:
    """Return the triples of each relation, and its distinct heads and tails, most triples first."""
    triples, num = dataset.triples, len(dataset.relations)
    counts = np.bincount(triples.relation, minlength=num)
    heads, tails = (_distinct(triples.relation, ends, num) for ends in (triples.head, triples.tail))
    rows = zip(dataset.relations, counts.tolist(), heads.tolist(), tails.tolist(), strict=True)
    made = [{"relation": r, "num_triples": n, "num_heads": h, "num_tails": t} for r, n, h, t in rows]
    return sorted(made, key=lambda row: -row["num_triples"])


def bridges(dataset: Dataset) -> list[int]:
    """Return how many entities tie items of one domain, of two, and so on.

    An entity ties the domains of the items it stands for, and of the items it shares a triple with.
    """
    reached = np.zeros(len(dataset.entities), dtype=np.int64)
    for catalog in dataset.catalog.values():
        own: BoolArray = np.zeros(len(dataset.entities), dtype=np.bool_)
        listed = np.zeros(len(dataset.items), dtype=np.bool_)
        listed[catalog] = True
        own[dataset.link_entity[listed[dataset.link_item]]] = True
        tied = own.copy()
        tied[dataset.triples.tail[own[dataset.triples.head]]] = True
        tied[dataset.triples.head[own[dataset.triples.tail]]] = True
        reached += tied
    return np.bincount(reached, minlength=2)[1:].tolist() if dataset.domains else []


def _known_items(dataset: Dataset) -> BoolArray:
    told: BoolArray = np.zeros(len(dataset.entities), dtype=np.bool_)
    told[dataset.triples.head] = told[dataset.triples.tail] = True
    known: BoolArray = np.zeros(len(dataset.items), dtype=np.bool_)
    known[dataset.link_item[told[dataset.link_entity]]] = True
    return known


def _distinct(relation: IntArray, ends: IntArray, num: int) -> IntArray:
    width = int(ends.max(initial=0)) + 1
    return np.bincount(np.unique(relation * width + ends) // width, minlength=num)
