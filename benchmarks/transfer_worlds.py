"""Selection on planted worlds, whose true subset is known: is it found, and is nothing found where nothing helps?

    python -m benchmarks.transfer_worlds small --seeds 30      # six sources, two of which help
    python -m benchmarks.transfer_worlds large --seeds 10      # 12 to 20 sources, three to five of which help
    python -m benchmarks.transfer_worlds none --seeds 30       # the small worlds without the two

A world is simulated, its sources are pretrained on without the target, then `select` and `adapt` run as shipped with
the options of configs/planted.yaml. Triples are taken as they come, wrong ones included. A line per world goes to
`--out`; a killed call goes on with the next. The table at the end counts exact recoveries, F1 of the chosen set, and
NDCG@10 on test of what was shipped, of target-only and of all domains.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from finetune.adapt import adapt
from finetune.select import select
from finetune.target import Target
from graphrec.cli.config import load_config
from graphrec.cli.examples import example_folder
from graphrec.core.search import MemorySearch
from graphrec.core.tracking import NullTracker
from graphrec.core.types import JSON
from graphrec.core.workspace import Workspace
from graphrec.data.simulate import FROZEN_SEEDS, plant
from graphrec.graph.build import build_graph
from graphrec.metrics.measures import ndcg
from graphrec.metrics.ranking import rank
from graphrec.metrics.scorers import Arrays, hybrid_scorer
from graphrec.stages.ingest import ingest, read
from pretrain.stage import pretrain

KINDS = ("small", "large", "none")
HELPFUL, SHIPPED = "helpful", ("chosen", "all_domains", "target_only")


def main() -> None:
    """Measure the worlds that are missing and print the table."""
    options = _arguments()
    options.out /= "-".join(sorted(options.set)).replace("/", "_")
    path = options.out / f"worlds-{options.kind}{'-disjoint' if options.disjoint else ''}.jsonl"
    options.out.mkdir(parents=True, exist_ok=True)
    # A line that a kill cut short is measured again.
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    path.write_text("".join(line for line in lines if line.endswith("\n")))
    done = [json.loads(line) for line in path.read_text().splitlines()]
    asked = range(options.first, options.first + options.seeds)
    seeds = asked if options.kind == "large" else FROZEN_SEEDS[asked.start : asked.stop]
    for seed in seeds:
        if seed not in {row["seed"] for row in done}:
            done.append(world(options.kind, seed, disjoint=options.disjoint, overrides=options.set))
            with path.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
            sys.stderr.write(f"{done[-1]}\n")
    rows = [row for row in done if row["seed"] in seeds]
    sys.stdout.write(table(rows) + "\n" if rows else "no such worlds\n")


def overrides_of(kind: str, seed: int, *, disjoint: bool) -> list[str]:
    """Return the options of the world of `seed`."""
    found = [f"seed={seed}", *(["users=disjoint"] if disjoint else [])]
    if kind != "large":
        return found
    rng = np.random.default_rng(seed)
    total, helpful = int(rng.integers(12, 21)), int(rng.integers(3, 6))
    harmful = min(8, (total - helpful) // 2)
    counts = {"helpful": helpful, "harmful": harmful, "irrelevant": min(8, total - helpful - harmful)}
    return [*found, *(f"{name}={count}" for name, count in counts.items())]


def world(kind: str, seed: int, *, disjoint: bool, overrides: list[str]) -> JSON:
    """Simulate, pretrain, select, adapt; return what came out."""
    with tempfile.TemporaryDirectory() as folder:
        plant(Path(folder) / "world", overrides_of(kind, seed, disjoint=disjoint), Path(folder) / "truth")
        truth = json.loads((Path(folder) / "truth" / "truth.json").read_text())
        roles: Mapping[str, str] = truth["roles"]
        named = [f"target={truth['target']}", f"seed={seed}", f"ingest.tables.folder={folder}/world"]
        config = load_config(example_folder() / "planted.yaml", [*named, *overrides])
        built, _ = ingest(read(config.ingest), config.ingest, seed=seed)
    triples = built.dataset.triples
    graph = build_graph(built.dataset, triples.confidence, keep=np.ones(len(triples), np.bool_), drop_relations=())
    sources = [d for d in graph.catalog if d != config.target and not (kind == "none" and roles[d] == HELPFUL)]
    space, tracker = Workspace.temporary, NullTracker()
    with space() as work:
        made = pretrain(graph, sources, config.pretrain, seed=seed, workspace=work, tracker=tracker)
    target = Target.of(graph, config.target, made.pretrained, sources)
    search = MemorySearch()
    began = time.perf_counter()
    with space() as work:
        selection = select(target, config.select, search, seed=seed, workspace=work, tracker=tracker)
    took = time.perf_counter() - began
    with space() as work:
        adapted = adapt(target, selection.chosen, config.adapt, seed=seed, workspace=work, tracker=tracker)
    test = built.test.of(built.dataset.domain_index(config.target))
    item = np.searchsorted(graph.catalog[config.target], test.item)
    return {
        "seed": seed,
        "sources": len(sources),
        "true": sorted(d for d in sources if roles[d] == HELPFUL),
        "chosen": sorted(selection.chosen),
        "roles": [roles[d] for d in selection.chosen],
        "trials": len(search.known),
        "seconds": round(took, 1),
        "shipped": adapted.shipped,
        "ndcg@10": {
            name or "shipped": round(float(_ndcg(target, adapted.arrays, name, test.user, item)), 5)
            for name in ("", "target_only", "all_domains")
        },
    }


def _ndcg(target: Target, arrays: Arrays, name: str, user: np.ndarray, item: np.ndarray) -> float:
    events, prefix = target.graph.events[target.domain], f"{name}." if name else ""
    ones = np.ones(len(events), dtype=np.float32)
    seen = csr_array((ones, (events.user, events.item)), shape=(target.graph.num_users, target.num_items))
    scorer = hybrid_scorer(arrays, prefix)
    return float(ndcg(rank(scorer, user, item, seen).ranks, 10).mean())


def table(rows: list[JSON]) -> str:
    """Return the summary as Markdown."""
    exact = sum(row["true"] == row["chosen"] for row in rows)
    scores = [_f1(set(row["true"]), set(row["chosen"])) for row in rows]
    lines = [
        "| worlds | sources | exact | F1 | trials | seconds | shipped (chosen, all, target-only) |",
        "|---|---|---|---|---|---|---|",
        f"| {len(rows)} | {_range(rows, 'sources')} | {exact} ({100 * exact / len(rows):.0f} %) | "
        f"{statistics.mean(scores):.3f} | {_range(rows, 'trials')} | {_range(rows, 'seconds')} | "
        f"{', '.join(str(sum(row['shipped'] == n for row in rows)) for n in SHIPPED)} |",
        "",
        "| NDCG@10 on test | mean | over target-only |",
        "|---|---|---|",
    ]
    for name in ("target_only", "all_domains", "shipped"):
        gains = [row["ndcg@10"][name] / row["ndcg@10"]["target_only"] - 1 for row in rows]
        mean = statistics.mean(row["ndcg@10"][name] for row in rows)
        lines.append(f"| {name} | {mean:.4f} | {100 * statistics.mean(gains):+.1f} % ({100 * min(gains):+.1f} least) |")
    return "\n".join(lines)


def _f1(true: set[str], chosen: set[str]) -> float:
    return 2 * len(true & chosen) / (len(true) + len(chosen)) if true or chosen else 1.0


def _range(rows: list[JSON], name: str) -> str:
    low, high = min(row[name] for row in rows), max(row[name] for row in rows)
    return f"{low}" if low == high else f"{low} to {high}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=sys.modules[__name__].__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first", type=int, default=0, help="First seed.")
    parser.add_argument("--disjoint", action="store_true", help="No user in two domains: entities are the only bridge.")
    parser.add_argument("--set", nargs="*", default=[], help="Options of the run, KEY=VALUE.")
    parser.add_argument("--out", type=Path, default=Path("runs/bench/transfer"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
