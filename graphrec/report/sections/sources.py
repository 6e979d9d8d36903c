"""Why these sources: what each is worth, what all of them would have cost, and who gains."""

from graphrec.core.types import JSON
from graphrec.report import formats
from graphrec.report.charts.bars import Bar, bar_figure
from graphrec.report.charts.figure import Figure

_SHOWN = 16
"""Bars drawn: the sources worth most and the chosen ones; the table holds all of them."""
_Z95 = 1.96


def explained(summary: JSON) -> JSON:
    """Return the Shapley values, the table of sources, the cost of all domains and the gains by group.

    A summary from before select said why gives nothing.
    """
    if "by_source" not in summary:
        return {}
    rows = sorted(summary["by_source"], key=_worth, reverse=True)
    groups = summary.get("by_group", [])
    has_all = any("all" in row for row in groups)
    return {
        "cost": _cost(summary),
        "shapley": _shapley(rows, summary) if rows else None,
        "columns": _COLUMNS,
        "rows": [_source(row) for row in rows],
        "note": _NOTE,
        "group_columns": [*_GROUP_COLUMNS, *(["gain of all domains"] if has_all else [])],
        "groups": [_group(row, has_all=has_all) for row in groups],
        "group_note": _GROUP_NOTE,
    }


_COLUMNS = (
    "source",
    "chosen",
    "Shapley value (95 % interval)",
    "by users, SE",
    "by items that go together, SE",
    "by entities, SE",
    "users known",
    "items tied",
    "LogME",
    "H-score",
    "CKA",
    "CKA of graphs",
    "gradient cosine",
)
_NOTE = (
    "SE: the weight of a source's channel in standard errors, in one fit of all sources; 0.0 where it has no such "
    "channel or a useless one. The last seven columns are screens, which need no training: they inform and do not "
    "decide. A dash: too few users are known to tell."
)
_GROUP_COLUMNS = ("group", "users", "NDCG@10 without sources", "gain of the chosen")
_GROUP_NOTE = (
    "Gains in validation NDCG@10 over no source, with paired standard errors. Users by their train events in the "
    "target, then by the popularity of the items they took, where these are of one group. The weights were fitted to "
    "these users, which flatters gains: the more, the fewer users validate."
)


def _worth(row: JSON) -> float:
    return float(row["shapley"]) if formats.is_number(row.get("shapley")) else 0.0


def _shapley(rows: list[JSON], summary: JSON) -> Figure:
    shown = [row for place, row in enumerate(rows) if place < _SHOWN or row.get("chosen")]
    bars = [
        Bar(formats.plain(row.get("source")), _worth(row), "ours" if row.get("chosen") else "other", low, high)
        for row in shown
        for low, high in [(row.get("low"), row.get("high"))]
    ]
    exact = summary.get("shapley_unit") == "ndcg@10"
    note = _EXACT.format(2 ** len(rows)) if exact else _SAMPLED
    hidden = f" {len(rows) - len(shown)} sources worth less are not drawn." if len(shown) < len(rows) else ""
    title = f"Shapley value of each source, in {'NDCG@10' if exact else 'nats'}"
    return bar_figure(title, bars, note=f"{note} {_COLOURS}{hidden}", signed=True)


_EXACT = (
    "NDCG@10 per validation user that a source adds, over all orders in which sources may join. Exact: all {} subsets "
    "were looked at, and the values add up to the gain of all domains. Whiskers: 95 % interval over users."
)
_SAMPLED = (
    "Nats of log-likelihood per validation user that a source adds, over orders in which sources may join. Sampled: "
    "four random orders, each both ways, as not all subsets were tried. Whiskers: 95 % interval over users."
)
_COLOURS = "Chosen sources are coloured."


def _source(row: JSON) -> tuple[str, ...]:
    screens = row.get("screens", {})
    return (
        formats.plain(row.get("source")),
        formats.plain(row.get("chosen")),
        f"{formats.signed(row.get('shapley'))} ({formats.signed(row.get('low'))} to {formats.signed(row.get('high'))})",
        *(formats.number(row.get(f"{kind}_z"), 1) for kind in ("users", "cross", "entities")),
        *(formats.percent(screens.get(name)) for name in ("users", "entities")),
        *(_screen(screens, name) for name in ("logme", "h_score", "cka", "graph", "gradient")),
    )


def _screen(screens: JSON, name: str) -> str:
    # None is an answer, that of too few users; a summary without the screen never asked.
    return "\N{EN DASH}" if screens.get(name, 0) is None else formats.number(screens.get(name))


def _group(row: JSON, *, has_all: bool) -> tuple[str, ...]:
    return (
        formats.plain(row.get("group")),
        formats.count(row.get("users")),
        formats.score(row.get("none")),
        formats.gain(row.get("chosen"), row.get("chosen_error")),
        *([formats.gain(row.get("all"), row.get("all_error"))] if has_all else []),
    )


def _cost(summary: JSON) -> str:
    """Return what all domains would have given beside the chosen ones."""
    everything, chosen = set(summary.get("sources", [])), set(summary.get("chosen", []))
    if not everything or "by_source" not in summary:
        return ""
    if everything == chosen:
        return "All domains are chosen, so that there was no negative transfer to avoid."
    if not summary.get("all_against_chosen"):
        return _UNTRIED
    difference, error = summary["all_against_chosen"]
    if difference == 0:
        return "On validation all domains come to the same NDCG@10 as the chosen ones."
    change = ("cost {:.4f} of" if difference < 0 else "brought {:.4f} more").format(abs(difference))
    verdict = "more than chance makes" if abs(difference) > _Z95 * error else "no more than chance makes"
    return _COST.format(change=change, error=error, verdict=verdict)


_UNTRIED = "All domains at once were not among the subsets tried, so that what they would have cost is not known."
_COST = (
    "Taking all domains instead of the chosen ones would have {change} NDCG@10 on validation "
    "(paired standard error {error:.4f}): {verdict}."
)
