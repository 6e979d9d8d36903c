"""`graphrec worth RUN`: what a run's knowledge graph is worth to its recommender, measured and not believed.

The pretraining encoder is trained on every arm (`worth_arms`) from the same seeds, and the arms are
compared on the same test users (`worth_measure`). The result lies in `worth.json`, for the report.
"""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from graphrec.cli.config import RunConfig
from graphrec.cli.pipeline import resolve_sources
from graphrec.cli.table import STAGES
from graphrec.cli.worth_arms import NONE, PAIRS, Arm, arm_graph, arms_of
from graphrec.cli.worth_measure import Measured, compare, describe, measure
from graphrec.core import files
from graphrec.core.artifacts import Recipe, RunFolder
from graphrec.core.config import apply_overrides, parse, to_mapping
from graphrec.core.errors import ConfigError, DataError
from graphrec.core.progress import logger
from graphrec.core.seeds import derive_seed
from graphrec.core.source import source_hash
from graphrec.core.types import JSON
from graphrec.core.workspace import Workspace
from graphrec.data.config import COLD_ITEMS
from graphrec.data.dataset import Dataset, load_dataset, load_test
from graphrec.data.inspect.behaviour import is_behaviour
from graphrec.report import write_report
from graphrec.report.facts import Facts
from graphrec.report.sections.worth import worth
from graphrec.stages.config import MergeConfig
from graphrec.stages.merge import Believed
from pretrain.config import PretrainConfig

_MADE_FROM = ("ingest", "denoise", "merge", "pretrain")
_TAKEN = ("pretrain.", "merge.", "sources=", "seed=")
_CODE = ("worth.py", "worth_arms.py", "worth_measure.py")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that decides the numbers."""

    run: RunFolder
    dataset: Dataset
    believed: Believed
    domains: tuple[str, ...]
    merge: MergeConfig
    pretrain: PretrainConfig
    seed: int
    recipe: Recipe

    @property
    def target(self) -> str:
        """Return the domain that is ranked."""
        return self.domains[0]

    @property
    def folder(self) -> Path:
        """Return where the finished cells of this plan lie."""
        return self.run.path / "worth" / self.recipe.fingerprint[:12]


def measure_worth(path: Path, overrides: Sequence[str], seeds: int) -> JSON:
    """Measure every arm with every seed, write `worth.json` into the run at `path`, whole, and return it.

    Finished (arm, seed) cells are kept in `RUN/worth/`: a killed call goes on, a later one with more
    seeds adds to them. `overrides` may change options of pretrain and merge, the sources and the seed.
    Raises `DataError` where the run has no triples or nothing to test on.
    """
    run = RunFolder.open(path)
    with run.lock():
        plan = make_plan(run, overrides)
        cells: dict[Arm, list[Measured]] = {}
        for arm, cell in _cells(plan, seeds):
            cells.setdefault(arm, []).append(cell)
        result = _about(plan, overrides, seeds) | summarize(cells, plan.seed)
        result["num_last_epoch"] = sum(c.best_epoch == plan.pretrain.fit.epochs for row in cells.values() for c in row)
        files.write_json(run.path / "worth.json", result)
        for old in plan.folder.parent.iterdir():
            if old != plan.folder:
                shutil.rmtree(old)
    return result


def show_worth(path: Path, overrides: Sequence[str], seeds: int) -> None:
    """Measure, print the tables, and write the report again where there is one."""
    measure_worth(path, overrides, seeds)
    run = RunFolder.open(path)
    report = run.path / "report.html"
    if report.exists():
        write_report(run, report)
    console, section = Console(), worth(Facts.read(run))
    for verdict in (section["about"], *section["verdicts"]):
        console.print(Text(verdict))
    for columns, rows in ((section["arm_columns"], section["arms"]), (section["pair_columns"], section["pairs"])):
        table = Table(*columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)
    for note in section["notes"]:
        console.print(Text(note))


def make_plan(run: RunFolder, overrides: Sequence[str]) -> Plan:
    """Read what the arms are made of from a run whose ingest and denoise are finished."""
    wrong = [text for text in overrides if not text.startswith(_TAKEN)]
    if wrong:
        raise ConfigError(f"{wrong[0]}: worth takes options of pretrain and merge, sources=[...] and seed=N only")
    config = parse(RunConfig, apply_overrides(run.entry("config"), overrides), source=str(run.path / "run.json"))
    ingest, denoise = run.current("ingest"), run.current("denoise")
    dataset = load_dataset(ingest.path)
    if not len(dataset.triples):
        raise DataError(f"{run.path}: its data have no triples, so there is no knowledge whose worth could be measured")
    if not config.target:
        raise ConfigError(f"{run.path}: the run has no target; set target=DOMAIN in its configuration and run it again")
    # Only knowledge can reach a held-out item, and only if training does not push it away.
    cold = config.pretrain.cold_items or config.ingest.split.kind == COLD_ITEMS
    config = replace(config, pretrain=replace(config.pretrain, cold_items=cold))
    domains = (config.target, *(name for name in resolve_sources(config, ingest) if name in dataset.domains))
    return Plan(
        run=run,
        dataset=dataset,
        believed=Believed.read(denoise.file("triples.parquet")),
        domains=domains,
        merge=config.merge,
        pretrain=config.pretrain,
        seed=config.seed,
        recipe=_recipe(config, domains, {"ingest": ingest.fingerprint, "denoise": denoise.fingerprint}),
    )


def _recipe(config: RunConfig, domains: tuple[str, ...], parents: Mapping[str, str]) -> Recipe:
    own = [files.file_hash(Path(__file__).with_name(name)) for name in _CODE]
    return Recipe(
        stage="worth",
        config={
            "domains": list(domains),
            "merge": to_mapping(config.merge),
            "pretrain": to_mapping(config.pretrain),
        },
        seed=config.seed,
        parents=parents,
        code="".join([*own, source_hash(STAGES["merge"].module), source_hash(STAGES["pretrain"].module)]),
        libraries={name: metadata.version(name) for name in STAGES["pretrain"].libraries},
    )


def _cells(plan: Plan, seeds: int) -> Iterator[tuple[Arm, Measured]]:
    """Yield every arm's cells in the order of the seeds, from disk where they are finished."""
    arms = arms_of(plan.dataset)
    test = load_test(plan.run.current("ingest").path).of(plan.dataset.domain_index(plan.target))
    todo = [(arm, number, plan.folder / f"{arm.label}-{number}.parquet") for number in range(seeds) for arm in arms]
    missing, made, start = sum(not path.exists() for *_, path in todo), 0, time.monotonic()
    for arm, number, path in todo:
        if not path.exists():
            seed, workspace = derive_seed(plan.seed, "worth", number), Workspace(plan.folder).part(path.stem)
            graph = arm_graph(plan.dataset, plan.believed, arm, plan.merge, seed)
            cell = measure(
                graph, test, plan.target, plan.domains, plan.pretrain, seed=seed, workspace=workspace, label=path.stem
            )
            cell.save(path)
            shutil.rmtree(workspace.path)
            made += 1
            left = (time.monotonic() - start) / made * (missing - made)
            logger.info("worth: %d of %d measured (%s), about %.0f s left", made, missing, path.stem, left)
        yield arm, Measured.load(path)


def _about(plan: Plan, overrides: Sequence[str], seeds: int) -> JSON:
    stages = plan.run.entry("stages")
    return {
        "fingerprint": plan.recipe.fingerprint,
        "made_from": {name: plan.run.current(name).fingerprint for name in _MADE_FROM if name in stages},
        "changed": list(overrides),
        "target": plan.target,
        "domains": list(plan.domains),
        "seeds": seeds,
        "behaviour_relations": [name for name in plan.dataset.relations if is_behaviour(name)],
        "cold_items": plan.pretrain.cold_items,
    }


def summarize(cells: Mapping[Arm, Sequence[Measured]], seed: int) -> JSON:
    """Return the number of users, the scores of each arm and their comparisons, behaviour apart."""
    none = Arm(NONE)
    comparisons = [
        {"arm": one, "against": other, "relations": part, **compare(cells[Arm(one, part)], cells[second], seed)}
        for part in dict.fromkeys(arm.relations for arm in cells)
        for one, other in PAIRS
        if (second := none if other == NONE else Arm(other, part)) in cells and Arm(one, part) in cells
    ]
    return {
        "num_users": len(cells[none][0].user),
        "arms": [{"arm": arm.name, "relations": arm.relations, **describe(row)} for arm, row in cells.items()],
        "comparisons": comparisons,
    }
