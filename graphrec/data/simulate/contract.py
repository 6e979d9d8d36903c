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

    error: the greater standard error of the two gains, were the users drawn anew; for the world's
    own users the numbers are exact expectations.
    """

    ndcg_target: float
    ndcg_all: float
    ndcg_true: float
    alone: Mapping[str, float]
    within: Mapping[str, float]
    true_subset: frozenset[str]
    error: float

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
    users = {name: reference.ndcg(chosen, ridge) for name, chosen in (("none", []), ("all", sources), ("true", true))}
    none, best = users["none"].mean(), users["true"].mean()
    alone, within = {}, {}
    for i in sources:
        name = played[i].domain.name
        alone[name] = float(reference.ndcg([i], ridge).mean() / none - 1)
        changed = reference.ndcg([j for j in true if j != i] if i in true else [*true, i], ridge).mean()
        within[name] = float(best / changed - 1 if i in true else changed / best - 1)
    return Difficulty(
        ndcg_target=float(none),
        ndcg_all=float(users["all"].mean()),
        ndcg_true=float(best),
        alone=alone,
        within=within,
        true_subset=frozenset(played[i].domain.name for i in true),
        error=max(_error(users["true"], users["none"]), _error(users["true"], users["all"])),
    )


def _error(better: Real, worse: Real) -> float:
    """Return the standard error of mean(better) / mean(worse) - 1, users paired (delta method)."""
    ratio = better.mean() / worse.mean()
    return float(np.std(better - ratio * worse) / worse.mean() / np.sqrt(len(better)))
