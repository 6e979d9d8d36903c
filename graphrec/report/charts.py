"""Two drawings, as inline SVG that takes its colours from the page: lines over x, and horizontal bars.

Hand-drawn rather than rendered by a plotting library, so that text stays text (selectable, read
aloud), light and dark both work, and equal numbers give equal bytes. Names in a chart are the
user's: `Markup.format` escapes them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from graphrec.report import formats

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One line: its name, its points in order of x, and the CSS class that colours it."""

    name: str
    points: Sequence[Point]
    style: str = "s1"


@dataclass(frozen=True)
class Bar:
    """One bar from 0 to `value`, with the whisker `low` to `high` where known."""

    name: str
    value: float
    style: str = "other"
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawing with its words: what it shows, the legend (CSS class, name), and its numbers as a table."""

    title: str
    svg: Markup
    note: str = ""
    legend: Sequence[tuple[str, str]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


_WIDTH, _HEIGHT = 400, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 10, 38


def line_figure(
    title: str,
    lines: Sequence[Line],
    *,
    x: str,
    y: str,
    note: str = "",
    unit: bool = False,
    reference: Sequence[Point] = (),
) -> Figure:
    """Draw `lines` over the axes named `x` and `y`; `unit` fixes both to 0..1.

    `reference` is a thin dashed line, such as the diagonal of perfect calibration.
    """
    points = [point for line in lines for point in line.points]
    across = (0.0, 1.0) if unit else _span([p[0] for p in points])
    along = (0.0, 1.0) if unit else _span([p[1] for p in points])
    spoken = "; ".join(f"{line.name}: {_spoken(line)}" for line in lines)
    body = [_axes(across, along, x, y), _path(reference, across, along, "reference")]
    body += [_path(line.points, across, along, line.style) for line in lines]
    body += [_dots(line.points, across, along, line.style) for line in lines if len(line.points) <= 40]
    return Figure(
        title=title,
        svg=_svg(f"{title}. {y} over {x}. {spoken}", _HEIGHT, Markup("").join(body)),
        note=note,
        legend=[(line.style, line.name) for line in lines] if len(lines) > 1 else (),
        columns=("line", x, y),
        rows=[(line.name, formats.plain(a), formats.plain(b)) for line in lines for a, b in line.points],
    )


def bar_figure(title: str, bars: Sequence[Bar], *, maximum: float | None = None, note: str = "") -> Figure:
    """Draw horizontal bars; charts given the same `maximum` can be compared with each other."""
    top = max([maximum or 0.0, *(max(bar.value, bar.high or 0.0) for bar in bars)]) or 1.0
    spoken = "; ".join(f"{bar.name}: {formats.score(bar.value)}{_whisker_text(bar)}" for bar in bars)
    body = Markup("").join(_bar(row, bar, top) for row, bar in enumerate(bars))
    return Figure(title=title, svg=_svg(f"{title}. {spoken}", _ROW * len(bars) + 4, body), note=note)


_ROW, _NAME, _VALUE = 24, 132, 52


def _bar(row: int, bar: Bar, top: float) -> Markup:
    room, middle = _WIDTH - _NAME - _VALUE, _ROW * row + _ROW / 2
    drawn = [
        Markup('<text class="name {}" x="{}" y="{}" dy=".35em" text-anchor="end">{}</text>').format(
            bar.style, _NAME - 8, _n(middle), _short(bar.name)
        ),
        Markup('<rect class="bar {}" x="{}" y="{}" width="{}" height="14" rx="2"/>').format(
            bar.style, _NAME, _n(middle - 7), _n(max(0.0, room * bar.value / top))
        ),
        Markup('<text class="value {}" x="{}" y="{}" dy=".35em" text-anchor="end">{}</text>').format(
            bar.style, _WIDTH, _n(middle), formats.score(bar.value)
        ),
    ]
    if bar.low is not None and bar.high is not None:
        ends = (_NAME + room * max(0.0, bar.low) / top, _NAME + room * bar.high / top)
        drawn.append(
            Markup('<path class="whisker" d="M{0} {2}H{1}M{0} {3}v8M{1} {3}v8"/>').format(
                _n(ends[0]), _n(ends[1]), _n(middle), _n(middle - 4)
            )
        )
    return Markup("").join(drawn)


def _svg(spoken: str, height: float, body: Markup) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, _n(height), spoken, body
    )


def _axes(across: Point, along: Point, x: str, y: str) -> Markup:
    floor, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = []
    for tick in _ticks(*along):
        height = _n(_place((across[0], tick), across, along)[1])
        parts.append(Markup('<path class="grid" d="M{} {}H{}"/>').format(_LEFT, height, right))
        parts.append(_label(_LEFT - 6, height, formats.plain(tick), "end", ".35em"))
    for tick in _ticks(*across):
        left = _n(_place((tick, along[0]), across, along)[0])
        parts.append(_label(left, floor + 14, formats.plain(tick), "middle", "0"))
    parts.append(_label((_LEFT + right) / 2, _HEIGHT - 6, x, "middle", "0"))
    parts.append(
        Markup('<text class="axis" transform="translate(11 {}) rotate(-90)" text-anchor="middle">{}</text>').format(
            _n((_TOP + floor) / 2), y
        )
    )
    return Markup("").join(parts)


def _label(x: float | str, y: float | str, text: str, anchor: str, shift: str) -> Markup:
    return Markup('<text class="axis" x="{}" y="{}" dy="{}" text-anchor="{}">{}</text>').format(
        x, y, shift, anchor, text
    )


def _path(points: Sequence[Point], across: Point, along: Point, style: str) -> Markup:
    if len(points) < 2:
        return Markup("")
    steps = "L".join(f"{_n(a)} {_n(b)}" for a, b in (_place(point, across, along) for point in points))
    return Markup('<path class="line {}" d="M{}"/>').format(style, steps)


def _dots(points: Sequence[Point], across: Point, along: Point, style: str) -> Markup:
    places = [_place(point, across, along) for point in points]
    dot = Markup('<circle class="dot {}" cx="{}" cy="{}" r="2.5"/>')
    return Markup("").join(dot.format(style, _n(a), _n(b)) for a, b in places)


def _place(point: Point, across: Point, along: Point) -> Point:
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    right = (point[0] - across[0]) / (across[1] - across[0])
    up = (point[1] - along[0]) / (along[1] - along[0])
    return _LEFT + width * right, _TOP + height * (1 - up)


def _span(values: Sequence[float]) -> Point:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if low == high:
        return low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    return low, high


def _ticks(low: float, high: float) -> list[float]:
    # The largest of the round steps (1, 2, 5 times a power of ten) that gives at least four gaps.
    exact = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(exact))
    step = max(size * power for size in (1, 2, 5) if size * power <= exact * (1 + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = [round(step * n, 12) for n in range(first, last + 1)]
    return [int(tick) if tick == int(tick) else tick for tick in ticks]


def _spoken(line: Line) -> str:
    if not line.points:
        return "no points"
    (x0, y0), (x1, y1) = line.points[0], line.points[-1]
    return f"{formats.plain(y0)} at {formats.plain(x0)} to {formats.plain(y1)} at {formats.plain(x1)}"


def _whisker_text(bar: Bar) -> str:
    if bar.low is None or bar.high is None:
        return ""
    return f" ({formats.score(bar.low)} to {formats.score(bar.high)})"


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}\N{HORIZONTAL ELLIPSIS}"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
