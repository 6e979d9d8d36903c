"""The domains, their sizes, and how many users each pair of them shares."""

from collections.abc import Iterator, Sequence
from typing import Any

from graphrec.core.types import JSON
from graphrec.report import formats
from graphrec.report.facts import Facts

COLUMNS = ("num_users", "num_items", "num_train", "num_valid", "num_test")
"""Counts of one domain, in the order of the table."""


def data(facts: Facts) -> JSON:
    """Return the domain table, the overlap maps and what ingest dropped."""
    summary = facts.summary("ingest").get("profile", {})
    if not summary:
        return {"missing": "The ingest stage left no summary."}
    return {
        "columns": ["domain", *map(formats.label, COLUMNS), *(["first", "last"] if _dated(summary) else [])],
        "rows": [_row(domain, facts.target, dated=_dated(summary)) for domain in summary.get("domains", [])],
        "maps": list(_maps(summary.get("overlap", {}))),
        "alone": len(summary.get("domains", [])) == 1,
        "dropped": [(reason, formats.count(n)) for reason, n in summary.get("dropped", {}).items() if n],
        "graph": _graph(summary),
    }


def _dated(summary: JSON) -> bool:
    return any(domain.get("times") for domain in summary.get("domains", []))


def _row(domain: JSON, target: str, *, dated: bool) -> JSON:
    cells = [formats.count(domain.get(column)) for column in COLUMNS]
    cells += [formats.plain((domain.get("times") or {}).get(end)) for end in ("first", "last")] if dated else []
    return {"name": domain.get("domain", formats.ABSENT), "target": domain.get("domain") == target, "cells": cells}


def _graph(summary: JSON) -> list[tuple[str, str]]:
    keys = ("num_entities", "num_triples", "num_links")
    return [(formats.label(key), formats.count(summary.get(key))) for key in keys]


def _maps(overlap: JSON) -> Iterator[JSON]:
    domains = overlap.get("domains", [])
    for kind in ("users", "items"):
        counts = overlap.get(kind)
        if len(domains) > 1 and counts and any(n for i, row in enumerate(counts) for n in row[:i]):
            yield {"kind": kind, "domains": domains, "rows": _heat(domains, counts)}


def _heat(domains: Sequence[str], counts: Sequence[Sequence[int]]) -> list[JSON]:
    """Shade by the share of the smaller domain, so that a small one inside a large one shows."""
    rows = []
    for i, name in enumerate(domains):
        cells: list[JSON] = []
        for j in range(len(domains)):
            smaller = min(counts[i][i], counts[j][j])
            share: Any = counts[i][j] / smaller if smaller and i != j else None
            cells.append({"count": formats.count(counts[i][j]), "share": share, "own": i == j})
        rows.append({"name": name, "cells": cells})
    return rows
