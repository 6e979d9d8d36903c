"""Choices that rest on which ids files and domains have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import polars as pl

from graphrec.data.sniff.columns import Column, common, within
from graphrec.data.sniff.tables import Guess

MIN_EVENTS, ENOUGH_USERS = 3, 50
"""A user with this many events in a domain can be evaluated there; a target should have this many of them."""


class Choice(NamedTuple):
    """A value that was proposed, and why."""

    value: str
    reason: str


@dataclass(frozen=True)
class Members:
    """The sampled ids of each domain, and its events: domain -> user column, item column."""

    users: Mapping[str, Column]
    items: Mapping[str, Column]

    @classmethod
    def of(cls, tables: Sequence[tuple[Guess, str | None, tuple[str, ...]]]) -> "Members":
        """Part the samples into domains; each table comes with its one domain, or with those of it that count."""
        parts: dict[str, list[pl.DataFrame]] = {}
        for guess, domain, only in tables:
            frame = guess.sample.frame.select(
                user=pl.Series(guess.column("user").values.cast(pl.String)),
                item=pl.Series(guess.column("item").values.cast(pl.String)),
                domain=pl.lit(domain) if domain is not None else pl.col(guess.roles["domain"]).cast(pl.String),
            )
            frame = frame.filter(pl.col("domain").is_in(list(only))) if only else frame
            for (name,), rows in frame.drop_nulls().group_by("domain"):
                parts.setdefault(str(name), []).append(rows)
        whole = {name: pl.concat(parts[name]) for name in sorted(parts)}
        return cls(
            users={name: Column("user", rows["user"]) for name, rows in whole.items()},
            items={name: Column("item", rows["item"]) for name, rows in whole.items()},
        )

    @property
    def domains(self) -> tuple[str, ...]:
        """Return the names of the domains."""
        return tuple(self.users)


def user_space(members: Members, *, whole: bool) -> Choice:
    """Propose whether one user id is one person in all domains."""
    if len(members.domains) < 2:
        return Choice("shared", "there is one domain, so it says nothing")
    if counted_apart(members.users):
        return Choice(
            "per_domain", "in each domain ids are counted from 0 or 1, to different ends: equal ids are chance"
        )
    share, pair = _largest_share(members.users)
    if share:
        return Choice("shared", f"{share:.0%} of the user ids of the smaller of {' and '.join(pair)} are in both")
    if whole:
        return Choice(
            "per_domain", "no user id is in two domains; if there are common users, their ids differ in writing"
        )
    return Choice("shared", "the rows looked at have no common user, but not all rows were: see `graphrec inspect`")


def item_space(members: Members) -> Choice:
    """Propose whether one item id is one item in all domains."""
    if len(members.domains) < 2:
        return Choice("per_domain", "there is one domain, so it says nothing")
    if counted_apart(members.items):
        return Choice(
            "per_domain", "in each domain ids are counted from 0 or 1, to different ends: equal ids are chance"
        )
    share, pair = _largest_share(members.items)
    told = f"{share:.1%} of the item ids of the smaller of {' and '.join(pair)} are in both"
    return (
        Choice("shared", told) if share >= 0.01 else Choice("per_domain", f"hardly any item is in two domains: {told}")
    )


def link_by_id(members: Members, triples: Sequence[Guess], links: Sequence[Guess]) -> Choice:
    """Propose whether an entity whose id is an item's id stands for it."""
    if not triples:
        return Choice("false", "there are no triples")
    if links:
        return Choice("false", "a table of links says which entity stands for which item")
    entities = _joined([t.column(end) for t in triples for end in ("head", "tail")])
    items = _joined(list(members.items.values()))
    share, heads = within(items, entities), within(_joined([t.column("head") for t in triples]), items)
    told = f"{share:.0%} of the items are heads or tails of triples, {heads:.0%} of the heads are items"
    if not share:
        return Choice("false", "no item id is the head or tail of a triple: give a table of links (item, entity)")
    if not (items.kind == "int" and entities.kind == "int"):
        return Choice("true", told)
    if share > 0.98:
        return Choice("true", f"{told}: items are numbered first among the entities, as KGAT does it")
    return Choice("false", f"{told}, but both are numbers, so that equal ones may be chance: give a table of links")


def propose_target(members: Members) -> Choice:
    """Propose the domain with fewest events among those with enough users to evaluate."""
    usable = {
        name: int((column.values.value_counts()["count"] >= MIN_EVENTS).sum()) for name, column in members.users.items()
    }
    events = {name: len(column.values) for name, column in members.users.items()}
    if len(usable) == 1:
        return Choice(next(iter(usable)), "the only domain")
    enough = [name for name, num in usable.items() if num >= min(ENOUGH_USERS, max(usable.values()))]
    chosen = min(enough, key=lambda name: events[name])
    others = ", ".join(
        f"{name} {events[name]:,}" for name in sorted(events, key=lambda n: events[n])[:8] if name != chosen
    )
    reason = f"the fewest events ({events[chosen]:,} looked at) with {usable[chosen]:,} users of {MIN_EVENTS} or more"
    return Choice(chosen, f"{reason}; others: {others}")


def counted_apart(columns: Mapping[str, Column]) -> bool:
    """Return whether every domain counts its ids from 0 or 1, and most rows up to another end than the largest does."""
    if not all(column.is_counted for column in columns.values()):
        return False
    ends = {name: float(column.numbers.max()) for name, column in columns.items()}  # type: ignore[arg-type]
    rows = {name: len(column.texts) for name, column in columns.items()}
    largest = max(rows, key=lambda name: rows[name])
    # Weighed by rows: a tiny domain shows few of the ids, and says nothing about the others.
    near = {name: max(end, ends[largest]) <= 1.02 * min(end, ends[largest]) for name, end in ends.items()}
    others = sum(rows.values()) - rows[largest]
    return sum(num for name, num in rows.items() if not near[name]) > 0.5 * others


def _largest_share(columns: Mapping[str, Column]) -> tuple[float, tuple[str, str]]:
    """Return the largest share of common ids of any two domains, and which they are."""
    shares = {pair: common(columns[pair[0]], columns[pair[1]]) for pair in list(combinations(columns, 2))[:300]}
    best = max(shares, key=lambda pair: shares[pair])
    return shares[best], best


def _joined(columns: Sequence[Column]) -> Column:
    return Column("ids", pl.concat([column.texts.rename("ids") for column in columns]))
