"""The search that keeps its trials in an Optuna study. The only file that imports optuna.

A study is named by the stage's fingerprint, so a killed run finds its finished trials again and
another configuration never mixes with them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState, create_trial

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
            value = objective(point)
            self.on_trial(self._add(point, value), point, value)
        known = self._finished()
        return [Trial(point, known[_key(point)]) for point in points]

    def _add(self, point: Point, value: float) -> int:
        # A trial enters the study only when it is finished: a killed one leaves nothing behind.
        choices: dict[str, BaseDistribution] = {name: CategoricalDistribution([False, True]) for name in point}
        self.study.add_trial(create_trial(params=dict(point), distributions=choices, value=value))
        return len(self.study.get_trials(deepcopy=False)) - 1

    def _finished(self) -> dict[Key, float]:
        trials = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return {_key(trial.params): float(trial.values[0]) for trial in trials}


def open_search(path: Path, name: str, on_trial: Callable[[int, Point, float], None]) -> OptunaSearch:
    """Open (or make) the study `name` in the journal file at `path`, of which the caller is the only writer."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    _mend(path)
    storage = JournalStorage(JournalFileBackend(str(path)))
    study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    return OptunaSearch(study, on_trial)


def _mend(path: Path) -> None:
    """Undo what a process killed in the middle of a write left: its lock, and half a line."""
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
    if path.exists():
        written = path.read_bytes()
        whole = written[: written.rfind(b"\n") + 1]
        if whole != written:
            path.write_bytes(whole)


def _key(point: Point) -> Key:
    return tuple(sorted((name, bool(value)) for name, value in point.items()))
