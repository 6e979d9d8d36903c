"""From raw tables in external ids to the numbered `Dataset`: filter, number, split, link."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from graphrec.core.errors import DataError
from graphrec.core.ids import IdMap
from graphrec.core.types import IntArray
from graphrec.data.config import SplitConfig
from graphrec.data.dataset import TEST, TRAIN, VALID, Dataset, Events, Triples
from graphrec.data.raw import RawTables
from graphrec.data.split import count_left_out, first_events, split_events


@dataclass(frozen=True, kw_only=True)
class Built:
    """A numbered data set, its test events, what was dropped (reason -> rows), and the clean event table.

    `events` has user, item, domain (all internal ids) and order, whatever their split.
    """

    dataset: Dataset
    test: Events
    dropped: Mapping[str, int]
    events: pl.DataFrame


@dataclass(frozen=True)
class _Scopes:
    """Whether one id means one thing everywhere (shared) or one thing per domain."""

    users_per_domain: bool
    items_per_domain: bool

    def user(self, frame: pl.DataFrame) -> pl.Series | None:
        return frame["domain"] if self.users_per_domain else None

    def item(self, frame: pl.DataFrame) -> pl.Series | None:
        return frame["domain"] if self.items_per_domain else None


def build_dataset(
    raw: RawTables, split: SplitConfig, *, min_item_users: int, users_per_domain: bool, items_per_domain: bool
) -> Built:
    """Check, filter and number `raw`.

    `min_item_users` drops items with fewer distinct users in their domain. Raises `DataError` when
    nothing is left of a domain, when a triple that must hang on an item does not, or when no triple
    touches any item.
    """
    scopes = _Scopes(users_per_domain, items_per_domain)
    raw = _same_id_type(raw)
    interactions = raw.interactions.collect()
    kept, dropped = _filtered(interactions, min_item_users)
    users = IdMap.build("user", kept["user"], scopes.user(kept))
    items = IdMap.build("item", kept["item"], scopes.item(kept))
    domains = tuple(kept["domain"].unique().sort())
    numbered = _numbered(kept, users, items, domains, scopes)
    cut = split_events(numbered, split)
    links = _links(raw, scopes)
    triples, dropped_triples = _surviving(raw, links, items, scopes)
    entities = IdMap.build("entity", pl.concat([triples["head"], triples["tail"]]))
    link_item, link_entity = _numbered_links(links, items, entities, scopes)
    relations = IdMap.build("relation", triples["relation"])
    parts = {name: _events(cut.filter(pl.col("split") == name)) for name in (TRAIN, VALID, TEST)}
    dataset = Dataset(
        domains=domains,
        relations=tuple(relations.table["id"]),
        users=users,
        items=items,
        entities=entities,
        catalog=_catalog(numbered, domains),
        train=parts[TRAIN],
        valid=parts[VALID],
        triples=_numbered_triples(triples, entities, relations),
        link_item=link_item,
        link_entity=link_entity,
        text=_text(raw.items, items, scopes),
    )
    late = {"events of users unseen before the time cut": int(count_left_out(cut)["num_events"].sum())}
    return Built(dataset=dataset, test=parts[TEST], dropped={**dropped, **late, **dropped_triples}, events=numbered)


def _same_id_type(raw: RawTables) -> RawTables:
    tables = (raw.items, raw.links)
    kinds = {raw.interactions.collect_schema()["item"], *(t.schema["item"] for t in tables if t.height)}
    if len(kinds) == 1:
        return raw
    text = pl.col("item").cast(pl.String)
    return replace(
        raw,
        interactions=raw.interactions.with_columns(text),
        items=raw.items.with_columns(text),
        links=raw.links.with_columns(text),
    )


def _filtered(events: pl.DataFrame, min_item_users: int) -> tuple[pl.DataFrame, dict[str, int]]:
    first = first_events(events)
    often = pl.len().over("item", "domain") >= min_item_users
    kept = first.filter(often)
    empty = set(events["domain"].unique()) - set(kept["domain"].unique())
    if empty or not kept.height:
        named = f"domain {', '.join(map(repr, sorted(empty)))}" if empty else "interactions"
        raise DataError(
            f"{named}: no events left; check the interaction tables, "
            f"`domains`, and ingest.min_item_users={min_item_users}"
        )
    dropped = {"repeated events": events.height - first.height, "events of rare items": first.height - kept.height}
    return kept, dropped


def _numbered(
    kept: pl.DataFrame, users: IdMap, items: IdMap, domains: tuple[str, ...], scopes: _Scopes
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user": users.encode(kept["user"], scopes.user(kept)),
            "item": items.encode(kept["item"], scopes.item(kept)),
            "domain": kept["domain"].replace_strict(domains, range(len(domains)), return_dtype=pl.Int64),
            "order": kept["order"],
        }
    )


def _links(raw: RawTables, scopes: _Scopes) -> pl.DataFrame:
    """All links between known items and entities, known before filtering: item, domain, entity."""
    if not raw.link_by_id:
        return raw.links
    known = (
        raw.interactions.collect().select("item", "domain").unique().with_columns(entity=pl.col("item").cast(pl.String))
    )
    named = pl.concat([raw.triples["head"], raw.triples["tail"]]).unique()
    return pl.concat([raw.links, known.filter(pl.col("entity").is_in(named.implode()))]).unique()


def _surviving(
    raw: RawTables, links: pl.DataFrame, items: IdMap, scopes: _Scopes
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Drop triples whose item was filtered away, and repeats; a repeat keeps the highest confidence."""
    linked = links["entity"].unique().implode()
    lost = raw.triples.with_row_index("row").filter(pl.col("must_link") & ~pl.col("head").is_in(linked))
    if lost.height:
        first = ", ".join(f"row {row + 1}: {head!r}" for row, head in lost.select("row", "head").head(5).iter_rows())
        raise DataError(
            f"triples: {lost.height} with an unknown item as head ({first}); each head must be the id of an item that "
            "occurs in the interactions, or be tied to one by `links`; or set `heads: any`"
        )
    alive = links.filter(pl.Series(items.find(links["item"], scopes.item(links)) >= 0))["entity"].unique().implode()
    gone = [pl.col(end).is_in(linked) & ~pl.col(end).is_in(alive) for end in ("head", "tail")]
    kept = raw.triples.filter(~pl.any_horizontal(gone))
    merged = kept.group_by("head", "relation", "tail", maintain_order=True).agg(pl.col("confidence").max())
    touching = merged.filter(pl.col("head").is_in(alive) | pl.col("tail").is_in(alive))
    if merged.height and not touching.height:
        raise DataError(
            f"triples: none of the {merged.height} touches an item; give a `links` table, or set "
            "ingest.tables.link_by_id=true when entity ids are item ids"
        )
    every = items.find(links["item"], scopes.item(links)) >= 0
    return merged, {
        "links of items without events": int((~every).sum()),
        "triples of dropped items": raw.triples.height - kept.height,
        "repeated triples": kept.height - merged.height,
    }


def _numbered_links(links: pl.DataFrame, items: IdMap, entities: IdMap, scopes: _Scopes) -> tuple[IntArray, IntArray]:
    item = items.find(links["item"], scopes.item(links))
    entity = entities.find(links["entity"])
    known = (item >= 0) & (entity >= 0)
    pairs = np.unique(np.stack([item[known], entity[known]]), axis=1)
    return pairs[0], pairs[1]


def _numbered_triples(triples: pl.DataFrame, entities: IdMap, relations: IdMap) -> Triples:
    return Triples(
        head=entities.encode(triples["head"]),
        relation=relations.encode(triples["relation"]),
        tail=entities.encode(triples["tail"]),
        confidence=triples["confidence"].to_numpy(writable=True),
    )


def _events(frame: pl.DataFrame) -> Events:
    return Events(**{name: frame[name].to_numpy(writable=True) for name in ("user", "item", "domain")})


def _catalog(events: pl.DataFrame, domains: tuple[str, ...]) -> dict[str, IntArray]:
    listed = events.select("domain", "item").unique().sort("domain", "item")
    return {d: listed.filter(pl.col("domain") == k)["item"].to_numpy(writable=True) for k, d in enumerate(domains)}


def _text(table: pl.DataFrame, items: IdMap, scopes: _Scopes) -> tuple[str, ...]:
    text = [""] * len(items)
    if table.height:
        number = items.find(table["item"], scopes.item(table))
        for item, words in zip(number.tolist(), table["text"], strict=True):
            if item >= 0 and words:
                text[item] = words
    return tuple(text)
