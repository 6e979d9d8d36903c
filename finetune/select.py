"""Select: which source domains help the target? Every subset is tried with a light head.

The target-only encoder is trained once and frozen, and so are the sources' views. A trial fits the
head of its subset for a fixed number of epochs and is worth the target's validation NDCG@10.
Trials share users, so they are compared in pairs, which removes most of the noise:

    none        when the best subset does not beat the empty one by `min_gain` paired standard errors
    otherwise   the smallest subset that is within one paired standard error of the best one
                (the one-standard-error rule of Breiman et al. 1984, paired)
"""

from collections.abc import Mapping
from dataclasses import dataclass

from finetune.config import SelectConfig
from finetune.model import Transfer
from finetune.target import Target
from finetune.task import CUTOFF, TransferTask, gain
from finetune.trials import Frozen, Subset, Trials
from graphrec.core.search import Search, all_subsets
from graphrec.core.tracking import Tracker
from graphrec.core.types import JSON
from graphrec.core.workspace import Workspace
from graphrec.encoders.pretrained import TRAIN
from graphrec.metrics.measures import Values
from graphrec.training.loop import fit


@dataclass(frozen=True)
class Selection:
    """The chosen domains, why, and the per-user NDCG@10 of every subset that was tried."""

    chosen: Subset
    reason: str
    values: Mapping[Subset, Values]

    def summary(self, target: Target) -> JSON:
        """Return what the report draws; standard errors are those of the gain over no source."""
        trials = [
            {"domains": list(subset), "value": float(value.mean()), "standard_error": gain(value, self.values[()])[1]}
            for subset, value in self.values.items()
        ]
        return {
            "target": target.domain,
            "sources": list(target.sources),
            "trials": trials,
            "chosen": list(self.chosen),
            "reason": self.reason,
        }


def select(
    target: Target, config: SelectConfig, search: Search, *, seed: int, workspace: Workspace, tracker: Tracker
) -> Selection:
    """Choose the sources of `target`; a killed call goes on from `workspace` and what `search` remembers."""
    if not target.sources:
        return Selection((), "There are no source domains to choose from.", {})
    if not len(target.valid[0]):
        return Selection((), "The target has no validation events to choose by.", {})
    model = Transfer(target, (), config.model, seed)
    task = TransferTask(model, config.model, TRAIN, batch_size=config.fit.batch_size, seed=seed, validate=True)
    fit(task, config.fit, seed=seed, workspace=workspace, tracker=tracker, label="target_only")
    trials = Trials(Frozen.of(model, config.max_events, seed), config, workspace.part("trials"), seed)
    kept, note, singles = _screen(target.sources, config.max_sources, search, trials)
    off = dict.fromkeys(target.sources, False)
    # The search may know a trial from before a kill; `trials` then has its values on disk.
    found = search.run([{**off, **point} for point in all_subsets(kept)], trials.objective)
    values = {subset: trials.values(subset) for subset in (trials.subset(trial.point) for trial in found)}
    chosen, reason = choose(values, config.min_gain)
    return Selection(chosen, note + reason, values | {single: trials.values(single) for single in singles})


def choose(values: Mapping[Subset, Values], min_gain: float) -> tuple[Subset, str]:
    """Apply the rule at the top of this module to per-user values; return the subset and the reason."""
    best = min(values, key=lambda s: (-values[s].mean(), len(s)))
    mean, error = gain(values[best], values[()])
    said = f"{name_of(best)} has the best validation NDCG@{CUTOFF}, {mean:+.4f} ± {error:.4f} against no source"
    if not best or mean <= min_gain * error:
        return (), f"No source: {said}, which is not above {min_gain:g} standard errors."
    near = [s for s in values if s and _within(values[best], values[s])]
    chosen = min(near, key=lambda s: (len(s), -values[s].mean()))
    if chosen == best:
        return chosen, f"{said}; no smaller subset is within one standard error."
    return chosen, f"{said}; {name_of(chosen)} is smaller and within one standard error of it."


def name_of(subset: Subset) -> str:
    """Return a subset as a person reads it."""
    return " + ".join(subset) or "no source"


def _within(best: Values, values: Values) -> bool:
    mean, error = gain(best, values)
    return mean <= error


def _screen(sources: Subset, most: int, search: Search, trials: Trials) -> tuple[Subset, str, list[Subset]]:
    """Return the sources to combine, a sentence where some were left out, and the subsets tried to find out."""
    if len(sources) <= most:
        return sources, "", []
    found = search.run([{name: name == one for name in sources} for one in sources], trials.objective)
    best = sorted(range(len(sources)), key=lambda place: -found[place].value)[:most]
    kept = tuple(sources[place] for place in sorted(best))
    note = f"Of {len(sources)} sources the {most} best ones alone were combined ({', '.join(kept)}). "
    return kept, note, [(name,) for name in sources]
