"""The page of `graphrec inspect`: the data before anything is trained, in the look of the report."""

from collections.abc import Iterator
from pathlib import Path

from graphrec.core import files
from graphrec.core.types import JSON
from graphrec.report import formats, inspect_facts
from graphrec.report._jinja2 import render
from graphrec.report.charts.columns import column_figure
from graphrec.report.charts.figure import Figure
from graphrec.report.facts import Facts
from graphrec.report.sections.data import data

_DRAWN, _RELATIONS = 12, 60


def write_inspect(summary: JSON, name: str, path: Path) -> None:
    """Write the page of the run `name` to `path`, by rename; `summary` is the summary of ingest."""
    files.write_text(path, make_inspect(summary, name))


def make_inspect(summary: JSON, name: str) -> str:
    """Return the page as HTML."""
    profile = summary["profile"]
    facts = Facts(entries={}, summaries={"ingest": summary}, records={}, manifests={})
    values = {
        "run": name,
        "about": summary.get("about", ""),
        "profile": profile,
        "heading": inspect_facts.heading(profile),
        "cautions": inspect_facts.cautions(profile),
        "data": data(facts),
        "tails": {"columns": inspect_facts.TAILS, "rows": inspect_facts.tails(profile)},
        "figures": list(_figures(profile)),
        "left_out": max(len(profile["domains"]) - _DRAWN, 0),
        "relations": inspect_facts.relations(profile, _RELATIONS),
        "num_more": max(len(profile["relations"]) - _RELATIONS, 0),
        "bridges": inspect_facts.bridges(profile),
        "coverage": _coverage(profile),
        "leaks": _leaks(profile["leaks"]),
        "tables": inspect_facts.tables(profile),
        "costs": inspect_facts.costs(profile),
    }
    return render("inspect.html", values)


def _figures(profile: JSON) -> Iterator[Figure]:
    for domain in profile["domains"][:_DRAWN]:
        for kind in ("users", "items"):
            bins = domain[kind]["histogram"]
            if bins:
                names = [_bin(row["up_to"]) for row in bins]
                title = f"{domain['domain']}: {kind} by their number of events"
                yield column_figure(title, names, [row["num"] for row in bins], x=f"events of one of the {kind}")


def _bin(up_to: int) -> str:
    return str(up_to) if up_to <= 2 else f"{_short(up_to // 2 + 1)}\N{EN DASH}{_short(up_to)}"


def _short(number: int) -> str:
    return f"{number / 1000:.0f}k" if number >= 10_000 else str(number)


def _coverage(profile: JSON) -> inspect_facts.Rows:
    return [
        [
            row["domain"],
            formats.percent(row["items"]),
            formats.percent(row["events"]),
            formats.count(row["num_unlinked"]),
        ]
        for row in profile["coverage"]
    ]


def _leaks(leaks: JSON) -> JSON:
    shares = ("given_away", "visible")
    rows = [
        [row["domain"], *(formats.percent(row[share]) for share in shares), formats.count(row["num_repeated"])]
        for row in leaks["domains"]
    ]
    return {**leaks, "rows": rows}
