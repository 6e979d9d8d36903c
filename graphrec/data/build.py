"""From raw tables in external ids to the numbered `Dataset`: number, clean, split, link."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from graphrec.core.errors import DataError
from graphrec.core.ids import IdMap
from graphrec.core.types import BoolArray, IntArray
from graphrec.data.clean import EVENTS, clean, compact, domain_slices
from graphrec.data.config import COLD_USERS, GIVEN, CleanConfig, LeaksConfig, SplitConfig
from graphrec.data.dataset import TEST, TRAIN, VALID, Dataset, Events
from graphrec.data.encode import Scopes, number
from graphrec.data.inspect.leaks import find_twins, giveaways, repeated_pairs
from graphrec.data.knowledge import number_knowledge
from graphrec.data.raw import RawTables
from graphrec.data.split import LEFT_OUT, PARTS, UNSAID, split_events


@dataclass(frozen=True, kw_only=True)
class Built:
    """A numbered data set and what it was made from.

    `events` has the columns of `clean.EVENTS`, sorted by domain, user, order: every clean event,
    whatever its part. `labels` says of each triple whether it is true (None: no table says so; a
    null: not of this one). `dropped` counts rows by reason, `num_read` events by domain as read;
    `warnings` are what a user may intend but should know.
    """

    dataset: Dataset
    test: Events
    events: pl.DataFrame
    labels: pl.Series | None
    dropped: Mapping[str, int]
    num_read: Mapping[str, int]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is done to raw tables. `per_domain` names the kinds of id, of `user` and `item`, that mean one thing
    in each domain rather than one thing everywhere; `drop_behaviour` leaves out triples made from behaviour.
    """

    clean: CleanConfig
    split: SplitConfig
    leaks: LeaksConfig
    per_domain: tuple[str, ...] = ()
    drop_behaviour: bool = False


def build_dataset(raw: RawTables, rules: Rules, *, seed: int = 0) -> Built:
    """Filter, split and number `raw`; there may be no interactions, if there are triples.

    Raises `DataError` when nothing is left of a domain, when a triple that must hang on an item
    does not, or when no triple touches any item.
    """
    raw, domains, users, listed, read = _taken_in(raw, rules)
    num_read = np.bincount(read["domain"].to_numpy(), minlength=len(domains)).tolist()
    warnings = tuple(_warnings(read, rules))
    if rules.split.kind != GIVEN:
        read = read.with_columns(split=pl.lit(UNSAID, dtype=pl.UInt8))
    events, dropped = clean(read, len(domains), rules.clean)
    del read
    _check_left(events, domains, rules.clean)
    users, events = _compacted(users, "user", events)
    items, events = _compacted(listed, "item", events)
    events, left_out = _split(events, domains, len(items), rules, seed)
    knowledge = number_knowledge(raw, listed, items, domains, drop_behaviour=rules.drop_behaviour)
    dataset = Dataset(
        domains=domains,
        relations=knowledge.relations,
        users=users,
        items=items,
        entities=knowledge.entities,
        catalog=_catalog(events, domains, len(items)),
        train=_events(events, TRAIN),
        valid=_events(events, VALID),
        triples=knowledge.triples,
        link_item=knowledge.link_item,
        link_entity=knowledge.link_entity,
        text=_text(raw.items, items),
        entity_text=knowledge.described.text,
        type_entity=knowledge.described.type_entity,
        type_index=knowledge.described.type_index,
        types=knowledge.described.types,
        votes=knowledge.votes,
    )
    return Built(
        dataset=dataset,
        test=_events(events, TEST),
        events=events,
        labels=knowledge.labels,
        dropped={**dropped, **left_out, **knowledge.dropped},
        num_read=dict(zip(domains, num_read, strict=True)),
        warnings=warnings,
    )


def _taken_in(raw: RawTables, rules: Rules) -> tuple[RawTables, tuple[str, ...], IdMap, IdMap, pl.DataFrame]:
    """Return the tables with item ids of one type, the domains, users, items, and the events in their numbers."""
    try:
        raw = _same_id_type(raw)
        domains = _domains(raw)
        return raw, domains, *_numbered(raw.interactions, domains, rules)
    except (pl.exceptions.ComputeError, OSError) as error:
        # The reader has been through every row, so the files must have changed since.
        raise DataError(f"a table changed while it was read ({str(error).splitlines()[0]}); run again") from None


def _domains(raw: RawTables) -> tuple[str, ...]:
    found = raw.interactions.group_by("domain").agg().collect(engine="streaming")["domain"]
    if not len(found) and not raw.triples.height:
        raise DataError("ingest: no interactions and no triples; name at least one table with rows")
    if len(found) > np.iinfo(np.uint16).max:
        raise DataError(f"{len(found)} domains, such as {found[0]!r} and {found[1]!r}: is `domain` the right column?")
    return tuple(found.sort())


def _warnings(read: pl.DataFrame, rules: Rules) -> Iterator[str]:
    if rules.split.kind != GIVEN and (read["split"] != UNSAID).any():
        yield (
            f"the tables name a split, but ingest.split.kind={rules.split.kind} makes one of its own; "
            "kind=given would keep theirs"
        )
    if rules.split.shots and rules.split.kind != COLD_USERS:
        yield f"ingest.split.shots has no part in ingest.split.kind={rules.split.kind}"


def _numbered(interactions: pl.LazyFrame, domains: tuple[str, ...], rules: Rules) -> tuple[IdMap, IdMap, pl.DataFrame]:
    columns = _columns(interactions, domains)
    scopes = Scopes(domains, columns["domain"].to_numpy())
    # The table of ids is filled by one thread; two columns keep two cores busy.
    with ThreadPoolExecutor(max_workers=2) as threads:
        waiting = [
            threads.submit(number, interactions, kind, scopes if kind in rules.per_domain else None)
            for kind in ("user", "item")
        ]
        (users, user), (items, item) = (one.result() for one in waiting)
    return users, items, columns.with_columns(user=user, item=item).select(*EVENTS)


def _split(
    events: pl.DataFrame, domains: tuple[str, ...], num_items: int, rules: Rules, seed: int
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Cut the events, and take training events on twins out where that is asked for."""
    events = events.with_columns(split=split_events(events, domains, rules.split, seed=seed))
    left_out = {"events that the split leaves out": int((events["split"] == PARTS.index(LEFT_OUT)).sum())}
    if rules.leaks.twins == "drop":
        if "user" in rules.per_domain:
            raise DataError("ingest.leaks.twins=drop: twins are told by users that domains share; set user_ids=shared")
        given = giveaways(events, find_twins(events, num_items, rules.leaks, seed=seed)) | repeated_pairs(events)[1]
        parts = np.where(given, PARTS.index(LEFT_OUT), events["split"].to_numpy()).astype(np.uint8)
        events = events.with_columns(split=parts)
        left_out["events that give a held-out one away"] = int(given.sum())
    return events, left_out


def _same_id_type(raw: RawTables) -> RawTables:
    """Make item ids text everywhere where one table has them as text."""
    tables = (raw.items, raw.links)
    kinds = {raw.interactions.collect_schema()["item"], *(t.schema["item"] for t in tables if t.height)}
    item = pl.col("item").cast(pl.Int64 if kinds == {pl.Int64} else pl.String)
    return replace(
        raw,
        interactions=raw.interactions.with_columns(item),
        items=raw.items.with_columns(item),
        links=raw.links.with_columns(item),
    )


def _columns(interactions: pl.LazyFrame, domains: tuple[str, ...]) -> pl.DataFrame:
    """Collect what is not an id, in the types of numbered events."""
    parts = pl.col("split").cast(pl.Enum(PARTS)).to_physical().cast(pl.UInt8).fill_null(UNSAID)
    domain = pl.col("domain").cast(pl.Enum(domains)).to_physical().cast(pl.UInt16)
    return interactions.select(domain, "order", "weight", parts).collect(engine="streaming")


def _check_left(events: pl.DataFrame, domains: tuple[str, ...], config: CleanConfig) -> None:
    slices = zip(domains, domain_slices(events, len(domains)), strict=True)
    if empty := [name for name, rows in slices if rows.start == rows.stop]:
        raise DataError(
            f"domain {', '.join(map(repr, empty))}: no events left; check the interaction tables, what is read of them "
            "(`domains` of a table, `departments` of a journey), and "
            f"ingest.clean (min_item_users={config.min_item_users}, min_user_items={config.min_user_items})"
        )


def _compacted(ids: IdMap, kind: str, events: pl.DataFrame) -> tuple[IdMap, pl.DataFrame]:
    """Forget the ids that no clean event has, and number the others anew."""
    used, place = compact(events[kind].to_numpy(), len(ids))
    if used.all():
        return ids, events
    return IdMap(ids.kind, ids.table.filter(pl.Series(used))), events.with_columns(
        pl.Series(kind, place[events[kind].to_numpy()])
    )


def _events(events: pl.DataFrame, part: str) -> Events:
    rows = events["split"].to_numpy() == PARTS.index(part)
    # Column by column, so that no second table of events stands beside the first.
    user, item, domain = (events[name].to_numpy()[rows].astype(np.int64) for name in ("user", "item", "domain"))
    return Events(user=user, item=item, domain=domain, weight=events["weight"].to_numpy()[rows])


def _catalog(events: pl.DataFrame, domains: tuple[str, ...], num_items: int) -> dict[str, IntArray]:
    item, slices = events["item"].to_numpy(), domain_slices(events, len(domains))
    return {name: _used(item[rows], num_items) for name, rows in zip(domains, slices, strict=True)}


def _used(item: np.ndarray[tuple[int, ...], np.dtype[np.int32]], num_items: int) -> IntArray:
    used: BoolArray = np.zeros(num_items, dtype=np.bool_)
    used[item] = True
    return np.flatnonzero(used).astype(np.int64)


def _text(table: pl.DataFrame, items: IdMap) -> tuple[str, ...]:
    text = [""] * len(items)
    if table.height:
        place = items.find_in(table)
        for number_, words in zip(place.tolist(), table["text"], strict=True):
            if number_ >= 0 and words:
                text[number_] = words
    return tuple(text)
