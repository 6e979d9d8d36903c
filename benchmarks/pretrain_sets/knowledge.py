"""What knowledge gives to pretraining: one model with the triples, with them denoised, dealt anew, and without.

    GRAPHREC_DATA=FOLDER python -m benchmarks.pretrain_sets.knowledge beauty lastfm planted --seeds 3
    GRAPHREC_DATA=FOLDER python -m benchmarks.pretrain_sets.knowledge journey_disjoint planted_disjoint --seeds 3
    GRAPHREC_DATA=FOLDER python -m benchmarks.pretrain_sets.knowledge journey_cold lastfm_cold beauty_cold --seeds 3

Arms: `none` has no triples; `random` all of them, their tails dealt anew within each relation; `split` all of them, but
every domain has entities of its own, so that knowledge ties no domains; `raw` all of them; `denoised` what `denoise`
keeps, by quick signals without labels. The epoch and each domain's weight of popularity are chosen on validation, the
test part is ranked once, in every domain that is named.

In the sets called `disjoint` every user keeps one domain, drawn by seed, so that entities are the only bridge. In those
called `cold` a tenth of the items lost all their events, and these alone are ranked; `nearest` does so by how alike
their entities are to those of the user's items (cosine, idf). Differences are paired over users, whose values are means
over the seeds and domains that asked for them. Cells stand in `--out`, so that a killed run goes on.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_array

from benchmarks.denoise_sets.recommend import WORLD, learned
from benchmarks.merged import Part, ones
from benchmarks.nearest import nearest
from graphrec.cli.config import RunConfig, load_config
from graphrec.cli.examples import example_folder
from graphrec.cli.worth_arms import shuffle_tails
from graphrec.cli.worth_measure import paired_p
from graphrec.core.progress import logger
from graphrec.core.tracking import NullTracker
from graphrec.core.types import IntArray, Scorer
from graphrec.core.workspace import Workspace
from graphrec.data.dataset import Dataset, Events, Triples
from graphrec.data.simulate import plant
from graphrec.graph.build import build_graph
from graphrec.graph.graph import Edges, EdgeType, MultiDomainGraph
from graphrec.graph.histories import Histories
from graphrec.metrics.compare import Bootstrap
from graphrec.metrics.measures import Values, ndcg, recall
from graphrec.metrics.popularity import popularity_prior, with_prior
from graphrec.metrics.ranking import rank
from graphrec.stages.ingest import ingest, read
from graphrec.stages.merge import Believed, merge
from pretrain.stage import train
from pretrain.validate import Validation, count_events, encode_items, encode_users

NONE, RANDOM, SPLIT, RAW, DENOISED, NEAREST = "none", "random", "split", "raw", "denoised", "nearest"
METRICS = {"ndcg@10": (ndcg, 10), "recall@20": (recall, 20)}


@dataclass(frozen=True, kw_only=True)
class Bed:
    """A shipped configuration (or a planted world), what is changed in it, the domains trained on and those ranked.

    No domain named: all of them.
    """

    config: str = ""
    changes: tuple[str, ...] = ()
    world: tuple[str, ...] = ()
    trained: tuple[str, ...] = ()
    ranked: tuple[str, ...] = ()
    disjoint: bool = False


_COLD = ("ingest.split.kind=cold_items", "pretrain.cold_items=true", "pretrain.popularity=0")
"""An item without events is the least popular of all: where popularity counts, it comes last."""
_SMALL = (
    "pretrain.encoder.dim=32",
    "pretrain.encoder.kg_weight=2",
    "pretrain.num_negatives=512",
    "pretrain.fit.epochs=30",
    "pretrain.fit.batch_size=1024",
    "pretrain.fit.patience=2",
)
"""As in the test of recommendation under noise, where it was chosen on validation."""
_DEPARTMENTS = (
    "ingest.journey.departments=[PRODUCE,MEAT-PCKGD,MEAT,DELI,PASTRY,NUTRITION,SEAFOOD-PCKGD,COSMETICS,MISCELLANEOUS,"
    "FLORAL,SALAD BAR,SEAFOOD]"
)
_AMAZON = ("pretrain.fit.epochs=8", "pretrain.fit.patience=2", "pretrain.regime=sampled")
BEDS: Mapping[str, Bed] = {
    "beauty": Bed(config="amazon5", changes=_AMAZON, trained=("beauty",), ranked=("beauty",)),
    "lastfm": Bed(config="lastfm_kg", changes=_SMALL),
    "planted": Bed(world=WORLD[1:], changes=(*_SMALL, "pretrain.temperature=0.3")),
    "journey_disjoint": Bed(config="complete_journey", changes=(_DEPARTMENTS,), disjoint=True),
    "planted_disjoint": Bed(changes=(*_SMALL, "pretrain.temperature=0.3"), disjoint=True),
    "journey_cold": Bed(config="complete_journey", changes=("ingest.journey.departments=[NUTRITION]", *_SMALL, *_COLD)),
    "lastfm_cold": Bed(config="lastfm_kg", changes=(*_SMALL, *_COLD)),
    "beauty_cold": Bed(
        config="amazon5",
        changes=(*_AMAZON, *_COLD, "pretrain.encoder.kg_weight=2"),
        trained=("beauty",),
        ranked=("beauty",),
    ),
}
"""Name -> test bed. `complete_journey` says of itself that it is simulated from real shopping patterns."""


@dataclass(frozen=True)
class Data:
    """A test bed, read and split, for one seed."""

    bed: Bed
    config: RunConfig
    dataset: Dataset
    test: Events
    seed: int

    @classmethod
    def of(cls, bed: Bed, seed: int) -> "Data":
        """Read and split."""
        with tempfile.TemporaryDirectory() as folder:
            path = example_folder() / f"{bed.config}.yaml"
            if not bed.config:
                plant(Path(folder) / "world", bed.world, Path(folder) / "truth")
                path = Path(folder) / "world" / "world.yaml"
            config = load_config(path, list(bed.changes))
            built, _ = ingest(read(config.ingest), config.ingest, seed=config.seed)
        return cls(bed, config, built.dataset, built.test, seed)

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that say something here."""
        several = (SPLIT,) if self.bed.disjoint else ()
        cold = (NEAREST,) if self.config.pretrain.cold_items else ()
        return (NONE, RANDOM, *several, RAW, DENOISED, *cold)

    @cached_property
    def home(self) -> IntArray:
        """The one domain that each user keeps in a disjoint set."""
        drawn = np.random.default_rng(self.seed).integers(0, len(self.dataset.domains), len(self.dataset.users))
        return np.asarray(drawn, dtype=np.int64)

    def graph(self, arm: str) -> MultiDomainGraph:
        """Return the graph of `arm`."""
        dataset, drop = self.dataset, self.config.merge.drop_relations
        if arm == DENOISED:
            graph = merge(dataset, self._believed(), self.config.merge)
        else:
            triples: Triples = shuffle_tails(dataset.triples, self.seed) if arm == RANDOM else dataset.triples
            keep = np.full(len(triples), arm != NONE)
            graph = build_graph(replace(dataset, triples=triples), triples.confidence, keep=keep, drop_relations=drop)
        if self.bed.disjoint:
            kept = {d: e.where(self.home[e.user] == n) for n, (d, e) in enumerate(graph.events.items())}
            graph = replace(graph, events=kept)
        return apart(graph) if arm == SPLIT else graph

    def _believed(self) -> Believed:
        true = np.ones(len(self.dataset.triples), dtype=np.bool_)
        return learned(self.config.denoise.keep.policy)(self.dataset, true, self.seed)

    def asked(self, graph: MultiDomainGraph, domain: str) -> tuple[IntArray, IntArray]:
        """Return users and catalogue positions of the test events of `domain`."""
        number = list(graph.catalog).index(domain)
        events = self.test.of(number)
        stays = self.home[events.user] == number if self.bed.disjoint else np.ones(len(events.user), dtype=np.bool_)
        return events.user[stays], np.searchsorted(graph.catalog[domain], events.item[stays])


def apart(graph: MultiDomainGraph) -> MultiDomainGraph:
    """Return `graph` with a copy of every entity for each domain: they describe items as before, but tie no domains."""
    home = np.full(graph.num_items, -1, dtype=np.int64)
    for number, items in enumerate(graph.catalog.values()):
        assert (home[items] < 0).all(), "an item of two domains ties them whatever its entities do"
        home[items] = number
    count, domains = graph.num_entities, len(graph.catalog)
    found: dict[EdgeType, Edges] = {}
    for kind, edges in graph.knowledge.items():
        source, target, weight = edges.source, edges.target, edges.weight
        if kind[0] == "item" and kind[2] == "entity":
            target = target + count * home[source]
        elif kind[0] == "entity" and kind[2] == "item":
            source = source + count * home[target]
        elif kind[0] == kind[2] == "entity":
            shift = np.repeat(np.arange(domains), len(source)) * count
            source, target = np.tile(source, domains) + shift, np.tile(target, domains) + shift
            weight = np.tile(weight, domains)
        order = np.lexsort((target, source))
        found[kind] = Edges(source=source[order], target=target[order], weight=weight[order])
    return replace(graph, num_entities=count * domains, knowledge=found)


def measured(data: Data, arm: str) -> dict[str, Values]:
    """Train one arm and rank; {domain/metric: one value per user asked about}."""
    if arm == NEAREST:
        return _ranked(data, data.graph(RAW), lambda graph, domain: nearest(graph, domain, _had(graph, domain)))
    graph, config = data.graph(arm), data.config.pretrain
    domains = data.bed.trained or tuple(graph.catalog)
    with Workspace.temporary() as work:
        encoder = train(graph, domains, config, seed=data.seed, workspace=work, tracker=NullTracker()).encoder
    weights: Mapping[str, float] = {}
    if not config.cold_items:
        weights = Validation.of(graph, domains).choose_popularity(encoder, config.temperature)
    histories = Histories.of(graph, domains, with_valid=True)
    encoder.look_at(histories)
    with torch.no_grad():
        nodes = encoder.nodes()

    def scorer(graph: MultiDomainGraph, domain: str) -> Scorer:
        index, catalog = domains.index(domain), graph.catalog[domain]
        users = np.unique(data.asked(graph, domain)[0])
        prior = popularity_prior(count_events(histories, index, catalog), weights.get(domain, 0.0))
        z = encode_users(encoder, nodes, histories, users, index)
        return with_prior(z, encode_items(encoder, nodes, catalog), prior)

    return _ranked(data, graph, scorer)


def _ranked(
    data: Data, graph: MultiDomainGraph, scorer: Callable[[MultiDomainGraph, str], Scorer]
) -> dict[str, Values]:
    found: dict[str, Values] = {}
    for domain in data.bed.ranked or tuple(graph.catalog):
        user, place = data.asked(graph, domain)
        if len(user):
            made, had = scorer(graph, domain), _had(graph, domain)
            if data.config.pretrain.cold_items:
                # Nothing but new items is asked for; how they stand to the others would be another question.
                new = np.flatnonzero(np.bincount(had.indices, minlength=had.shape[1]) == 0)
                made, place, had = Part(made, new), np.searchsorted(new, place), csr_array(had[:, new])
            ranks = rank(made, user, place, had).ranks
            found[f"{domain}/user"] = np.unique(ranks.user).astype(np.float64)
            found |= {f"{domain}/{name}": measure(ranks, k) for name, (measure, k) in METRICS.items()}
    return found


def _had(graph: MultiDomainGraph, domain: str) -> csr_array:
    events, catalog = graph.events[domain], graph.catalog[domain]
    return ones(events.user, np.searchsorted(catalog, events.item), (graph.num_users, len(catalog)))


def main() -> None:
    """Fill the cells that are missing, then print the table."""
    options = _arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in range(options.first, options.first + options.seeds) if not options.print else ():
        for name in options.sets:
            data = Data.of(BEDS[name], seed)
            for arm in data.arms:
                path = options.out / f"{name}-{arm}-{seed}.npz"
                if not path.exists():
                    part, found = path.with_suffix(".part"), measured(data, arm)
                    with part.open("wb") as file:
                        np.savez_compressed(file, **found)
                    part.replace(path)
                    logger.info("%s", path.stem)
    sys.stdout.write(table(options.out, options.sets) + "\n")


def table(folder: Path, sets: Sequence[str]) -> str:
    """Return a Markdown table: each arm's means over all users asked about, and its NDCG@10 over `none` and `raw`."""
    rows = [
        "| set | arm | seeds | NDCG@10 | Recall@20 | over none, NDCG@10 (95 %) | p | over raw, NDCG@10 (95 %) | p |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in sets:
        found: dict[str, dict[int, Mapping[str, Values]]] = {}
        for path in folder.glob(f"{name}-*.npz"):
            _, arm, seed = path.stem.rsplit("-", 2)
            found.setdefault(arm, {})[int(seed)] = dict(np.load(path))
        rows += [_row(name, arm, found) for arm in (NONE, RANDOM, SPLIT, NEAREST, RAW, DENOISED) if arm in found]
    return "\n".join(rows)


def _row(name: str, arm: str, found: Mapping[str, Mapping[int, Mapping[str, Values]]]) -> str:
    columns = [name, arm, str(len(found[arm]))]
    for metric in METRICS:
        each = [_joined(cell, metric).mean() for cell in found[arm].values()]
        columns.append(f"{np.mean(each):.4f}{f' ± {np.std(each, ddof=1):.4f}' if len(each) > 1 else ''}")
    for other in (NONE, RAW):
        columns += _over(found[arm], found[other]) if arm != other and other in found else ["", ""]
    return f"| {' | '.join(columns)} |"


def _over(one: Mapping[int, Mapping[str, Values]], other: Mapping[int, Mapping[str, Values]]) -> list[str]:
    both = sorted(set(one) & set(other))
    # One value per user, whatever seeds and domains asked for them.
    user = np.concatenate([_joined(one[seed], "user") for seed in both]).astype(np.int64)
    _, row = np.unique(user, return_inverse=True)
    pair = [np.concatenate([_joined(cells[seed], "ndcg@10") for seed in both]) for cells in (one, other)]
    first, second = (np.bincount(row, weights=values) / np.bincount(row) for values in pair)
    gain = Bootstrap.draw({"one": first, "other": second}, 0).difference("one", "other")
    return [f"{gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})", f"{paired_p(first - second):.2g}"]


def _joined(cell: Mapping[str, Values], what: str) -> Values:
    return np.concatenate([values for key, values in cell.items() if key.endswith(f"/{what}")])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(sys.modules[__name__].__doc__).splitlines()[0])
    parser.add_argument("sets", nargs="+", choices=tuple(BEDS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="First seed.")
    parser.add_argument("--out", type=Path, default=Path("runs/bench/knowledge"))
    parser.add_argument("--print", action="store_true", help="Only print the table of what is there.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
