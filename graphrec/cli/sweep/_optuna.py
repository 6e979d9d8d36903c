"""A study that any number of workers share, on any number of machines, and that outlives them; see `slots`."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from graphrec.cli.sweep.config import SweepConfig
from graphrec.cli.sweep.draw._optuna import Claim, make_pruner, make_sampler, suggest
from graphrec.cli.sweep.slots import attempts, deaths, is_fresh, slot_of, to_repeat
from graphrec.cli.sweep.space import Point, Space
from graphrec.core._optuna import open_storage, without_password
from graphrec.core.errors import ConfigError
from graphrec.core.progress import logger
from graphrec.core.seeds import derive_seed

_BEATS = 6
"""Signs of life that a dead trial has missed."""


@dataclass
class SharedStudy:
    """This worker's hold on the study; `seen` is when it last saw each running trial's sign of life change."""

    study: optuna.Study
    space: Space
    grid: list[Point]
    size: int
    options: SweepConfig
    seed: int
    seen: dict[int, tuple[object, float]] = field(default_factory=dict)

    def claim(self) -> Claim | None:
        """Take the next trial, one to be repeated first; None when there is nothing to take now."""
        trials = self.trials()
        fresh = sum(is_fresh(trial) for trial in trials)
        if fresh >= self.size and not any(trial.state == TrialState.WAITING for trial in trials):
            return None
        self._sample_for(fresh)
        trial = self.study.ask()
        slot = slot_of(trial.number, self.trials())
        if slot is None or slot >= self.size:
            trial.set_user_attr("void", True)
            self._tell(trial.number, TrialState.FAIL)
            return None
        trial.set_user_attr("beat", time.time())
        self._sample_for(slot)
        point = {p.name: suggest(trial, p) for p in self.space.parameters}
        return Claim(trial, point, self.options.pruner != "none")

    @contextmanager
    def alive(self, claim: Claim) -> Iterator[None]:
        """Give signs of life for the trial while the block runs."""
        stop = threading.Event()

        def beat() -> None:
            while not stop.wait(self.options.beat):
                try:
                    claim.trial.set_user_attr("beat", time.time())
                except StorageInternalError as error:
                    logger.warning("sweep: the storage does not answer (%s)", error)
                except UpdateFinishedTrialError:
                    return

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def complete(self, claim: Claim, values: Sequence[float]) -> None:
        """Record what the trial gave."""
        self._tell(claim.number, TrialState.COMPLETE, values)

    def prune(self, claim: Claim) -> None:
        """Record that the trial was stopped."""
        self._tell(claim.number, TrialState.PRUNED)

    def fail(self, claim: Claim, reason: str) -> None:
        """Record that the values of the trial do not work; they are not tried again."""
        with suppress(UpdateFinishedTrialError):
            claim.note("error", reason[:500])
        self._tell(claim.number, TrialState.FAIL)

    def drop(self, claim: Claim) -> None:
        """Give the trial back: it will be tried again."""
        with suppress(UpdateFinishedTrialError):
            claim.note("dropped", "yes")
        self._tell(claim.number, TrialState.FAIL)
        self._repeat()

    def bury(self) -> Iterator[FrozenTrial]:
        """Yield trials whose worker is dead, fail each after the caller is done with it, and have it repeated."""
        now = time.monotonic()
        for trial in self.trials():
            if trial.state == TrialState.RUNNING:
                sign = trial.user_attrs.get("beat")
                # Clocks of machines differ: what counts is how long the sign has not changed.
                if self.seen.setdefault(trial.number, (sign, now))[0] != sign:
                    self.seen[trial.number] = (sign, now)
                if now - self.seen[trial.number][1] > _BEATS * self.options.beat:
                    logger.info("sweep: the worker of trial %d is gone; it will be tried again", trial.number)
                    yield trial
                    self._tell(trial.number, TrialState.FAIL)
        self._repeat()

    def is_open(self) -> bool:
        """Return whether a trial is still to be run or running."""
        last = [tried[max(tried)] for slot, tried in attempts(self.trials()).items() if slot < self.size]
        return len(last) < self.size or any(to_repeat(t) or not t.state.is_finished() for t in last)

    def num_failed_alone(self) -> int:
        """Return the number of trials that failed, 0 once any has given something."""
        trials = self.trials()
        if {TrialState.COMPLETE, TrialState.PRUNED} & {trial.state for trial in trials}:
            return 0
        return sum("error" in trial.user_attrs for trial in trials)

    def results(self) -> list[FrozenTrial]:
        """Return the trials that gave values, by number."""
        return [t for t in self.trials() if t.state == TrialState.COMPLETE]

    def num_running(self) -> int:
        """Return the number of trials that are running, or whose worker has died."""
        return sum(trial.state == TrialState.RUNNING for trial in self.trials())

    def recall(self, key: str) -> str | None:
        """Return what any worker noted under `key`, None when nobody did."""
        found = self.study.user_attrs.get(key)
        return None if found is None else str(found)

    def note(self, key: str, value: str) -> None:
        """Keep `value` for all workers."""
        self.study.set_user_attr(key, value)

    def trials(self) -> list[FrozenTrial]:
        """Return all trials as they stand, by number."""
        return self.study.get_trials(deepcopy=False)

    def _repeat(self) -> None:
        for slot, tried in attempts(self.trials()).items():
            last = tried[max(tried)]
            if slot < self.size and to_repeat(last):
                again = {"slot": slot, "attempt": max(tried) + 1, "deaths": deaths(last)}
                self.study.add_trial(
                    create_trial(
                        state=TrialState.WAITING,
                        params=last.params,
                        distributions=last.distributions,
                        user_attrs=again,
                    )
                )

    def _tell(self, number: int, state: TrialState, values: Sequence[float] | None = None) -> None:
        try:
            self.study.tell(number, values, state)
        except (ValueError, UpdateFinishedTrialError):
            # Somebody took us for dead, or buried it first: only one end of a trial counts.
            logger.info("sweep: trial %d had ended already", number)

    def _sample_for(self, slot: int) -> None:
        # Seeded by the slot, a trial's draws do not depend on which worker runs it.
        seed = derive_seed(self.seed, "sweep", slot) % 2**32
        fixed = self.grid[slot] if slot < len(self.grid) else {}
        self.study.sampler = make_sampler(self.options.sampler, seed, self.size, self.space, fixed)


def open_study(
    place: str,
    name: str,
    space: Space,
    options: SweepConfig,
    *,
    larger_is_better: Sequence[bool],
    seed: int,
    key: Mapping[str, str],
    make: bool,
) -> SharedStudy:
    """Open the study `name` at `place`, and `make` it, or only look; `key` is what studies of one name agree in.

    Raises `ConfigError` when the study of that name was made with another key, or is not there to be looked at.
    """
    grid = space.grid() if options.sampler == "grid" else []
    size = min(options.trials or len(grid), len(grid)) if grid else options.trials or 20
    directions = [StudyDirection.MAXIMIZE if larger else StudyDirection.MINIMIZE for larger in larger_is_better]
    storage, pruner = open_storage(place, make=make), make_pruner(options.pruner)
    if make:
        study = optuna.create_study(
            storage=storage, study_name=name, directions=directions, load_if_exists=True, pruner=pruner
        )
    else:
        study = _load(storage, name, place)
    known = study.user_attrs.get("key", key)
    if differ := [part for part in key if known.get(part) != key[part]]:
        raise ConfigError(
            f"sweep.study: {name!r} has trials of another configuration: {', '.join(differ)} differ; "
            "choose another name"
        )
    if make:
        study.set_user_attr("key", key)
    return SharedStudy(study, space, grid, size, options, seed)


def _load(storage: BaseStorage, name: str, place: str) -> optuna.Study:
    try:
        return optuna.load_study(storage=storage, study_name=name)
    except KeyError:
        raise ConfigError(
            f"{without_password(place)}: no study {name!r}; it has not begun, or with other options, data or --storage"
        ) from None
