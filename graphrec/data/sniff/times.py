"""Whether the readers can read a column of times: asked of the readers themselves."""

import polars as pl

from graphrec.data.files.times import clock
from graphrec.data.sniff.columns import Column

_FIRST = 1000
"""So many first values tell the readers how times are written."""


def why_unread(column: Column) -> str:
    """Return why the readers refuse the filled values of `column` as times, and what to write; empty if they do not."""
    values = column.filled
    read = clock(column.name, values.dtype, values.head(_FIRST))
    if read is None:
        return f"{_shown(values)} is no time that is read; {_how(column)}"
    frame = pl.DataFrame({column.name: values})
    for check in read.checks(column.name, values.dtype, column.name):
        bad = frame.filter(check.bad.fill_null(True)) if not check.warning else frame.clear()
        if bad.height:
            return f"{_shown(bad[column.name])} is read as no time of 1970 to 2099 like the others; {_how(column)}"
    if column.gaps and not (values.dtype == pl.String or values.dtype.is_numeric()):
        return f"{column.gaps:,} rows have none, and no filter can leave them out; {_how(column)}"
    return ""


def is_text_of_times(column: Column) -> bool:
    """Return whether text whose form says nothing to us is read as times, such as dates with names of months."""
    values = column.filled
    if column.kind != "text" or values.dtype != pl.String:
        return False
    read = clock(column.name, values.dtype, values.head(_FIRST))
    return read is not None and read.real


def gap_filter(column: Column) -> str:
    """Return the condition of `keep` that leaves out rows without a time; empty where there are none."""
    if not column.gaps:
        return ""
    if column.values.dtype == pl.String:
        return 'none_of: [""]'
    return f"at_least: {min(0, int(column.numbers.min() or 0))}"  # type: ignore[arg-type]


def _shown(values: pl.Series) -> str:
    return repr(str(values[0]))


def _how(column: Column) -> str:
    return f"write all as 2024-07-15 10:42:00 or as seconds since 1970, then add time: {column.name}"
