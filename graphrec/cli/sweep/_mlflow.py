"""A study in MLflow: one run for all its workers, made once whoever comes first."""

import hashlib
import time
from collections.abc import Callable, Mapping

from mlflow.exceptions import MlflowException

from graphrec.core._mlflow import MlflowTracker, open_run, tracking_uri
from graphrec.core.progress import logger
from graphrec.core.tracking import NullTracker, Tracker

_SETTLE = 1.0
"""Seconds in which workers of other machines see what was noted in the study."""


def open_parent(
    name: str, tags: Mapping[str, str], recall: Callable[[str], str | None], note: Callable[[str, str], None]
) -> Tracker:
    """Return the run of the study, which `recall` and `note` keep the id of: reopened where there is one.

    The caller holds a lock among the workers of its machine. Two machines may still make a run each at
    the same moment: the one noted last stays, the other is deleted before anybody used it.
    """
    # By store: the local one of another machine does not know our run.
    key = f"mlflow_run {hashlib.sha256(tracking_uri().encode()).hexdigest()[:8]}"
    known = recall(key)
    opened = _open(name, tags, known)
    if not isinstance(opened, MlflowTracker) or opened.run == known:
        return opened
    if recall(key) == known:
        note(key, opened.run)
        time.sleep(_SETTLE)
    kept = recall(key)
    if kept == opened.run:
        return opened
    opened.client.delete_run(opened.run)
    return _open(name, tags, kept)


def close_parent(parent: Tracker, status: str) -> None:
    """End the run of the study as `status`."""
    if isinstance(parent, MlflowTracker):
        end_run(parent, parent.run, status)


def end_run(parent: Tracker, run: str, status: str) -> None:
    """End `run`, whose own process cannot any more."""
    if isinstance(parent, MlflowTracker) and run:
        try:
            parent.client.set_terminated(run, status)
        except (MlflowException, OSError) as error:
            logger.warning("tracking: %s", str(error).splitlines()[0][:300])


def _open(name: str, tags: Mapping[str, str], previous: str | None) -> MlflowTracker | NullTracker:
    with open_run(experiment="graphrec", name=name, tags=tags, previous=previous) as opened:
        pass
    if isinstance(opened, MlflowTracker):
        # Leaving the block has ended it, but other workers are to go on.
        opened.client.update_run(opened.run, status="RUNNING")
    return opened
