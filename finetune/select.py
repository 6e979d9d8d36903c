"""Select: which source domains help the target? A subset is worth what its channels gain on validation.

The target-only encoder is trained once, or once for each of `seeds`, and frozen, and so are the sources' views. A trial
fits the few weights of its subset to the validation events; `evidence.py` says how and what the gain is. The subset of
greatest gain is chosen, by `strategies.py`, the empty one gains 0. Validation NDCG@10 of the subsets is told beside it,
with paired standard errors.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from finetune.config import SelectConfig
from finetune.evidence import Evidence, Subset, Weights
from finetune.explain import Explained, explain
from finetune.strategies import Found, Gains, strategy
from finetune.target import Target
from finetune.task import CUTOFF, fit_own, gain, user_ndcg
from graphrec.core.progress import logger
from graphrec.core.search import Search
from graphrec.core.seeds import derive_seed
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
    errors: Mapping[Subset, float] = field(default_factory=dict)
    """The standard error of each gain over the seeds of the target-only encoder; nothing of one seed."""
    explained: Explained | None = None

    def summary(self, target: Target) -> JSON:
        """Return what the report draws; standard errors are those of the difference from no source."""
        trials = [
            {
                "domains": list(subset),
                "value": float(value.mean()),
                "standard_error": gain(value, self.values[()])[1],
                "gain": self.gains[subset],
                **({"gain_error": self.errors[subset]} if self.errors else {}),
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
    gains = Gains(list(_evidences(target, config, seed, workspace, tracker)))
    found = strategy(config, gains)(search)
    # What is told beside the choice is of the run's own seed, as adapt goes on from that encoder.
    evidence = gains.seeds[0]
    values = {subset: _ndcg(evidence, evidence.weights(subset)) for subset in found.tried}
    # What all of them would give is told, whether the search came by or not.
    whole = {} if target.sources in values else {target.sources: _ndcg(evidence, evidence.weights(target.sources))}
    return Selection(
        chosen=found.best,
        reason=_reason(found, values, gains),
        gains=found.gain,
        values=values,
        errors=_errors(found, gains) if config.seeds > 1 else {},
        explained=explain(evidence, values | whole, found.best),
    )


def _evidences(
    target: Target, config: SelectConfig, seed: int, workspace: Workspace, tracker: Tracker
) -> Iterator[Evidence]:
    """Yield the evidence by the run's own encoder, then by those of other seeds: of the same events, at the same items.

    What goes together does not depend on the encoder and is found once.
    """
    encoder, _ = fit_own(target, config.model, config.fit, seed=seed, workspace=workspace, tracker=tracker)
    yield (first := Evidence.of(encoder, target, config.evidence, seed))
    for number in range(1, config.seeds):
        own, name = derive_seed(seed, "select", number), f"seed-{number}"
        logger.info("The target's own encoder again, seed %d of %d", number + 1, config.seeds)
        with tracker.child(name) as child:
            space = workspace.part(name)
            encoder, _ = fit_own(target, config.model, config.fit, seed=own, workspace=space, tracker=child)
        yield Evidence.of(encoder, target, config.evidence, seed, first.parts.crosses)


def _errors(found: Found, gains: Gains) -> dict[Subset, float]:
    return dict(zip(found.tried, gains.errors(found.tried, ()).tolist(), strict=True))


def name_of(subset: Subset) -> str:
    """Return a subset as a person reads it."""
    return " + ".join(subset) or "no source"


def _nothing(reason: str) -> Selection:
    return Selection(chosen=(), reason=reason, gains={}, values={})


def _ndcg(evidence: Evidence, weights: Weights) -> Values:
    return user_ndcg(evidence.target, evidence.scorer(weights), evidence.view.users)


def _reason(found: Found, values: Mapping[Subset, Values], gains: Gains) -> str:
    best = found.best
    # What holds all of the best one has its gain, or that of a source which pays less than its price.
    others = [s for s in found.tried if s and not (best and set(best) <= set(s))]
    most = max(found.tried, key=lambda s: found.gain[s])
    if found.gain[most] > found.gain[best]:
        error = float(gains.errors([most], best)[0])
        more = f"{found.gain[most] - found.gain[best]:+.1f} nats ± {error:.1f} over {len(gains.seeds)} seeds"
        first = _told(best, found, values) if best else "No source"
        return f"{first}: nothing larger is surely worth more; most is {_told(most, found, values)}, {more}."
    next_best = max(others, key=lambda s: found.gain[s], default=None)
    beside = f"; next is {_told(next_best, found, values)}" if next_best and found.gain[next_best] else ""
    if not best:
        return f"No source: none gains enough on validation to pay for its weights{beside}."
    return f"{_told(best, found, values)}, is worth most of {len(found.tried)} subsets{beside}."


def _told(subset: Subset, found: Found, values: Mapping[Subset, Values]) -> str:
    mean, error = gain(values[subset], values[()])
    return (
        f"{name_of(subset)} ({found.gain[subset]:+.1f} nats, NDCG@{CUTOFF} {mean:+.4f} \N{PLUS-MINUS SIGN} {error:.4f})"
    )
