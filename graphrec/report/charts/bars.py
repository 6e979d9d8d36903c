"""Horizontal bars with names, values and whiskers."""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
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


def bar_figure(
    title: str, bars: Sequence[Bar], *, maximum: float | None = None, note: str = "", signed: bool = False
) -> Figure:
    """Draw horizontal bars; charts given the same `maximum` can be compared with each other.

    `signed` bars go left of zero too and say their sign; others end there.
    """
    top = max([maximum or 0.0, *(max(bar.value, bar.high or 0.0) for bar in bars)])
    low = min([0.0, *(min(bar.value, bar.low or 0.0) for bar in bars)]) if signed else 0.0
    scale = _Scale(low, top if top > low else low + 1.0, formats.signed if signed else formats.score)
    spoken = "; ".join(f"{bar.name}: {scale.say(bar.value)}{_range(bar, scale)}" for bar in bars)
    parts = [part for row, bar in enumerate(bars) for part in _drawn(bar, _ROW * (row + 0.5), scale)]
    height = _ROW * len(bars) + 4
    if signed:
        parts.append(Markup('<path class="zero" d="M{} 0V{}"/>').format(unit(scale.along(0.0)), height))
    return Figure(title=title, svg=drawing(f"{title}. {spoken}", height, parts), note=note)


@dataclass(frozen=True)
class _Scale:
    """Where values lie, and how they are written."""

    low: float
    high: float
    say: Callable[[float], str]

    def along(self, value: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (max(value, self.low) - self.low) / (self.high - self.low)


def _drawn(bar: Bar, middle: float, scale: _Scale) -> Iterator[Markup]:
    start, end = sorted((scale.along(0.0), scale.along(bar.value)))
    text = Markup('<text class="{} {}" x="{}" y="{}" dy=".35em" text-anchor="end">{}</text>')
    yield text.format("name", bar.style, _LEFT - 8, unit(middle), _short(bar.name))
    yield Markup('<rect class="bar {}" x="{}" y="{}" width="{}" height="14" rx="2"/>').format(
        bar.style, unit(start), unit(middle - 7), unit(end - start)
    )
    yield text.format("value", bar.style, WIDTH, unit(middle), scale.say(bar.value))
    if bar.low is not None and bar.high is not None:
        yield Markup('<path class="whisker" d="M{0} {2}H{1}M{0} {3}v8M{1} {3}v8"/>').format(
            unit(scale.along(bar.low)), unit(scale.along(bar.high)), unit(middle), unit(middle - 4)
        )


def _range(bar: Bar, scale: _Scale) -> str:
    if bar.low is None or bar.high is None:
        return ""
    return f" ({scale.say(bar.low)} to {scale.say(bar.high)})"


def _short(name: str) -> str:
    # East Asian characters take two columns.
    widths = [2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in name]
    if sum(widths) <= _NAME_COLUMNS:
        return name
    kept = next(n for n in range(len(name)) if sum(widths[: n + 1]) > _NAME_COLUMNS - 1)
    return f"{name[:kept]}\N{HORIZONTAL ELLIPSIS}"
