"""Denoising measured: real extraction noise, injected noise, planted worlds, scale.

    GRAPHREC_DATA=FOLDER python -m benchmarks.denoise nell beauty lastfm planted scale --seeds 3 --out FILE

Prints one line per set, seed and variant as it is measured, then means and standard deviations; the lines go to FILE
as JSON. A signal alone goes the same way as all together, but without the prior of unseen errors. Without labels unless
the variant says so. codex_s, FactBench, IntentionQA and recommendation under noise have modules of their own in
`benchmarks/denoise_sets`.
"""

import argparse
import dataclasses
import json
import resource
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from benchmarks.denoise_sets import tables
from benchmarks.denoise_sets.tables import Table
from graphrec.core.seeds import generator
from graphrec.core.tracking import NullTracker
from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.core.workspace import Workspace
from kg_denoise.config import PROFILES, DenoiseConfig
from kg_denoise.curves import auroc, curves
from kg_denoise.denoise import DenoiseResult, denoise
from kg_denoise.prior import unseen_errors

KINDS = ("uniform", "same_type", "near")
SHARES = (0.05, 0.1, 0.2, 0.4)
LABELS = 200
"""Triples that a person judged, in the variants with labels."""

Row = dict[str, object]


def run(
    table: Table, signals: Sequence[str], seed: int, workspace: Workspace, *, labels: IntArray | None = None
) -> DenoiseResult:
    """Denoise `table` by `signals`, keeping scores in `workspace` for who asks the same again."""
    # A signal alone is without the prior of unseen errors, which is judged in the fusion.
    unseen = DenoiseConfig().unseen_share if len(signals) > 1 else 0.0
    config = dataclasses.replace(DenoiseConfig(), signals=tuple(signals), unseen_share=unseen)
    return denoise(
        table.triples,
        table.evidence,
        config,
        labels=labels,
        seed=seed,
        workspace=workspace,
        tracker=NullTracker(),
    )


def measured(result: DenoiseResult, truth: BoolArray, rows: IntArray) -> Row:
    """Return the figures on `rows`; ranking by log odds, which tell apart what probabilities round to one."""
    found, true = result.probability[rows], truth[rows]
    about = curves(found, true)
    assert about is not None, "both kinds are there"
    return {
        "auroc": auroc(result.log_odds[rows], true),
        "average_precision": _precision(result.log_odds[rows], true),
        "ece": about["ece"],
        "base_rate": about["base_rate"],
        "estimated": float(1 - found.mean()),
        "worst_decile": max((abs(p - t) for p, t, n in about["reliability"] if n >= 200), default=0.0),
    }


def _precision(log_odds: FloatArray, true: BoolArray) -> float:
    """Average precision of finding wrong triples, ties taken together."""
    at = rankdata(log_odds, method="max").astype(int)
    found = np.array([(~true)[at <= level].sum() for level in np.unique(at)])
    taken = np.unique(at)
    return float(np.sum(np.diff(found, prepend=0) / max(found[-1], 1) * found / taken))


def with_truth(name: str, table: Table, signals: Sequence[str], seed: int, *, alone: bool) -> Iterator[Row]:
    """Measure all signals together and, with `alone`, each by itself, on a table whose truth is known."""
    assert table.truth is not None
    every = np.arange(len(table.triples))
    with Workspace.temporary() as workspace:
        for variant in (signals, *([signal] for signal in signals if alone)):
            start = time.monotonic()
            result = run(table, variant, seed, workspace)
            label = "fusion" if variant is signals else variant[0]
            row = {"set": name, "variant": label, "seed": seed, "seconds": time.monotonic() - start}
            if label in result.summary["passed_over"] or not result.signals:
                continue
            yield row | measured(result, table.truth, every)
            if variant is signals:
                yield from _parts(name, table, result, seed)
                yield _labelled(name, table, signals, seed, workspace)


def _labelled(name: str, table: Table, signals: Sequence[str], seed: int, workspace: Workspace) -> Row:
    """Measure the fusion with `LABELS` triples judged, drawn at random, on the others."""
    assert table.truth is not None
    labels = np.full(len(table.triples), -1, dtype=np.int64)
    chosen = generator(seed, "labels").choice(len(labels), LABELS, replace=False)
    labels[chosen] = table.truth[chosen]
    result = run(table, signals, seed, workspace, labels=labels)
    row: Row = {"set": name, "variant": f"fusion, {LABELS} labels", "seed": seed}
    return row | measured(result, table.truth, np.flatnonzero(labels < 0))


def _parts(name: str, table: Table, result: DenoiseResult, seed: int) -> Iterator[Row]:
    """Measure by relation, and apart what nothing else in the table mentions."""
    assert table.truth is not None
    triples, size = table.triples, len(table.triples)
    _, fact, count = np.unique(
        triples.relation * table.evidence.num_entities + triples.tail, return_inverse=True, return_counts=True
    )
    lonely = count[fact] < 2
    biggest = np.argsort(-np.bincount(triples.relation), kind="stable")[:3]
    parts = {f"relation {table.evidence.relations[r]}": triples.relation == r for r in biggest}
    parts |= {"tails mentioned elsewhere": ~lonely, "singular tails": lonely}
    for label, part in parts.items():
        rows = np.flatnonzero(part)
        row: Row = {"set": name, "variant": f"  {label}", "seed": seed, "share": len(rows) / size}
        mixed = len(rows) and 0 < table.truth[rows].mean() < 1
        yield row | (measured(result, table.truth, rows) if mixed else {"wrong": int((~table.truth[rows]).sum())})


def injected(name: str, clean: Table, signals: Sequence[str], seeds: Sequence[int], *, alone: bool) -> Iterator[Row]:
    """Noise of every kind at 20 %, with `alone` each signal by itself beside the fusion."""
    for seed in seeds:
        for kind in KINDS:
            noisy = tables.injected(clean, 0.2, kind, seed)
            yield from with_truth(f"{name} {kind} 20 %", noisy, signals, seed, alone=alone)


def shares(name: str, clean: Table, signals: Sequence[str], seeds: Sequence[int]) -> Iterator[Row]:
    """The fusion on every share of noise."""
    for seed in seeds:
        for kind in KINDS:
            for share in SHARES:
                noisy = tables.injected(clean, share, kind, seed)
                rows = with_truth(f"{name} {kind} {share:.0%}", noisy, signals, seed, alone=False)
                yield next(iter(rows))


def nell(signals: Sequence[str], seeds: Sequence[int], *, alone: bool) -> Iterator[Row]:
    """Labels of odd beliefs judge; even ones are for development, and 200 of them for the variant with labels."""
    table = tables.nell()
    assert table.label is not None and table.row is not None
    judged, truth = table.label >= 0, table.label == 1
    odd, even = (np.flatnonzero(judged & (table.row % 2 == side)) for side in (1, 0))
    for seed in seeds:
        with Workspace.temporary() as workspace:
            for variant in (signals, *([signal] for signal in signals if alone)):
                result = run(table, variant, seed, workspace)
                for half, rows in (("odd", odd), ("even, for development", even)):
                    label = "fusion" if variant is signals else variant[0]
                    row = {"set": f"nell_sports {half}", "variant": label, "seed": seed}
                    if label not in result.summary["passed_over"]:
                        yield row | measured(result, truth, rows)
            room = unseen_errors(table.triples, table.evidence.num_entities, 0.02)
            prior = {"auroc": auroc(-room[odd], truth[odd]), "average_precision": _precision(-room[odd], truth[odd])}
            yield {"set": "nell_sports odd", "variant": "unseen errors", "seed": seed, **prior}
            labels = np.full(len(truth), -1, dtype=np.int64)
            chosen = generator(seed, "labels").choice(even, LABELS, replace=False)
            labels[chosen] = table.label[chosen]
            result = run(table, signals, seed, workspace, labels=labels)
            row = {"set": "nell_sports odd", "variant": f"fusion, {LABELS} labels of even", "seed": seed}
            yield row | measured(result, truth, odd)


def planted(signals: Sequence[str], seeds: Sequence[int], *, alone: bool) -> Iterator[Row]:
    """Planted worlds as they come: a fifth wrong, in three ways."""
    for seed in seeds:
        yield from with_truth("planted", tables.planted(seed), signals, seed, alone=alone)


def scale(profiles: Sequence[str], sizes: Sequence[int]) -> Iterator[Row]:
    """Time and memory of whole profiles on parts of the beauty graph, behaviour relations among them."""
    for profile in profiles:
        for rows in sizes:
            table = tables.beauty(behaviour=True, rows=rows)
            config = dataclasses.replace(DenoiseConfig(), profile=profile, folds=2)
            start = time.monotonic()
            with Workspace.temporary() as workspace:
                denoise(table.triples, table.evidence, config, seed=0, workspace=workspace, tracker=NullTracker())
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            seconds = time.monotonic() - start
            yield {
                "set": f"beauty, all relations, profile {profile}",
                "variant": f"{len(table.triples):,} triples",
                "seed": 0,
                "seconds": seconds,
                "microseconds_per_triple": seconds / len(table.triples) * 1e6,
                "peak_gib": peak,
            }


def means(rows: Sequence[Row]) -> Iterator[str]:
    """One line per set and variant: mean ± standard deviation of every number."""
    for key in dict.fromkeys((row["set"], row["variant"]) for row in rows):
        mine = [row for row in rows if (row["set"], row["variant"]) == key]
        names = [name for name in mine[0] if name not in ("set", "variant", "seed")]
        values = {name: np.array([float(str(row.get(name, np.nan))) for row in mine]) for name in names}
        text = ", ".join(
            f"{name} {value.mean():.4f} ± {value.std(ddof=len(value) > 1):.4f}" for name, value in values.items()
        )
        yield f"{key[0]} | {key[1]} | {text} | {len(mine)} seeds"


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sets = ("nell", "beauty", "lastfm", "planted", "scale", "shares")
    parser.add_argument("sets", nargs="+", choices=sets)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="First seed.")
    parser.add_argument(
        "--signals", nargs="*", default=[name for name in PROFILES["default"] if name != "cross_encoder"]
    )
    parser.add_argument("--profiles", nargs="*", default=["default"], help="For scale.")
    parser.add_argument("--fusion-only", action="store_true", help="No signal by itself.")
    parser.add_argument("--rows", nargs="*", type=int, default=[100_000, 300_000, 1_200_000], help="For scale.")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    alone = not options.fusion_only
    seeds, signals, rows = range(options.first, options.first + options.seeds), options.signals, []
    for name in options.sets:
        found = {
            "nell": lambda: nell(signals, seeds, alone=alone),
            "beauty": lambda: injected("beauty", tables.beauty(), signals, seeds, alone=alone),
            "lastfm": lambda: injected("lastfm", tables.lastfm(), signals, seeds, alone=alone),
            "planted": lambda: planted(signals, seeds, alone=alone),
            "scale": lambda: scale(options.profiles, options.rows),
            "shares": lambda: shares("beauty", tables.beauty(), signals, seeds),
        }[name]
        for row in found():
            rows.append(row)
            print(json.dumps({key: round(v, 4) if isinstance(v, float) else v for key, v in row.items()}), flush=True)
    if options.out:
        options.out.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    print("\n".join(means(rows)))


if __name__ == "__main__":
    main()
