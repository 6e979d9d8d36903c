"""The loop of one worker: bury the dead, take a trial, run it, record it; until the study is whole."""

import time
from collections.abc import Callable, Sequence

from graphrec.cli.sweep._optuna import SharedStudy
from graphrec.cli.sweep.draw._optuna import Claim, Pruned
from graphrec.core.progress import logger

Objective = Callable[[Claim], Sequence[float]]
"""Runs a trial and returns one number per objective; may raise `Pruned`."""

_HOPELESS = 3
"""Failed trials, and no other, after which it is the configuration that is wrong."""


def work(study: SharedStudy, objective: Objective, on_death: Callable[[str], None] = lambda run: None) -> None:
    """Run trials until every one of the study has ended, also those that other workers leave behind.

    `on_death` is given what `recorded` noted of a dead trial. A trial that raises is recorded as failed
    and the next one begins; where the first ones all fail, the error of the last is raised.
    """
    end = time.monotonic() + study.options.timeout
    while not study.options.timeout or time.monotonic() < end:
        for trial in study.bury():
            on_death(trial.user_attrs.get("mlflow_run", ""))
        claim = study.claim()
        if claim is not None:
            _attempt(study, claim, objective)
        elif study.is_open():
            time.sleep(study.options.beat)
        else:
            return
    logger.info("sweep: out of time; the same command goes on")


def _attempt(study: SharedStudy, claim: Claim, objective: Objective) -> None:
    try:
        with study.alive(claim):
            values = objective(claim)
    except Pruned:
        study.prune(claim)
    except KeyboardInterrupt:
        study.drop(claim)
        raise
    except Exception as error:
        study.fail(claim, f"{type(error).__name__}: {error}")
        logger.warning("sweep: trial %d failed: %s", claim.number, error)
        if study.num_failed_alone() >= _HOPELESS:
            raise
    else:
        study.complete(claim, values)
