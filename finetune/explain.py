"""Why these sources: what each is worth, to whom, and what taking all would have cost.

The Shapley value (Shapley 1953) of a source is its mean contribution over all orders in which sources may join. Where
all subsets were tried it is exact and in NDCG@10 per validation user; else it is a mean over random orders, in nats of
log-likelihood per validation user, in which the rest of an order is skipped once a set is as good as all sources
(truncated Monte Carlo, Ghorbani & Zou 2019). Values are per user, so that an interval over users comes with them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from finetune.evidence import Evidence, Subset
from finetune.screens import SCREENS
from finetune.task import gain
from graphrec.core.seeds import generator
from graphrec.core.types import JSON, BoolArray, IntArray
from graphrec.metrics.groups import GROUPS, popularity_groups
from graphrec.metrics.measures import Values

_ORDERS = 8
_NEAR = 1.0  # nats by which a set may fall short of all sources and count as good
_Z95 = 1.959964
_FEW = 5
"""Events in the target up to which a user has few."""


@dataclass(frozen=True)
class Explained:
    """One row per source, the unit of their Shapley values, and gains by group of users and items.

    `all_against_chosen` is what all sources give beyond the chosen ones, NDCG@10 with its paired error, if looked at.
    """

    sources: Sequence[JSON]
    unit: str
    groups: Sequence[JSON]
    all_against_chosen: tuple[float, float] | None

    def summary(self) -> JSON:
        """Return it for the report."""
        return {
            "by_source": list(self.sources),
            "shapley_unit": self.unit,
            "by_group": list(self.groups),
            "all_against_chosen": self.all_against_chosen,
        }


def explain(
    evidence: Evidence,
    values: Mapping[Subset, Values],
    chosen: Subset,
) -> Explained:
    """Tell each source's worth and who gains; `values` holds the subsets that were looked at."""
    sources = evidence.target.sources
    whole = len(values) == 2 ** len(sources)
    worth = exact_shapley(sources, values) if whole else _sampled_shapley(evidence)
    everything = evidence.weights(sources)
    screens = {name: screen(evidence) for name, screen in SCREENS.items()}
    rows = [
        {
            "source": name,
            "chosen": name in chosen,
            **_interval(worth[name]),
            **{f"{kind}_z": z for kind, z in everything.of(name).items()},
            "screens": {screen: found[name] for screen, found in screens.items()},
        }
        for name in sources
    ]
    against = gain(values[sources], values[chosen]) if sources in values else None
    return Explained(rows, "ndcg@10" if whole else "nats", _groups(evidence, values, chosen), against)


def exact_shapley(sources: Subset, values: Mapping[Subset, Values]) -> dict[str, Values]:
    """Return each source's Shapley value per user, given what every subset gives each user."""
    n, found = len(sources), dict[str, Values]()
    for name in sources:
        others = [s for s in sources if s != name]
        total = np.zeros_like(values[()])
        for size in range(n):
            for subset in combinations(others, size):
                joined = tuple(s for s in sources if s in subset or s == name)
                total = total + (values[joined] - values[subset]) / (n * comb(n - 1, size))
        found[name] = total
    return found


def _sampled_shapley(evidence: Evidence) -> dict[str, Values]:
    sources, rng = evidence.target.sources, generator(0, "shapley")
    known: dict[Subset, Values] = {}

    def value(subset: Subset) -> Values:
        if subset not in known:
            known[subset] = evidence.log_likelihood(subset)
        return known[subset]

    full = value(sources)
    total = {name: np.zeros_like(full) for name in sources}
    half = [rng.permutation(len(sources)) for _ in range(_ORDERS // 2)]
    # Each order is walked backwards too: what one way says of a source early on, the other says late.
    for order in (*half, *(order[::-1] for order in half)):
        before, taken = value(()), set[int]()
        for number in map(int, order):
            taken.add(number)
            done = full.sum() - before.sum() < _NEAR
            after = before if done else value(tuple(s for i, s in enumerate(sources) if i in taken))
            total[sources[number]] += (after - before) / _ORDERS
            before = after
    return total


def _interval(values: Values) -> JSON:
    mean, error = gain(values, np.zeros_like(values))
    return {"shapley": mean, "low": mean - _Z95 * error, "high": mean + _Z95 * error}


def _groups(evidence: Evidence, values: Mapping[Subset, Values], chosen: Subset) -> list[JSON]:
    target, users = evidence.target, evidence.view.users
    had = np.diff(target.seen.indptr)[users]
    everything = values.get(target.sources)
    rows = []
    members = {"cold users": had == 0, f"users with 1 to {_FEW}": (had > 0) & (had <= _FEW), "others": had > _FEW}
    members |= _item_members(evidence, users)
    for name, mask in members.items():
        if not mask.any():
            continue
        none, best = values[()][mask], values[chosen][mask]
        row: JSON = {"group": name, "users": int(mask.sum()), "none": float(none.mean())}
        row["chosen"], row["chosen_error"] = gain(best, none)
        if everything is not None:
            row["all"], row["all_error"] = gain(everything[mask], none)
        rows.append(row)
    return rows


def _item_members(evidence: Evidence, users: IntArray) -> dict[str, BoolArray]:
    """Return who validates on items of one group alone; an NDCG@10 over several groups belongs to none."""
    user, item = evidence.target.valid
    row, group = np.searchsorted(users, user), popularity_groups(evidence.view.count)[item]
    of = np.zeros((len(GROUPS), len(users)), dtype=np.bool_)
    of[group, row] = True
    return {f"{name} items": of[number] & (of.sum(axis=0) == 1) for number, name in enumerate(GROUPS)}
