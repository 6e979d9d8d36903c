"""Ways through the subsets of sources. Each runs points of a `Search` and names the best subset of those it tried.

exhaustive   all 2^n, of up to 12 sources
greedy       add the source that gains most while one gains; after each, take out what no longer pays. At most
             about n trials for each source of the result
gates        one fit with all sources; the best of none, all, and those whose weight is above zero by
             sqrt(penalty * log(events)) standard errors, the same bar as one step of the others
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from finetune.config import SelectConfig
from finetune.evidence import Evidence, Subset
from graphrec.core.search import Objective, Point, Search, all_subsets


@dataclass(frozen=True)
class Found:
    """The best subset, and the `gain` of all that were tried, the empty one first."""

    best: Subset
    gain: Mapping[Subset, float]

    @property
    def tried(self) -> tuple[Subset, ...]:
        """The subsets that were tried."""
        return tuple(self.gain)


Strategy = Callable[[Subset, Search, Objective], Found]


def strategy(config: SelectConfig, evidence: Evidence) -> Strategy:
    """Return the way that `config` asks for; raise `ConfigError` where it would not come to an end."""
    config.check(len(evidence.target.sources))
    few = len(evidence.target.sources) <= config.max_sources
    name = ("exhaustive" if few else "greedy") if config.search == "auto" else config.search
    return {"exhaustive": exhaustive, "greedy": greedy, "gates": lambda *a: gates(evidence, *a)}[name]


def exhaustive(sources: Subset, search: Search, objective: Objective) -> Found:
    """Try all subsets."""
    return _best(_Tried(sources, search, objective), all_subsets(sources))


def greedy(sources: Subset, search: Search, objective: Objective) -> Found:
    """Go forward, and backward after each step, as long as the gain rises."""
    tried = _Tried(sources, search, objective)
    best: Subset = ()
    tried.run([best])
    while True:
        ahead = [_with(sources, best, name) for name in sources if name not in best]
        step = tried.greatest(ahead)
        if step is None or tried.gain[step] <= tried.gain[best]:
            return Found(best, tried.gain)
        best = step
        while len(best) > 1:
            back = tried.greatest([tuple(n for n in best if n != name) for name in best])
            if back is None or tried.gain[back] <= tried.gain[best]:
                break
            best = back


def gates(evidence: Evidence, sources: Subset, search: Search, objective: Objective) -> Found:
    """Fit all weights at once and keep what stands clear of zero."""
    fit = evidence.weights(sources)
    bar = np.sqrt(evidence.config.penalty * np.log(max(2, len(evidence.choices))))
    kept = tuple(name for name in sources if max(fit.of(name).values()) > bar)
    tried = _Tried(sources, search, objective)
    tried.run([(), *([kept] if kept else []), sources])
    return Found(max(tried.gain, key=lambda s: (tried.gain[s], -len(s))), tried.gain)


class _Tried:
    """Runs subsets as points, each once; `gain` in the order of running."""

    def __init__(self, sources: Subset, search: Search, objective: Objective) -> None:
        self.sources, self.search, self.objective = sources, search, objective
        self.gain: dict[Subset, float] = {}

    def run(self, subsets: Sequence[Subset]) -> None:
        new = [subset for subset in subsets if subset not in self.gain]
        points: list[Point] = [{name: name in subset for name in self.sources} for subset in new]
        for subset, trial in zip(new, self.search.run(points, self.objective), strict=True):
            self.gain[subset] = trial.value

    def greatest(self, subsets: Sequence[Subset]) -> Subset | None:
        self.run(subsets)
        return max(subsets, key=lambda s: self.gain[s], default=None)


def _best(tried: _Tried, points: Sequence[Mapping[str, bool]]) -> Found:
    subsets = [tuple(name for name in tried.sources if point[name]) for point in points]
    tried.run(subsets)
    # Of equal ones the smaller: a source that gains nothing is none.
    return Found(max(subsets, key=lambda s: (tried.gain[s], -len(s))), tried.gain)


def _with(sources: Subset, subset: Subset, name: str) -> Subset:
    return tuple(n for n in sources if n in subset or n == name)
