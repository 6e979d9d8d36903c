"""What a run left behind, read once and tolerantly: a stage that did not run has an empty summary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphrec.core import files
from graphrec.core.artifacts import Artifact, RunFolder
from graphrec.core.records import Record, read_records
from graphrec.core.types import JSON

STAGES = ("ingest", "denoise", "merge", "pretrain", "select", "adapt", "longtail", "evaluate", "export")
"""The stages of a run, in its order."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A run as the report sees it; mappings are keyed by stage and lack the stages that did not run.

    `worth` is what `graphrec worth` found, empty where it was not called.
    """

    entries: JSON
    summaries: Mapping[str, JSON]
    records: Mapping[str, list[Record]]
    manifests: Mapping[str, JSON]
    worth: JSON = field(default_factory=dict)

    @classmethod
    def read(cls, run: RunFolder) -> "Facts":
        """Read `run.json` and every finished stage; raise `ArtifactError` on a damaged artifact."""
        entries = files.read_json(run.path / "run.json")
        found = {stage: run.current(stage) for stage in entries.get("stages", {})}
        worth = run.path / "worth.json"
        return cls(
            entries=entries,
            summaries={stage: _optional(artifact, "summary.json") for stage, artifact in found.items()},
            records={stage: _records(artifact) for stage, artifact in found.items()},
            manifests={stage: artifact.manifest for stage, artifact in found.items()},
            worth=files.read_json(worth) if worth.exists() else {},
        )

    @property
    def target(self) -> str:
        """Return the target domain, or a dash where the run does not say."""
        return str(self.entries.get("target", "\N{EN DASH}"))

    def summary(self, stage: str) -> JSON:
        """Return the summary of `stage`, empty when it did not run."""
        return self.summaries.get(stage, {})

    def seconds(self, stage: str) -> Any:
        """Return how long `stage` took, None where its manifest does not say."""
        return self.manifests.get(stage, {}).get("seconds")


def _optional(artifact: Artifact, name: str) -> JSON:
    return files.read_json(artifact.file(name)) if name in artifact.manifest["files"] else {}


def _records(artifact: Artifact) -> list[Record]:
    name = "metrics.json"
    return read_records(artifact.file(name)) if name in artifact.manifest["files"] else []
