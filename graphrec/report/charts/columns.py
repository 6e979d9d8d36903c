"""Upright bars over doubling bins: how many users or items have so many events."""

from collections.abc import Sequence

from markupsafe import Markup

from graphrec.report import formats
from graphrec.report.charts.figure import WIDTH, Figure, drawing, unit

_HEIGHT, _FOOT, _HEAD = 120, 18, 14


def column_figure(title: str, names: Sequence[str], counts: Sequence[int], *, x: str) -> Figure:
    """Draw a bar for each bin; `x` says what the bins are. The numbers stand below as a table."""
    top, width = max([*counts, 1]), WIDTH / max(len(counts), 1)
    parts = [part for place in range(len(counts)) for part in _drawn(names[place], counts[place], place, width, top)]
    spoken = "; ".join(f"{name}: {formats.count(count)}" for name, count in zip(names, counts, strict=True))
    rows = [[name, formats.count(count)] for name, count in zip(names, counts, strict=True)]
    svg = drawing(f"{title}. {spoken}", _HEIGHT + _FOOT + _HEAD, parts)
    return Figure(title=title, svg=svg, columns=[x, "number"], rows=rows)


def _drawn(name: str, count: int, place: int, width: float, top: int) -> list[Markup]:
    high, left = _HEIGHT * count / top, width * place
    text = Markup('<text class="{} other" x="{}" y="{}" text-anchor="middle">{}</text>')
    bar = Markup('<rect class="bar other" x="{}" y="{}" width="{}" height="{}" rx="2"/>').format(
        unit(left + 1), unit(_HEAD + _HEIGHT - high), unit(max(width - 2, 1)), unit(high)
    )
    # The lower end of each bin is enough to read the axis, and where bins are many, that of every second one.
    start = name.partition("\N{EN DASH}")[0]
    shown = text.format("name", unit(left + width / 2), _HEIGHT + _FOOT + _HEAD - 4, start)
    return [bar, shown] if width > 30 or place % 2 == 0 else [bar]
