"""Ways through the subsets of sources. Each runs points of a `Search` and names the best subset of those it tried.

exhaustive   all 2^n, of up to 12 sources
greedy       add the source that gains most while one gains; after each, take out what no longer pays. At most
             about n trials for each source of the result
gates        one fit with all sources; the best of none, all, and those whose weight is above zero by
             sqrt(penalty * log(events)) standard errors, the same bar as one step of the others

Where gains are means over seeds, a larger one counts only beyond the standard error of the paired difference: greedy
adds no source that gains less, and of all subsets that none is beyond by more, the smallest is named (cf. the
one-standard-error rule of Breiman et al. 1984).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from finetune.config import SelectConfig
from finetune.evidence import Evidence, Subset
from graphrec.core.search import Point, Search, all_subsets
from graphrec.core.types import BoolArray
from graphrec.metrics.measures import Values


@dataclass(frozen=True)
class Found:
    """The best subset, and the `gain` of all that were tried, the empty one first."""

    best: Subset
    gain: Mapping[Subset, float]

    @property
    def tried(self) -> tuple[Subset, ...]:
        """The subsets that were tried."""
        return tuple(self.gain)


@dataclass(frozen=True)
class Gains:
    """What subsets gain, a mean over `seeds`: the evidence of each."""

    seeds: Sequence[Evidence]
    _known: dict[Subset, Values] = field(default_factory=dict)

    @property
    def sources(self) -> Subset:
        """The names of all sources."""
        return self.seeds[0].target.sources

    def __call__(self, point: Point) -> float:
        """Return the gain of a point in nats."""
        return float(self._of(tuple(name for name in self.sources if point[name])).mean())

    def errors(self, subsets: Sequence[Subset], other: Subset) -> Values:
        """Return the standard error, over seeds, of what each of `subsets` gains beyond `other`; 0 of one seed."""
        if len(self.seeds) == 1:
            return np.zeros(len(subsets))
        beyond = np.stack([self._of(subset) for subset in subsets]) - self._of(other)
        found: Values = beyond.std(axis=1, ddof=1) / np.sqrt(len(self.seeds))
        return found

    def _of(self, subset: Subset) -> Values:
        # A search that goes on remembers means alone; what is asked again here is the same to the bit.
        if subset not in self._known:
            self._known[subset] = np.array([evidence.gain(subset) for evidence in self.seeds])
        return self._known[subset]


Strategy = Callable[[Search], Found]


def strategy(config: SelectConfig, gains: Gains) -> Strategy:
    """Return the way that `config` asks for; raise `ConfigError` where it would not come to an end."""
    config.check(len(gains.sources))
    few = len(gains.sources) <= config.max_sources
    name = ("exhaustive" if few else "greedy") if config.search == "auto" else config.search
    return partial({"exhaustive": exhaustive, "greedy": greedy, "gates": gates}[name], gains)


def exhaustive(gains: Gains, search: Search) -> Found:
    """Try all subsets."""
    tried = _Tried(gains, search)
    tried.run([tuple(name for name in gains.sources if point[name]) for point in all_subsets(gains.sources)])
    return _smallest(tried)


def greedy(gains: Gains, search: Search) -> Found:
    """Go forward, and backward after each step, as long as the gain rises."""
    sources, tried = gains.sources, _Tried(gains, search)
    best: Subset = ()
    tried.run([best])
    while True:
        ahead = [_with(sources, best, name) for name in sources if name not in best]
        tried.run(ahead)
        step = tried.greatest([s for s in ahead if tried.beyond([s], best)[0]])
        if step is None:
            return Found(best, tried.gain)
        best = step
        while len(best) > 1:
            back = tried.greatest([tuple(n for n in best if n != name) for name in best])
            if back is None or tried.gain[back] <= tried.gain[best]:
                break
            best = back


def gates(gains: Gains, search: Search) -> Found:
    """Fit all weights at once and keep what stands clear of zero, in most of the seeds."""
    sources, clear = gains.sources, np.zeros(len(gains.sources))
    for evidence in gains.seeds:
        fit = evidence.weights(sources)
        # By Wald's test, as in `Evidence.gain`.
        clear += [0.5 * max(fit.of(name).values()) ** 2 > evidence.price for name in sources]
    kept = tuple(name for name, count in zip(sources, clear, strict=True) if count > len(gains.seeds) / 2)
    tried = _Tried(gains, search)
    tried.run([(), *([kept] if kept else []), sources])
    return _smallest(tried)


class _Tried:
    """Runs subsets as points, each once; `gain` in the order of running."""

    def __init__(self, gains: Gains, search: Search) -> None:
        self.gains, self.search = gains, search
        self.gain: dict[Subset, float] = {}

    def run(self, subsets: Sequence[Subset]) -> None:
        new = [subset for subset in subsets if subset not in self.gain]
        points: list[Point] = [{name: name in subset for name in self.gains.sources} for subset in new]
        for subset, trial in zip(new, self.search.run(points, self.gains), strict=True):
            self.gain[subset] = trial.value

    def greatest(self, subsets: Sequence[Subset]) -> Subset | None:
        self.run(subsets)
        return max(subsets, key=lambda s: self.gain[s], default=None)

    def beyond(self, subsets: Sequence[Subset], other: Subset) -> BoolArray:
        """Return which of `subsets`, all tried, gain more than `other` by more than the standard error over seeds."""
        more = np.array([self.gain[subset] for subset in subsets]) - self.gain[other]
        return np.asarray(more > self.gains.errors(subsets, other))


def _smallest(tried: _Tried) -> Found:
    # Of equal ones the smaller: a source that gains nothing is none. Nothing is beyond the greatest.
    order = sorted(tried.gain, key=lambda s: (len(s), -tried.gain[s]))
    most = tried.greatest(order)
    assert most is not None
    # Nearly all fall to the greatest one, which is asked about first.
    stand = (s for s in order if not tried.beyond([most], s)[0] and not tried.beyond(order, s).any())
    return Found(next(stand), tried.gain)


def _with(sources: Subset, subset: Subset, name: str) -> Subset:
    return tuple(n for n in sources if n in subset or n == name)
