"""Raw tables as they come, in external ids: the contract between readers and ingest."""

from dataclasses import dataclass, field

import polars as pl

INTERACTIONS = {
    "user": pl.String,
    "item": pl.String,
    "domain": pl.String,
    "order": pl.Int64,
    "weight": pl.Float32,
    "split": pl.String,
}
ITEMS = {"item": pl.String, "domain": pl.String, "text": pl.String}
LINKS = {"item": pl.String, "domain": pl.String, "entity": pl.String}
TRIPLES = {
    "head": pl.String,
    "relation": pl.String,
    "tail": pl.String,
    "confidence": pl.Float32,
    "must_link": pl.Boolean,
    "label": pl.Boolean,
    "source": pl.String,
}
ENTITIES = {"entity": pl.String, "text": pl.String, "type": pl.String}
VOTES = {
    "head": pl.String,
    "relation": pl.String,
    "tail": pl.String,
    "voter": pl.String,
    "vote": pl.Float32,
    "num": pl.Int64,
}
"""Columns of each kind of raw table, in order; user and item may also be Int64."""


@dataclass(frozen=True, kw_only=True)
class TableRead:
    """One table as a reader found it: `kind` is its section in the options, such as triples; rows are counted."""

    kind: str
    path: str
    num_rows: int
    num_kept: int


@dataclass(frozen=True, kw_only=True)
class RawTables:
    """What a reader returns: checked tables in external ids. Columns and types:

    interactions (lazy, in input order): user, item (Int64 or String), domain (String), order (Int64, a
        time in microseconds or a position), weight (Float32, positive), split (String: train, valid,
        test, or null where the table does not say)
    items: item (Int64 or String), domain, text (String)
    triples: head, relation, tail (String), confidence (Float32), must_link (Boolean: the head must be
        an item), label (Boolean: true, wrong, or null where nobody says), source (String)
    links: item (Int64 or String), domain, entity (String)
    entities: entity, text, type (String; text and type may be null): a row for each type of an entity
    votes: head, relation, tail, voter (String), vote (Float32: probability of being true that the voter
        gives), num (Int64: how many samples of the voter say so); of triples that are in the table

    An id column is Int64 only if it is in every table that has it. `timed` says that `order` is a real
    time in all tables; `tables` lists what was read, `warnings` what a user may intend but should know.
    """

    interactions: pl.LazyFrame
    items: pl.DataFrame
    triples: pl.DataFrame
    links: pl.DataFrame
    link_by_id: bool
    timed: bool
    about: str
    entities: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ENTITIES))
    votes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=VOTES))
    tables: tuple[TableRead, ...] = ()
    warnings: tuple[str, ...] = ()
