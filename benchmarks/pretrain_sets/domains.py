"""One multi-domain model beside every baseline, in every domain: is pretraining on all worth it?

    GRAPHREC_DATA=FOLDER python -m benchmarks.pretrain_sets.domains amazon5 --seeds 5
    GRAPHREC_DATA=FOLDER python -m benchmarks.pretrain_sets.domains amazon5 --seeds 5 --print

Sets are shipped configurations. `graphrec` is pretrained on all domains at once, the epoch chosen by the mean
validation NDCG@10 and the weight of popularity by that of each domain, then trained anew on train and validation
events for as many epochs. Baselines learn from train and
validation events, of the domain alone (`own`) or of all domains (`merged`, where their memory allows). Every item of
the domain is ranked for every test event; seen items are left out. Differences are paired over users, whose values are
means over seeds. Cells stand in `--out`, so that a killed run goes on; deterministic baselines are fitted once.
`hr@10 of 1,000` is what a hit rate among 999 negatives, drawn evenly from the user's unseen items, would be on average;
of several held-out items of a user each has the others among its negatives, and the best chance counts.
With `--anchor` LightGCN (`lightgcn.py`, one seed) stands beside the baselines.
"""

import argparse
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.stats import hypergeom

from benchmarks.merged import Part, ones
from benchmarks.pretrain_sets.lightgcn import lightgcn
from graphrec.baselines.config import BaselinesConfig
from graphrec.baselines.registry import BASELINES, make_baseline
from graphrec.cli.config import load_config
from graphrec.cli.examples import example_folder
from graphrec.core.errors import ConfigError
from graphrec.core.progress import logger
from graphrec.core.tracking import NullTracker
from graphrec.core.types import FloatArray, IntArray, Scorer
from graphrec.core.workspace import Workspace
from graphrec.data.dataset import Events
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.graph.build import build_graph
from graphrec.graph.graph import EventEdges, MultiDomainGraph
from graphrec.graph.histories import Histories
from graphrec.metrics.compare import Bootstrap
from graphrec.metrics.measures import Values, hit_rate, ndcg
from graphrec.metrics.popularity import popularity_prior, with_prior
from graphrec.metrics.ranking import Ranks, rank
from graphrec.stages.ingest import ingest, read
from pretrain.config import PretrainConfig
from pretrain.stage import train
from pretrain.validate import Validation, count_events, encode_items, encode_users

OURS, ANCHOR, RANDOM = "graphrec", "lightgcn", ("ials", "gf_cf")
MERGED = ("item_knn", "rp3beta", "ials")
"""Baselines that stand for all domains at once: EASE and GF-CF are too large there."""
METRICS = {"ndcg@10": ndcg, "hr@10": hit_rate}
SAMPLED, NEGATIVES = "hr@10 of 1,000", 999


@dataclass(frozen=True, kw_only=True)
class World:
    """A set, split: the graph without test events, and the test events."""

    name: str
    graph: MultiDomainGraph
    test: Events
    pretrain: PretrainConfig

    @classmethod
    def of(cls, name: str, overrides: list[str]) -> "World":
        """Read and split the shipped configuration `name`."""
        config = load_config(example_folder() / f"{name}.yaml", overrides)
        built, _ = ingest(read(config.ingest), config.ingest, seed=0)
        triples, keep = built.dataset.triples, np.ones(len(built.dataset.triples), dtype=np.bool_)
        graph = build_graph(built.dataset, triples.confidence, keep=keep, drop_relations=config.merge.drop_relations)
        return cls(name=name, graph=graph, test=built.test, pretrain=config.pretrain)

    @property
    def whole(self) -> MultiDomainGraph:
        """The graph with its validation events among the train events."""
        return replace(self.graph, events={name: _trained(edges) for name, edges in self.graph.events.items()})

    def asked(self, domain: str) -> tuple[IntArray, IntArray]:
        """Return the users and the catalogue positions of the test events of `domain`."""
        events = self.test.of(list(self.graph.catalog).index(domain))
        return events.user, np.searchsorted(self.graph.catalog[domain], events.item)

    def history(self, domain: str) -> csr_array:
        """Return who had what in `domain`, `[num_users, num_items of the domain]`, ones."""
        events, catalog = self.graph.events[domain], self.graph.catalog[domain]
        return ones(events.user, np.searchsorted(catalog, events.item), (self.graph.num_users, len(catalog)))


def main() -> None:
    """Fill the cells that are missing, then print the table."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = _arguments()
    if not options.print:
        world = World.of(options.set, options.override)
        for seed in range(options.first, options.first + options.seeds):
            for name, values in cells(world, seed, options.out, _others(world, options)):
                logger.info("%s, seed %d: %s done (%d domains)", options.set, seed, name, len(values))
    sys.stdout.write(table(options.out / options.set) + "\n")


def cells(world: World, seed: int, out: Path, others: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Values]]]:
    """Yield the values of ours and of `others`, made or read: {domain/metric: one value per user}."""
    folder = out / world.name
    folder.mkdir(parents=True, exist_ok=True)
    for name in (OURS, *others):
        if seed and name != OURS and name.split()[0] not in RANDOM:
            continue
        path = folder / f"{name.replace(' ', '_')}-{seed}.npz"
        # Cells of an earlier version may lack a metric.
        if not path.exists() or {*METRICS, SAMPLED} - {key.split("/")[1] for key in np.load(path)}:
            found = _ours(world, seed, folder) if name == OURS else _theirs(world, name, seed)
            part = path.with_suffix(".part.npz")
            np.savez_compressed(part, **found)
            part.replace(path)
        yield name, dict(np.load(path))


def _others(world: World, options: argparse.Namespace) -> list[str]:
    several = len(world.graph.catalog) > 1
    own, merged = (BASELINES, MERGED) if options.baselines else ((), ())
    own, merged = ((*names, ANCHOR) if options.anchor else names for names in (own, merged))
    return [*(f"{name} own" for name in own), *(f"{name} merged" for name in merged if several)]


def _ours(world: World, seed: int, folder: Path) -> dict[str, FloatArray]:
    domains = tuple(world.graph.catalog)
    validation = Validation.of(world.graph, domains)
    first, chosen = _train(world.graph, domains, world.pretrain, seed, folder / f"{OURS}-{seed}")
    weights = validation.choose_popularity(first, world.pretrain.temperature)
    logger.info("%s, seed %d: %d epochs, popularity %s", world.name, seed, chosen, weights)
    again = replace(world.pretrain, fit=replace(world.pretrain.fit, epochs=chosen))
    encoder, _ = _train(world.whole, domains, again, seed, folder / f"{OURS}-refit-{seed}")
    histories = Histories.of(world.whole, domains, with_valid=False)
    with torch.no_grad():
        nodes = encoder.nodes()
    found: dict[str, FloatArray] = {}
    for index, domain in enumerate(domains):
        user, _ = world.asked(domain)
        catalog = world.graph.catalog[domain]
        z, item = encode_users(encoder, nodes, histories, np.unique(user), index), encode_items(encoder, nodes, catalog)
        prior = popularity_prior(count_events(histories, index, catalog), weights.get(domain, 0.0))
        found |= _measured(world, domain, with_prior(z, item, prior))
    return found


def _train(
    graph: MultiDomainGraph, domains: tuple[str, ...], config: PretrainConfig, seed: int, folder: Path
) -> tuple[MultiDomainEncoder, int]:
    folder.mkdir(exist_ok=True)
    made = train(graph, domains, config, seed=seed, workspace=Workspace(folder), tracker=NullTracker())
    return made.encoder, int(made.summary["best_epoch"])


def _theirs(world: World, name: str, seed: int) -> dict[str, FloatArray]:
    kind, scope = name.split()
    found: dict[str, FloatArray] = {}
    merged = _fitted(kind, _all(world), seed) if scope == "merged" else None
    for domain in world.graph.catalog:
        scorer = Part(merged, world.graph.catalog[domain]) if merged else _fitted(kind, world.history(domain), seed)
        found |= _measured(world, domain, scorer)
    return found


def _fitted(kind: str, history: csr_array, seed: int) -> Scorer:
    return lightgcn(history, seed) if kind == ANCHOR else make_baseline(kind, BaselinesConfig()).fit(history, seed)


def _all(world: World) -> csr_array:
    events = world.graph.events.values()
    user, item = (np.concatenate([getattr(e, name) for e in events]) for name in ("user", "item"))
    return ones(user, item, (world.graph.num_users, world.graph.num_items))


def _measured(world: World, domain: str, scorer: Scorer) -> dict[str, FloatArray]:
    user, place = world.asked(domain)
    if not len(user):
        return {}
    history = world.history(domain)
    ranks = rank(scorer, user, place, history).ranks
    found = {name: measure(ranks, 10) for name, measure in METRICS.items()}
    found[SAMPLED] = _sampled(ranks, np.asarray(history.shape[1] - np.diff(history.indptr)))
    return {f"{domain}/{name}": values.astype(np.float32) for name, values in found.items()}


def _sampled(ranks: Ranks, unseen: IntArray) -> Values:
    # Of all but the item itself, so many rank above it: how likely are fewer than 10 of these among the negatives?
    others = unseen[ranks.user] - 1
    drawn = np.minimum(NEGATIVES, others)
    # A tie is half above, half below.
    above = [hypergeom.cdf(9, others, half(ranks.value), drawn) for half in (np.floor, np.ceil)]
    chance = np.where(others > 0, np.mean(above, axis=0), 1.0)
    return np.asarray(np.maximum.reduceat(chance, ranks.starts))


def table(folder: Path) -> str:
    """Return a Markdown table per domain: mean, spread over seeds, and ours minus each with its 95 % interval."""
    found: dict[str, list[Mapping[str, FloatArray]]] = {}
    for path in sorted(folder.glob("*.npz")):
        if lacking := {*METRICS, SAMPLED} - {key.split("/")[1] for key in np.load(path)}:
            raise ConfigError(f"{path} has no {', '.join(sorted(lacking))}; run without --print to measure it again")
        found.setdefault(path.stem.rsplit("-", 1)[0].replace("_own", " own").replace("_merged", " merged"), []).append(
            dict(np.load(path))
        )
    if OURS not in found:
        raise ConfigError(f"{folder}: no cell of {OURS}; run without --print first")
    metrics = (*METRICS, SAMPLED)
    heads = [
        head for metric in metrics for head in (metric.replace("ndcg", "NDCG").replace("hr", "HR"), "ours over it")
    ]
    rows = [f"| domain | model | seeds | {' | '.join(heads)} |", "|---" * (3 + len(heads)) + "|"]
    for domain in dict.fromkeys(key.split("/")[0] for key in found[OURS][0]):
        users = {
            metric: {name: np.mean([c[f"{domain}/{metric}"] for c in cells], axis=0) for name, cells in found.items()}
            for metric in metrics
        }
        drawn = {metric: Bootstrap.draw(values, seed=0) for metric, values in users.items()}
        for name in sorted(found, key=lambda n: -users["ndcg@10"][n].mean()):
            rows.append(_row(domain, name, found[name], drawn))
    return "\n".join(rows)


def _row(domain: str, name: str, found: list[Mapping[str, FloatArray]], drawn: Mapping[str, Bootstrap]) -> str:
    columns = []
    for metric, bootstrap in drawn.items():
        means = [float(cell[f"{domain}/{metric}"].mean()) for cell in found]
        spread = f" ± {np.std(means, ddof=1):.4f}" if len(means) > 1 else ""
        gain = bootstrap.difference(OURS, name)
        against = "" if name == OURS else f"{gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
        columns += [f"{np.mean(means):.4f}{spread}", against]
    return f"| {domain} | {name} | {len(found)} | {' | '.join(columns)} |"


def _trained(edges: EventEdges) -> EventEdges:
    return replace(edges, valid=np.zeros(len(edges), dtype=np.bool_))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=sys.modules[__name__].__doc__.splitlines()[0])
    parser.add_argument("set", help="Name of a shipped configuration.")
    parser.add_argument("override", nargs="*", help="Options of it, KEY=VALUE.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="First seed.")
    parser.add_argument("--out", type=Path, default=Path("runs/bench/pretrain_sets"))
    parser.add_argument(
        "--no-baselines", dest="baselines", action="store_false", help="No row of `graphrec.baselines`."
    )
    parser.add_argument("--anchor", action="store_true", help="A LightGCN by torch-geometric, too.")
    parser.add_argument("--print", action="store_true", help="Only print the table of what is there.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
