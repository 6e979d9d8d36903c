"""The shell of denoise: reads what ingest wrote, writes what is believed of each triple."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graphrec.core.artifacts import Artifact
from graphrec.core.records import Record
from graphrec.core.stage import StageContext
from graphrec.core.types import JSON, FloatArray
from graphrec.data.dataset import Dataset, load_dataset
from kg_denoise.config import DenoiseConfig
from kg_denoise.curves import curves
from kg_denoise.denoise import DenoiseResult, denoise
from kg_denoise.dropped import dropped, item_popularity
from kg_denoise.evidence import Evidence, gather
from kg_denoise.keep import Kept, keep
from kg_denoise.labels import read_labels
from kg_denoise.review import informative, write_review

_HELDOUT, _TRUTH = "valid", "test"
"""Splits of the records: held-out corruptions, and the truth where the data set comes with one."""

_SCALARS = ("auroc", "average_precision", "ece", "base_rate")


def run(context: StageContext, config: DenoiseConfig) -> None:
    """Write what is believed of every triple of the data set, in its order.

    `triples.parquet` has the columns `probability`, `keep`, `weight` and `guarded` (see `kg_denoise.keep`);
    `said.parquet` has one column per signal, what it says of each; `review.csv` lists the triples
    whose labels would tell most. Where ingest knows which triples are true, that is compared with the
    finished probabilities, for the report only, and not on triples whose labels were used.
    """
    artifact = context.inputs["ingest"]
    dataset, truth = load_dataset(artifact.path), _truth(artifact)
    labels = None if config.labels is None else read_labels(Path(config.labels), dataset)
    evidence = gather(dataset)
    result = denoise(
        dataset.triples,
        evidence,
        config,
        labels=None if labels is None else labels.astype(np.int64),
        seed=context.seed,
        workspace=context.workspace,
        tracker=context.tracker,
    )
    kept = keep(result.probability, dataset.triples, len(dataset.entities), config.keep)
    pl.DataFrame({"probability": result.probability, **vars(kept)}).write_parquet(context.out / "triples.parquet")
    said = {name: result.said[:, index] for index, name in enumerate(result.signals)}
    pl.DataFrame(said).write_parquet(context.out / "said.parquet")
    _write_review(context.out / "review.csv", dataset, evidence, result, labels, config.review)
    summary = {**result.summary, "kept": _dropped(kept, result, dataset, config)}
    if truth is not None and labels is not None:
        truth = truth.set(pl.Series(labels >= 0), None)
    known = None if truth is None else _known(result.probability, truth)
    summary["truth"] = known
    measured = [("all", _HELDOUT, summary["heldout"]), ("all", _TRUTH, known)]
    if truth is not None:
        measured += _by_relation(dataset, result.probability, truth)
    records = list(_records(measured, context.seed))
    context.tracker.log_metrics({f"{r.split}_{r.metric}": r.value for r in records if r.group == "all"})
    context.finish(summary, records)


def _write_review(
    path: Path,
    dataset: Dataset,
    evidence: Evidence,
    result: DenoiseResult,
    labels: NDArray[np.int8] | None,
    num: int,
) -> None:
    skip = None if labels is None else labels >= 0
    rows = informative(result.probability, dataset.triples, len(dataset.entities), num, skip=skip)
    write_review(path, dataset, rows, result.probability, evidence.text, result.signals, result.said[rows])


def _dropped(kept: Kept, result: DenoiseResult, dataset: Dataset, config: DenoiseConfig) -> JSON:
    return dropped(
        kept,
        result.probability,
        dataset.triples,
        dataset.relations,
        len(dataset.entities),
        config.keep,
        popularity=item_popularity(dataset) if len(dataset.items) else None,
    )


_Measured = tuple[str, str, JSON | None]
"""What was measured on (all, or a relation), the split, and the curves if there are any."""


def _truth(artifact: Artifact) -> pl.Series | None:
    path = artifact.path / "truth.parquet"
    return pl.read_parquet(path)["true"] if path.exists() else None


def _known(probability: FloatArray, truth: pl.Series) -> JSON | None:
    """Compare with the labels that there are; a triple nobody labelled says nothing."""
    known = truth.is_not_null()
    return curves(probability[known.to_numpy()], truth.filter(known).to_numpy())


def _by_relation(dataset: Dataset, probability: FloatArray, truth: pl.Series) -> Iterator[_Measured]:
    for index, name in enumerate(dataset.relations):
        rows = dataset.triples.relation == index
        yield name, _TRUTH, _known(probability[rows], truth.filter(rows))


def _records(measured: list[_Measured], seed: int) -> Iterator[Record]:
    for group, split, found in measured:
        for metric in _SCALARS:
            if found is not None:
                yield Record(
                    stage="denoise",
                    domain="-",
                    split=split,
                    group=group,
                    model="denoise",
                    metric=metric,
                    k=0,
                    seed=seed,
                    value=found[metric],
                )
