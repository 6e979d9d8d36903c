"""What each subset of source domains was worth on the target's validation, and which one ships."""

from graphrec.core.types import JSON
from graphrec.report import formats
from graphrec.report.charts.bars import Bar, bar_figure
from graphrec.report.facts import Facts
from graphrec.report.sections.lattice import lattice
from graphrec.report.sections.sources import explained

_SHOWN = 16
"""Bars drawn: the best ones, the chosen one and both ends; the table holds all of them."""


def subsets(facts: Facts) -> JSON:
    """Return the scores of the subsets, why these sources, the candidates with their intervals, and both reasons."""
    select, adapt = facts.summary("select"), facts.summary("adapt")
    if not select and not adapt:
        return {"missing": "Neither select nor adapt ran."}
    return {**_trials(select), "why": explained(select), **_candidates(adapt)}


def _trials(summary: JSON) -> JSON:
    chosen = sorted(summary.get("chosen", []))
    trials = [t for t in summary.get("trials", []) if formats.is_number(t.get("value"))]
    trials.sort(key=lambda t: -t["value"])
    guards = (0, len(summary.get("sources", [])))
    marked = [
        (t, sorted(t.get("domains", [])) == chosen, index < _SHOWN or len(t.get("domains", [])) in guards)
        for index, t in enumerate(trials)
    ]
    bars = [_bar(t, is_chosen=is_chosen) for t, is_chosen, shown in marked if shown or is_chosen]
    figures = [bar_figure("Validation NDCG@10 by subset of source domains", bars, note=_NOTE)] if bars else []
    has_gain = any("gain" in t for t in trials)
    return {
        "figures": [*figures, *([lattice(summary)] if has_gain else [])],
        "has_gain": has_gain,
        "hidden": len(trials) - len(bars),
        "trials": [
            (
                _name(t.get("domains", [])),
                formats.score(t["value"]),
                formats.score(t.get("standard_error")),
                formats.gain(t.get("gain"), t.get("gain_error"), 1),
                is_chosen,
            )
            for t, is_chosen, _ in marked
        ],
        "reason": summary.get("reason", ""),
        "no_sources": bool(summary) and not summary.get("sources"),
    }


_NOTE = "Whiskers: one paired standard error of the difference from no source, each way. The chosen subset is coloured."


def _bar(trial: JSON, *, is_chosen: bool) -> Bar:
    value, error = trial["value"], trial.get("standard_error")
    low, high = (value - error, value + error) if formats.is_number(error) else (None, None)
    return Bar(_name(trial.get("domains", [])), value, "ours" if is_chosen else "other", low, high)


def _candidates(summary: JSON) -> JSON:
    listed = summary.get("candidates", [])
    rows = [
        {
            "name": formats.plain(c.get("name")),
            "domains": _name(c.get("domains", [])),
            "valid": formats.score(c.get("valid_ndcg10")),
            "interval": _interval(c.get("low"), c.get("high")),
            "shipped": c.get("name") == summary.get("shipped"),
        }
        for c in listed
    ]
    gates = [(domain, formats.score(gate)) for domain, gate in summary.get("gates", {}).items()]
    return {"candidates": rows, "gates": gates, "adapt_reason": summary.get("reason", "")}


def _interval(low: float | None, high: float | None) -> str:
    return f"{formats.score(low)} to {formats.score(high)}" if low is not None and high is not None else "\N{EN DASH}"


def _name(domains: list[str]) -> str:
    return " + ".join(domains) or "target only"
