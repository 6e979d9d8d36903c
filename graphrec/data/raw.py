"""Raw tables as they come, in external ids, and the checks that every reader's output passes."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from graphrec.core.errors import DataError
from graphrec.core.ids import normal_ids


@dataclass(frozen=True, kw_only=True)
class TableRead:
    """One table as a reader found it: `kind` is interactions, items, triples or links; rows are counted."""

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
    tables: tuple[TableRead, ...] = ()
    warnings: tuple[str, ...] = ()


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
"""Columns of each kind of raw table, in order; user and item may also be Int64."""


def check_table(frame: pl.DataFrame, where: str, *, ids: Sequence[str], texts: Sequence[str] = ()) -> pl.DataFrame:
    """Return `frame` with id columns as Int64 or String and text columns as String.

    Raises one `DataError` that lists every missing column, wrong type and null, with row numbers
    (counted from 1, the header not included).
    """
    check_columns(frame, where, [*ids, *texts])
    problems = [f"{where}: {p}" for name in dict.fromkeys((*ids, *texts)) for p in _problems(frame[name], name in ids)]
    if problems:
        raise DataError("\n".join(problems))
    typed = [normal_ids(frame[name]).alias(name) for name in ids]
    return frame.with_columns(*typed, *(pl.col(name).cast(pl.String) for name in texts))


def check_columns(frame: pl.DataFrame, where: str, names: Sequence[str]) -> None:
    """Raise `DataError` unless `frame` has every column of `names`."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise DataError(
            f"{where}: no column {', '.join(map(repr, missing))}; it has {', '.join(map(repr, frame.columns))}; "
            "name the right column in the configuration"
        )


def as_order(column: pl.Series, where: str) -> pl.Series:
    """Return times or positions as Int64 (times in microseconds); raise `DataError` on anything else."""
    if column.dtype == pl.String:
        column = _parsed(column)
    if column.null_count():
        rows = ", ".join(str(row + 1) for row in column.is_null().arg_true().head(5))
        raise DataError(f"{where}: column {column.name!r} has {column.null_count()} rows without a time (rows {rows})")
    if column.dtype.is_temporal() and column.dtype != pl.Time:
        return column.cast(pl.Datetime("us")).cast(pl.Int64)
    if column.dtype.is_float():
        bad = ~(column.is_finite() & (column.abs() < 9e12)).fill_null(False)
        if bad.any():
            rows = ", ".join(str(row + 1) for row in bad.arg_true().head(5))
            raise DataError(f"{where}: column {column.name!r}: {bad.sum()} values are no usable times (rows {rows})")
        return (column * 1e6).round().cast(pl.Int64)
    if column.dtype.is_integer():
        return column.cast(pl.Int64)
    raise DataError(f"{where}: column {column.name!r} is {column.dtype}; expected a time, a date or a number")


def unify_ids(*columns: pl.Series) -> list[pl.Series]:
    """Return the columns in one id type: Int64 when all are, else String."""
    typed = [normal_ids(column) for column in columns]
    if all(column.dtype == pl.Int64 for column in typed if len(column)):
        return [column.cast(pl.Int64) for column in typed]
    return [column.cast(pl.String) for column in typed]


def _problems(column: pl.Series, is_id: bool) -> list[str]:
    found = []
    if is_id and not (column.dtype.is_integer() or column.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null)):
        found.append(f"column {column.name!r} is {column.dtype}; expected integers or text")
    if column.null_count():
        rows = ", ".join(str(row + 1) for row in column.is_null().arg_true().head(5))
        found.append(f"column {column.name!r} has {column.null_count()} nulls (rows {rows}); fill or drop them")
    return found


def _parsed(text: pl.Series) -> pl.Series:
    for dtype in (pl.Int64, pl.Float64):
        number = text.cast(dtype, strict=False)
        if number.null_count() == text.null_count():
            return number
    try:
        return text.str.to_datetime(time_unit="us", strict=True)
    except (pl.exceptions.ComputeError, pl.exceptions.InvalidOperationError):
        return text
