"""What every drawing is: an SVG with its words."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH = 400
"""Units across; the page scales them, so one unit is about one pixel on a phone."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawing with its words: what it shows, the legend (CSS class, name), and its numbers as a table."""

    title: str
    svg: Markup
    note: str = ""
    legend: Sequence[tuple[str, str]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def drawing(spoken: str, height: float, parts: Sequence[Markup]) -> Markup:
    """Return an SVG of `WIDTH` by `height` units; `spoken` is its text alternative."""
    start = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, unit(height), spoken)
    return start + Markup("").join(parts) + Markup("</svg>")


def unit(value: float) -> str:
    """Return a coordinate with one decimal at most, so that equal drawings have equal bytes."""
    return f"{value:.1f}".removesuffix(".0")
