"""One trial: the stages that its objectives need, with its overrides, out of artifacts that all trials share."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from graphrec.cli.config import RunConfig
from graphrec.cli.pipeline import bring, check_target, make_recipes, stage_row
from graphrec.cli.sweep.draw._optuna import Claim
from graphrec.cli.sweep.objectives import Objective, stages_of
from graphrec.cli.sweep.space import Space
from graphrec.core.artifacts import Artifact, RunFolder
from graphrec.core.config import apply_overrides, parse, to_mapping
from graphrec.core.locks import held
from graphrec.core.tracking import NullTracker, Tracker


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that a trial needs beside its values. `source` begins the message of a wrong configuration."""

    config: RunConfig
    source: str
    folder: Path
    space: Space
    objectives: tuple[Objective, ...]

    def run(self, claim: Claim, tracker: Tracker) -> tuple[float, ...]:
        """Bring the stages up to date and return one number per objective; raises `Pruned` when told to stop."""
        overrides = self.space.overrides(claim.point)
        config = parse(RunConfig, apply_overrides(to_mapping(self.config), overrides), source=self.source)
        names, run, done = stages_of(self.objectives), RunFolder(self.folder), dict[str, Artifact]()
        recipes = make_recipes(config, names)
        watch = _Trial(tracker, names[-1], claim.report)
        for name in names:
            row, recipe = stage_row(config, name), recipes[name]
            label = f"{name}-{recipe.fingerprint[:12]}"
            # Two trials that need the same artifact: one makes it, the other one waits.
            with held(run.path / "locks" / label, label):
                done[name] = bring(run, row, recipe, done, config, watch)
            if name == "ingest":
                check_target(config, done[name])
        return tuple(objective.value(done) for objective in self.objectives)


@dataclass
class _Trial:
    """The trial's run for its stages: their metrics with the stage's name before, and no runs of their own."""

    tracker: Tracker
    last: str
    report: Callable[[float, int], None]

    def log_params(self, params: Mapping[str, object]) -> None:
        """Do nothing: the overrides say it all."""

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Record them."""
        self.tracker.log_metrics(metrics, step)

    def log_artifact(self, path: Path) -> None:
        """Do nothing: artifacts lie in the run folder."""

    @contextmanager
    def child(self, name: str) -> Iterator[Tracker]:
        """Give a stage its tracker."""
        yield _Stage(self.tracker, name, self.report if name == self.last else None)


@dataclass
class _Stage:
    """One stage of the trial; every validation of the last one is reported, in order, to whoever prunes."""

    tracker: Tracker
    name: str
    report: Callable[[float, int], None] | None
    num_reports: int = 0

    def log_params(self, params: Mapping[str, object]) -> None:
        """Do nothing: the overrides say it all."""

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Record them, and report validations; raises `Pruned` when the trial is to stop."""
        self.tracker.log_metrics({f"{self.name}/{name}": value for name, value in metrics.items()}, step)
        for name, value in metrics.items():
            if self.report is not None and name.endswith("/valid"):
                self.num_reports += 1
                self.report(value, self.num_reports)

    def log_artifact(self, path: Path) -> None:
        """Do nothing: artifacts lie in the run folder."""

    @contextmanager
    def child(self, name: str) -> Iterator[Tracker]:
        """Give what a stage tries within itself a tracker that records nothing."""
        yield NullTracker()
