"""What denoising gives back to a recommender: wrong triples mixed in on purpose, with and without denoising.

    GRAPHREC_DATA=FOLDER python -m benchmarks.denoise_sets.recommend [--seeds 3 4 5] [--shares 0.4]
        [--sets NAME ...] [--keep POLICY]

For each set the pretraining encoder is trained on the clean graph, on graphs of which 10, 20 and 40 % are wrong
(`uniform`, `same_type`), on those after denoising, on the clean graph with its tails dealt anew within each relation,
and without a graph. NDCG@10 on test, full ranking, the epoch chosen on validation. Every seed draws other wrong
triples and another start; differences are paired over users, whose values are means over seeds.

Only sets where the clean graph beats no graph can show anything. In the sets named `_cold` a tenth of the items lost
all their events: no graph scores zero there by construction, so it is the random graph that a clean one has to beat.

`recovered` is (denoised - noisy) / (clean - noisy), its interval a bootstrap over users. `--keep truth` leaves
out what is wrong: the most that any denoising could give back.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from graphrec.cli.config import load_config
from graphrec.cli.examples import example_folder
from graphrec.cli.worth_arms import shuffle_tails
from graphrec.cli.worth_measure import NDCG, Measured, compare, describe, measure
from graphrec.core.progress import track
from graphrec.core.tracking import NullTracker
from graphrec.core.types import JSON, BoolArray
from graphrec.core.workspace import Workspace
from graphrec.data.corrupt import inject
from graphrec.data.dataset import Dataset, Events
from graphrec.data.simulate import plant
from graphrec.encoders.config import EncoderConfig
from graphrec.metrics.compare import Bootstrap
from graphrec.stages.config import MergeConfig
from graphrec.stages.ingest import ingest, read
from graphrec.stages.merge import Believed, merge
from graphrec.training.config import FitConfig
from kg_denoise.config import PROFILES, DenoiseConfig
from kg_denoise.denoise import denoise
from kg_denoise.evidence import gather
from kg_denoise.keep import keep
from kg_denoise.keep_config import POLICIES, KeepConfig
from pretrain.config import PretrainConfig

SHARES, KINDS = (0.1, 0.2, 0.4), ("uniform", "same_type")
SIGNALS = PROFILES["quick"]
"""Quick ones, since every cell is denoised anew."""

TRUTH = "truth"
CLEAN, NOISY, DENOISED, RANDOM, NONE = "clean", "noisy", "denoised", "random", "none"

WORLD = (
    "knowledge.wrong_share=0",
    "knowledge.facts=2",
    "target_users=3000",
    "target_items=2400",
    "target_events=5",
    "helpful=1",
    "irrelevant=0",
    "harmful=0",
    "source_items=60",
)
"""Few events for each item, so that what is known of it can help; the domain beside the target is not used."""

Denoiser = Callable[[Dataset, BoolArray, int], Believed]
"""From a data set with wrong triples, which are true, and a seed to what is believed of each."""


@dataclass(frozen=True)
class Bed:
    """A test bed: a shipped configuration (or the planted world), what is changed in it, how the encoder is trained."""

    config: str
    changes: tuple[str, ...]
    pretrain: PretrainConfig


def _fit(batch_size: int, weight: float, **more: float | int | bool) -> PretrainConfig:
    fitted = FitConfig(epochs=30, lr=1e-2, batch_size=batch_size, patience=2)
    small = EncoderConfig(dim=32, kg_weight=weight)
    return replace(PretrainConfig(encoder=small, fit=fitted, num_negatives=512), **more)


_COLD = "ingest.split.kind=cold_items"
_NUTRITION = ("target=NUTRITION", "ingest.journey.departments=[NUTRITION]")

BEDS: Mapping[str, Bed] = {
    "planted": Bed("", (), _fit(512, 4.0, temperature=0.3)),
    "journey": Bed("complete_journey", _NUTRITION, _fit(1024, 2.0)),
    "journey_cold": Bed("complete_journey", (*_NUTRITION, _COLD), _fit(1024, 2.0, cold_items=True)),
    "lastfm_cold": Bed("lastfm_kg", (_COLD,), _fit(1024, 2.0, cold_items=True)),
}
"""Name -> test bed. `complete_journey` says of itself that it is simulated from real shopping patterns."""


def load(bed: Bed) -> tuple[Dataset, Events, str]:
    """Return the data set, the target's test events, and the target."""
    with tempfile.TemporaryDirectory() as folder:
        path = example_folder() / f"{bed.config}.yaml"
        if not bed.config:
            plant(Path(folder) / "world", WORLD, Path(folder) / "truth")
            path = Path(folder) / "world" / "world.yaml"
        config = load_config(path, list(bed.changes))
        built, _ = ingest(read(config.ingest), config.ingest, seed=config.seed)
    return built.dataset, built.test.of(built.dataset.domain_index(config.target)), config.target


def learned(policy: str) -> Denoiser:
    """Return denoising by `SIGNALS` with the given policy of keeping; it does not look at the truth."""

    def denoiser(dataset: Dataset, true: BoolArray, seed: int) -> Believed:
        triples, evidence = dataset.triples, gather(dataset)
        with Workspace.temporary() as workspace:
            config = DenoiseConfig(signals=SIGNALS)
            result = denoise(triples, evidence, config, seed=seed, workspace=workspace, tracker=NullTracker())
        found = result.probability
        kept = keep(found, triples, len(dataset.entities), KeepConfig(policy=policy))
        return Believed(probability=found, keep=kept.keep, weight=kept.weight)

    return denoiser


def told(dataset: Dataset, true: BoolArray, seed: int) -> Believed:
    """Believe the truth."""
    return Believed(probability=true.astype(np.float32), keep=true, weight=dataset.triples.confidence)


Key = tuple[str, str, float]
"""Arm, kind of the wrong triples, their share."""


def cells(bed: Bed, seed: int, denoiser: Denoiser, shares: Sequence[float] = SHARES) -> Iterator[tuple[Key, Measured]]:
    """Measure every arm once."""
    dataset, test, target = load(bed)

    def score(data: Dataset, believed: Believed) -> Measured:
        graph = merge(data, believed, MergeConfig())
        with Workspace.temporary() as workspace:
            return measure(graph, test, target, (target,), bed.pretrain, seed=seed, workspace=workspace)

    yield (CLEAN, "-", 0.0), score(dataset, _all(dataset))
    yield (DENOISED, "-", 0.0), score(dataset, denoiser(dataset, np.ones(len(dataset.triples), np.bool_), seed))
    dealt = replace(dataset, triples=shuffle_tails(dataset.triples, seed))
    yield (RANDOM, "-", 1.0), score(dealt, _all(dealt))
    yield (NONE, "-", 0.0), score(dataset, _all(dataset, keep=False))
    for kind in KINDS:
        for share in shares:
            mixed, true = inject(dataset.triples, share, num_entities=len(dataset.entities), seed=seed, kind=kind)
            noisy = replace(dataset, triples=mixed)
            yield (NOISY, kind, share), score(noisy, _all(noisy))
            yield (DENOISED, kind, share), score(noisy, denoiser(noisy, true, seed))


def _all(dataset: Dataset, *, keep: bool = True) -> Believed:
    ones = np.ones(len(dataset.triples), dtype=np.float32)
    return Believed(probability=ones, keep=np.full(len(ones), keep), weight=dataset.triples.confidence)


def run(
    seeds: Sequence[int],
    sets: Sequence[str] = tuple(BEDS),
    policy: str = KeepConfig().policy,
    shares: Sequence[float] = SHARES,
) -> list[JSON]:
    """Return one row for each set and arm, and one of what was recovered for each set, kind and share.

    `policy` is one of `kg_denoise.keep`, or `TRUTH`: the wrong triples are left out, as no denoising could.
    """
    rows, denoiser = list[JSON](), told if policy == TRUTH else learned(policy)
    for name in sets:
        found: dict[Key, list[Measured]] = {}
        todo = ((key, cell) for seed in seeds for key, cell in cells(BEDS[name], seed, denoiser, shares))
        for key, cell in track(todo, name, total=len(seeds) * (4 + 2 * len(KINDS) * len(shares))):
            found.setdefault(key, []).append(cell)
        rows += [_row(name, key, found) for key in found]
        rows += [_recovered(name, kind, share, found) for kind in KINDS for share in shares]
    return rows


def _row(name: str, key: Key, found: Mapping[Key, Sequence[Measured]]) -> JSON:
    arm, kind, share = key
    row: JSON = {"set": name, "arm": arm, "kind": kind, "share": share, **describe(found[key])[NDCG]}
    for other in ((NONE, "-", 0.0), (CLEAN, "-", 0.0), (RANDOM, "-", 1.0)):
        against = compare(found[key], found[other], 0)[NDCG]
        row |= {f"over_{other[0]}": against["difference"], f"p_{other[0]}": against["p"]}
    return row


def _recovered(name: str, kind: str, share: float, found: Mapping[Key, Sequence[Measured]]) -> JSON:
    keys = {CLEAN: (CLEAN, "-", 0.0), NOISY: (NOISY, kind, share), DENOISED: (DENOISED, kind, share)}
    per_user = {arm: np.mean([cell.ndcg for cell in found[key]], axis=0) for arm, key in keys.items()}
    drawn = Bootstrap.draw(per_user, 0)
    clean, noisy, denoised = drawn.means.T
    low, high = np.quantile((denoised - noisy) / (clean - noisy), (0.025, 0.975))
    mean = dict(zip(drawn.models, drawn.mean.tolist(), strict=True))
    gap = compare(found[keys[CLEAN]], found[keys[NOISY]], 0)[NDCG]
    value = (mean[DENOISED] - mean[NOISY]) / ((mean[CLEAN] - mean[NOISY]) or float("nan"))
    row = {"set": name, "arm": "recovered", "kind": kind, "share": share, "gap": gap["difference"], "p_gap": gap["p"]}
    return {**row, "recovered": value, "low": float(low), "high": float(high)}


def table(rows: Sequence[JSON]) -> str:
    """Return the rows as two Markdown tables."""
    names = ("set", "arm", "kind", "share", "mean", "sd", "over_none", "p_none", "over_random", "p_random")
    parts = ("set", "kind", "share", "gap", "p_gap", "recovered", "low", "high")
    lines = []
    for columns, chosen in ((names, [r for r in rows if "mean" in r]), (parts, [r for r in rows if "gap" in r])):
        lines += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        lines += [f"| {' | '.join(_text(row[column]) for column in columns)} |" for row in chosen]
        lines.append("")
    return "\n".join(lines)


def _text(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def main() -> None:
    """Run the sets that are there and print both tables."""
    parser = argparse.ArgumentParser(description="What denoising gives back to a recommender.")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--shares", type=float, nargs="*", default=SHARES, help="shares of wrong triples")
    parser.add_argument("--sets", nargs="*", default=[name for name in BEDS if _is_there(BEDS[name])], choices=BEDS)
    parser.add_argument(
        "--keep", default=KeepConfig().policy, choices=(*POLICIES, TRUTH), help="what is kept; truth: a bound"
    )
    options = parser.parse_args()
    print(table(run(options.seeds, options.sets, options.keep, options.shares)))


def _is_there(bed: Bed) -> bool:
    return not bed.config or "GRAPHREC_DATA" in os.environ


if __name__ == "__main__":
    main()
