"""The search that keeps its trials in an Optuna study. The only file that imports optuna.

A study is named by the stage's fingerprint, so a killed run finds its finished trials again and
another configuration never mixes with them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from graphrec.core.progress import track
from graphrec.core.search import Objective, Point, Trial

Key = tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class OptunaSearch:
    """Runs points as trials of one study. `on_trial(number, point, value)` is told of each new one."""

    study: optuna.Study
    on_trial: Callable[[int, Point, float], None]

    def run(self, points: Sequence[Point], objective: Objective) -> list[Trial]:
        """Return one trial per point, in order; trials that the study holds as complete are not run again."""
        known = self._finished()
        todo = [point for point in points if _key(point) not in known]
        for point in track(todo, "trials"):
            number, value = self._one(point, objective)
            self.on_trial(number, point, value)
        known = self._finished()
        return [Trial(point, known[_key(point)]) for point in points]

    def _one(self, point: Point, objective: Objective) -> tuple[int, float]:
        self.study.enqueue_trial(dict(point))
        trial = self.study.ask()
        for name in point:
            trial.suggest_categorical(name, [False, True])
        value = objective(point)
        self.study.tell(trial, value)
        return trial.number, value

    def _finished(self) -> dict[Key, float]:
        trials = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return {_key(trial.params): float(trial.values[0]) for trial in trials}


def open_search(path: Path, name: str, on_trial: Callable[[int, Point, float], None]) -> OptunaSearch:
    """Open (or make) the study `name` in the journal file at `path`."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(path)))
    # A trial left RUNNING by a killed process never completes; it is simply not among the finished.
    study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    return OptunaSearch(study, on_trial)


def _key(point: Point) -> Key:
    return tuple(sorted((name, bool(value)) for name, value in point.items()))
