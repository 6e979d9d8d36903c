"""Select: which source domains help the target? A subset is worth what its channels gain on validation.

The target-only encoder is trained once and frozen, and so are the sources' views. A trial fits the few weights of its
subset to the validation events; `evidence.py` says how and what the gain is. The subset of greatest gain is chosen, the
empty one gains 0. Validation NDCG@10 of the subsets is told beside it, with paired standard errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from finetune.config import SelectConfig
from finetune.evidence import Evidence, Subset, Weights
from finetune.explain import Explained, explain
from finetune.strategies import Found, strategy
from finetune.target import Target
from finetune.task import CUTOFF, fit_own, gain, user_ndcg
from graphrec.core.search import Point, Search
from graphrec.core.tracking import Tracker
from graphrec.core.types import JSON
from graphrec.core.workspace import Workspace
from graphrec.metrics.measures import Values


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The chosen domains, why, and for every subset tried its gain in nats and its NDCG@10 per validation user."""

    chosen: Subset
    reason: str
    gains: Mapping[Subset, float]
    values: Mapping[Subset, Values]
    explained: Explained | None = None

    def summary(self, target: Target) -> JSON:
        """Return what the report draws; standard errors are those of the difference from no source."""
        trials = [
            {
                "domains": list(subset),
                "value": float(value.mean()),
                "standard_error": gain(value, self.values[()])[1],
                "gain": self.gains[subset],
            }
            for subset, value in self.values.items()
        ]
        return {
            "target": target.domain,
            "sources": list(target.sources),
            "trials": trials,
            "chosen": list(self.chosen),
            "reason": self.reason,
            **(self.explained.summary() if self.explained else {}),
        }


def select(
    target: Target, config: SelectConfig, search: Search, *, seed: int, workspace: Workspace, tracker: Tracker
) -> Selection:
    """Choose the sources of `target`; a killed call goes on from `workspace` and what `search` remembers."""
    if not target.sources:
        return _nothing("There are no source domains to choose from.")
    if not len(target.valid[0]):
        return _nothing("The target has no validation events to choose by.")
    encoder, _ = fit_own(target, config.model, config.fit, seed=seed, workspace=workspace, tracker=tracker)
    evidence = Evidence.of(encoder, target, config.evidence, seed)

    def objective(point: Point) -> float:
        return evidence.gain(tuple(name for name in target.sources if point[name]))

    found = strategy(config, evidence)(target.sources, search, objective)
    values = {subset: _ndcg(evidence, evidence.weights(subset)) for subset in found.tried}
    return Selection(
        chosen=found.best,
        reason=_reason(found, values),
        gains=found.gain,
        values=values,
        explained=explain(evidence, values, found.best),
    )


def name_of(subset: Subset) -> str:
    """Return a subset as a person reads it."""
    return " + ".join(subset) or "no source"


def _nothing(reason: str) -> Selection:
    return Selection(chosen=(), reason=reason, gains={}, values={})


def _ndcg(evidence: Evidence, weights: Weights) -> Values:
    return user_ndcg(evidence.target, evidence.scorer(weights), evidence.view.users)


def _reason(found: Found, values: Mapping[Subset, Values]) -> str:
    best = found.best
    # What holds all of the best one has its gain, or that of a source which pays less than its price.
    others = [s for s in found.tried if s and not (best and set(best) <= set(s))]
    next_best = max(others, key=lambda s: found.gain[s], default=None)
    beside = f"; next is {_told(next_best, found, values)}" if next_best else ""
    if not best:
        return f"No source: none gains enough on validation to pay for its weights{beside}."
    return f"{_told(best, found, values)}, is worth most of {len(found.tried)} subsets{beside}."


def _told(subset: Subset, found: Found, values: Mapping[Subset, Values]) -> str:
    mean, error = gain(values[subset], values[()])
    return (
        f"{name_of(subset)} ({found.gain[subset]:+.1f} nats, NDCG@{CUTOFF} {mean:+.4f} \N{PLUS-MINUS SIGN} {error:.4f})"
    )
