"""Pretraining on made-up worlds of growing size: time and memory per edge, and that it learns.

    python -m benchmarks.pretrain_scale --edges 1e6 1e7 1e8

One epoch of the encoder `views` in the sampled regime, d 64: a fifth as many users as edges, a
fiftieth as many items in four domains, one triple an item, a tenth of them false. Each size runs in
a process of its own, whose peak memory is reported whole: generator, graph, training, validation,
checkpoint. Recall@20 is that of held-out events among all items of their domain. Seconds are of the
process and of the clock: on a busy machine only the former can be compared.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

NUM_DOMAINS, CLUSTER, HELD = 4, 250, 4000
"""Domains, items of a cluster in each of them, users to validate on (about)."""

COLUMNS = (
    "edges",
    "nodes",
    "generate s",
    "in all s",
    "trained",
    "epoch s",
    "epoch cpu s",
    "cpu us/edge",
    "graph B/edge",
    "peak GiB",
    "peak B/edge",
    "recall@20",
    "popularity",
)


def main() -> None:
    """Measure every size and print a table."""
    options = _arguments()
    if options.child:
        print(json.dumps(measure(int(options.edges[0]), options)))
        return
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    for edges in options.edges:
        print(_row(_in_process(edges, options)), flush=True)


def _in_process(edges: float, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.pretrain_scale", "--child", "--edges", str(edges)]
    command += ["--threads", str(options.threads), "--batch", str(options.batch), "--seed", str(options.seed)]
    command += ["--negatives", str(options.negatives), "--lr", str(options.lr)]
    command += ["--steps", str(options.steps)] if options.steps else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: failed with status {status}")
    return {**json.loads(text), "peak": usage.ru_maxrss * 1024}


def _row(found: dict[str, Any]) -> str:
    edges = found["edges"]
    shown = (
        f"{edges:,}",
        f"{found['nodes']:,}",
        f"{found['generate']:.1f}",
        f"{found['train']:.1f}",
        f"{found['share']:.3f}",
        f"{found['wall']:.1f}",
        f"{found['cpu']:.1f}",
        f"{found['cpu'] / edges * 1e6:.1f}",
        f"{found['graph_bytes'] / edges:.1f}",
        f"{found['peak'] / 2**30:.2f}",
        f"{found['peak'] / edges:.0f}",
        f"{found['recall']:.4f}",
        f"{found['popularity']:.4f}",
    )
    return f"| {' | '.join(shown)} |"


class _Clock:
    """Times the epoch's steps, batches included, and ends it after `limit` of them."""

    def __init__(self, limit: int | None) -> None:
        self.limit, self.steps, self.times = limit, 0, []

    def watch(self, batches: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """Return `batches` under the clock."""

        def watched(task: Any, epoch: int) -> Iterator[Any]:
            self._note()
            for batch in islice(batches(task, epoch), self.limit):
                if not self.steps:
                    self._note()
                yield batch
                self.steps += 1
            self._note()

        return watched

    def seconds(self, kind: int, share: float) -> float:
        """Return the seconds of the clock (0) or the process (1) for a whole epoch, of which `share` was trained."""
        start, first, end = (time[kind] for time in self.times)
        return float(first - start + (end - first) / share)

    def _note(self) -> None:
        self.times.append((time.monotonic(), time.process_time()))


def measure(edges: int, options: argparse.Namespace) -> dict[str, Any]:
    """Make the world, train one epoch on it, and say what that took and what came of it."""
    import torch

    from graphrec.core.tracking import NullTracker
    from graphrec.core.workspace import Workspace
    from graphrec.training.config import FitConfig
    from pretrain.config import PretrainConfig
    from pretrain.stage import train
    from pretrain.task import PretrainTask

    torch.set_num_threads(options.threads)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    start = time.monotonic()
    graph = make_graph(edges, options.seed)
    generated = time.monotonic() - start
    held_bytes = _bytes(array for events in graph.events.values() for array in vars(events).values())
    config = PretrainConfig(
        fit=FitConfig(epochs=1, lr=options.lr, batch_size=options.batch),
        num_negatives=options.negatives,
        regime="sampled",
        balance=1.0,
    )
    clock = _Clock(options.steps)
    PretrainTask.batches = clock.watch(PretrainTask.batches)
    start = time.monotonic()
    with Workspace.temporary() as workspace:
        trained = train(graph, graph.domains, config, seed=options.seed, workspace=workspace, tracker=NullTracker())
    took = time.monotonic() - start
    held_bytes += _bytes(vars(trained.validation.histories).values())
    ours, popularity = _recalls(trained)
    events = sum(map(len, graph.events.values()))
    share = min(1.0, clock.steps * options.batch / events)
    return {
        "edges": events,
        "share": share,
        "nodes": sum(graph.num_nodes().values()),
        "generate": generated,
        "train": took,
        "wall": clock.seconds(0, share),
        "cpu": clock.seconds(1, share),
        "graph_bytes": held_bytes,
        "recall": ours,
        "popularity": popularity,
    }


def _bytes(arrays: Iterable[Any]) -> int:
    """Return what arrays take; one that repeats a single number takes nothing."""
    return sum(a.nbytes for a in arrays if isinstance(a, np.ndarray) and a.strides != (0,))


def _recalls(trained: Any) -> tuple[float, float]:
    from graphrec.metrics.measures import recall
    from graphrec.metrics.ranking import rank
    from graphrec.metrics.scorers import VectorScorer

    ours, popular = [], []
    validation, domains = trained.validation, trained.encoder.domains
    for domain, ranks in validation.ranks(trained.encoder):
        index, catalog = domains.index(domain), validation.graph.catalog[domain]
        users, row = np.unique(ranks.user, return_inverse=True)
        part = validation.histories.of_domain(index)
        count = np.bincount(validation.histories.item[part] - catalog[0], minlength=len(catalog)).astype(np.float32)
        scorer = VectorScorer(np.ones((len(users), 1), dtype=np.float32), count[:, None])
        known = rank(scorer, row, ranks.item, validation.histories.seen(users, index, catalog)).ranks
        ours.append(recall(ranks, 20))
        popular.append(recall(known, 20))
    return float(np.concatenate(ours).mean()), float(np.concatenate(popular).mean())


def make_graph(edges: int, seed: int) -> Any:
    """Return the world with about `edges` events."""
    from benchmarks._numba_world import count_events, write_events
    from graphrec.graph.graph import Edges, EventEdges, MultiDomainGraph

    num_users = edges // 5
    num_clusters = max(2, edges // 50 // NUM_DOMAINS // CLUSTER)
    num_items = num_clusters * CLUSTER
    events, catalog = {}, {}
    for domain in range(NUM_DOMAINS):
        size = count_events(seed, num_users, domain, NUM_DOMAINS)
        user, item = np.empty(size, dtype=np.int32), np.empty(size, dtype=np.int32)
        valid = np.zeros(size, dtype=np.bool_)
        held = max(1, num_users // (HELD // NUM_DOMAINS))
        write_events(seed, domain, NUM_DOMAINS, num_users, num_items, num_clusters, held, user, item, valid)
        events[f"domain_{domain}"] = EventEdges(user=user, item=item, valid=valid)
        catalog[f"domain_{domain}"] = np.arange(num_items) + domain * num_items
    rng = np.random.default_rng(seed)
    items = np.arange(num_items * NUM_DOMAINS)
    brand = (items % num_items % num_clusters) * 5 + rng.integers(0, 5, size=len(items))
    brand = np.where(rng.random(len(items)) < 0.1, rng.integers(0, num_clusters * 5, size=len(items)), brand)
    weight = rng.uniform(0.5, 1.0, size=len(items)).astype(np.float32)
    return MultiDomainGraph(
        num_users=num_users,
        num_items=len(items),
        num_entities=num_clusters * 5,
        catalog=catalog,
        events=events,
        knowledge={("item", "made_by", "entity"): Edges(source=items, target=brand, weight=weight)},
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=sys.modules[__name__].__doc__.splitlines()[0])
    parser.add_argument("--edges", type=float, nargs="+", default=[1e6, 1e7])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8192)
    parser.add_argument("--negatives", type=int, default=512)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="stop after so many steps and tell an epoch by them")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
