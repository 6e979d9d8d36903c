"""The guard: a candidate ships only where validation is sure that it is better.

    ships   the chosen one, if it is surely better than each guard
    else    all_domains, if it is surely better than target_only,
            or if it gains on average and the chosen one is surely better
    else    target_only

Surely better: the paired lower 95 % bound of the validation gain is above 0. The gain is NDCG@10; or, as that is 0 for
most users and a few cannot tell, the log-likelihood of their events (`evidence.py`), where NDCG@10 gains on average.

Whether a model counts what goes together, whichever candidate it is, is a matter of `worth_more`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from finetune.evidence import HeldOut
from finetune.task import CUTOFF
from finetune.task import gain as difference
from graphrec.core.types import JSON
from graphrec.metrics.compare import Bootstrap
from graphrec.metrics.measures import Values

CHOSEN, TARGET_ONLY, ALL_DOMAINS = "chosen", "target_only", "all_domains"
_FEWEST = 10
"""Validation users whom a candidate must serve differently before their mean can be sure of anything."""


@dataclass(frozen=True)
class Decision:
    """What ships and why; `rows` compare the candidates by NDCG@10 on validation, with 95 % intervals."""

    shipped: str
    reason: str
    rows: list[JSON]


def guard(candidates: Mapping[str, HeldOut], *, samples: int, seed: int) -> Decision:
    """Apply the rule at the top of this module, with `samples` bootstrap samples of validation users."""
    values = {name: found.ndcg for name, found in candidates.items()}
    if not (users := len(values[TARGET_ONLY])):
        blank: list[JSON] = [{"name": name, "valid_ndcg10": None, "low": None, "high": None} for name in values]
        return Decision(TARGET_ONLY, "No validation events: nothing shows that another domain helps.", blank)
    judge = _Judge.of(candidates, samples, seed)
    bootstrap = judge.ndcg
    low, high = np.quantile(bootstrap.means, (0.025, 0.975), axis=0)
    rows: list[JSON] = [
        {"name": name, "valid_ndcg10": float(values[name].mean()), "low": float(low[place]), "high": float(high[place])}
        for place, name in enumerate(bootstrap.models)
    ]
    rivals = [name for name in values if name != CHOSEN]
    if CHOSEN in values and all(judge.surely_better(CHOSEN, rival) for rival in rivals):
        return Decision(CHOSEN, f"Its validation gain is surely above zero: {judge.told(CHOSEN, rivals)}.", rows)
    few = f"Only {users} users validate, of {_FEWEST} that must be served differently. " if users < _FEWEST else ""
    said = f"{few}The chosen subset is not surely better: {judge.told(CHOSEN, rivals)}. " if CHOSEN in values else few
    if ALL_DOMAINS not in values:
        return Decision(TARGET_ONLY, "There is no source domain.", rows)
    over = judge.told(ALL_DOMAINS, [TARGET_ONLY])
    if judge.surely_better(ALL_DOMAINS, TARGET_ONLY):
        return Decision(ALL_DOMAINS, f"{said}All domains are surely better than none: {over}.", rows)
    if CHOSEN in values and judge.surely_better(CHOSEN, TARGET_ONLY) and judge.gains(ALL_DOMAINS, TARGET_ONLY):
        return Decision(ALL_DOMAINS, f"{said}Sources surely help, and all domains gain on average: {over}.", rows)
    return Decision(TARGET_ONLY, f"{said}All domains are not surely better than none: {over}.", rows)


def worth_more(one: HeldOut, other: HeldOut) -> tuple[bool, str]:
    """Return whether `one` gains more NDCG@10 than `other`, the simpler one, by over a standard error, and how much.

    The error is that of the difference, paired over users (cf. the one-standard-error rule of Breiman et al. 1984). It
    errs in about a sixth of the cases without a gain, and is not for what must not be worse.
    """
    mean, error = difference(one.ndcg, other.ndcg)
    told = f"NDCG@{CUTOFF} {mean:+.4f}, standard error {error:.4f}"
    if not (enough := _enough(one.ndcg, other.ndcg)):
        told = f"{told}, with fewer than {_FEWEST} users served differently"
    return enough and mean > error, told


def surely_better(one: HeldOut, other: HeldOut, samples: int, seed: int) -> tuple[bool, str]:
    """Return whether validation is sure, by NDCG@10 alone, that `one` is better than `other`, and by how much."""
    drawn = Bootstrap.draw({"one": one.ndcg, "other": other.ndcg}, seed, samples)
    mean, least = drawn.difference("one", "other").mean, drawn.at_least("one", "other")
    return _enough(one.ndcg, other.ndcg) and least > 0, f"NDCG@{CUTOFF} {mean:+.4f}, at least {least:+.4f}"


@dataclass(frozen=True)
class _Judge:
    """Bootstraps of both measures; `likelihood` only where every candidate has it."""

    candidates: Mapping[str, HeldOut]
    ndcg: Bootstrap
    likelihood: Bootstrap | None

    @classmethod
    def of(cls, candidates: Mapping[str, HeldOut], samples: int, seed: int) -> "_Judge":
        ndcg = {name: found.ndcg for name, found in candidates.items()}
        told = {name: found.likelihood for name, found in candidates.items() if found.likelihood is not None}
        likelihood = Bootstrap.draw(told, seed, samples) if len(told) == len(ndcg) else None
        return cls(candidates, Bootstrap.draw(ndcg, seed, samples), likelihood)

    def surely_better(self, name: str, rival: str) -> bool:
        one, other = self.candidates[name], self.candidates[rival]
        if _enough(one.ndcg, other.ndcg) and self.ndcg.at_least(name, rival) > 0:
            return True
        if self.likelihood is None or one.likelihood is None or other.likelihood is None:
            return False
        return (
            self.gains(name, rival)
            and _enough(one.likelihood, other.likelihood)
            and self.likelihood.at_least(name, rival) > 0
        )

    def gains(self, name: str, rival: str) -> bool:
        return self.ndcg.difference(name, rival).mean > 0

    def told(self, name: str, rivals: list[str]) -> str:
        return ", ".join(self._told(name, rival) for rival in rivals)

    def _told(self, name: str, rival: str) -> str:
        gain, least = self.ndcg.difference(name, rival).mean, self.ndcg.at_least(name, rival)
        found = f"NDCG@10 {gain:+.4f} over {rival} (at least {least:+.4f}"
        if self.likelihood:
            users, nats = len(self.candidates[name].ndcg), self.likelihood.difference(name, rival).mean
            found += f"; {nats * users:+.1f} nats, at least {self.likelihood.at_least(name, rival) * users:+.1f}"
        return f"{found})"


def _enough(one: Values, other: Values) -> bool:
    return bool(np.count_nonzero(one != other) >= _FEWEST)
