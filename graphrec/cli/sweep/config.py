"""Options of `sweep`."""

from collections.abc import Iterator
from typing import Any

from graphrec.core.config import FieldDoc, config, describe, option

SAMPLERS = ("tpe", "random", "grid", "nsga2")
PRUNERS = ("none", "median", "hyperband")


@config
class ParameterConfig:
    """What one option may be: `low` and `high`, or `choices`, or `subsets`; nothing for a yes or no."""

    low: float | None = option(default=None, help="Smallest value, for a number.")
    high: float | None = option(default=None, help="Largest value, for a number.")
    log: bool = option(default=False, help="Whether to draw from the logarithm; needs `low` above 0.")
    step: float | None = option(default=None, gt=0, help="Distance of the values; a grid of fractions needs it.")
    choices: tuple[Any, ...] = option(default=(), help="The values themselves, of any kind the option takes.")
    subsets: tuple[str, ...] = option(
        default=(), help="For `sources` alone: each of these domains is on or off, and one at least is on."
    )


@config
class SweepConfig:
    """A search over options of the run."""

    space: dict[str, dict[str, Any]] = option(
        default={}, help="Dotted key of an option of the run -> the values it may take."
    )
    objectives: tuple[str, ...] = option(
        default=("adapt.ndcg@10",),
        help="STAGE.METRIC@K or STAGE.METRIC@K.GROUP on validation, as large as can be; `seconds`, as small.",
    )
    sampler: str = option(default="tpe", choices=SAMPLERS, help="Who draws the values of a trial.")
    pruner: str = option(
        default="none", choices=PRUNERS, help="Who stops a trial that lags behind; with one objective only."
    )
    trials: int = option(default=0, ge=0, help="Trials of the study in all; 0 is the whole grid, without one 20.")
    timeout: float = option(default=0.0, ge=0, help="Seconds after which a worker begins no trial; 0 never.")
    study: str = option(default="", help="Name of the study; empty: the run's, with a hash of options and data.")
    beat: float = option(
        default=10.0, gt=0, help="Seconds from one sign of life to the next; a trial that misses 6 is tried again."
    )


def parameter_options() -> Iterator[FieldDoc]:
    """Return the options of one parameter by their full path."""
    return describe(ParameterConfig, "sweep.space.OPTION.")
