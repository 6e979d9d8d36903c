"""The tracker that records to MLflow. The only file that imports mlflow.

Uses the client, not the fluent functions, so no global run is active and threads do not mix.
A tracking server that fails in the middle of a run costs a warning, never the run.
"""

import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from graphrec.core.progress import logger
from graphrec.core.tracking import NullTracker, Tracker

A = TypeVar("A")
B = TypeVar("B")

_PARAM_LIMIT = 500
_BATCH = 100


@dataclass(frozen=True)
class MlflowTracker:
    """One MLflow run."""

    client: MlflowClient
    experiment: str
    run: str

    def log_params(self, params: Mapping[str, object]) -> None:
        """Record parameters in batches; long values are cut at 500 characters, the oldest server's limit."""
        rows = [Param(name, str(value)[:_PARAM_LIMIT]) for name, value in params.items()]
        for start in range(0, len(rows), _BATCH):
            _try(lambda part: self.client.log_batch(self.run, params=part), rows[start : start + _BATCH])

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Record all `metrics` at `step` in one call."""
        now = int(time.time() * 1000)
        rows = [Metric(name, float(value), now, step) for name, value in metrics.items()]
        _try(lambda part: self.client.log_batch(self.run, metrics=part), rows)

    def log_artifact(self, path: Path) -> None:
        """Copy one file to the run's artifact store."""
        _try(lambda file: self.client.log_artifact(self.run, str(file)), path)

    @contextmanager
    def child(self, name: str) -> Iterator[Tracker]:
        """Open a run below this one; it ends FAILED when the block raises, KILLED on Ctrl-C."""
        tags = {MLFLOW_PARENT_RUN_ID: self.run}
        made = _try(lambda _: self.client.create_run(self.experiment, run_name=name, tags=tags), None)
        if made is None:
            yield NullTracker()
            return
        with _closing(self.client, made.info.run_id):
            yield MlflowTracker(self.client, self.experiment, made.info.run_id)


@contextmanager
def open_run(
    *, experiment: str, name: str, tags: Mapping[str, str], previous: str | None
) -> Iterator[MlflowTracker | NullTracker]:
    """Open the pipeline's run, or reopen the run `previous` of an interrupted attempt where it still exists.

    The store is `MLFLOW_TRACKING_URI`, by default `mlruns/mlflow.db` in the working directory. A
    store that cannot be used costs one warning, and gives a tracker that records nothing.
    """
    problem = reachable()
    opened = None if problem else _try(lambda _: _open(experiment, name, tags, previous), None)
    if opened is None:
        logger.warning("tracking is off%s", f": {problem}" if problem else "")
        yield NullTracker()
        return
    with _closing(opened.client, opened.run):
        yield opened


def _open(experiment: str, name: str, tags: Mapping[str, str], previous: str | None) -> MlflowTracker:
    client = MlflowClient(tracking_uri())
    found = client.get_experiment_by_name(experiment)
    number = found.experiment_id if found else client.create_experiment(experiment, artifact_location=_artifacts())
    run = _reopen(client, previous) or client.create_run(number, run_name=name).info.run_id
    client.log_batch(run, tags=[RunTag(key, value) for key, value in tags.items()])
    return MlflowTracker(client, number, run)


def tracking_uri() -> str:
    """Return the tracking store: `MLFLOW_TRACKING_URI`, or SQLite under `./mlruns`, made when missing."""
    # First use of a SQLite store prints a page of migrations, and a dead server is retried for minutes.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if given:
        return given
    Path("mlruns").mkdir(exist_ok=True)
    return f"sqlite:///{Path('mlruns').resolve() / 'mlflow.db'}"


def serve(port: int) -> NoReturn:
    """Become MLflow's server on the store, on 127.0.0.1 only; a signal to this process ends the server."""
    store = tracking_uri()
    address = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    # Without its job runners the server is one process of 0.5 GB instead of ten of 1.9 GB.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, *address]
    os.execve(sys.executable, command, environment)


def reachable() -> str:
    """Return why the tracking server cannot be reached, or an empty text when nothing speaks against it."""
    uri = tracking_uri()
    if not uri.startswith(("http://", "https://")):
        return ""
    address = urlsplit(uri)
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
        socket.create_connection((address.hostname or "", port), timeout=3).close()
    except OSError as error:
        return f"MLFLOW_TRACKING_URI names {address.hostname}:{port}, which does not answer ({error})"
    return ""


def _artifacts() -> str | None:
    return None if os.environ.get("MLFLOW_TRACKING_URI") else (Path("mlruns").resolve() / "artifacts").as_uri()


def _reopen(client: MlflowClient, run: str | None) -> str | None:
    if run is None:
        return None
    try:
        client.update_run(run, status="RUNNING")
    except MlflowException:
        return None
    return run


@contextmanager
def _closing(client: MlflowClient, run: str) -> Iterator[None]:
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        _try(lambda state: client.set_terminated(run, state), status)


def _try(call: Callable[[A], B], argument: A) -> B | None:
    """Return `call(argument)`, or None and a warning when the store fails: recording never stops a run."""
    try:
        return call(argument)
    except (MlflowException, OSError) as error:
        logger.warning("tracking: %s", str(error).splitlines()[0][:300])
        return None
