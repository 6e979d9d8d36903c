"""Lines over x, with axes and ticks."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from graphrec.report import formats
from graphrec.report.charts.figure import WIDTH, Figure, drawing, unit

Point = tuple[float, float]
Span = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One line: its name, its points in order of x, and the CSS class that colours it."""

    name: str
    points: Sequence[Point]
    style: str = "s1"


_HEIGHT, _LEFT, _RIGHT, _TOP, _FLOOR = 236, 44, WIDTH - 12, 24, 200
_MOST_DOTS = 40


def line_figure(
    title: str,
    lines: Sequence[Line],
    *,
    x: str,
    y: str,
    note: str = "",
    shares: bool = False,
    references: Sequence[Line] = (),
) -> Figure:
    """Draw `lines` over the axes named `x` and `y`; `shares` makes both axes run from 0 to 1.

    `references` are thin dashed lines, such as the diagonal of perfect calibration.
    """
    points = [point for line in lines for point in line.points]
    across = (0.0, 1.0) if shares else _span([point[0] for point in points])
    along = (0.0, 1.0) if shares else _rounded(_span([point[1] for point in points]))
    frame = _Frame(across, along, counted=not shares and all(float(point[0]).is_integer() for point in points))
    parts = list(frame.axes(x, y))
    for line in references:
        parts += frame.path(line.points, f"{line.style} reference")
    for line in lines:
        parts += [*frame.path(line.points, line.style), *frame.dots(line)]
    spoken = "; ".join(f"{line.name}: {_spoken(line)}" for line in lines)
    return Figure(
        title=title,
        svg=drawing(f"{title}. {y} over {x}. {spoken}", _HEIGHT, parts),
        note=note,
        legend=[(line.style, line.name) for line in lines] if len(lines) > 1 else (),
        columns=("line", x, y),
        rows=[(line.name, formats.plain(a), formats.plain(b)) for line in lines for a, b in line.points],
    )


@dataclass(frozen=True)
class _Frame:
    """The plot area: data in, units of the drawing out."""

    across: Span
    along: Span
    counted: bool

    def place(self, point: Point) -> tuple[str, str]:
        """Return where a point lies, as text."""
        right = (point[0] - self.across[0]) / (self.across[1] - self.across[0])
        up = (point[1] - self.along[0]) / (self.along[1] - self.along[0])
        return unit(_LEFT + (_RIGHT - _LEFT) * right), unit(_FLOOR - (_FLOOR - _TOP) * up)

    def axes(self, x: str, y: str) -> Iterator[Markup]:
        """Draw grid lines, ticks and the names of both axes."""
        for tick in _ticks(*self.along):
            _, height = self.place((self.across[0], tick))
            yield Markup('<path class="grid" d="M{} {}H{}"/>').format(_LEFT, height, _RIGHT)
            yield _text(_LEFT - 6, height, formats.plain(tick), "end", shift=".35em")
        for tick in _ticks(*self.across):
            # Epochs are counted, so there is nothing to mark between two of them.
            if self.counted and not float(tick).is_integer():
                continue
            yield _text(self.place((tick, self.along[0]))[0], _FLOOR + 15, formats.plain(tick), "middle")
        yield _text(_RIGHT, _HEIGHT - 5, x, "end")
        yield _text(2, 11, y, "start")

    def path(self, points: Sequence[Point], style: str) -> Iterator[Markup]:
        """Draw one line; a single point has none."""
        if len(points) > 1:
            steps = "L".join(" ".join(self.place(point)) for point in points)
            yield Markup('<path class="line {}" d="M{}"/>').format(style, steps)

    def dots(self, line: Line) -> Iterator[Markup]:
        """Mark the points of a line, unless they are so many that they would hide it."""
        if len(line.points) <= _MOST_DOTS:
            dot = Markup('<circle class="dot {}" cx="{}" cy="{}" r="2.5"/>')
            yield from (dot.format(line.style, *self.place(point)) for point in line.points)


def _text(x: float | str, y: float | str, text: str, anchor: str, *, shift: str = "0") -> Markup:
    made = Markup('<text class="axis" x="{}" y="{}" dy="{}" text-anchor="{}">{}</text>')
    return made.format(x, y, shift, anchor, text)


def _span(values: Sequence[float]) -> Span:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low > 1e-9 * max(abs(low), abs(high)):
        return low, high
    # A flat line gets room on both sides, so that it does not lie on an axis.
    room = abs(low) / 2 or 0.5
    return low - room, high + room


def _step(low: float, high: float) -> float:
    # The largest round step (1, 2 or 5 times a power of ten) that leaves at least three gaps.
    exact = (high - low) / 3 * (1 + 1e-9)
    power = 10.0 ** math.floor(math.log10(exact))
    return max(size * power for size in (1, 2, 5) if size * power <= exact)


def _rounded(span: Span) -> Span:
    step = _step(*span)
    return math.floor(span[0] / step + 1e-9) * step, math.ceil(span[1] / step - 1e-9) * step


def _ticks(low: float, high: float) -> list[float]:
    step = _step(low, high)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = [float(f"{step * n:.12g}") for n in range(first, last + 1)]
    return [int(tick) if tick == int(tick) else tick for tick in ticks]


def _spoken(line: Line) -> str:
    if not line.points:
        return "no points"
    (x_first, y_first), (x_last, y_last) = line.points[0], line.points[-1]
    first, last = f"{formats.plain(y_first)} at {formats.plain(x_first)}", formats.plain(y_last)
    return f"{first} to {last} at {formats.plain(x_last)}"
