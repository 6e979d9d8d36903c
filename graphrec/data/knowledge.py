"""Triples and links against the items that are left: what hangs on them, what goes, what is numbered."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from graphrec.core.errors import DataError
from graphrec.core.ids import IdMap
from graphrec.core.types import IntArray
from graphrec.data.annotations import Described, describe, number_votes
from graphrec.data.dataset import Triples, Votes
from graphrec.data.inspect.behaviour import is_behaviour
from graphrec.data.raw import RawTables


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """Numbered triples and links, what is said of entities (`described`) and of triples (`votes`).

    `labels` says which triples are true (None: no table says so).
    """

    entities: IdMap
    relations: tuple[str, ...]
    triples: Triples
    labels: pl.Series | None
    link_item: IntArray
    link_entity: IntArray
    described: Described
    votes: Votes
    dropped: Mapping[str, int]


def number_knowledge(
    raw: RawTables, listed: IdMap, items: IdMap, domains: tuple[str, ...], *, drop_behaviour: bool
) -> Knowledge:
    """Number the triples and links of `raw` that are left; `listed` are the items before any was dropped.

    Raises `DataError` when a head that must be an item is none, or when no triple touches an item.
    """
    made = raw.triples["relation"].unique().to_list() if drop_behaviour else []
    behaviour = pl.col("relation").is_in([name for name in made if is_behaviour(name)])
    kept = raw.triples.filter(~behaviour)
    gone = {"triples of behaviour relations": raw.triples.height - kept.height}
    raw = replace(raw, triples=kept)
    links = _link_table(raw, listed, domains)
    triples, dropped = _surviving(raw, links, items)
    entities = IdMap.build("entity", pl.concat([triples["head"], triples["tail"]]))
    relations = IdMap.build("relation", triples["relation"])
    link_item, link_entity = _numbered_links(links, items, entities)
    votes, lost = number_votes(raw.votes, triples)
    gone |= {"votes on dropped triples": lost} if raw.votes.height else {}
    labels = triples["label"]
    return Knowledge(
        entities=entities,
        relations=tuple(relations.table["id"]),
        triples=_numbered_triples(triples, entities, relations),
        labels=labels if labels.count() else None,
        link_item=link_item,
        link_entity=link_entity,
        described=describe(raw.entities, entities),
        votes=votes,
        dropped={**gone, **dropped},
    )


def _link_table(raw: RawTables, listed: IdMap, domains: tuple[str, ...]) -> pl.DataFrame:
    """Return all links between listed items and entities, whether the items survive or not: item, domain, entity."""
    if not raw.link_by_id:
        return raw.links
    named = pl.concat([raw.triples["head"], raw.triples["tail"]]).unique()
    known = listed.table.with_columns(entity=pl.col("id").cast(pl.String))
    known = known.filter(pl.col("entity").is_in(named.implode()))
    if not listed.is_scoped:
        # Where one id is one item in all domains, any of its domains will do to find it by.
        known = known.with_columns(scope=pl.lit(domains[0] if domains else ""))
    found = known.select(pl.col("id").alias("item"), pl.col("scope").alias("domain"), "entity")
    return pl.concat([raw.links, found]).unique(maintain_order=True)


def _surviving(raw: RawTables, links: pl.DataFrame, items: IdMap) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the triples without those of dropped items and without repeats, and what was dropped.

    A repeat keeps the highest confidence, and the first label that is known. Raises `DataError` when
    a head that must be an item is none, or when no triple touches an item although there are items.
    """
    linked = links["entity"].unique().implode()
    lost = raw.triples.with_row_index("row").filter(pl.col("must_link") & ~pl.col("head").is_in(linked))
    if lost.height:
        first = ", ".join(f"row {row + 1}: {head!r}" for row, head in lost.select("row", "head").head(5).iter_rows())
        raise DataError(
            f"triples: {lost.height} with an unknown item as head ({first}); each head must be the id of an item that "
            "occurs in the interactions, or be tied to one by `links`; or set `heads: any`"
        )
    known = items.find_in(links) >= 0
    alive = links.filter(pl.Series(known))["entity"].unique().implode()
    gone = [pl.col(end).is_in(linked) & ~pl.col(end).is_in(alive) for end in ("head", "tail")]
    kept = raw.triples.filter(~pl.any_horizontal(gone))
    merged = kept.group_by("head", "relation", "tail", maintain_order=True).agg(
        pl.col("confidence").max(), pl.col("label").drop_nulls().first()
    )
    touching = merged.filter(pl.col("head").is_in(alive) | pl.col("tail").is_in(alive))
    if len(items) and raw.triples.height and not touching.height:
        raise DataError(f"triples: none of the {raw.triples.height} touches an item; {_how_to_link(raw, links)}")
    return merged, {
        "links of items without events": int((~known).sum()),
        "triples of dropped items": raw.triples.height - kept.height,
        "repeated triples": kept.height - merged.height,
    }


def _how_to_link(raw: RawTables, links: pl.DataFrame) -> str:
    if not links.height:
        return "give a `links` table, or set ingest.tables.link_by_id=true when entity ids are item ids"
    item, domain = links.row(0, named=True)["item"], links.row(0, named=True)["domain"]
    return (
        f"the {links.height} links lead to no item that is left (the first: item {item!r} of domain {domain!r}); "
        "items and domains must be written as in the interactions"
    )


def _numbered_links(links: pl.DataFrame, items: IdMap, entities: IdMap) -> tuple[IntArray, IntArray]:
    """Return the links between items and entities that are both left: `(item, entity)`, sorted, each once."""
    item, entity = items.find_in(links), entities.find(links["entity"])
    known = (item >= 0) & (entity >= 0)
    pairs = np.unique(np.stack([item[known], entity[known]]), axis=1)
    return pairs[0], pairs[1]


def _numbered_triples(triples: pl.DataFrame, entities: IdMap, relations: IdMap) -> Triples:
    """Return `triples` in internal ids."""
    return Triples(
        head=entities.encode(triples["head"]),
        relation=relations.encode(triples["relation"]),
        tail=entities.encode(triples["tail"]),
        confidence=triples["confidence"].to_numpy(writable=True),
    )
