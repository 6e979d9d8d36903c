"""What a stage may record, behind a protocol small enough to implement anywhere.

Recording is an output: nothing reads it back, and a run without any tracker gives the same bytes.
The MLflow implementation is `graphrec.core._mlflow`; `NullTracker` is the other one.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol


class Tracker(Protocol):
    """A run being recorded: parameters, metrics by step, files, and runs below it."""

    def log_params(self, params: Mapping[str, object]) -> None:
        """Record named values that do not change during the run."""
        ...

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Record named numbers at `step` (an epoch, a trial), in one batch."""
        ...

    def log_artifact(self, path: Path) -> None:
        """Record a copy of one file."""
        ...

    def child(self, name: str) -> AbstractContextManager["Tracker"]:
        """Open a run below this one; it ends as failed when the block raises."""
        ...


class NullTracker:
    """Records nothing."""

    def log_params(self, params: Mapping[str, object]) -> None:
        """Do nothing."""

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Do nothing."""

    def log_artifact(self, path: Path) -> None:
        """Do nothing."""

    @contextmanager
    def child(self, name: str) -> Iterator[Tracker]:
        """Give another tracker that records nothing."""
        yield self
