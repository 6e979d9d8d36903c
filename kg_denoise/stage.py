"""The shell of denoise: reads what ingest wrote, writes one probability per triple."""

from collections.abc import Iterator

import polars as pl

from graphrec.core.artifacts import Artifact
from graphrec.core.records import Record
from graphrec.core.stage import StageContext
from graphrec.core.types import JSON, FloatArray
from graphrec.data.dataset import Dataset, load_dataset
from kg_denoise.config import DenoiseConfig
from kg_denoise.curves import curves
from kg_denoise.denoise import denoise

_HELDOUT, _TRUTH = "valid", "test"
"""Splits of the records: held-out corruptions, and the truth where the data set comes with one."""

_SCALARS = ("auroc", "average_precision", "ece", "base_rate")


def run(context: StageContext, config: DenoiseConfig) -> None:
    """Write `triples.parquet` with the column `probability`, in the order of the data set's triples.

    Where ingest knows which triples are true, that is compared with the finished probabilities,
    for the report only.
    """
    artifact = context.inputs["ingest"]
    dataset, truth = load_dataset(artifact.path), _truth(artifact)
    result = denoise(
        dataset.triples,
        len(dataset.entities),
        dataset.relations,
        config,
        seed=context.seed,
        workspace=context.workspace,
        tracker=context.tracker,
    )
    pl.DataFrame({"probability": result.probability}).write_parquet(context.out / "triples.parquet")
    known = None if truth is None else _known(result.probability, truth)
    summary = {**result.summary, "truth": known}
    measured = [("all", _HELDOUT, summary["heldout"]), ("all", _TRUTH, known)]
    if truth is not None:
        measured += _by_relation(dataset, result.probability, truth)
    records = list(_records(measured, config.signal, context.seed))
    context.tracker.log_metrics({f"{r.split}_{r.metric}": r.value for r in records if r.group == "all"})
    context.finish(summary, records)


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


def _records(measured: list[_Measured], signal: str, seed: int) -> Iterator[Record]:
    for group, split, found in measured:
        for metric in _SCALARS:
            if found is not None:
                yield Record(
                    stage="denoise",
                    domain="-",
                    split=split,
                    group=group,
                    model=signal,
                    metric=metric,
                    k=0,
                    seed=seed,
                    value=found[metric],
                )
