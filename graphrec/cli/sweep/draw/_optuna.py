"""Samplers and pruners by name, the parameters of a space in Optuna's terms, and which of them matter."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
)
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from graphrec.cli.sweep.space import Parameter, Point, Space

_TELLING = 4
"""Trials below which importances are noise."""


def make_sampler(name: str, seed: int, size: int, space: Space, fixed: Point) -> BaseSampler:
    """Return the sampler `name` for one trial of a study of `size`; `fixed` are values that are not drawn."""
    inner: BaseSampler = RandomSampler(seed=seed)
    if name == "tpe":
        inner = TPESampler(seed=seed)
    elif name == "nsga2":
        # Optuna's population of 50 would make most studies of ours a random search.
        inner = NSGAIISampler(seed=seed, population_size=min(50, max(4, size // 4)))
    return _Sampler(inner, fixed, space.switches)


def make_pruner(name: str) -> BasePruner:
    """Return the pruner `name`."""
    known: dict[str, type[BasePruner]] = {"median": MedianPruner, "hyperband": HyperbandPruner}
    return known.get(name, NopPruner)()


def importances(study: optuna.Study, objective: int) -> dict[str, float]:
    """Return the share of each parameter in what the objective gave, empty where trials are too few to tell."""
    if len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < _TELLING:
        return {}
    sign = -1 if study.directions[objective] == StudyDirection.MAXIMIZE else 1
    with warnings.catch_warnings():
        # It takes the smallest values for the best, and says so every time.
        warnings.simplefilter("ignore")
        # By its full name, which loads it only now: it brings scikit-learn.
        shares = optuna.importance.get_param_importances
        return shares(study, target=lambda trial: sign * trial.values[objective])


def suggest(trial: optuna.Trial, parameter: Parameter) -> Any:
    """Return the trial's value of `parameter`, drawn unless it has one."""
    name, p = parameter.name, parameter
    if p.texts is not None:
        return trial.suggest_categorical(name, tuple(p.texts))
    if p.whole:
        return trial.suggest_int(name, int(p.low), int(p.high), step=int(p.step or 1), log=p.log)
    return trial.suggest_float(name, p.low, p.high, step=p.step, log=p.log)


class Pruned(Exception):
    """Raised within a trial that lags behind; every stage lets it pass."""


@dataclass
class Claim:
    """A trial that this worker runs."""

    trial: optuna.Trial
    point: Point
    prunes: bool

    @property
    def number(self) -> int:
        """Return the number that the trial has in the study."""
        return self.trial.number

    def note(self, key: str, value: str) -> None:
        """Keep `value` with the trial."""
        self.trial.set_user_attr(key, value)

    def report(self, value: float, step: int) -> None:
        """Tell the pruner the `step`-th validation of the trial; raise `Pruned` when it is to stop."""
        if self.prunes:
            self.trial.report(value, step)
            if self.trial.should_prune():
                raise Pruned


@dataclass
class _Sampler(BaseSampler):
    """`inner`, but `fixed` values are kept, and of the `switches` one at least is on: no source would mean all."""

    inner: BaseSampler
    fixed: Point
    switches: tuple[str, ...]

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        drawn = self.inner.sample_relative(study, trial, search_space)
        if self.switches and drawn.keys() >= set(self.switches) and not any(drawn[name] for name in self.switches):
            drawn[self.switches[-1]] = True
        return drawn

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        if param_name in self.fixed:
            return self.fixed[param_name]
        drawn = self.inner.sample_independent(study, trial, param_name, param_distribution)
        last = self.switches and param_name == self.switches[-1]
        return True if last and not any(trial.params.get(name) for name in self.switches) else drawn

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self.inner.before_trial(study, trial)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        self.inner.after_trial(study, trial, state, values)
