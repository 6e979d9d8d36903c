"""Lines over x, with axes and ticks."""

from collections.abc import Sequence
from dataclasses import dataclass

from graphrec.report import formats
from graphrec.report.charts.figure import Figure, drawing
from graphrec.report.charts.frame import HEIGHT, Frame, Point, rounded, span


@dataclass(frozen=True)
class Line:
    """One line: its name, its points in order of x, and the CSS class that colours it."""

    name: str
    points: Sequence[Point]
    style: str = "s1"


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
    across = (0.0, 1.0) if shares else span([point[0] for point in points])
    along = (0.0, 1.0) if shares else rounded(span([point[1] for point in points]))
    frame = Frame(across, along, counted=not shares and all(float(point[0]).is_integer() for point in points))
    parts = list(frame.axes(x, y))
    for line in references:
        parts += frame.path(line.points, f"{line.style} reference")
    for line in lines:
        parts += frame.path(line.points, line.style)
        # So many points that they would hide the line are not marked.
        parts += [frame.dot(point, line.style) for point in line.points if len(line.points) <= _MOST_DOTS]
    spoken = "; ".join(f"{line.name}: {_spoken(line)}" for line in lines)
    return Figure(
        title=title,
        svg=drawing(f"{title}. {y} over {x}. {spoken}", HEIGHT, parts),
        note=note,
        legend=[(line.style, line.name) for line in lines] if len(lines) > 1 else (),
        columns=("line", x, y),
        rows=[(line.name, formats.plain(a), formats.plain(b)) for line in lines for a, b in line.points],
    )


def _spoken(line: Line) -> str:
    if not line.points:
        return "no points"
    (x_first, y_first), (x_last, y_last) = line.points[0], line.points[-1]
    first, last = f"{formats.plain(y_first)} at {formats.plain(x_first)}", formats.plain(y_last)
    return f"{first} to {last} at {formats.plain(x_last)}"
