"""What a stage's thin shell is given: finished inputs, an empty output folder, and no MLflow.

A stage is a pure function without paths plus a shell `run(context, config)` that loads the
inputs, calls the function and writes the outputs. Every shell writes `metrics.json` (records)
and `summary.json` (what the report draws) beside its own files.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from graphrec.core import files
from graphrec.core.artifacts import Artifact
from graphrec.core.records import Record, write_records
from graphrec.core.search import Search
from graphrec.core.tracking import Tracker
from graphrec.core.types import JSON
from graphrec.core.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class StageContext:
    """Everything around one stage of one run. `inputs` maps a parent stage to its artifact."""

    inputs: Mapping[str, Artifact]
    out: Path
    workspace: Workspace
    tracker: Tracker
    search: Search
    seed: int
    target: str
    sources: tuple[str, ...]

    def finish(self, summary: JSON, records: Iterable[Record] = ()) -> None:
        """Write the two files that every artifact has."""
        files.write_json(self.out / "summary.json", summary)
        write_records(self.out / "metrics.json", records)
