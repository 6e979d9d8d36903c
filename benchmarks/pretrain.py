"""Pretraining measured: quality against published numbers, and the time to get there.

    GRAPHREC_DATA=FOLDER python -m benchmarks.pretrain gowalla --seeds 3     # epoch by validation, refit, test once
    GRAPHREC_DATA=FOLDER python -m benchmarks.pretrain gowalla --epochs 32 --popularity 0.1   # both as chosen before
    GRAPHREC_DATA=FOLDER python -m benchmarks.pretrain speed --seeds 1       # from the parquet file to a test number

`--graph FOLDER` writes the prepared graph and test events there, or reads them where they are, so that a machine
without the data can run it. `--out` takes checkpoints (a killed run goes on) and `pretrain.jsonl`, a line per run.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_array

from graphrec.core.tracking import NullTracker
from graphrec.core.types import JSON, FloatArray, IntArray
from graphrec.core.workspace import Workspace
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.encoders.config import EncoderConfig
from graphrec.graph.graph import EventEdges, MultiDomainGraph
from graphrec.graph.histories import Histories
from graphrec.metrics.measures import ndcg, recall
from graphrec.metrics.popularity import popularity_prior, with_prior
from graphrec.metrics.ranking import rank
from graphrec.training.config import FitConfig
from pretrain.config import PretrainConfig
from pretrain.stage import train
from pretrain.validate import Validation, count_events, encode_items, encode_users

DOMAIN, CUTOFF = "places", 20

QUALITY = PretrainConfig(
    encoder=EncoderConfig(
        kind="lightgcn",
        start="spectral",
        layers=2,
        own_weight=0.0,
        degree_power=0.4,
        leave_out=True,
        kg_weight=0.0,
    ),
    fit=FitConfig(epochs=32, lr=2e-2, batch_size=8192, schedule="cosine", eval_every=8, patience=5, weight_decay=0.3),
    temperature=0.1,
    num_negatives=8192,
    negative_power=0.5,
    popularity=1.0,
    balance=1.0,
)
"""Chosen on matched validation events (seed 0), option by option, at 20 to 25 epochs with 4,096 negatives; the whole
set together, with 32 epochs and 8,192, has no validation of its own.

NDCG@20 there, each with its own best weight of popularity, from .1404 without `popularity` to .1456 with .7 (.1459
with 1); `leave_out` .1456 for .1447; `own_weight` 0 .1463, .4 .1456; `degree_power` .4 .1456 for .1440 (at `own_weight`
1); 16,384 negatives .1462, 1,024 .1444; 40 epochs .1460, with a decay of .3 .1463. No gain: 3 layers, temperatures .08
and .115, noise, dropped edges, users weighted by their number of events, learning rates .01 and .03.
"""

SPEED = replace(QUALITY, num_negatives=1024, fit=replace(QUALITY.fit, epochs=6, eval_every=2))
"""The same with an eighth of the negatives and few epochs: .1441 on the same validation events."""


MATCH = 0.18
"""With `--match` validation events are drawn by popularity to this power. The test part is no random one: popularity
has a Recall@20 of .0416 there (published), .025 on validation events drawn evenly, and .0418 on these."""


@dataclass(frozen=True)
class Problem:
    """One domain's graph and its test events."""

    graph: MultiDomainGraph
    user: IntArray
    item: IntArray

    @classmethod
    def prepare(cls) -> "Problem":
        """Read and split the data as the shipped configuration says."""
        from graphrec.cli.config import load_config
        from graphrec.cli.examples import example_folder
        from graphrec.graph.build import build_graph
        from graphrec.stages.ingest import ingest, read

        config = load_config(example_folder() / "gowalla.yaml", [])
        built, _ = ingest(read(config.ingest), config.ingest, seed=0)
        triples = built.dataset.triples
        graph = build_graph(built.dataset, triples.confidence, keep=np.ones(len(triples), bool), drop_relations=())
        return cls(graph, built.test.user, built.test.item)

    @classmethod
    def get(cls, folder: Path | None) -> "Problem":
        """Read the problem from `folder`, or prepare it and leave it there for the next."""
        if folder is not None and (folder / "test.safetensors").exists():
            test = load_file(folder / "test.safetensors")
            return cls(MultiDomainGraph.load(folder), test["user"], test["item"])
        made = cls.prepare()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            made.graph.save(folder)
            save_file({"user": made.user, "item": made.item}, folder / "test.safetensors")
        return made

    def matched(self) -> "Problem":
        """Return the problem with another tenth of each user's events for validation, drawn as `MATCH` says."""
        events = self.graph.events[DOMAIN]
        count = np.bincount(events.item, minlength=self.graph.num_items)
        key = np.random.default_rng(0).gumbel(size=len(events)) + MATCH * np.log(count[events.item])
        order = np.lexsort((-key, events.user))
        total = np.bincount(events.user, minlength=self.graph.num_users)
        place = np.empty(len(events), dtype=np.int64)
        place[order] = np.arange(len(events)) - (np.cumsum(total) - total)[events.user[order]]
        chosen = replace(events, valid=place < total[events.user] // 10)
        return replace(self, graph=replace(self.graph, events={DOMAIN: chosen}))

    @property
    def with_valid(self) -> "Problem":
        """The problem with its validation events among the train events."""
        events = self.graph.events[DOMAIN]
        valid = np.zeros(len(events), dtype=np.bool_)
        whole = EventEdges(user=events.user, item=events.item, valid=valid, weight=events.weight)
        return replace(self, graph=replace(self.graph, events={DOMAIN: whole}))


def main() -> None:
    """Run what the command line asks for and print a line per run."""
    options = _arguments()
    os.environ.setdefault("GRAPHREC_DATA", str(options.data) if options.data else "")
    options.out.mkdir(parents=True, exist_ok=True)
    run = {"gowalla": gowalla, "speed": speed}[options.what]
    for row in run(options):
        line = json.dumps({"what": options.what, "device": _device().type, "threads": torch.get_num_threads(), **row})
        with (options.out / "pretrain.jsonl").open("a") as file:
            file.write(line + "\n")
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def gowalla(options: argparse.Namespace) -> Iterator[JSON]:
    """Choose the epoch on validation, train anew on train and validation events for as many, rank the test events."""
    problem = Problem.get(options.graph)
    config = SPEED if options.quick else QUALITY
    problem, label = (problem.matched(), "matched") if options.match else (problem, "chosen")
    for seed in range(options.first, options.first + options.seeds):
        began = time.perf_counter()
        if options.epochs is not None:
            known: JSON = {"epochs": options.epochs, "popularity": options.popularity}
        else:
            known = _choose(problem, config, seed, options.out, label)
        again = replace(config, fit=replace(config.fit, epochs=known["epochs"]))
        encoder, _ = _train(problem.with_valid, again, seed, options.out, "refit")
        yield {
            "seed": seed,
            "validation": label,
            **known,
            **_test(encoder, problem, known["popularity"]),
            "seconds": round(time.perf_counter() - began, 1),
        }


def _choose(problem: Problem, config: PretrainConfig, seed: int, out: Path, label: str) -> JSON:
    """Train with validation and return the best epoch and the best weight of popularity."""
    validation = Validation.of(problem.graph, (DOMAIN,))
    encoder, made = _train(problem, config, seed, out, label)
    return {
        "epochs": made["best_epoch"],
        "popularity": validation.choose_popularity(encoder, config.temperature)[DOMAIN],
        "valid_ndcg@10": max(row["valid"] for row in made["curve"] if row["valid"] is not None),
    }


def speed(options: argparse.Namespace) -> Iterator[JSON]:
    """Time everything from the data file to vectors, then rank the test events."""
    config = replace(SPEED, fit=replace(SPEED.fit, epochs=options.epochs or SPEED.fit.epochs))
    for seed in range(options.first, options.first + options.seeds):
        began = time.perf_counter()
        problem = Problem.get(None) if options.graph is None else Problem.get(options.graph)
        encoder, _ = _train(problem.with_valid, config, seed, options.out, f"speed{time.time_ns()}")
        seconds = time.perf_counter() - began
        found = _test(encoder, problem, options.popularity)
        yield {"seed": seed, "epochs": config.fit.epochs, "seconds": round(seconds, 1), **found}


def _train(
    problem: Problem, config: PretrainConfig, seed: int, out: Path, label: str
) -> tuple[MultiDomainEncoder, JSON]:
    folder = Workspace(out).part(f"gowalla-{seed}").part(label)
    made = train(problem.graph, (DOMAIN,), config, seed=seed, workspace=folder, tracker=NullTracker())
    return made.encoder, made.summary


def _test(encoder: MultiDomainEncoder, problem: Problem, popularity: float) -> JSON:
    graph = problem.with_valid.graph
    histories = Histories.of(graph, encoder.domains, with_valid=True)
    encoder.look_at(histories)
    with torch.no_grad():
        nodes = encoder.nodes()
    catalog, events = graph.catalog[DOMAIN], graph.events[DOMAIN]
    z: FloatArray = encode_users(encoder, nodes, histories, np.unique(problem.user), 0)
    prior = popularity_prior(count_events(histories, 0, catalog), popularity)
    scorer = with_prior(z, encode_items(encoder, nodes, catalog), prior)
    ones = np.ones(len(events), dtype=np.float32)
    seen = csr_array((ones, (events.user, np.searchsorted(catalog, events.item))), (graph.num_users, len(catalog)))
    ranks = rank(scorer, problem.user, np.searchsorted(catalog, problem.item), seen).ranks
    return {
        f"{name}@{CUTOFF}": round(float(measure(ranks, CUTOFF).mean()), 5)
        for name, measure in (("recall", recall), ("ndcg", ndcg))
    }


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=sys.modules[__name__].__doc__.splitlines()[0])
    parser.add_argument("what", choices=("gowalla", "speed"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--graph", type=Path, help="Folder of the prepared problem, made where it is missing.")
    parser.add_argument("--match", action="store_true", help="Validation as popular as the test part is (gowalla).")
    parser.add_argument("--quick", action="store_true", help="The configuration of `speed` (gowalla).")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--popularity", type=float, default=0.1, help="Weight of popularity, as `gowalla` chose it before."
    )
    parser.add_argument("--epochs", type=int, help="Epochs as chosen before: no validation, only the refit.")
    parser.add_argument("--first", type=int, default=0, help="First seed.")
    parser.add_argument("--out", type=Path, default=Path("runs/bench/pretrain"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
