"""Columns that most formats lack, filled in, so that a reader names only what its files say."""

from collections.abc import Iterable, Mapping

import polars as pl

from graphrec.data.files.checks import Problems, quoted
from graphrec.data.raw import INTERACTIONS, ITEMS, LINKS, TRIPLES
from graphrec.data.sniff.names import names_role


def as_interactions(events: pl.DataFrame | pl.LazyFrame) -> pl.LazyFrame:
    """Return the interactions of `events` (user, item, domain; order, weight, split where there are any)."""
    filled = {"order": pl.int_range(pl.len(), dtype=pl.Int64), "weight": pl.lit(1.0), "split": pl.lit(None)}
    return _filled(events.lazy(), filled, INTERACTIONS)


def as_items(items: pl.DataFrame) -> pl.DataFrame:
    """Return item texts from `items` (item, domain, text)."""
    return _filled(items.lazy(), {}, ITEMS).collect()


def as_triples(triples: pl.DataFrame, source: str) -> pl.DataFrame:
    """Return the triples read from `source` (head, relation, tail; must_link where it is known)."""
    filled = {"confidence": pl.lit(1.0), "must_link": pl.lit(False), "label": pl.lit(None), "source": pl.lit(source)}
    return _filled(triples.lazy(), filled, TRIPLES).collect()


def as_links(links: pl.DataFrame) -> pl.DataFrame:
    """Return the links of `links` (item, domain, entity)."""
    return _filled(links.lazy(), {}, LINKS).collect()


def warn_of_times(unused: Iterable[str], where: str, problems: Problems) -> None:
    """Warn of columns that are called like a time, where events have none; they are `unused`."""
    likely = [name for name in unused if names_role(name, "time")]
    if likely:
        text = f"not used, though called like a time: {quoted(likely)}"
        problems.warn(where, text, do="rows count in their order, name a column in `time` if it is one")


def _filled(frame: pl.LazyFrame, values: dict[str, pl.Expr], schema: Mapping[str, type[pl.DataType]]) -> pl.LazyFrame:
    """Add what is missing, then order and type the columns; ids keep their type."""
    there = frame.collect_schema().names()
    frame = frame.with_columns(value.alias(name) for name, value in values.items() if name not in there)
    return frame.select(
        pl.col(name) if name in ("user", "item") else pl.col(name).cast(kind) for name, kind in schema.items()
    )
