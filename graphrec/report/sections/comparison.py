"""Ours against every baseline on test events, by popularity of the held-out item."""

from collections.abc import Iterator
from itertools import product

from graphrec.core.types import JSON
from graphrec.report import formats
from graphrec.report.charts.bars import Bar, bar_figure
from graphrec.report.charts.figure import Figure
from graphrec.report.facts import Facts
from graphrec.report.scores import CUTOFFS, GROUPS, Scores

_NAMES = {"hr": "HR", "recall": "Recall", "ndcg": "NDCG", "mrr": "MRR", "coverage": "coverage"}
"""Metric in a record -> heading, in the order of the tables."""


def comparison(facts: Facts, scores: Scores) -> JSON:
    """Return a bar chart and a full table for each popularity bucket."""
    if not scores.models:
        return {"missing": "The evaluate stage did not run."}
    return {
        "figures": list(_figures(scores, facts.summary("evaluate").get("groups", {}))),
        "tables": [table for group in GROUPS if (table := _table(scores, group))["rows"]],
        "absent": [group for group in GROUPS if scores.best("ndcg", 10, group) is None],
        "notes": facts.summary("evaluate").get("notes", []),
    }


def _figures(scores: Scores, pairs: JSON) -> Iterator[Figure]:
    shown = {group: _bars(scores, group) for group in GROUPS}
    # One scale for all buckets: that the tail is harder is part of the message.
    maximum = max((bar.value for bars in shown.values() for bar in bars), default=0.0)
    for group, bars in shown.items():
        if bars:
            size = f", {formats.count(pairs[group])} test events" if group in pairs else ""
            yield bar_figure(f"{group}{size}", bars, maximum=maximum)


def _bars(scores: Scores, group: str) -> list[Bar]:
    found = ((model, scores.get(model, "ndcg", 10, group)) for model in scores.models)
    return [Bar(formats.model(model), value, scores.style(model)) for model, value in found if value is not None]


def _table(scores: Scores, group: str) -> JSON:
    columns = [column for column in product(_NAMES, CUTOFFS) if scores.best(*column, group) is not None]
    rows = [
        {
            "name": formats.model(model),
            "style": scores.style(model),
            "cells": [
                {"text": formats.score(scores.get(model, *column, group)), "best": scores.leads(model, *column, group)}
                for column in columns
            ],
        }
        for model in scores.models
        if any(scores.get(model, *column, group) is not None for column in columns)
    ]
    spans = [(name, sum(metric == key for metric, _ in columns)) for key, name in _NAMES.items()]
    return {
        "group": group,
        "metrics": [(name, width) for name, width in spans if width],
        "cutoffs": [f"@{k}" for _, k in columns],
        "rows": rows,
    }
