"""What a trial is worth: numbers that stages recorded on validation events, and what they cost. Never the test.

    adapt.ndcg@10            the model that adapt would ship
    pretrain.ndcg@10         mean over the domains that were pretrained on
    longtail.hr@20.tail      the item-to-item model on rare items
    seconds                  time that the trial's artifacts took, whichever trial made them

Whatever else these stages record with the split `valid` can be named as well.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from graphrec.cli.table import needed
from graphrec.core import files
from graphrec.core.artifacts import Artifact
from graphrec.core.errors import ConfigError, DataError
from graphrec.core.records import Record, read_records

SECONDS = "seconds"
_ALL = "all"
_MODELS = {"pretrain": "pretrain", "adapt": "", "longtail": "i2i"}
"""Stages that leave validation records -> the model whose records count, of adapt the one that ships."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One number of a trial. For `seconds`, `stage` is empty."""

    name: str
    stage: str = ""
    metric: str = ""
    k: int = 0
    group: str = _ALL

    @property
    def larger_is_better(self) -> bool:
        """Return which way is up."""
        return self.name != SECONDS

    def value(self, artifacts: Mapping[str, Artifact]) -> float:
        """Read it; raise `ConfigError` where the stage records no such thing, `DataError` where it records nothing."""
        if self.name == SECONDS:
            return float(sum(artifact.manifest["seconds"] for artifact in artifacts.values()))
        artifact = artifacts[self.stage]
        model = _MODELS[self.stage] or files.read_json(artifact.file("summary.json"))["shipped"]
        rows = [r for r in read_records(artifact.file("metrics.json")) if (r.split, r.model) == ("valid", model)]
        values = [r.value for r in rows if (r.metric, r.k, r.group) == (self.metric, self.k, self.group)]
        if not rows:
            raise DataError(f"{self.name}: {self.stage} measured nothing; the target has no validation events for it")
        if not values:
            known = ", ".join(sorted({_name(row) for row in rows}))
            raise ConfigError(f"sweep.objectives: {self.name!r}: {self.stage} measured only {known}")
        return float(np.mean(values))


def read_objectives(names: tuple[str, ...], source: str) -> tuple[Objective, ...]:
    """Return the objectives called `names`; raise one `ConfigError` that lists every problem."""
    problems = [f"{source}: sweep.objectives: {found}" for found in map(_problem, names) if found]
    if not names or len(set(names)) < len(names):
        problems.append(f"{source}: sweep.objectives: give at least one, and none twice")
    if problems:
        raise ConfigError("\n".join(problems))
    return tuple(_objective(name) for name in names)


def stages_of(objectives: tuple[Objective, ...]) -> list[str]:
    """Return the stages that a trial runs, in order; time alone is that of adapt."""
    ends = {objective.stage for objective in objectives if objective.stage} or {"adapt"}
    wanted = {name for end in ends for name in needed(end)}
    return [name for name in needed("longtail") if name in wanted]


def _objective(name: str) -> Objective:
    found = re.fullmatch(r"(\w+)\.(\w+)@(\d+)(?:\.(\w+))?", name)
    if found is None:
        return Objective(name=name)
    stage, metric, k, group = found.groups()
    return Objective(name=name, stage=stage, metric=metric, k=int(k), group=group or _ALL)


def _name(row: Record) -> str:
    return f"{row.stage}.{row.metric}@{row.k}" + ("" if row.group == _ALL else f".{row.group}")


def _problem(name: str) -> str:
    stage = _objective(name).stage
    if stage == "evaluate":
        return f"{name!r}: evaluate opens the test events, which choose nothing"
    if name == SECONDS or stage in _MODELS:
        return ""
    return f"{name!r}: is not {SECONDS} nor STAGE.METRIC@K[.GROUP] with a stage of {', '.join(_MODELS)}"
