"""Numbers of the item-to-item model: whatever its summary counts, tables included."""

from collections.abc import Iterator, Mapping
from typing import Any

from graphrec.core.types import JSON
from graphrec.report import formats
from graphrec.report.facts import Facts
from graphrec.report.sections.learning import curve_figures


def longtail(facts: Facts) -> JSON:
    """Return the summary's scalars, and each of its lists of equal mappings as a table."""
    summary = facts.summary("longtail")
    if not summary:
        return {"missing": "The longtail stage did not run."}
    numbers = {key: value for key, value in summary.items() if key not in _ELSEWHERE}
    return {
        "reason": summary.get("reason", ""),
        "scalars": [(formats.label(k), formats.plain(v)) for k, v in numbers.items() if not _nested(v)],
        "tables": list(_tables(numbers)),
        "figures": curve_figures("longtail", summary, "hit rate on validation"),
    }


_ELSEWHERE = {"target", "reason", "curve"}

_TITLES = {
    "heldout": "Held-out next items found among the nearest, before and after training",
    "pairs": "Training pairs by popularity of the item",
}


def _nested(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(v, dict | list) for v in value))


def _tables(summary: JSON) -> Iterator[JSON]:
    for key, value in summary.items():
        rows = _rows(value)
        if rows:
            columns = list(dict.fromkeys(column for row in rows for column in row))
            yield {
                "title": _TITLES.get(key, formats.label(key)),
                "columns": [formats.label(column) for column in columns],
                "rows": [[formats.plain(row.get(column)) for column in columns] for row in rows],
            }


def _rows(value: Any) -> list[JSON]:
    if isinstance(value, list) and all(isinstance(row, dict) for row in value):
        return value
    if isinstance(value, Mapping) and all(isinstance(row, dict) for row in value.values()):
        return [{"group": key, **row} for key, row in value.items()]
    if isinstance(value, Mapping):
        return [{"group": key, "value": one} for key, one in value.items()]
    return []
