"""Which trials count: the rule by which workers agree without talking to each other.

A study numbers its trials in one order that all workers see. The n-th trial that is not a repetition
has *slot* n, and slots 0 .. size - 1 are the study. A trial whose worker died has failed, and its slot
gets another *attempt* with the same values. Where two workers add the same attempt, or one slot too
many, the one that came later is void.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

_DEATHS = 3
"""Workers lost to the same values, after which these are given up."""


class _State(Protocol):
    @property
    def name(self) -> str: ...


class _Trial(Protocol):
    @property
    def number(self) -> int: ...
    @property
    def state(self) -> _State: ...
    @property
    def user_attrs(self) -> Mapping[str, Any]: ...


T = TypeVar("T", bound=_Trial)


def attempts(trials: Sequence[T]) -> dict[int, dict[int, T]]:
    """Return slot -> attempt -> trial; what came too late for either is left out. `trials` come by number."""
    found, fresh = dict[int, dict[int, T]](), 0
    for trial in trials:
        if "void" not in trial.user_attrs:
            slot = trial.user_attrs.get("slot", fresh)
            fresh += is_fresh(trial)
            found.setdefault(slot, {}).setdefault(trial.user_attrs.get("attempt", 0), trial)
    return found


def is_fresh(trial: _Trial) -> bool:
    """Return whether the trial is the first attempt of a slot."""
    return not trial.user_attrs.keys() & {"slot", "void"}


def slot_of(number: int, trials: Sequence[_Trial]) -> int | None:
    """Return the slot of a trial by its number, None where it came too late for one."""
    for slot, tried in attempts(trials).items():
        if any(trial.number == number for trial in tried.values()):
            return slot
    return None


def to_repeat(trial: _Trial) -> bool:
    """Return whether the trial, the last attempt of its slot, asks for another one."""
    if trial.state.name != "FAIL" or "error" in trial.user_attrs:
        return False
    return "dropped" in trial.user_attrs or bool(deaths(trial) < _DEATHS)


def deaths(trial: _Trial) -> int:
    """Return how many workers its values have cost, once the trial has failed."""
    return int(trial.user_attrs.get("deaths", 0)) + ("dropped" not in trial.user_attrs)
