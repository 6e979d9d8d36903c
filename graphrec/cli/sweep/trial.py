"""One trial: the stages that its objectives need, with its overrides, out of artifacts that all trials share."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from graphrec.cli.config import RunConfig
from graphrec.cli.pipeline import bring, check_run, check_target, make_recipes, resolve_sources, stage_row
from graphrec.cli.sweep.draw._optuna import Claim
from graphrec.cli.sweep.objectives import Objective, stages_of
from graphrec.cli.sweep.space import SOURCES, TARGET, Point, Space
from graphrec.core import files
from graphrec.core.artifacts import Artifact, Recipe, RunFolder
from graphrec.core.config import apply_overrides, parse, to_mapping
from graphrec.core.errors import ConfigError
from graphrec.core.locks import held
from graphrec.core.progress import logger
from graphrec.core.tracking import NullTracker, Tracker


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that a trial needs beside its values. `source` begins the message of a wrong configuration."""

    config: RunConfig
    source: str
    folder: Path
    space: Space
    objectives: tuple[Objective, ...]

    def check_domains(self) -> None:
        """Raise `ConfigError` or `DataError` where target or a searched source is not in the data.

        Ingest is made for that, as the trials will need it; where its own options are searched, by the first of each.
        """
        config = self._config(self.space.first)
        ingest = self._bring(config, make_recipes(config, ["ingest"])["ingest"], {}, NullTracker())
        targets = [replace(config, target=name, sources=()) for name in self.space.named(TARGET) or [config.target]]
        for target in targets:
            check_target(target, ingest)
        if clash := [repr(name) for name in self.space.named(SOURCES) if name in self.space.named(TARGET)]:
            raise ConfigError(
                f"{self.source}: sweep.space: sources: {', '.join(clash)}: a target too, which is no source of its "
                "own; search the sources of one target at a time"
            )
        offered = list(dict.fromkeys(name for target in targets for name in resolve_sources(target, ingest)))
        unknown = [repr(name) for name in self.space.named(SOURCES) if name not in offered]
        if unknown:
            there = ", ".join(offered) or "none"
            raise ConfigError(
                f"{self.source}: sweep.space: sources: {', '.join(unknown)}: not on offer; there are {there}"
            )

    def run(self, claim: Claim, tracker: Tracker) -> tuple[float, ...]:
        """Bring the stages up to date and return one number per objective; raises `Pruned` when told to stop."""
        config, names, done = self._config(claim.point), stages_of(self.objectives), dict[str, Artifact]()
        logger.info("trial %d: %s", claim.number, " ".join(self.space.overrides(claim.point)))
        recipes, watch = make_recipes(config, names), _Trial(tracker, _telling(names[-1], config), claim.report)
        for name in names:
            done[name] = self._bring(config, recipes[name], done, watch)
            if name == "ingest":
                check_run(config, done[name])
        if "adapt" in done:
            # Sources are only offered: what a trial is worth may owe nothing to them.
            claim.note("ships", files.read_json(done["adapt"].file("summary.json"))["shipped"])
        values = tuple(objective.value(done) for objective in self.objectives)
        named = zip(self.objectives, values, strict=True)
        told = ", ".join(f"{objective.name} {value:.4f}" for objective, value in named)
        blind = "; nothing to prune by: no training of it was validated" if claim.prunes and not watch.told else ""
        logger.info("trial %d: %s%s", claim.number, told, blind)
        return values

    def _config(self, point: Point) -> RunConfig:
        mapping = apply_overrides(to_mapping(self.config), self.space.overrides(point))
        return parse(RunConfig, mapping, source=self.source)

    def _bring(self, config: RunConfig, recipe: Recipe, done: Mapping[str, Artifact], tracker: Tracker) -> Artifact:
        label = f"{recipe.stage}-{recipe.fingerprint[:12]}"
        # Two trials that need the same artifact: one makes it, the other one waits.
        with held(self.folder / "locks" / label, label):
            return bring(RunFolder(self.folder), stage_row(config, recipe.stage), recipe, done, config, tracker)


def _telling(last: str, config: RunConfig) -> Mapping[str, int]:
    """Return the stages whose validations are reported, given the last one, and the step that each begins after.

    Adapt goes on from the base that select has trained, and where it trains no further, that is all there is to see.
    A trial may find select's finished: adapt's steps are the same then.
    """
    return {"select": 0, "adapt": config.select.fit.epochs} if last == "adapt" else {last: 0}


@dataclass
class _Trial:
    """The trial's run for its stages: their metrics with the stage's name before, and no runs of their own.

    Every validation of the stages `telling` is reported to whoever prunes; `told` is whether there was one.
    """

    tracker: Tracker
    telling: Mapping[str, int]
    report: Callable[[float, int], None]
    told: bool = False

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
        yield _Stage(self, name, self.telling.get(name, 0))


@dataclass
class _Stage:
    """One stage of the trial."""

    trial: _Trial
    name: str
    step: int

    def log_params(self, params: Mapping[str, object]) -> None:
        """Do nothing: the overrides say it all."""

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Record them, and report validations; raises `Pruned` when the trial is to stop."""
        self.trial.log_metrics({f"{self.name}/{name}": value for name, value in metrics.items()}, step)
        for name, value in metrics.items():
            if self.name in self.trial.telling and name.endswith("/valid"):
                self.step, self.trial.told = self.step + 1, True
                self.trial.report(value, self.step)

    def log_artifact(self, path: Path) -> None:
        """Do nothing: artifacts lie in the run folder."""

    @contextmanager
    def child(self, name: str) -> Iterator[Tracker]:
        """Give what a stage tries within itself a tracker that records nothing."""
        yield NullTracker()
