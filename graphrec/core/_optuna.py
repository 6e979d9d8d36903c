"""Optuna's storage, and the search that keeps its trials in a study.

A study of `select` is named by the stage's fingerprint, so a killed run finds its finished trials
again and another configuration never mixes with them.
"""

import fcntl
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState, create_trial

from graphrec.core.errors import ConfigError
from graphrec.core.progress import track
from graphrec.core.search import Objective, Point, Trial

_TRIES = 4
"""Attempts to open a database."""

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
    """Open (or make) the study `name` in the journal file at `path`, which others may write to as well."""
    study = optuna.create_study(
        storage=open_storage(str(path)), study_name=name, direction="maximize", load_if_exists=True
    )
    return OptunaSearch(study, on_trial)


def open_storage(place: str, *, make: bool = True) -> BaseStorage:
    """Open the storage at `place`: a database's URL, or the path of a journal file; `make` it when missing.

    Raises `ConfigError` when it cannot be opened; the message shows no password.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # SQLite would make an empty file of a name that is only looked for.
    sqlite = re.fullmatch(r"sqlite[^:]*:///([^?]+).*", place)
    file = sqlite[1] if sqlite else place
    if not make and "://" not in file and not Path(file).is_file():
        raise ConfigError(f"{file}: no such file, so no trials yet")
    if "://" not in place:
        path = Path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(place, lock_obj=_JournalLock(path)))
    # Workers wait for each other's writes; by default SQLite gives up after 5 s.
    wait = {"connect_args": {"timeout": 60}} if place.startswith("sqlite") else {}
    problem = ""
    for _ in range(_TRIES):
        try:
            return RDBStorage(place, engine_kwargs=wait, skip_table_creation=not make)
        except Exception as error:
            # Drivers raise what they like, and some repeat the URL. Of several that make the tables
            # at the same moment all but one fail, and find them the next time.
            problem = without_password((str(error.__cause__ or error).splitlines() or [""])[0], place)
            if isinstance(error, ImportError):
                break
            time.sleep(0.5)
    raise ConfigError(f"{without_password(place)}: cannot be opened as a storage of trials ({problem})")


def without_password(text: str, url: str = "") -> str:
    """Return `text` without the password of `url`, and without what stands where an URL has one."""
    secret = re.search(r"://[^:/@]*:(.*)@", url)
    if secret and secret[1]:
        text = text.replace(secret[1], "***")
    return re.sub(r"(://[^:/@\s]*:).*@", r"\1***@", text).partition("?")[0]


class _JournalLock(JournalFileOpenLock):
    """Excludes other writers, and mends what one that was killed in the middle of a write left: half a line.

    Optuna's own lock files outlive their holder, and are broken by whoever has waited for 30 s.
    """

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self._journal = journal
        self._file: IO[str] | None = None

    def acquire(self) -> bool:
        self._file = self._journal.with_name(f".{self._journal.name}.lock").open("a", encoding="utf-8")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        _mend(self._journal)
        return True

    def release(self) -> None:
        assert self._file is not None
        self._file.close()


def _mend(journal: Path) -> None:
    with journal.open("r+b") as file:
        if not file.seek(0, 2):
            return
        file.seek(-1, 2)
        if file.read() != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)


def _key(point: Point) -> Key:
    return tuple(sorted((name, bool(value)) for name, value in point.items()))
