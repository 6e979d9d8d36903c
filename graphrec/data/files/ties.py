"""Whether the tables speak of the same things: ids of items and entities that ought to meet."""

from collections.abc import Callable, Sequence

import polars as pl

from graphrec.data.files.checks import Problems, brief, plural, quoted
from graphrec.data.raw import RawTables

_VARIANTS: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "surrounding blanks": lambda ids: ids.str.strip_chars(),
    "letter case": lambda ids: ids.str.to_lowercase(),
    "leading zeros": lambda ids: ids.str.strip_chars_start("0"),
    "a trailing .0": lambda ids: ids.str.strip_suffix(".0"),
    "what stands before the last : / or #": lambda ids: ids.str.replace(r"^.*[:/#]", "").str.strip_chars("<>"),
}
"""How one id comes to be written in two ways: the difference -> what makes both alike."""


def check_ties(raw: RawTables, problems: Problems) -> None:
    """Note tables that share no id with those they should meet, and how many ids meet nothing."""
    if not (raw.items.height or raw.links.height or raw.triples.height):
        return
    known = raw.interactions.select("item", "domain").unique().collect(engine="streaming")
    if not known.height:
        return
    items = _ids(known["item"])
    for name, table in (("items", raw.items), ("links", raw.links)):
        if table.height:
            _check_meet(name, "item", _ids(table["item"]), "interactions", items, problems)
            _check_domains(name, table, known, problems)
    if not raw.triples.height:
        return
    ends = _ids(pl.concat([raw.triples["head"], raw.triples["tail"]]))
    if raw.links.height:
        _check_meet("links", "entity", _ids(raw.links["entity"]), "triples", ends, problems)
    elif raw.link_by_id:
        _check_meet("triples", "entity", ends, "interactions", items, problems)
    if raw.links.height or raw.link_by_id:
        _count_loose(raw, items, ends, problems)


def check_alike(domains: Sequence[str], problems: Problems) -> None:
    """Warn of domains that differ in letter case or surrounding blanks only."""
    forms: dict[str, list[str]] = {}
    for name in sorted(set(domains)):
        forms.setdefault(name.strip().lower(), []).append(name)
    for names in forms.values():
        if len(names) > 1:
            text = f"domains {quoted(names)} differ in letter case or blanks only"
            problems.warn("interactions", text, do="if they are one, write them alike")


def likely_cause(mine: pl.Series, theirs: pl.Series) -> str:
    """Return how ids that do not meet would: the difference that most of `mine` share; empty if none helps."""
    best, shared, pair = "", 0, ("", "")
    for difference, alike in _VARIANTS.items():
        left = pl.DataFrame({"mine": mine}).with_columns(alike(pl.col("mine")).alias("key"))
        right = pl.DataFrame({"theirs": theirs}).with_columns(alike(pl.col("theirs")).alias("key"))
        met = left.join(right, on="key", maintain_order="left")
        number = met["mine"].n_unique()
        if number > shared:
            best, shared, pair = difference, number, (met["mine"][0], met["theirs"][0])
    if not shared:
        return f"the first ids are {quoted(mine.head(3).to_list())} here and {quoted(theirs.head(3).to_list())} there"
    return f"{shared:,} would be without {best}: {brief(pair[0])} here, {brief(pair[1])} there"


def _check_meet(name: str, kind: str, mine: pl.Series, other: str, theirs: pl.Series, problems: Problems) -> None:
    met = int(mine.is_in(theirs.implode()).sum())
    # Nothing in common is a mistake; little in common may be a catalogue of which few items are used.
    if not met and len(theirs):
        text = f"none of {plural(len(mine), f'{kind} id')} is in the {other}"
        problems.add(name, text, do=likely_cause(mine, theirs))
    elif met * 2 < len(mine) and kind == "item":
        problems.warn(name, f"{plural(len(mine) - met, f'{kind} id')} of {len(mine):,} are not in the {other}")


def _check_domains(name: str, table: pl.DataFrame, known: pl.DataFrame, problems: Problems) -> None:
    mine, theirs = set(table["domain"]), set(known["domain"])
    strange = sorted(mine - theirs)
    if strange:
        text = f"domain {quoted(strange)} has no interactions"
        problems.warn(name, text, do=f"those are of {quoted(sorted(theirs), 10)}")


def _count_loose(raw: RawTables, items: pl.Series, ends: pl.Series, problems: Problems) -> None:
    """Warn of items without an entity, and of triples that hang on no item."""
    linked = raw.links["item"].cast(pl.String).unique()
    entities = raw.links["entity"].unique()
    if raw.link_by_id:
        both = items.filter(items.is_in(ends.implode()))
        linked, entities = pl.concat([linked, both]).unique(), pl.concat([entities, both]).unique()
    unlinked = len(items) - int(items.is_in(linked.implode()).sum())
    if unlinked:
        problems.warn("interactions", f"{plural(unlinked, 'item')} of {len(items):,} have no entity in the triples")
    hangs = pl.col("head").is_in(entities.implode()) | pl.col("tail").is_in(entities.implode())
    # Facts between entities reach an item in two steps, so they are told, not refused.
    loose = raw.triples.filter(~hangs).height
    if loose:
        problems.warn("triples", f"{plural(loose, 'triple')} of {raw.triples.height:,} touch no item themselves")


def _ids(column: pl.Series) -> pl.Series:
    return column.cast(pl.String).unique(maintain_order=True)
