"""Axes: data in, units of the drawing out; lines and the lattice of subsets stand on them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from graphrec.report import formats
from graphrec.report.charts.figure import WIDTH, unit

Point = tuple[float, float]
Span = tuple[float, float]

HEIGHT = 236
"""Units from the name of one axis down to that of the other."""
_LEFT, _RIGHT, _TOP, _FLOOR = 44, WIDTH - 12, 24, 200


@dataclass(frozen=True)
class Frame:
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
        yield _text(_RIGHT, HEIGHT - 5, x, "end")
        yield _text(2, 11, y, "start")

    def path(self, points: Sequence[Point], style: str) -> Iterator[Markup]:
        """Draw one line; a single point has none."""
        if len(points) > 1:
            steps = "L".join(" ".join(self.place(point)) for point in points)
            yield Markup('<path class="line {}" d="M{}"/>').format(style, steps)

    def dot(self, point: Point, style: str, radius: float = 2.5) -> Markup:
        """Mark one point."""
        return Markup('<circle class="dot {}" cx="{}" cy="{}" r="{}"/>').format(style, *self.place(point), unit(radius))


def _text(x: float | str, y: float | str, text: str, anchor: str, *, shift: str = "0") -> Markup:
    made = Markup('<text class="axis" x="{}" y="{}" dy="{}" text-anchor="{}">{}</text>')
    return made.format(x, y, shift, anchor, text)


def span(values: Sequence[float]) -> Span:
    """Return the least and the greatest value, apart even where all are equal."""
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


def rounded(exact: Span) -> Span:
    """Return the span from tick to tick around `exact`."""
    step = _step(*exact)
    return math.floor(exact[0] / step + 1e-9) * step, math.ceil(exact[1] / step - 1e-9) * step


def _ticks(low: float, high: float) -> list[float]:
    step = _step(low, high)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = [float(f"{step * n:.12g}") for n in range(first, last + 1)]
    return [int(tick) if tick == int(tick) else tick for tick in ticks]
