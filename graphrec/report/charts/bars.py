"""Horizontal bars with names, values and whiskers."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from graphrec.report import formats
from graphrec.report.charts.figure import WIDTH, Figure, drawing, unit


@dataclass(frozen=True)
class Bar:
    """One bar from 0 to `value`, with the whisker `low` to `high` where known."""

    name: str
    value: float
    style: str = "other"
    low: float | None = None
    high: float | None = None


_ROW, _LEFT, _RIGHT = 24, 140, WIDTH - 54
_NAME_COLUMNS = 19


def bar_figure(title: str, bars: Sequence[Bar], *, maximum: float | None = None, note: str = "") -> Figure:
    """Draw horizontal bars; charts given the same `maximum` can be compared with each other."""
    top = max([maximum or 0.0, *(max(bar.value, bar.high or 0.0) for bar in bars)]) or 1.0
    spoken = "; ".join(f"{bar.name}: {formats.score(bar.value)}{_range(bar)}" for bar in bars)
    parts = [part for row, bar in enumerate(bars) for part in _drawn(bar, _ROW * (row + 0.5), top)]
    return Figure(title=title, svg=drawing(f"{title}. {spoken}", _ROW * len(bars) + 4, parts), note=note)


def _drawn(bar: Bar, middle: float, top: float) -> Iterator[Markup]:
    text = Markup('<text class="{} {}" x="{}" y="{}" dy=".35em" text-anchor="end">{}</text>')
    yield text.format("name", bar.style, _LEFT - 8, unit(middle), _short(bar.name))
    yield Markup('<rect class="bar {}" x="{}" y="{}" width="{}" height="14" rx="2"/>').format(
        bar.style, _LEFT, unit(middle - 7), unit(_along(bar.value, top) - _LEFT)
    )
    yield text.format("value", bar.style, WIDTH, unit(middle), formats.score(bar.value))
    if bar.low is not None and bar.high is not None:
        yield Markup('<path class="whisker" d="M{0} {2}H{1}M{0} {3}v8M{1} {3}v8"/>').format(
            unit(_along(bar.low, top)), unit(_along(bar.high, top)), unit(middle), unit(middle - 4)
        )


def _along(value: float, top: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * max(0.0, value) / top


def _range(bar: Bar) -> str:
    if bar.low is None or bar.high is None:
        return ""
    return f" ({formats.score(bar.low)} to {formats.score(bar.high)})"


def _short(name: str) -> str:
    # East Asian characters take two columns.
    widths = [2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in name]
    if sum(widths) <= _NAME_COLUMNS:
        return name
    kept = next(n for n in range(len(name)) if sum(widths[: n + 1]) > _NAME_COLUMNS - 1)
    return f"{name[:kept]}\N{HORIZONTAL ELLIPSIS}"
