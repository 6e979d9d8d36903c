"""Reader of the user's own tables: Parquet, CSV and TSV files with freely named columns."""

import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from graphrec.core.errors import DataError
from graphrec.data.config import InteractionTable, ItemTable, LinkTable, TablesConfig, TripleTable
from graphrec.data.raw import (
    ITEMS,
    LINKS,
    TRIPLES,
    RawTables,
    as_order,
    check_columns,
    check_table,
    unify_ids,
)

_Table = InteractionTable | ItemTable | TripleTable | LinkTable


def read(config: TablesConfig) -> RawTables:
    """Read every table that `config` names; raise `DataError` naming file, column and row."""
    folder = Path(os.path.expandvars(config.folder)).expanduser()
    if not config.interactions:
        raise DataError("ingest.tables.interactions: no table given; a run needs at least one table of events")
    return RawTables(
        interactions=_stack(
            [_interactions(table, folder) for table in config.interactions], None, ["user", "item"]
        ).lazy(),
        items=_stack([_items(table, folder) for table in config.items], pl.DataFrame(schema=ITEMS), ["item"]),
        triples=_stack([_triples(table, folder) for table in config.triples], pl.DataFrame(schema=TRIPLES), []),
        links=_stack([_links(table, folder) for table in config.links], pl.DataFrame(schema=LINKS), ["item"]),
        link_by_id=config.link_by_id,
        timed=all(table.time is not None for table in config.interactions),
        about=config.about,
    )


def files(config: TablesConfig) -> list[Path]:
    """Return the files that `config` names, in order, for fingerprints; raise `DataError` on a missing one."""
    folder = Path(os.path.expandvars(config.folder)).expanduser()
    groups: tuple[Sequence[_Table], ...] = (config.interactions, config.items, config.triples, config.links)
    return [_existing(folder / table.path) for group in groups for table in group]


def read_file(path: Path) -> pl.DataFrame:
    """Read one file by its suffix. Text formats keep every value as text, so that ids like 007 survive."""
    _existing(path)
    name = path.name.removesuffix(".gz")
    try:
        if name.endswith(".parquet"):
            return pl.read_parquet(path)
        if name.endswith((".csv", ".tsv")):
            return pl.read_csv(path, separator="\t" if name.endswith(".tsv") else ",", infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    raise DataError(f"{path}: unknown format; expected .parquet, .csv, .tsv, .csv.gz or .tsv.gz")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"{path}: no such file; relative paths start from ingest.tables.folder")
    return path


def _interactions(table: InteractionTable, folder: Path) -> pl.DataFrame:
    path = folder / table.path
    frame = check_table(read_file(path), str(path), ids=[table.user, table.item], texts=_domain_column(table))
    frame = frame.with_columns(_domain(table))
    order = pl.int_range(pl.len(), dtype=pl.Int64).alias("order")
    if table.time is not None:
        check_columns(frame, str(path), [table.time])
        order = pl.lit(as_order(frame[table.time], str(path)))
    kept = frame.select(
        pl.col(table.user).alias("user"),
        pl.col(table.item).alias("item"),
        "domain",
        order.alias("order"),
        weight=pl.lit(1.0, dtype=pl.Float32),
        split=pl.lit(table.as_split, dtype=pl.String),
    )
    absent = sorted(set(table.domains) - set(kept["domain"]))
    if absent:
        known = ", ".join(map(repr, kept["domain"].unique().sort().head(10)))
        raise DataError(f"{path}: domains: no events of {', '.join(map(repr, absent))}; the table has {known}")
    return kept.filter(pl.col("domain").is_in(table.domains)) if table.domains else kept


def _items(table: ItemTable, folder: Path) -> pl.DataFrame:
    path = folder / table.path
    frame = check_table(read_file(path), str(path), ids=[table.item], texts=_domain_column(table))
    check_columns(frame, str(path), table.text)
    text = pl.concat_str([pl.col(name).cast(pl.String) for name in table.text], separator=" ", ignore_nulls=True)
    return frame.with_columns(_domain(table)).select(pl.col(table.item).alias("item"), "domain", text.alias("text"))


def _triples(table: TripleTable, folder: Path) -> pl.DataFrame:
    path = folder / table.path
    frame = check_table(read_file(path), str(path), ids=[table.head, table.tail], texts=[table.relation])
    weight = pl.lit(1.0, dtype=pl.Float32)
    if table.confidence is not None:
        check_columns(frame, str(path), [table.confidence])
        weight = pl.lit(_confidence(frame[table.confidence], str(path)))
    names = {"head": table.head, "relation": table.relation, "tail": table.tail}
    columns = [pl.col(old).cast(pl.String).alias(new) for new, old in names.items()]
    kept = frame.select(
        *columns,
        weight.alias("confidence"),
        must_link=pl.lit(table.heads == "items"),
        label=pl.lit(table.as_label, dtype=pl.Boolean),
        source=pl.lit(path.name),
    )
    return kept.filter(~pl.col("relation").is_in(table.drop_relations)) if table.drop_relations else kept


def _links(table: LinkTable, folder: Path) -> pl.DataFrame:
    path = folder / table.path
    frame = check_table(read_file(path), str(path), ids=[table.item, table.entity], texts=_domain_column(table))
    entity = pl.col(table.entity).cast(pl.String).alias("entity")
    return frame.with_columns(_domain(table)).select(pl.col(table.item).alias("item"), "domain", entity)


def _domain_column(table: InteractionTable | ItemTable | LinkTable) -> list[str]:
    return [] if table.as_domain else [table.domain]


def _domain(table: InteractionTable | ItemTable | LinkTable) -> pl.Expr:
    return (pl.lit(table.as_domain) if table.as_domain else pl.col(table.domain)).cast(pl.String).alias("domain")


def _confidence(column: pl.Series, where: str) -> pl.Series:
    values = column.cast(pl.Float32, strict=False)
    bad = (values.is_null() | ~values.is_between(0, 1)).fill_null(True)
    if bad.any():
        rows = ", ".join(str(row + 1) for row in bad.arg_true().head(5))
        raise DataError(f"{where}: column {column.name!r}: {bad.sum()} values are not in [0, 1] (rows {rows})")
    return values


def _stack(frames: Sequence[pl.DataFrame], empty: pl.DataFrame | None, ids: Sequence[str]) -> pl.DataFrame:
    """Put tables of one kind below each other; an id column that is text in one of them is text in all."""
    if not frames:
        assert empty is not None
        return empty
    for name in ids:
        unified = unify_ids(*(frame[name] for frame in frames))
        frames = [frame.with_columns(column.alias(name)) for frame, column in zip(frames, unified, strict=True)]
    return pl.concat(frames)
