"""How hard a world is: what the true subset gains, and what every single domain is worth.

All numbers are relative changes of the reference recommender's expected NDCG@10, over all users of
the target (`reference.py`). With R(S) for the target plus the sources S, and T for the true subset:

- gain over the target alone: R(T) / R({}) - 1; gain over all domains: R(T) / R(all) - 1,
- alone, for each source d: R({d}) / R({}) - 1,
- within, for each source d: R(T) / R(T without d) - 1 if d is in T, R(T with d) / R(T) - 1 if not.

The contract of a frozen world: both gains lie in 5 % .. 15 %, and of every domain both effects lie
beyond 1 %: above it for the domains of T, below -1 % for all others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphrec.data.simulate.behaviour import Behaviour
from graphrec.data.simulate.latent import Real
from graphrec.data.simulate.plan import HELPFUL
from graphrec.data.simulate.reference import RIDGE, Reference

LEAST_GAIN, MOST_GAIN, LEAST_EFFECT = 0.05, 0.15, 0.01


@dataclass(frozen=True, kw_only=True)
class Difficulty:
    """Relative changes of NDCG@10, by domain where per domain; see the head of this file.

    error, effect_error: the greatest standard error of the gains and of the effects, were the users
    drawn anew; for the world's own users the numbers are exact expectations.
    """

    ndcg_target: float
    ndcg_all: float
    ndcg_true: float
    alone: Mapping[str, float]
    within: Mapping[str, float]
    true_subset: frozenset[str]
    error: float
    effect_error: float

    @property
    def gain_over_target(self) -> float:
        """Return what the true subset gains over the target alone."""
        return self.ndcg_true / self.ndcg_target - 1

    @property
    def gain_over_all(self) -> float:
        """Return what the true subset gains over all domains."""
        return self.ndcg_true / self.ndcg_all - 1

    @property
    def holds(self) -> bool:
        """Tell whether the world keeps the contract of a frozen one."""
        gains = min(self._gains) >= LEAST_GAIN and max(self._gains) <= MOST_GAIN
        sides = {name: 1 if name in self.true_subset else -1 for name in self.alone}
        return gains and all(
            sides[name] * effect > LEAST_EFFECT for part in (self.alone, self.within) for name, effect in part.items()
        )

    @property
    def _gains(self) -> tuple[float, float]:
        return self.gain_over_target, self.gain_over_all


def measure(played: Sequence[Behaviour], ridge: float = RIDGE) -> Difficulty:
    """Measure a world given its domains, the target first."""
    reference, sources = Reference.of(played), range(1, len(played))
    true = [i for i in sources if played[i].domain.role == HELPFUL]
    none, every, best = (reference.ndcg(chosen, ridge) for chosen in ([], sources, true))
    alone, within = {}, {}
    for i in sources:
        name = played[i].domain.name
        alone[name] = _Ratio.of(reference.ndcg([i], ridge), none)
        changed = reference.ndcg([j for j in true if j != i] if i in true else [*true, i], ridge)
        within[name] = _Ratio.of(best, changed) if i in true else _Ratio.of(changed, best)
    return Difficulty(
        ndcg_target=float(none.mean()),
        ndcg_all=float(every.mean()),
        ndcg_true=float(best.mean()),
        alone={name: ratio.change for name, ratio in alone.items()},
        within={name: ratio.change for name, ratio in within.items()},
        true_subset=frozenset(played[i].domain.name for i in true),
        error=max(_Ratio.of(best, none).error, _Ratio.of(best, every).error),
        effect_error=max(ratio.error for part in (alone, within) for ratio in part.values()),
    )


@dataclass(frozen=True)
class _Ratio:
    """The relative change from one mean over users to another, and its standard error."""

    change: float
    error: float

    @classmethod
    def of(cls, new: Real, old: Real) -> "_Ratio":
        """Compare NDCG per user, users paired; the error is by the delta method."""
        ratio = new.mean() / old.mean()
        spread = np.std(new - ratio * old) / old.mean() / np.sqrt(len(new))
        return cls(float(ratio - 1), float(spread))
