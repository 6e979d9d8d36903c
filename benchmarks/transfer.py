"""Transfer measured: a target with few events, what sources add, beside strong baselines on everything merged.

    GRAPHREC_DATA=FOLDER python -m benchmarks.transfer amazon5 --regimes cold 1 5 10 warm --seeds 5
    GRAPHREC_DATA=FOLDER python -m benchmarks.transfer amazon5 --print
    GRAPHREC_DATA=FOLDER python -m benchmarks.transfer complete_journey --disjoint --regimes 1 5 warm [--no-knowledge]

A cell is (set, target, regime, seed). `warm` is leave-last-out, every domain's test events hidden; `cold` hides all
events in the target of a fifth of the users whom other domains know, `k` all but the first k of a fifth of its users; a
tenth more serves as validation. `items` hides all events of a tenth of the target's items, and of another tenth for
validation: knowledge alone can place these (`cold_items`), and the baseline is whose entities are alike, with and
without new items put first, as nothing else is asked for. Sources are pretrained on without any event of the target,
once per target and seed for all regimes but `warm` and `items`.

`select` and `adapt` choose on validation, test events are ranked once, among all items of the target that are new to
the user. Baselines learn from train and validation events of the target alone (`own`) or of all domains (`merged`);
`cooccurrence` counts, for each item, the users who had it and an item of the asked user. With `--oracle` every subset
of sources is adapted and judged on test. With `--disjoint` every user keeps one domain, drawn by seed, so that entities
are the only bridge; with `--no-knowledge` there is none. Cells stand in `--out`, one file each, so that a killed run
goes on; several processes may share the work by `--part i/n`.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, combinations
from pathlib import Path

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from benchmarks.merged import Cooccurrence, Part, ones
from benchmarks.nearest import nearest
from benchmarks.transfer_table import table
from finetune.adapt import adapt
from finetune.fitting import Fitting
from finetune.select import select
from finetune.target import Target
from finetune.task import fit_own
from graphrec.baselines.config import BaselinesConfig
from graphrec.baselines.registry import make_baseline
from graphrec.cli.config import RunConfig, load_config
from graphrec.cli.examples import example_folder
from graphrec.core.config import without_paths
from graphrec.core.progress import logger
from graphrec.core.search import MemorySearch
from graphrec.core.source import source_hash
from graphrec.core.tracking import NullTracker
from graphrec.core.types import JSON, IntArray, Scorer
from graphrec.core.workspace import Workspace
from graphrec.data.dataset import Dataset
from graphrec.encoders.pretrained import TRAIN, Pretrained
from graphrec.graph.build import build_graph
from graphrec.graph.graph import MultiDomainGraph
from graphrec.metrics.measures import Values, hit_rate, ndcg, recall
from graphrec.metrics.ranking import rank
from graphrec.metrics.scorers import VectorScorer, hybrid_scorer
from graphrec.stages.ingest import ingest, read
from pretrain.stage import pretrain

WARM, COLD, ITEMS = "warm", "cold", "items"
OURS, THEIRS, SLOW, ORACLE = ".json", ".baselines.json", ".slow.json", ".oracle.json"
"""What a cell's files end in."""
SETS: Mapping[str, Sequence[str]] = {
    "amazon5": ("beauty", "sports", "electronics", "food", "kitchen"),
    "amazon5_time": ("beauty", "food", "kitchen", "electronics"),
    "cdr_sport_phone": ("sport", "phone"),
    "ciaodvd17": ("horror", "war", "comedy", "anime"),
    "complete_journey": ("NUTRITION", "DELI", "PASTRY", "MEAT-PCKGD"),
    "xmrec5": ("t1", "t2"),
}
"""Set -> its targets, unless others are asked for."""
SPLIT = ("amazon5_time", "cdr_sport_phone", "xmrec5")
"""Sets whose split is given by their configuration: they have the regime `warm` alone."""

LISTED: Mapping[tuple[str, str], str] = {("xmrec5", "t1"): "xmrec5/t1/valid_run.tsv.gz"}
"""(set, target) -> the file, below the folder of the sets, that lists a hundred candidates for each test user."""

MERGED, OWN = ("rp3beta", "ials", "cooccurrence"), ("popularity", "rp3beta", "item_knn")
METRICS = {"ndcg@10": (ndcg, 10), "hr@10": (hit_rate, 10), "recall@20": (recall, 20)}
AMONG = "ndcg@10 among the listed"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One measurement."""

    set: str
    target: str
    regime: str
    seed: int

    @property
    def name(self) -> str:
        """Return the cell as a file is called."""
        return f"{self.set}-{self.target}-{self.regime}-{self.seed}"

    @property
    def split(self) -> list[str]:
        """Return the options that cut the events."""
        if self.regime == WARM:
            return []
        if self.regime == ITEMS:
            models = [f"{stage}.model.cold_items=true" for stage in ("select", "adapt")]
            return ["ingest.split.kind=cold_items", f"ingest.split.domains=[{self.target}]", *models]
        shots = 0 if self.regime == COLD else int(self.regime)
        cut = "ingest.split"
        return [
            f"{cut}.kind=cold_users",
            f"{cut}.domains=[{self.target}]",
            f"{cut}.shots={shots}",
            f"{cut}.test_share=0.2",
        ]


@dataclass(frozen=True)
class World:
    """A cell's data, split."""

    cell: Cell
    config: RunConfig
    graph: MultiDomainGraph
    user: IntArray
    item: IntArray
    listed: IntArray | None = None
    """The candidates of each test user, ascending, as catalogue positions, [num_test_users, 100], -1 for none."""

    @classmethod
    def of(cls, cell: Cell, options: argparse.Namespace) -> "World":
        """Read and split; `item` are catalogue positions."""
        overrides = [f"target={cell.target}", f"seed={cell.seed}", *cell.split, *options.override]
        config = load_config(example_folder() / f"{cell.set}.yaml", overrides)
        built, _ = ingest(read(config.ingest), config.ingest, seed=cell.seed)
        triples, keep = built.dataset.triples, np.ones(len(built.dataset.triples), dtype=np.bool_)
        graph = build_graph(built.dataset, triples.confidence, keep=keep, drop_relations=config.merge.drop_relations)
        test = built.test.of(built.dataset.domain_index(cell.target))
        user, place = test.user, np.searchsorted(graph.catalog[cell.target], test.item)
        if not options.knowledge:
            graph = replace(graph, knowledge={})
        if options.disjoint:
            home = np.random.default_rng(cell.seed).integers(0, len(graph.events), graph.num_users)
            events = {d: e.where(home[e.user] == n) for n, (d, e) in enumerate(graph.events.items())}
            graph, stays = replace(graph, events=events), home[user] == list(graph.events).index(cell.target)
            user, place = user[stays], place[stays]
        name = LISTED.get((cell.set, cell.target))
        listed = None if name is None else _listed(name, built.dataset, graph.catalog[cell.target], np.unique(user))
        return cls(cell, config, graph, user, place, listed)

    @property
    def options_hash(self) -> str:
        """A hash of the options that what is measured depends on."""
        config = self.config
        return _hash([without_paths(part) for part in (config.pretrain, config.select, config.adapt)])

    @property
    def sources(self) -> list[str]:
        """The domains that the configuration names, or all but the target."""
        named = self.config.sources or tuple(self.graph.catalog)
        return [d for d in named if d != self.cell.target]

    @cached_property
    def seen(self) -> csr_array:
        """Who had what in the target, `[num_users, num_items of it]`."""
        events, catalog = self.graph.events[self.cell.target], self.graph.catalog[self.cell.target]
        return ones(events.user, np.searchsorted(catalog, events.item), (self.graph.num_users, len(catalog)))

    @cached_property
    def all_seen(self) -> csr_array:
        """Who had what anywhere, `[num_users, num_items]`."""
        kept = [self.graph.events[d] for d in (*self.sources, self.cell.target)]
        user, item = (np.concatenate([getattr(e, name) for e in kept]) for name in ("user", "item"))
        return ones(user, item, (self.graph.num_users, self.graph.num_items))

    def measured(self, scorer: Scorer) -> dict[str, list[float]]:
        """Return each metric by user, for the users who are asked about."""
        ranks = rank(scorer, self.user, self.item, self.seen).ranks
        found = {name: measure(ranks, k).tolist() for name, (measure, k) in METRICS.items()}
        return found if self.listed is None else found | {AMONG: self._among(scorer, self.listed).tolist()}

    def _among(self, scorer: Scorer, listed: IntArray) -> Values:
        users, first = np.unique(self.user, return_index=True)
        assert len(users) == len(self.user), "one test event for each user"
        rank = np.empty(len(users))
        for start in range(0, len(users), 1024):
            part = slice(start, start + 1024)
            score, items, own = scorer.score(users[part]), listed[part], self.item[first[part], None]
            told, other = np.take_along_axis(score, items, axis=1), (items >= 0) & (items != own)
            taken = np.take_along_axis(score, own, axis=1)
            rank[part] = ((told > taken) & other).sum(axis=1) + 0.5 * ((told == taken) & other).sum(axis=1)
        return np.asarray(np.where(rank < 10, 1 / np.log2(rank + 2), 0.0))


def _listed(name: str, dataset: Dataset, catalog: IntArray, users: IntArray) -> IntArray:
    """Read who is to be ranked for among which items; a row for each of `users`."""
    path = Path(os.environ["GRAPHREC_DATA"]) / name
    table = pl.read_csv(path, separator="\t", has_header=False, new_columns=["user", "items"])
    table = table.with_columns(pl.col("items").str.split(",")).filter(pl.col("items").list.len() == 100)
    user = dataset.users.find(table["user"])
    item = dataset.items.find(table["items"].explode()).reshape(-1, 100)
    place = np.minimum(np.searchsorted(catalog, item), len(catalog) - 1)
    order = np.argsort(user)
    row = order[np.searchsorted(user[order], users)]
    assert (user[row] == users).all(), "every test user has candidates"
    return np.where(catalog[place] == item, place, -1)[row].astype(np.int64)


def main() -> None:
    """Fill the cells that are missing, then print the table."""
    options = _arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    cells = list(_cells(options))
    asked = {OURS: measure, **({THEIRS: baselines} if options.baselines else {})}
    asked |= ({SLOW: slow} if options.slow else {}) | ({ORACLE: oracle} if options.oracle else {})
    for cell in cells if not options.print else ():
        missing = {kind: options.out / f"{cell.name}{kind}" for kind in asked}
        missing = {kind: path for kind, path in missing.items() if not path.exists()}
        world = World.of(cell, options) if missing else None
        for kind, path in missing.items():
            assert world is not None
            code = [source_hash(stage)[:12] for stage in ("pretrain", "finetune")] + [world.options_hash]
            _write(path, {"code": code, **asked[kind](world, options.out)})
    rows = [row for cell in cells if (row := _read(options.out, cell))]
    sys.stdout.write(table(rows) + "\n" if rows else "nothing measured yet\n")


def _write(path: Path, found: JSON) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(found))
    part.replace(path)
    told = {name: value for name, value in found.items() if name not in ("models", "users", "oracle", "candidates")}
    logger.info("%s: %s", path.stem, told)


def _read(folder: Path, cell: Cell) -> JSON | None:
    paths = {kind: folder / f"{cell.name}{kind}" for kind in (OURS, THEIRS, SLOW, ORACLE)}
    if not paths[OURS].exists():
        return None
    found = {kind: json.loads(path.read_text()) for kind, path in paths.items() if path.exists()}
    models = {name: v for kind in (OURS, THEIRS, SLOW) for name, v in found.get(kind, {}).get("models", {}).items()}
    # Baselines are none of our code.
    codes = [found[kind]["code"] for kind in (OURS, ORACLE) if kind in found]
    return {"cell": vars(cell), **found[OURS], "codes": codes, "models": models, "oracle": found.get(ORACLE)}


def measure(world: World, out: Path) -> JSON:
    """Pretrain, select, adapt, rank."""
    cell, config, began = world.cell, world.config, time.perf_counter()
    target = _target(world, out)
    times = {"pretrain": time.perf_counter() - began}
    search, tracker = MemorySearch(), NullTracker()
    began = time.perf_counter()
    with Workspace.temporary() as work:
        # In one workspace: select, and with equal options adapt, find the base of all candidates trained.
        first = config.select
        fit_own(target, first.model, first.fit, seed=cell.seed, workspace=work, tracker=tracker)
        times["base"], began = time.perf_counter() - began, time.perf_counter()
        selection = select(target, config.select, search, seed=cell.seed, workspace=work, tracker=tracker)
        times["select"], began = time.perf_counter() - began, time.perf_counter()
        made = adapt(target, selection.chosen, config.adapt, seed=cell.seed, workspace=work, tracker=tracker)
        times["adapt"] = time.perf_counter() - began
    models = {
        "graphrec": world.measured(hybrid_scorer(made.arrays)),
        "target_only": world.measured(hybrid_scorer(made.arrays, "target_only.")),
        "all_domains": world.measured(hybrid_scorer(made.arrays, "all_domains.")),
        "vectors": world.measured(hybrid_scorer(made.arrays, "vectors.")),
    }
    return {
        "chosen": list(selection.chosen),
        "shipped": made.shipped,
        "reason": made.summary["reason"],
        "gains": {"+".join(s) or "none": round(g, 2) for s, g in selection.gains.items()},
        "trials": len(search.known),
        "seconds": {name: round(value, 1) for name, value in times.items()},
        "candidates": made.summary["candidates"],
        "users": np.unique(world.user).tolist(),
        "models": models,
    }


def baselines(world: World, out: Path) -> JSON:
    """Fit the baselines and rank the same test events."""
    if world.cell.regime == ITEMS:
        return _of_baselines(world, [("nearest", "own"), ("nearest, new first", "own")])
    return _of_baselines(
        world, [(name, scope) for scope, names in (("own", OWN), ("merged", MERGED)) for name in names]
    )


def slow(world: World, out: Path) -> JSON:
    """Fit what takes minutes where catalogues are large: EASE on the target alone, item-kNN on all domains."""
    return _of_baselines(world, [("ease", "own"), ("item_knn", "merged")])


def _of_baselines(world: World, named: Sequence[tuple[str, str]]) -> JSON:
    return {"models": {f"{n} {scope}": world.measured(_baseline(world, n, scope)) for n, scope in named}}


def oracle(world: World, out: Path) -> JSON:
    """Fine-tune every subset in full and judge it on test, as nobody could who keeps test for the end."""
    target, config, began = _target(world, out), replace(world.config.adapt, tune="full"), time.perf_counter()
    subsets = chain.from_iterable(combinations(world.sources, n) for n in range(len(world.sources) + 1))
    named = {"+".join(subset) or "none": subset for subset in subsets}
    with Workspace.temporary() as work:
        fitting = Fitting(target, config, world.cell.seed, work, NullTracker())
        base, first = fitting.base(TRAIN)
        candidates, evidence = fitting.candidates(base, named)
        assert evidence is not None
        final = fitting.final(first.best_epoch, candidates, evidence.ridge)
    found = {name: world.measured(VectorScorer(*fitted.vectors(target)))["ndcg@10"] for name, fitted in final.items()}
    return {"seconds": round(time.perf_counter() - began, 1), "ndcg@10": found}


def _target(world: World, out: Path) -> Target:
    return Target.of(world.graph, world.cell.target, _pretrained(world, out), world.sources)


def _pretrained(world: World, out: Path) -> Pretrained:
    """Return the sources' vectors, from disk where this target and seed had them before, by the same options."""
    cell, regime = world.cell, world.cell.regime if world.cell.regime in (WARM, ITEMS) else "rest"
    options = _hash(without_paths(world.config.pretrain))
    folder = out / f"pretrained-{cell.set}-{cell.target}-{regime}-{cell.seed}-{options}"
    if not folder.exists():
        with Workspace.temporary() as work:
            made = pretrain(
                world.graph,
                world.sources,
                world.config.pretrain,
                seed=cell.seed,
                workspace=work,
                tracker=NullTracker(),
            )
        part = folder.with_suffix(".part")
        part.mkdir(exist_ok=True)
        made.pretrained.save(part)
        part.replace(folder)
    return Pretrained.load(folder)


def _hash(told: JSON | list[JSON]) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]


def _baseline(world: World, name: str, scope: str) -> Scorer:
    if name == "cooccurrence":
        return Cooccurrence(world.all_seen, world.seen)
    if name.startswith("nearest"):
        return nearest(world.graph, world.cell.target, world.seen, new_first="first" in name)
    catalog = world.graph.catalog[world.cell.target]
    history = world.seen if scope == "own" else world.all_seen
    made = make_baseline(name, BaselinesConfig()).fit(history, world.cell.seed)
    return made if scope == "own" else Part(made, catalog)


def _cells(options: argparse.Namespace) -> Iterator[Cell]:
    """Yield the cells; those of one target and seed, which share a pretraining, fall to one process."""
    pairs = [(t, s) for s in range(options.first, options.first + options.seeds) for t in options.targets]
    for number, (target, seed) in enumerate(pairs):
        if options.print or number % options.part[1] == options.part[0]:
            for regime in options.regimes:
                yield Cell(set=options.set, target=target, regime=regime, seed=seed)


def _part(text: str) -> tuple[int, int]:
    number, of = text.split("/")
    return int(number), int(of)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(sys.modules[__name__].__doc__).splitlines()[0])
    parser.add_argument("set", choices=tuple(SETS))
    parser.add_argument("override", nargs="*", help="Options of the configuration, KEY=VALUE.")
    parser.add_argument("--targets", nargs="*", default=[])
    parser.add_argument("--regimes", nargs="*", default=[COLD, "1", "5", "10", WARM])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="First seed.")
    parser.add_argument("--part", type=_part, default=(0, 1), help="i/n: every n-th pair of target and seed, from i.")
    parser.add_argument("--no-baselines", dest="baselines", action="store_false")
    parser.add_argument("--slow", action="store_true", help="EASE on the target alone and item-kNN on all domains too.")
    parser.add_argument("--oracle", action="store_true", help="Judge every subset on test, too.")
    parser.add_argument("--disjoint", action="store_true", help="Every user keeps one domain.")
    parser.add_argument("--no-knowledge", dest="knowledge", action="store_false", help="No triples.")
    parser.add_argument("--out", type=Path, default=Path("runs/bench/transfer"))
    parser.add_argument("--print", action="store_true", help="Only print the table of what is there.")
    options = parser.parse_args()
    options.targets = options.targets or list(SETS[options.set])
    options.regimes = [WARM] if options.set in SPLIT else options.regimes
    changed = [*options.override, *(["disjoint"] * options.disjoint), *(["no-knowledge"] * (not options.knowledge))]
    if changed:
        options.out /= "-".join(sorted(changed)).replace("/", "_")
    return options


if __name__ == "__main__":
    main()
