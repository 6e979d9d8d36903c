"""External ids in tables: which column types may hold them, and how they stay exact as Int64 or String."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from graphrec.data.files.checks import Check, Problems, filled
from graphrec.data.files.json_ids import check_json_ids
from graphrec.data.files.table import Table

_WIDE = (pl.UInt64, pl.Int128, pl.UInt128)


@dataclass(frozen=True, kw_only=True)
class Id:
    """One id column: our `column`, the user's `name` for it, its type, and which ids are no Int64.

    `odd` is true where an id is not exactly a whole number of 64 bits; None where the type tells.
    """

    column: str
    name: str
    dtype: pl.DataType
    odd: pl.Expr | None
    in_text_file: bool

    def checks(self) -> list[Check]:
        """Return the checks: no gaps, and no NUL bytes in text files."""
        checks = [filled(self.column, "an id", dtype=self.dtype, name=self.name)]
        if self.in_text_file and self.dtype == pl.String:
            nul = Check(
                bad=pl.col(self.column).str.contains("\0", literal=True).fill_null(False),
                text=f"column {self.name!r}: {{}} with a NUL byte",
                do="the file is damaged or binary; write it again as text",
            )
            checks.append(nul)
        return checks

    def count(self) -> list[pl.Expr]:
        """Return the aggregate that `kind` needs, if any."""
        return [] if self.odd is None else [self.odd.sum().alias(f"odd_{self.column}")]

    def kind(self, measured: pl.DataFrame) -> type[pl.DataType]:
        """Return Int64 or String: what holds every id of the column."""
        whole = self.dtype.is_integer() if self.odd is None else not measured[f"odd_{self.column}"].sum()
        return pl.Int64 if whole else pl.String


def find_ids(table: Table, columns: Sequence[str], problems: Problems) -> dict[str, Id]:
    """Return the id columns; note those whose type, or a value of JSON lines anywhere, ids cannot have."""
    before = len(problems.errors)
    if table.form == "jsonl":
        names = [table.columns[column] for column in columns]
        check_json_ids(table.paths, table.options, names, table.where, problems)
    if len(problems.errors) > before:
        return {}
    found = {column: find_id(table, column, problems) for column in columns}
    return {column: spec for column, spec in found.items() if spec is not None}


def find_id(table: Table, column: str, problems: Problems) -> Id | None:
    """Return the id column `column`; note a type that ids cannot have and return None."""
    name, dtype = table.columns[column], table.dtype(column)
    found = table.schema[name]
    # The text of JSON values tells nothing of their type, so `found` counts as well.
    usable = dtype.is_integer() or dtype in (pl.String, pl.Null)
    if not usable or found.is_float() or found in (pl.Boolean, pl.Binary):
        problems.add(
            table.where, f"column {name!r} is {found}; ids must be whole numbers or text", do=_mend(table, column)
        )
        return None
    value, odd = pl.col(column), None
    # Whether all ids fit Int64 is counted in the pass of checks, not guessed from the first rows.
    if dtype == pl.String and found == pl.Int64:
        # JSON numbers, read as text: 007 in a later line must not become 7.
        odd = value.cast(pl.Int64, strict=False).cast(pl.String).ne_missing(value)
    elif isinstance(dtype, _WIDE):
        odd = value.cast(pl.Int64, strict=False).is_null() & value.is_not_null()
    text_file = table.form != "parquet"
    return Id(column=column, name=name, dtype=dtype, odd=odd, in_text_file=text_file)


def _mend(table: Table, column: str) -> str:
    """Say how a column of the wrong type becomes one of ids; whole floats come from gaps in pandas."""
    if not table.schema[table.columns[column]].is_float():
        return "name the column that holds the ids"
    values = table.sample(pl.lit(True))[column].cast(pl.Float64, strict=False).drop_nulls()
    if (values == values.round()).all():
        return "the first are whole: write them as integers (pandas: .astype('Int64'))"
    return "name the column that holds the ids"
