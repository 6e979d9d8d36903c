"""Subsets as points: how many members across, what they are worth upwards, and one path through them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from graphrec.report import formats
from graphrec.report.charts.figure import Figure, drawing
from graphrec.report.charts.frame import HEIGHT, Frame, Point, rounded, span


@dataclass(frozen=True)
class Node:
    """One subset; `mark` is written beside the few that a reader looks for."""

    name: str
    size: int
    value: float
    style: str = "other"
    mark: str = ""

    @property
    def point(self) -> Point:
        """Where it stands."""
        return float(self.size), self.value


_ROOM = 0.4
"""Part of a column left free on both sides, so that no point lies on an axis."""


def lattice_figure(
    title: str, nodes: Sequence[Node], path: Sequence[Node], *, x: str, y: str, note: str = ""
) -> Figure:
    """Draw `nodes` over the axes named `x` and `y`, and a line along `path`; marked ones lie on top."""
    most = max(node.size for node in nodes)
    frame = Frame((-_ROOM, most + _ROOM), rounded(span([node.value for node in nodes])), counted=True)
    parts = [*frame.axes(x, y), *frame.path([node.point for node in path], "s1")]
    for node in sorted(nodes, key=lambda n: bool(n.mark)):
        parts += _drawn(frame, node, most)
    spoken = "; ".join(f"{node.mark or node.name}: {formats.score(node.value)}" for node in nodes if node.mark)
    best = max(nodes, key=lambda n: n.value)
    words = f"{title}. {y} over {x}, {len(nodes)} subsets. {spoken}; best by it, {best.name}: "
    svg = drawing(f"{words}{formats.score(best.value)}", HEIGHT, parts)
    return Figure(title=title, svg=svg, note=note)


def _drawn(frame: Frame, node: Node, most: int) -> Iterator[Markup]:
    yield frame.dot(node.point, node.style, 4.5 if node.mark else 2.5)
    if node.mark:
        across, height = frame.place(node.point)
        # Words grow away from the nearer edge.
        shift, anchor = (-8, "end") if 2 * node.size > most else (8, "start")
        yield Markup('<text class="name halo {}" x="{}" y="{}" dx="{}" dy=".35em" text-anchor="{}">{}</text>').format(
            node.style, across, height, shift, anchor, node.mark
        )
