"""What one column looks like: its type, how much it repeats, whether it is a time, a rating, a text."""

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from graphrec.data.sniff.names import may_be_time, names_role, normal

_EPOCHS = ((1e8, 4.2e9), (1e11, 4.2e12), (1e14, 4.2e15), (1e17, 4.2e18))
"""Bounds of plausible times since 1970 in seconds, milli-, micro- and nanoseconds: 1973 to 2103."""

_DATE = r"^\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([ T]\d{1,2}:\d{2}.*)?\s*$"
_LIST = r"^[^,|\s]+([,|][^,|\s]+){9,}$"
_SPLITS = {"train", "valid", "test", "val", "dev", "validation", "training", "testing"}


@dataclass(frozen=True)
class Column:
    """One column of a sample; `name` is its name in the file."""

    name: str
    values: pl.Series

    @cached_property
    def filled(self) -> pl.Series:
        """The values that are not empty; numbers stay numbers, text of text files stays text."""
        values = self.values.drop_nulls()
        return values.filter(values.str.strip_chars() != "") if values.dtype == pl.String else values

    @property
    def gaps(self) -> int:
        """Return how many rows have no value."""
        return len(self.values) - len(self.filled)

    @cached_property
    def kind(self) -> str:
        """Return int, float, time, text, list (of ids), empty, or other, which no role can use."""
        values = self.filled
        if not len(values):
            return "empty"
        if values.dtype.is_nested() or values.dtype in (pl.Duration, pl.Time, pl.Binary, pl.Object):
            return "list" if isinstance(values.dtype, pl.List | pl.Array) else "other"
        if values.dtype.is_temporal():
            return "time"
        if values.dtype.is_integer() or values.dtype == pl.Boolean:
            return "int"
        if values.dtype.is_float() or values.dtype.is_decimal():
            return "int" if _are_whole(values) else "float"
        return _kind_of_text(values.cast(pl.String))

    @cached_property
    def texts(self) -> pl.Series:
        """The filled values as text, as ids of other files are compared with them."""
        values = self.filled
        if self.kind in ("list", "other") and values.dtype != pl.String:
            # Never compared with anything: a few are enough to show.
            return pl.Series([str(value) for value in values.head(100)], dtype=pl.String)
        if values.dtype.is_float() and self.kind == "int":
            values = values.cast(pl.Int64, strict=False)
        return values.cast(pl.String).drop_nulls().str.strip_chars()

    @cached_property
    def numbers(self) -> pl.Series:
        """The filled values as numbers; null where they are none."""
        if self.kind not in ("int", "float"):
            return pl.Series([], dtype=pl.Float64)
        values = self.filled
        return (values.str.strip_chars() if values.dtype == pl.String else values).cast(pl.Float64, strict=False)

    @cached_property
    def ids(self) -> pl.Series:
        """The distinct values as text."""
        return self.texts.unique().sort()

    @property
    def num(self) -> int:
        """Return how many distinct values there are."""
        return len(self.ids)

    @property
    def unique(self) -> float:
        """Return the share of rows with a value of their own: 1 where none repeats."""
        return self.num / max(len(self.texts), 1)

    @cached_property
    def length(self) -> float:
        """Return the mean number of characters."""
        return float(self.texts.str.len_chars().mean() or 0)  # type: ignore[arg-type]

    def named(self, role: str) -> bool:
        """Return whether the name says `role`."""
        return names_role(self.name, role)

    @property
    def is_id(self) -> bool:
        """Return whether the values can be ids: whole numbers or short text."""
        return self.kind == "int" or (self.kind == "text" and self.length <= 60)

    @cached_property
    def is_time(self) -> bool:
        """Return whether the values are dates, or whole numbers that count a plausible time since 1970."""
        if not may_be_time(self.name):
            return False
        if self.kind == "time":
            return True
        if self.kind != "int" or self.num < 2:
            return False
        low, high = float(self.numbers.min()), float(self.numbers.max())  # type: ignore[arg-type]
        return any(first <= low and high <= last for first, last in _EPOCHS) or (
            self.named("time") and low >= 19_000_101 and high <= 21_001_231
        )

    @cached_property
    def is_rating(self) -> bool:
        """Return whether the values are few numbers of 0 to 10, as stars are; named so, they may go up to 100."""
        if self.kind not in ("int", "float") or not 2 <= self.num <= 101:
            return False
        low, high = float(self.numbers.min()), float(self.numbers.max())  # type: ignore[arg-type]
        return (low >= 0 and high <= 10 and self.num <= 21) or (self.named("rating") and low >= -10 and high <= 100)

    @property
    def is_binary(self) -> bool:
        """Return whether the values are 0 and 1 only."""
        return self.num <= 2 and set(self.ids) <= {"0", "1", "0.0", "1.0", "true", "false", "True", "False"}

    @property
    def is_split(self) -> bool:
        """Return whether the values are names of parts such as train and test."""
        return 2 <= self.num <= 4 and {value.lower() for value in self.ids} <= _SPLITS

    @property
    def is_counted(self) -> bool:
        """Return whether the ids are whole numbers given out by counting: nearly every number up to the largest."""
        if self.kind != "int" or not self.num:
            return False
        low, high = float(self.numbers.min()), float(self.numbers.max())  # type: ignore[arg-type]
        return 0 <= low <= 1 and self.num >= 0.9 * (high - low + 1)

    @property
    def told(self) -> str:
        """Return the column in a few words, for messages."""
        shown = ", ".join(value[:20] for value in self.texts.head(2))
        return f"{self.name} ({self.kind}, {self.num:,} distinct: {shown})"

    @property
    def plain(self) -> str:
        """Return the name in lower case with its words parted by `_`."""
        return normal(self.name)


def columns_of(frame: pl.DataFrame) -> list[Column]:
    """Return the columns of a sample, in order."""
    return [Column(name, frame[name]) for name in frame.columns]


def common(one: Column, other: Column) -> float:
    """Return the share of the smaller set of distinct values that both columns have."""
    smaller, larger = sorted((one.ids, other.ids), key=len)
    return float(smaller.is_in(larger.implode()).mean() or 0) if len(smaller) else 0.0  # type: ignore[arg-type]


def within(part: Column, whole: Column) -> float:
    """Return the share of the distinct values of `part` that `whole` has too."""
    return float(part.ids.is_in(whole.ids.implode()).mean() or 0) if part.num else 0.0  # type: ignore[arg-type]


def _are_whole(values: pl.Series) -> bool:
    """Return whether floats are whole numbers, and too many of them for ratings such as 4.0: ids or times."""
    return bool((values == values.floor()).all()) and values.n_unique() > 20


def _kind_of_text(values: pl.Series) -> str:
    looked = values.head(20_000).str.strip_chars()
    for dtype, kind in ((pl.Int64, "int"), (pl.Float64, "float")):
        number = looked.cast(dtype, strict=False)
        if number.null_count():
            continue
        whole = values.str.strip_chars().cast(dtype, strict=False)
        if not whole.null_count():
            return "int" if kind == "int" or _are_whole(whole) else kind
    if bool(looked.str.contains(_DATE).all()):
        return "time"
    return "list" if float(looked.str.contains(_LIST).mean() or 0) > 0.9 else "text"  # type: ignore[arg-type]
