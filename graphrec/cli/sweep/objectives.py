"""What a trial is worth: numbers that stages recorded on validation events, and what they cost. Never the test.

    adapt.ndcg@10            the model that adapt would ship
    pretrain.ndcg@10         mean over the domains that were pretrained on
    longtail.hr@20.tail      the item-to-item model on rare items
    seconds                  time that the trial's artifacts took, whichever trial made them

All that there are stand in the stage table, `graphrec.cli.table`.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from graphrec.cli.config import RunConfig
from graphrec.cli.pipeline import stage_row
from graphrec.cli.table import STAGES, needed
from graphrec.core import files
from graphrec.core.artifacts import Artifact
from graphrec.core.errors import ConfigError, DataError
from graphrec.core.records import read_records

SECONDS = "seconds"
_MODELS = {"pretrain": "pretrain", "longtail": "i2i"}
"""Stage -> the model whose records count; of adapt it is the one that ships."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One number of a trial. For `seconds`, `stage` is empty."""

    name: str
    stage: str = ""
    measure: str = ""

    @property
    def larger_is_better(self) -> bool:
        """Return which way is up."""
        return self.name != SECONDS

    def value(self, artifacts: Mapping[str, Artifact]) -> float:
        """Read it; raise `DataError` where the stage had no validation events to measure it on."""
        if self.name == SECONDS:
            return float(sum(artifact.manifest["seconds"] for artifact in artifacts.values()))
        artifact = artifacts[self.stage]
        model = _MODELS.get(self.stage) or files.read_json(artifact.file("summary.json"))["shipped"]
        rows = [r for r in read_records(artifact.file("metrics.json")) if (r.split, r.model) == ("valid", model)]
        values = [r.value for r in rows if r.measure == self.measure]
        if not values:
            raise DataError(f"{self.name}: {self.stage} measured no such thing; there are no validation events for it")
        return float(np.mean(values))


def read_objectives(config: RunConfig, source: str) -> tuple[Objective, ...]:
    """Return the objectives of `config`; raise one `ConfigError` that lists every problem, each behind `source`."""
    names, known = config.sweep.objectives, {objective.name: objective for objective in _known(config)}
    problems = [f"{name!r}: {_problem(name, list(known))}" for name in names if name not in known]
    if not names or len(set(names)) < len(names):
        problems.append("give at least one, and none twice")
    if problems:
        raise ConfigError("\n".join(f"{source}: sweep.objectives: {problem}" for problem in problems))
    return tuple(known[name] for name in names)


def stages_of(objectives: tuple[Objective, ...]) -> list[str]:
    """Return the stages that a trial runs, in order; time alone is that of adapt."""
    ends = {objective.stage for objective in objectives if objective.stage} or {"adapt"}
    wanted = {name for end in ends for name in needed(end)}
    return [name for name in needed("longtail") if name in wanted]


def _known(config: RunConfig) -> Iterator[Objective]:
    for stage in STAGES:
        for measure in stage_row(config, stage).objectives:
            yield Objective(name=f"{stage}.{measure}", stage=stage, measure=measure)
    yield Objective(name=SECONDS)


def _problem(name: str, known: list[str]) -> str:
    if name.startswith("evaluate."):
        return "evaluate opens the test events, which choose nothing"
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"is nothing that a stage records on validation; {hint}known: {', '.join(known)}"
