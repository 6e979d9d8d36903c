"""A search as a list of points to try and a record of what each gave.

Stages decide which points are worth trying; where trials are stored (an Optuna study, memory) is
the caller's business. A point is a mapping of names to booleans, e.g. which domains are on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Protocol

Point = Mapping[str, bool]
"""One candidate: name -> switched on."""

Objective = Callable[[Point], float]
"""Value of a point; larger is better."""


@dataclass(frozen=True)
class Trial:
    """One finished trial."""

    point: Point
    value: float


class Search(Protocol):
    """Runs an objective over points and remembers the finished ones."""

    def run(self, points: Sequence[Point], objective: Objective) -> list[Trial]:
        """Return one trial per point, in the order of `points`; points already known are not run again."""
        ...


@dataclass(frozen=True)
class MemorySearch:
    """A search that remembers only as long as it lives."""

    known: dict[tuple[tuple[str, bool], ...], float] = field(default_factory=dict)

    def run(self, points: Sequence[Point], objective: Objective) -> list[Trial]:
        """Return one trial per point, in order; equal points are run once."""
        trials = []
        for point in points:
            key = tuple(sorted(point.items()))
            if key not in self.known:
                self.known[key] = objective(point)
            trials.append(Trial(point, self.known[key]))
        return trials


def all_subsets(names: Sequence[str]) -> list[Point]:
    """Return all `2 ** len(names)` on/off points, the empty one first, the full one last."""
    return [dict(zip(names, bits, strict=True)) for bits in product((False, True), repeat=len(names))]
