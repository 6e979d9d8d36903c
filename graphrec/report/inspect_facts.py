"""The profile of the data as words and rows, the same for the terminal and the page of `graphrec inspect`."""

from collections.abc import Iterator

from graphrec.core.types import JSON
from graphrec.report import formats

Rows = list[list[str]]

TAILS = ("domain", "events/user", "events/item", "density", "top 20 % of items", "items < 5 users", "Gini", "KG items")
"""Columns of the table of tails."""

SHOWN_PAIRS = 12
"""Most pairs of domains that are listed where a map would be too wide."""


def heading(profile: JSON) -> str:
    """Return the sizes of the data in one sentence."""
    count, domains = formats.count, len(profile["domains"])
    told = f"{count(profile['num_triples'])} triples about {count(profile['num_entities'])} entities"
    if not domains:
        return f"No interactions; {told}."
    place = "one domain" if domains == 1 else f"{domains} domains"
    events = f"{count(profile['num_events'])} events of {count(profile['num_users'])} users"
    start = f"{events} on {count(profile['num_items'])} items in {place}"
    return f"{start}, {told}." if profile["num_triples"] else f"{start}, no triples."


def cautions(profile: JSON) -> list[str]:
    """Return all that a reader must not miss: warnings of the readers, doubtful ids, leaks, behaviour."""
    made = [*profile["warnings"]]
    made += [f"{row['kind']}_ids: {row['warning']}" for row in profile["identity"] if row["warning"]]
    made += list(_leaks(profile["leaks"]))
    found = [row["relation"] for row in profile["behaviour"] if row["by_name"] or row["by_data"]]
    if found:
        made.append(
            f"{', '.join(found)}: made from behaviour, so a gain from them is no gain from knowledge; "
            "ingest.behaviour=drop leaves them out"
        )
    return made


def _leaks(leaks: JSON) -> Iterator[str]:
    for row in leaks["domains"]:
        if row["given_away"] >= 0.001:
            yield (
                f"{row['domain']}: {formats.percent(row['given_away'])} of its test events are given away by the same "
                f"product listed in another domain ({formats.percent(row['visible'])} by what training shows); "
                "ingest.leaks.twins=drop takes those training events out"
            )
        if row["num_repeated"]:
            yield (
                f"{row['domain']}: {formats.count(row['num_repeated'])} held-out events are on an item that the user "
                "has in another domain; ingest.leaks.twins=drop takes those out of the history"
            )


def tails(profile: JSON) -> Rows:
    """Return a row of `TAILS` for each domain."""
    known = {row["domain"]: row for row in profile["coverage"]}
    return [
        [
            domain["domain"],
            formats.plain(domain["users"]["median"]),
            formats.plain(domain["items"]["median"]),
            f"{domain['density']:.2g}",
            formats.percent(domain["items"]["top_share"]),
            formats.count(domain["items"]["num_rare"]),
            f"{domain['items']['gini'] or 0:.2f}",
            formats.percent(known[domain["domain"]]["items"]),
        ]
        for domain in profile["domains"]
    ]


def pairs(profile: JSON, kind: str) -> Rows:
    """Return the pairs of domains with most users or items in common: both names, number, share of the smaller."""
    names, counts = profile["overlap"]["domains"], profile["overlap"][kind]
    found = [
        (counts[i][j] / max(min(counts[i][i], counts[j][j]), 1), i, j) for i in range(len(names)) for j in range(i)
    ]
    ordered = sorted((row for row in found if row[0] > 0), reverse=True)[:SHOWN_PAIRS]
    return [[names[j], names[i], formats.count(counts[i][j]), formats.percent(share)] for share, i, j in ordered]


def relations(profile: JSON, limit: int) -> Rows:
    """Return the largest relations: name, triples, heads, tails, and what is told of behaviour."""
    behaviour = {row["relation"]: row for row in profile["behaviour"]}
    return [
        [
            row["relation"],
            *(formats.count(row[size]) for size in ("num_triples", "num_heads", "num_tails")),
            _behaviour(behaviour.get(row["relation"])),
        ]
        for row in profile["relations"][:limit]
    ]


def _behaviour(row: JSON | None) -> str:
    if row is None:
        return ""
    lift = "" if row["lift"] is None else f"lift {row['lift']:.1f}"
    told = "behaviour" if row["by_name"] else "looks like behaviour" if row["by_data"] else ""
    return ", ".join(filter(None, (told, lift)))


def bridges(profile: JSON) -> list[tuple[str, str]]:
    """Return how many entities tie items of one domain, of two, and so on."""
    numbers = enumerate(profile["bridges"], start=1)
    return [(f"{k} domain{'s' if k > 1 else ''}", formats.count(number)) for k, number in numbers if number]


def tables(profile: JSON) -> Rows:
    """Return each table that was read: kind, path, rows read and kept."""
    return [
        [row["kind"], row["path"], formats.count(row["num_rows"]), formats.count(row["num_kept"])]
        for row in profile["tables"]
    ]


def dropped(profile: JSON) -> list[tuple[str, str]]:
    """Return the reasons for which rows were dropped, and how many."""
    return [(reason, formats.count(number)) for reason, number in profile["dropped"].items() if number]


def costs(profile: JSON) -> Rows:
    """Return the planned minutes and GiB of each stage, and of all of them."""
    plan = profile["cost"]
    rows = [[row["stage"], _minutes(row["minutes"]), f"{row['gib']:.1f}"] for row in plan["stages"]]
    return [*rows, ["all", _minutes(plan["minutes"]), f"{plan['gib']:.1f}"]]


def _minutes(value: float) -> str:
    return "< 0.1" if value < 0.1 else f"{value:,.1f}" if value < 10 else f"{value:,.0f}"
