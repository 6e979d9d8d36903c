"""Checks of tables: every problem of every table is collected, then one error names them all.

A check is a condition that no row may meet. All checks of a table are counted in one streaming pass;
only where one fails does a second pass look for the first rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import polars as pl

from graphrec.core.errors import DataError

TEXT = (pl.String, pl.Categorical, pl.Enum)
"""Column types whose values are words."""

_BLANKS = " \t\r\n"

_LONGEST = 60

SHOWN = 5
"""How many rows or values a message names."""


class Problems:
    """What is wrong with the tables (`add`), and what their owner should know (`warn`), each one line."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def add(self, where: str, text: str, rows: Sequence[int | str] = (), *, do: str = "") -> None:
        """Note an error in `where`, a file or option; the first five `rows` are named; `do` says what to do."""
        self.errors.append(_line(where, text, rows, do))

    def warn(self, where: str, text: str, rows: Sequence[int | str] = (), *, do: str = "") -> None:
        """Note what the owner may intend."""
        self.warnings.append(_line(where, text, rows, do))

    def catch(self, error: DataError) -> None:
        """Note an error that is worded already."""
        self.errors.append(str(error))

    def raise_any(self) -> None:
        """Raise one `DataError` that lists all errors, one per line, if there are any."""
        if self.errors:
            raise DataError("\n".join(dict.fromkeys(self.errors)))


@dataclass(frozen=True, kw_only=True)
class Check:
    """A condition no row may meet: `bad` is a Boolean expression, true where a row breaks the rule.

    `text` says what is wrong, with `{}` for "1 row" or "7 rows"; `do` what to do about it. `show` gives
    the value that is quoted beside each row number. A `warning` does not stop the run. `of_all` counts
    rows too that filters leave out. `coarse` is a cheaper condition that holds wherever `bad` does: it
    is counted first, and `bad` only if that finds rows.
    """

    bad: pl.Expr
    text: str
    do: str = ""
    show: pl.Expr | None = None
    warning: bool = False
    of_all: bool = False
    coarse: pl.Expr | None = None

    def within(self, keep: pl.Expr) -> "Check":
        """Return the check of the rows that `keep` keeps; a check `of_all` stays as it is."""
        if self.of_all:
            return self
        coarse = None if self.coarse is None else keep & self.coarse
        return replace(self, bad=keep & self.bad.fill_null(True), coarse=coarse)


Rows = Callable[[pl.Expr, pl.Expr | None], Sequence[int | str]]
"""Finds the first rows that meet a condition, each a row number or "number: value"."""


Counter = Callable[[pl.Expr], int]
"""Counts the rows that meet a condition."""


def count(checks: Sequence[Check]) -> list[pl.Expr]:
    """Return one aggregate per check, named `check_0`, `check_1`, ...: how many rows break it, at most."""
    conditions = [check.bad if check.coarse is None else check.coarse for check in checks]
    return [bad.fill_null(True).sum().alias(f"check_{k}") for k, bad in enumerate(conditions)]


def report(
    checks: Sequence[Check], counts: pl.DataFrame, where: str, problems: Problems, rows: Rows, recount: Counter
) -> None:
    """Note every check that `counts`, the one row that `count` gives, says is broken."""
    for k, check in enumerate(checks):
        number, bad = int(counts[f"check_{k}"][0] or 0), check.bad.fill_null(True)
        if number and check.coarse is not None:
            number = recount(bad)
        if number:
            note = problems.warn if check.warning else problems.add
            # The last pair of braces: column names may have some of their own.
            before, _, after = check.text.rpartition("{}")
            note(where, f"{before}{plural(number, 'row')}{after}", rows(bad, check.show), do=check.do)


def run_checks(
    frame: pl.LazyFrame, checks: Sequence[Check], where: str, problems: Problems, *, row: str = "row"
) -> int:
    """Check a table in one streaming pass and return how many rows it has.

    `row` is the column of `frame` with row numbers counted from 1; they are looked up only where a check fails.
    """
    counts = frame.select(pl.len().alias("num_rows"), *count(checks)).collect(engine="streaming")

    def rows(bad: pl.Expr, show: pl.Expr | None) -> Sequence[int | str]:
        found = frame.filter(bad).select(pl.col(row), *([show.alias("shown")] if show is not None else []))
        return [named_row(*found_row) for found_row in found.head(SHOWN).collect(engine="streaming").iter_rows()]

    report(
        checks, counts, where, problems, rows, lambda bad: frame.select(bad.sum()).collect(engine="streaming").item()
    )
    return int(counts["num_rows"][0])


def named_row(number: int, *shown: object, part: str = "") -> int | str:
    """Return a row as messages name it: its number, the part of the table it is in, the value where one is shown."""
    place = f"{number} of {part}" if part else number
    return f"{place}: {brief(shown[0])}" if shown else place


def empty(column: str, dtype: pl.DataType | None = None) -> pl.Expr:
    """True where a value is null or, as text, empty or blank. Only text of type `dtype` (none: any) can be blank."""
    value = pl.col(column)
    if not _may_be_blank(dtype):
        return value.is_null()
    return value.is_null() | (value.cast(pl.String).str.strip_chars(_BLANKS) == "")


def filled(column: str, what: str, *, dtype: pl.DataType | None = None, name: str | None = None) -> Check:
    """Every row must have a value; `what` names it, such as "an id". `name` is the user's name of the column."""
    value = pl.col(column)
    # Stripping costs more than all else in a scan; only what sorts before the first sign can be blank.
    early = value.is_null() | (value.cast(pl.String) < "!") if _may_be_blank(dtype) else None
    return Check(
        bad=empty(column, dtype),
        coarse=early,
        text=f"column {name or column!r}: {{}} without {what}",
        do="fill them or drop the rows",
    )


def positive(column: str, *, most: float | None = None, name: str | None = None) -> Check:
    """Every value must be a finite number above 0, and at most `most`. `name` is the user's name of the column."""
    number = pl.col(column).cast(pl.Float32, strict=False)
    good = number.is_finite() & (number > 0) & (number <= most if most is not None else True)
    wanted = "a finite number above 0" if most is None else f"a number above 0 and at most {most:g}"
    return Check(
        bad=~good,
        text=f"column {name or column!r}: {{}} without {wanted}",
        do="mend them, or leave the rows out with `keep`",
        show=pl.col(column),
    )


def _may_be_blank(dtype: pl.DataType | None) -> bool:
    return dtype is None or isinstance(dtype, TEXT)


def plural(number: int, noun: str) -> str:
    """Return "1 row" or "2,000 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def quoted(names: Sequence[object], most: int = SHOWN) -> str:
    """Return up to `most` names in quotes, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(brief, names[:most])) + more


def brief(value: object) -> str:
    """Return a value in quotes, cut where it is long."""
    shown = repr(value)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def _line(where: str, text: str, rows: Sequence[int | str], do: str) -> str:
    first = ", ".join(str(row) for row in rows[:SHOWN])
    named = f" (row{'' if len(rows) == 1 else 's'} {first})" if rows else ""
    return f"{where}: {text}{named}{f'; {do}' if do else ''}"
