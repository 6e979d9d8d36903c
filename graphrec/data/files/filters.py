"""Which rows of a table count: the user's conditions on values, as expressions that may run on any engine."""

from collections.abc import Sequence

import polars as pl

from graphrec.data.config import Filter
from graphrec.data.files.checks import Check, Problems, empty, quoted
from graphrec.data.files.table import Table


def filter_columns(filters: Sequence[Filter]) -> dict[str, str]:
    """Return our names of the columns that `filters` look at -> the user's."""
    return {f"keep_{k}": condition.column for k, condition in enumerate(filters)}


def kept(table: Table, filters: Sequence[Filter], problems: Problems) -> tuple[pl.Expr, list[Check]]:
    """Return the rows that meet all `filters`, and the checks of the columns they look at."""
    meets, checks = pl.lit(True), list[Check]()
    for k, condition in enumerate(filters):
        column, dtype = f"keep_{k}", table.dtype(f"keep_{k}")
        if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
            problems.add(table.where, f"keep: column {condition.column!r} is {dtype}, not one value in each row")
            continue
        if condition == Filter(column=condition.column):
            text = f"keep: column {condition.column!r} has no condition"
            problems.add(table.where, text, do="set at_least, at_most, one_of or none_of")
            continue
        if condition.at_least is not None or condition.at_most is not None:
            if not (dtype.is_numeric() or dtype in (pl.String, pl.Boolean)):
                problems.add(table.where, f"keep: column {condition.column!r} is {dtype}, no number")
                continue
            number = _number(column, dtype)
            checks.append(
                Check(
                    bad=~empty(column, dtype) & number.is_null(),
                    text=f"column {condition.column!r}: {{}} without a number to compare",
                    do="mend them, or filter by one_of",
                    show=pl.col(column),
                    of_all=True,
                )
            )
            meets = meets & _between(number, condition)
        meets = meets & _listed(column, dtype, condition)
    # A null in a condition means that the row does not meet it.
    return meets.fill_null(False) if filters else meets, checks


def describe_filters(table: Table, filters: Sequence[Filter]) -> str:
    """Return what the filtered columns of the first row hold, for a message; empty without filters."""
    if not filters:
        return ""
    first = table.sample(pl.lit(True), 5)
    seen = [
        f"{f.column} has {quoted(first[f'keep_{k}'].unique(maintain_order=True).to_list())}"
        for k, f in enumerate(filters)
    ]
    return f"in the first rows, {'; '.join(dict.fromkeys(seen))}"


def _number(column: str, dtype: pl.DataType) -> pl.Expr:
    value = pl.col(column)
    return (value.str.strip_chars() if dtype == pl.String else value).cast(pl.Float64, strict=False)


def _between(number: pl.Expr, condition: Filter) -> pl.Expr:
    inside = pl.lit(True)
    if condition.at_least is not None:
        inside = inside & (number >= condition.at_least)
    if condition.at_most is not None:
        inside = inside & (number <= condition.at_most)
    return inside & number.is_not_nan()


def _listed(column: str, dtype: pl.DataType, condition: Filter) -> pl.Expr:
    value, inside = pl.col(column), pl.lit(True)
    text = [value.cast(pl.String)]
    if dtype.is_float():
        # A whole float is met by 5 as well as by 5.0.
        whole = pl.when(value == value.round()).then(value).cast(pl.Int64, strict=False)
        text.append(whole.cast(pl.String))
    if condition.one_of:
        inside = inside & pl.any_horizontal(t.is_in(_texts(condition.one_of)) for t in text)
    if condition.none_of:
        inside = inside & ~pl.any_horizontal(t.is_in(_texts(condition.none_of)).fill_null(False) for t in text)
    return inside


def _texts(values: Sequence[str | int | float]) -> list[str]:
    """Return values as text; a whole float is meant as 5 as well as 5.0."""
    whole = [str(int(value)) for value in values if isinstance(value, float) and value.is_integer()]
    return [*map(str, values), *whole]
