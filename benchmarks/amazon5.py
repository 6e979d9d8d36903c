"""amazon5, each domain in turn as target: ours beside every baseline, full ranking on test.

    python -m benchmarks.amazon5 --data FOLDER --seeds 3 --out runs/bench
    python -m benchmarks.amazon5 --data FOLDER --seeds 3 --out runs/bench --time-cut

FOLDER holds amazon5/. A killed benchmark goes on where it was; the table is printed at the end and
can be printed again at no cost. Deterministic baselines are fitted with the first seed only.
"""

import argparse
import os
import statistics
import sys
from pathlib import Path

from graphrec.cli.config import load_config
from graphrec.cli.examples import example_folder
from graphrec.cli.pipeline import run_stages
from graphrec.cli.table import needed
from graphrec.core.records import Record, read_records

LEAVE_LAST_OUT = ("beauty", "sports", "food", "kitchen", "electronics")
TIMED = ("beauty", "food", "kitchen", "electronics")
SHOWN = (("hr", 10), ("ndcg", 10), ("recall", 50), ("coverage", 10))


def main() -> None:
    """Run every (seed, target) cell and print the table."""
    options = _arguments()
    os.environ["GRAPHREC_DATA"] = str(options.data.resolve())
    name, targets = ("amazon5_time", TIMED) if options.time_cut else ("amazon5", LEAVE_LAST_OUT)
    records = []
    for seed in range(options.seeds):
        for target in options.targets or targets:
            records += _cell(name, target, seed, options)
    print(table(records, options.seeds))


def _cell(name: str, target: str, seed: int, options: argparse.Namespace) -> list[Record]:
    overrides = [f"target={target}", f"seed={seed}", *options.set]
    if seed:
        overrides.append("evaluate.baselines=[ials]")
    config = load_config(example_folder() / f"{name}.yaml", overrides)
    outcome = run_stages(config, options.out / name, needed("evaluate"), track=False, conclude=False)
    return read_records(outcome.artifacts["evaluate"].file("metrics.json"))


def table(records: list[Record], seeds: int) -> str:
    """Return a Markdown table: a row per target and model, mean and standard deviation over seeds."""
    rows = [
        f"| target | model | seeds | {' | '.join(f'{m}@{k}' for m, k in SHOWN)} | tail ndcg@10 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for target in dict.fromkeys(r.domain for r in records):
        mine = [r for r in records if r.domain == target]
        for model in dict.fromkeys(r.model for r in mine if r.metric == "ndcg"):
            columns = [*((m, k, "all") for m, k in SHOWN), ("ndcg", 10, "tail")]
            values = [_values(mine, model, *column) for column in columns]
            rows.append(f"| {target} | {model} | {len(values[1])} | {' | '.join(map(_cell_text, values))} |")
    return "\n".join(rows)


def _values(records: list[Record], model: str, metric: str, k: int, group: str) -> list[float]:
    wanted = (model, metric, k, group)
    return [r.value for r in records if (r.model, r.metric, r.k, r.group) == wanted]


def _cell_text(values: list[float]) -> str:
    if not values:
        return "-"
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4f}{spread}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=sys.modules[__name__].__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--targets", nargs="*", default=[])
    parser.add_argument("--time-cut", action="store_true")
    parser.add_argument("--set", nargs="*", default=[], help="overrides, KEY=VALUE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
