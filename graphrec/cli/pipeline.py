"""A run: compute every stage's recipe, skip what is finished, make the rest, then print and report."""

import difflib
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from graphrec import __version__
from graphrec.cli.config import RunConfig
from graphrec.cli.table import INHERIT, STAGES, Stage
from graphrec.core import files
from graphrec.core.artifacts import Artifact, Recipe, RunFolder
from graphrec.core.config import to_mapping
from graphrec.core.errors import ConfigError, DataError
from graphrec.core.progress import console
from graphrec.core.records import Record, read_records, write_records
from graphrec.core.search import MemorySearch, Point, Search
from graphrec.core.source import source_hash
from graphrec.core.stage import StageContext
from graphrec.core.tracking import NullTracker, Tracker
from graphrec.core.types import JSON
from graphrec.core.workspace import Workspace
from graphrec.stages.ingest import input_files


@dataclass(frozen=True)
class Outcome:
    """What a call did: the run's folder, the artifacts by stage, and which stages were made now."""

    run: RunFolder
    artifacts: Mapping[str, Artifact]
    made: tuple[str, ...]


def run_stages(config: RunConfig, folder: Path, names: Sequence[str], *, track: bool, conclude: bool = True) -> Outcome:
    """Bring the stages `names` (closed under parents, in order) up to date in the run at `folder`.

    run.json is switched to this configuration only once all of them are finished: a mistaken or
    killed call leaves what was current before. With `conclude`, a run of all stages ends with
    metrics.json, the report and the table. Raises `GraphrecError` on everything a user can mend.
    """
    if config.base.run and folder.resolve() == Path(config.base.run).resolve():
        raise ConfigError(
            f"{folder}: the new domain's run would overwrite the run that it inherits from; give it another `name`, or "
            "another folder with --out"
        )
    run = RunFolder(folder)
    with run.lock():
        recipes = make_recipes(config, list(STAGES))
        missing = [name for name in names if run.find(recipes[name]) is None]
        whole = conclude and list(names) == list(STAGES)
        unreported = whole and not run.is_reported(recipes)
        with _tracker(config, run, active=track and (bool(missing) or unreported)) as tracker:
            artifacts: dict[str, Artifact] = {}
            for name in names:
                artifacts[name] = bring(run, stage_row(config, name), recipes[name], artifacts, config, tracker)
                if name == "ingest":
                    _say_notes(artifacts[name])
                if name == "ingest" and (config.target or any(STAGES[other].for_target for other in names)):
                    check_run(config, artifacts[name])
            run.publish(
                recipes,
                name=config.name,
                target=config.target,
                sources=resolve_sources(config, artifacts["ingest"]),
                seed=config.seed,
                config=to_mapping(config),
            )
            outcome = Outcome(run, artifacts, tuple(missing))
            if whole:
                _conclude(outcome, tracker, recipes, anew=unreported)
    return outcome


def make_recipes(config: RunConfig, names: Sequence[str]) -> dict[str, Recipe]:
    """Return the recipe of each stage; no stage has to run for that."""
    mapping, recipes = to_mapping(config), dict[str, Recipe]()
    for name in names:
        stage = stage_row(config, name)
        section = mapping[stage.section or name] | inputs_of(config, name)
        if stage.for_target:
            section |= {"target": config.target, "sources": list(config.sources)}
        recipes[name] = Recipe(
            stage=name,
            config=section,
            seed=config.seed,
            parents={parent: recipes[parent].fingerprint for parent in stage.parents},
            code=source_hash(stage.module),
            libraries={library: metadata.version(library) for library in stage.libraries},
        )
    return recipes


def inputs_of(config: RunConfig, name: str) -> JSON:
    """Return what stage `name` reads beside its parents, wherever it lies: hashes of files, fingerprints of runs."""
    if name == "ingest":
        return {"files": [files.file_hash(path) for path in input_files(config.ingest)]}
    if name == "denoise" and config.denoise.labels:
        return {"files": [_labels_hash(Path(config.denoise.labels))]}
    if name == "pretrain" and config.base.run:
        return {"base": _base(config).current("pretrain").fingerprint}
    if name == "pretrain" and config.pretrain.start_from:
        return {"start": RunFolder.open(Path(config.pretrain.start_from)).current("pretrain").fingerprint}
    return {}


def _labels_hash(path: Path) -> str:
    if not path.is_file():
        raise ConfigError(f"denoise.labels: {path}: no such file; a run of denoise leaves a review.csv to fill in")
    return files.file_hash(path)


def stage_row(config: RunConfig, name: str) -> Stage:
    """Return the row of `name`; a run built on another one inherits where it would pretrain."""
    return INHERIT if config.base.run and name == "pretrain" else STAGES[name]


def _say_notes(ingest: Artifact) -> None:
    """Name what the data lack and what is passed over for it, and what a user may not have meant."""
    about = files.read_json(ingest.file("summary.json"))["profile"]
    for note in (*about["notes"], *about["warnings"]):
        console.print(f"  [yellow]note[/yellow]       {escape(note)}")


def check_run(config: RunConfig, ingest: Artifact) -> None:
    """Raise `GraphrecError` on all that is wrong with target, sources and the search of them, given the data."""
    check_target(config, ingest)
    config.select.check(len(resolve_sources(config, ingest)))


def check_target(config: RunConfig, ingest: Artifact) -> None:
    """Raise `DataError` when target or sources are not in the data, or the target cannot be evaluated."""
    if not config.target:
        known = ", ".join(files.read_json(ingest.file("dataset.json"))["domains"]) or "none"
        raise ConfigError(f"target: not given, and this needs one; set target=DOMAIN (domains of the data: {known})")
    resolve_sources(config, ingest)
    domains = {row["domain"]: row for row in files.read_json(ingest.file("summary.json"))["profile"]["domains"]}
    if not domains[config.target]["num_test"]:
        raise DataError(
            f"target {config.target!r}: no test events, so nothing could be told of the result; leave_last_out needs "
            "users with ingest.split.min_events events there, global_time users with an event on both sides of the cut"
        )
    if config.base.run:
        ours, theirs = (a.manifest["config"]["split"] for a in (ingest, _base(config).current("ingest")))
        if ours["kind"] != theirs["kind"]:
            raise DataError(
                f"{config.base.run}: its events were cut by {theirs['kind']}, these by {ours['kind']}; set "
                f"ingest.split.kind={theirs['kind']}, or its views may know what is tested here"
            )


def resolve_sources(config: RunConfig, ingest: Artifact) -> list[str]:
    """Return the source domains; raise `DataError` when target or a source is not in the data."""
    known = files.read_json(ingest.file("dataset.json"))["domains"]
    if not config.target:
        return []
    if config.target not in known:
        close = difflib.get_close_matches(config.target, known, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise DataError(f"target {config.target!r}: not in the data; {meant}known domains: {', '.join(known)}")
    offered, beside = [name for name in known if name != config.target], ""
    if config.base.run:
        offered, beside = _base(config).entry("sources"), f", which {config.base.run} was pretrained on"
        if config.target in offered:
            raise DataError(
                f"target {config.target!r}: {config.base.run} was pretrained on it, so that its views may know what is "
                f"tested here; run the YAML of that run with target={config.target}, which pretrains without it"
            )
    if config.target in config.sources:
        raise DataError(f"sources: {config.target!r} is the target, which is no source of its own; leave it out")
    if doubled := [name for name, times in Counter(config.sources).items() if times > 1]:
        raise DataError(f"sources: {', '.join(map(repr, doubled))} given more than once; name each domain once")
    unknown = [name for name in config.sources if name not in offered]
    if unknown:
        raise DataError(
            f"sources {', '.join(map(repr, unknown))}: not on offer; there are {', '.join(offered) or 'none'}{beside}"
        )
    return list(config.sources) or offered


def _base(config: RunConfig) -> RunFolder:
    return RunFolder.open(Path(config.base.run or ""))


def bring(
    run: RunFolder, stage: Stage, recipe: Recipe, done: Mapping[str, Artifact], config: RunConfig, tracker: Tracker
) -> Artifact:
    """Return the finished artifact of `recipe`, made now unless it was before."""
    finished = run.find(recipe)
    if finished is not None:
        console.print(f"[dim]  {stage.name:<10} skipped, finished before ({finished.path.name})[/dim]")
        return finished
    console.print(f"[bold]  {stage.name}[/bold]")
    start = time.monotonic()
    with tracker.child(stage.name) as child:
        child.log_params(_flat(recipe.config))
        inputs = {parent: Artifact.open(done[parent].path, verify=True) for parent in stage.parents}

        def write(out: Path, workspace: Workspace) -> None:
            context = StageContext(
                inputs=inputs,
                out=out,
                workspace=workspace,
                tracker=child,
                search=_search(run, recipe, child),
                seed=config.seed,
                target=config.target,
                sources=tuple(resolve_sources(config, inputs["ingest"]) if inputs else config.sources),
            )
            module, _, function = stage.shell.partition(":")
            getattr(import_module(module), function)(context, getattr(config, stage.section or stage.name))
            _check_objectives(stage, out)

        facts = {"code_version": __version__, "threads": os.environ.get("OMP_NUM_THREADS", str(os.cpu_count()))}
        made = run.make(recipe, write, facts=facts)
        child.log_metrics({"seconds": time.monotonic() - start})
    console.print(f"  {stage.name:<10} done in {time.monotonic() - start:.1f} s")
    return made


def _check_objectives(stage: Stage, out: Path) -> None:
    # Sweeps are told of a wrong objective by the table, before anything runs: so it has to be right.
    found = {r.measure for r in read_records(out / "metrics.json") if r.split == "valid"} if stage.objectives else set()
    assert found <= set(stage.objectives), f"{stage.name}: records {found}, the stage table has {stage.objectives}"


def _search(run: RunFolder, recipe: Recipe, tracker: Tracker) -> Search:
    """Give `select` an Optuna study; trials become runs below the stage's run."""
    if recipe.stage != "select":
        return MemorySearch()
    from graphrec.core._optuna import open_search

    def record(number: int, point: Point, value: float) -> None:
        with tracker.child(f"trial {number}") as trial:
            trial.log_params({**point, "size": sum(point.values())})
            trial.log_metrics({"value": value})

    return open_search(run.path / "optuna.journal", f"select-{recipe.fingerprint[:12]}", record)


@contextmanager
def _tracker(config: RunConfig, run: RunFolder, *, active: bool) -> Iterator[Tracker]:
    """Open the parent run, and go on without one when the store cannot be used."""
    if not active:
        yield NullTracker()
        return
    from graphrec.core._mlflow import open_run

    # The id of an unfinished run lies apart: it serves only to reopen that run, and nothing else reads it.
    memory = run.path / "tracking.json"
    told = {"name": config.name, "target": config.target, "seed": config.seed}
    before = files.read_json(memory) if memory.exists() else {}
    # What was recorded of another target or seed is another run's.
    previous = before.get("mlflow_run") if before.get("run") == told else None
    tags = {"target": config.target, "folder": str(run.path), "graphrec": __version__}
    with open_run(experiment="graphrec", name=config.name, tags=tags, previous=previous) as tracker:
        if isinstance(tracker, NullTracker):
            yield tracker
            return
        files.write_json(memory, {"mlflow_run": tracker.run, "run": told})
        tracker.log_params(told)
        yield tracker
        memory.unlink()


def _conclude(outcome: Outcome, tracker: Tracker, recipes: Mapping[str, Recipe], *, anew: bool) -> None:
    """Write metrics.json and report.html, record them, print the table."""
    from graphrec.report import run_summary, write_report

    run = outcome.run
    report = run.path / "report.html"
    if anew or not report.exists():
        records = [r for artifact in outcome.artifacts.values() for r in read_records(artifact.file("metrics.json"))]
        write_records(run.path / "metrics.json", records)
        write_report(run, report)
        _record_run(outcome, records, tracker)
        run.mark_reported(recipes)
    Console().print(run_summary(run))
    Console().print(f"report: {report}\n")


def _record_run(outcome: Outcome, records: Sequence[Record], tracker: Tracker) -> None:
    run = outcome.run
    tested = [r for r in records if r.stage == "evaluate" and r.group == "all"]
    tracker.log_metrics({f"{r.model}/{r.metric}_{r.k}": r.value for r in tested})
    tracker.log_params({f"fingerprint.{name}": a.fingerprint for name, a in outcome.artifacts.items()})
    for path in (run.path / "metrics.json", run.path / "report.html", run.path / "run.json"):
        tracker.log_artifact(path)


def _flat(mapping: JSON, prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in mapping.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
