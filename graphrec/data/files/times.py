"""Times as users write them, turned into one order: microseconds since 1970, or plain numbers.

A column is read by what its first values look like: dates and date-times as text, Date and Datetime
columns, whole numbers that count seconds, milliseconds, microseconds or nanoseconds since 1970, dates as
20240131. Any other numbers are positions: their order counts, nothing else.
"""

from dataclasses import dataclass

import polars as pl

from graphrec.data.files.checks import Check, empty, filled

_LATEST = 4_102_444_800_000_000
"""1 January 2100 in microseconds; a later time is a mistake."""

_UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_EARLY, _LATE = 100_000_000, 4_200_000_000
"""Seconds of 1973 and 2103: numbers between them, in one of the units, are taken for times."""

_DAY = "%Y%m%d"
_FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f UTC",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%Y-%m-%dT%H:%M%#z",
    "%Y-%m-%d %H:%M%#z",
    "%Y.%m.%d",
    "%Y.%m.%d %H:%M:%S%.f",
    "%Y.%m.%d %H:%M",
    *(
        f"{day}{clock}"
        for day in ("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y")
        for clock in ("", " %H:%M:%S%.f", " %H:%M")
    ),
)

_EITHER = r"^\d{1,2}[/-]\d{1,2}[/-]\d{4}"
_TOLD = r"^(?:\d{1,2}[/-])?(?:1[3-9]|2\d|3[01])[/-]"
"""Dates whose day and month may be told apart only by a number above 12."""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """How a time column is read: `order` (Int64, null where a value is no time), and whether it is a real time.

    `unit` names what numbers count; it is empty for dates and positions. `scale` turns a number of the
    column into its order.
    """

    order: pl.Expr
    real: bool
    unit: str = ""
    scale: float = 1.0

    def checks(self, column: str, dtype: pl.DataType, shown: str) -> list[Check]:
        """Return the checks of a column, `shown` in messages: no gaps, no nonsense, none outside 1970 to 2099."""
        value, label = pl.col(column), f"column {shown!r}: {{}}"
        gap = empty(column, dtype)
        lost = Check(
            bad=~gap & self.order.is_null(),
            text=f"{label} whose value is no time like the first ones",
            do="write all times in one way",
            show=value,
        )
        return [
            filled(column, "a time", dtype=dtype, name=shown),
            lost,
            *(self._bounds(label, value) if self.real else []),
        ]

    def bound(self, text: str | float) -> int | None:
        """Return a bound (a date, or a number as in the column) in terms of `order`; None if it is neither."""
        try:
            number = float(text)
        except ValueError:
            number = None
        # A whole number above 19 million is a day, 20240131, wherever dates are compared.
        if number is not None and self.real and not self.unit and number.is_integer() and number >= 19_700_101:
            day: int | None = pl.select(_from_text(pl.lit(str(int(number))), _DAY)).item()
            return day
        if number is not None:
            return round(number * self.scale) if self.unit or not self.real else None
        said = pl.Series([str(text).strip()])
        parsed = moment(said) if self.real and not is_undecided(said) else None
        return None if parsed is None else parsed[0]

    def _bounds(self, label: str, value: pl.Expr) -> list[Check]:
        mixed = f"are they not in {self.unit}, like the first ones?" if self.unit else ""
        bounds = [
            Check(bad=(self.order < 0).fill_null(False), text=f"{label} before 1970", do=mixed, show=value),
            Check(bad=(self.order >= _LATEST).fill_null(False), text=f"{label} after 2099", do=mixed, show=value),
        ]
        if not self.unit:
            return bounds
        zero = Check(
            bad=(self.order == 0).fill_null(False),
            text=f"{label} with the time 0, as if it were missing",
            warning=True,
        )
        # Seconds, read as milliseconds, all lie in the first weeks of 1970.
        early = (self.order > 0) & (self.order < _LATE * 10**3 if self.unit != "seconds" else False)
        small = Check(bad=early.fill_null(False), text=f"{label} in the first weeks of 1970", do=mixed, show=value)
        return [*bounds, zero, small]


def clock(column: str, dtype: pl.DataType, sample: pl.Series) -> Clock | None:
    """Return how the column of type `dtype` with the first values `sample` is read; None when they are no times."""
    value = pl.col(column)
    if isinstance(dtype, (pl.Categorical, pl.Enum)):
        value, sample, dtype = value.cast(pl.String), sample.cast(pl.String), pl.String()
    if isinstance(dtype, (pl.Date, pl.Datetime)):
        return Clock(order=value.cast(pl.Datetime("us")).dt.epoch("us"), real=True)
    if isinstance(dtype, pl.String):
        return _of_text(value, sample)
    if dtype.is_numeric():
        return _of_numbers(value, sample, whole=dtype.is_integer())
    return None


def moment(text: pl.Series) -> pl.Series | None:
    """Return dates and date-times as microseconds, in the format that reads most of them; None if none does."""
    form = _best_format(text)
    return None if form is None else pl.select(_from_text(pl.lit(text), form)).to_series()


def is_undecided(sample: pl.Series) -> bool:
    """Return whether dates such as 05/06/2024 may be read as day/month and as month/day alike."""
    if not isinstance(sample.dtype, pl.String):
        return False
    said = sample.str.strip_chars()
    either = int(said.str.contains(_EITHER).sum())
    return either * 2 > len(said) and not said.str.contains(_TOLD).any()


def decides(column: str) -> pl.Expr:
    """True where a value, such as 13/06/2024, tells the day from the month."""
    return pl.col(column).str.strip_chars().str.contains(_EITHER) & pl.col(column).str.strip_chars().str.contains(_TOLD)


def _of_text(value: pl.Expr, sample: pl.Series) -> Clock | None:
    value = value.str.strip_chars()
    said = sample.str.strip_chars().replace("", None).drop_nulls()
    if not len(said):
        return Clock(order=value.cast(pl.Int64, strict=False), real=False)
    numbers = said.cast(pl.Float64, strict=False)
    if numbers.null_count() * 2 <= len(said):
        whole = said.cast(pl.Int64, strict=False).null_count() == numbers.null_count()
        return _of_numbers(value, numbers, whole=whole)
    form = _best_format(said)
    return None if form is None else Clock(order=_from_text(value, form), real=True)


def _of_numbers(value: pl.Expr, sample: pl.Series, *, whole: bool) -> Clock:
    numbers = sample.cast(pl.Float64, strict=False).drop_nulls()
    # As seconds, 20240131 would be a day in August 1970.
    if whole and _are_days(numbers):
        day = value.cast(pl.String).str.to_datetime(_DAY, strict=False, time_unit="us")
        return Clock(order=day.dt.epoch("us"), real=True)
    # Half of the first values decide; the others are then mistakes, not positions.
    for unit, factor in _UNITS.items():
        inside = numbers.is_between(_EARLY * factor, _LATE * factor).sum()
        if len(numbers) and inside * 2 >= len(numbers):
            return Clock(order=_scaled(value, 10**6, factor, whole), real=True, unit=unit, scale=10**6 / factor)
    factor = 1 if whole else 10**6
    return Clock(order=_scaled(value, factor, 1, whole), real=False, scale=factor)


def _scaled(value: pl.Expr, times: int, over: int, whole: bool) -> pl.Expr:
    """Return value * times / over as Int64; whole numbers stay exact, what does not fit is null."""
    if whole:
        # Multiplied as integers, since nanoseconds and large positions do not fit a float.
        number = value.cast(pl.Int64, strict=False)
        if over >= times:
            return number // (over // times)
        most = 9 * 10**18 // (times // over)
        return pl.when(number.is_between(-most, most)).then(number * (times // over))
    number = (value.cast(pl.Float64, strict=False) * (times / over)).round()
    return pl.when(number.abs() < 9e18).then(number).cast(pl.Int64, strict=False)


def _are_days(numbers: pl.Series) -> bool:
    if not len(numbers) or not numbers.is_between(19_700_101, 20_991_231).all():
        return False
    text = numbers.cast(pl.Int64).cast(pl.String)
    return text.str.to_datetime(_DAY, strict=False).null_count() == 0


def _best_format(text: pl.Series) -> str | None:
    read = {form: len(text) - pl.select(_from_text(pl.lit(text), form)).to_series().null_count() for form in _FORMATS}
    best = max(read, key=lambda form: read[form])
    return best if read[best] * 2 >= len(text) and read[best] else None


def _from_text(value: pl.Expr, form: str) -> pl.Expr:
    return value.str.to_datetime(form, strict=False, time_unit="us").dt.epoch("us")
