"""Ingest: tables in, everything checked, ids assigned, events split, and the picture of it all."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import polars as pl

from graphrec.core.errors import DataError
from graphrec.core.stage import StageContext
from graphrec.core.types import JSON
from graphrec.data.build import Built, Rules, build_dataset
from graphrec.data.config import GLOBAL_TIME, CorruptConfig
from graphrec.data.corrupt import inject
from graphrec.data.dataset import Dataset, save_dataset
from graphrec.data.raw import RawTables
from graphrec.data.readers import READERS
from graphrec.stages.config import IngestConfig


def run(context: StageContext, config: IngestConfig) -> None:
    """Read the tables that `config` names and write the numbered data set."""
    raw = read(config)
    built, truth = ingest(raw, config, seed=context.seed)
    save_dataset(built.dataset, built.test, context.out)
    if truth is not None:
        pl.DataFrame({"true": truth}).write_parquet(context.out / "truth.parquet")
    context.finish(summarise(built, truth, raw.about))


def read(config: IngestConfig) -> RawTables:
    """Read the tables by the reader that `config` names; raise `DataError` with all that is wrong."""
    raw: RawTables = import_module(READERS[config.reader]).read(getattr(config, config.reader))
    return raw


def input_files(config: IngestConfig) -> list[Path]:
    """Return the files that `read` would read, in order, for fingerprints."""
    found: list[Path] = import_module(READERS[config.reader]).files(getattr(config, config.reader))
    return found


def ingest(raw: RawTables, config: IngestConfig, *, seed: int) -> tuple[Built, pl.Series | None]:
    """Build the data set, and say which triples are true: those labelled, or all once wrong ones are mixed in.

    Raises `DataError` on tables that break their schema.
    """
    if config.split.kind == GLOBAL_TIME and not raw.timed:
        raise DataError("ingest.split.kind=global_time: needs a time in each interaction table; name its column `time`")
    kinds = {"user": config.user_ids, "item": config.item_ids}
    rules = Rules(
        clean=config.clean,
        split=config.split,
        leaks=config.leaks,
        per_domain=tuple(kind for kind, space in kinds.items() if space == "per_domain"),
        drop_behaviour=config.behaviour == "drop",
    )
    built = build_dataset(raw, rules, seed=seed)
    return _corrupted(built, config.corrupt, seed) if config.corrupt.share else (built, built.labels)


def summarise(built: Built, truth: pl.Series | None, about: str) -> JSON:
    """Return the sizes, the overlap of domains and what was dropped, for the report."""
    dataset = built.dataset
    return {
        "about": about,
        "domains": [_domain(built, index) for index in range(len(dataset.domains))],
        "overlap": {"domains": dataset.domains, "users": _overlap(built, "user"), "items": _overlap(built, "item")},
        "num_users": len(dataset.users),
        "num_items": len(dataset.items),
        "num_entities": len(dataset.entities),
        "num_relations": len(dataset.relations),
        "num_triples": len(dataset.triples),
        "num_links": len(dataset.link_item),
        "dropped": dict(built.dropped),
        "truth": None if truth is None else {"num_wrong": int((~truth).sum()), "num_known": int(truth.count())},
        "notes": _notes(dataset),
    }


def _corrupted(built: Built, config: CorruptConfig, seed: int) -> tuple[Built, pl.Series]:
    dataset = built.dataset
    mixed, truth = inject(
        dataset.triples, config.share, num_entities=len(dataset.entities), seed=seed, kind=config.kind
    )
    made = replace(dataset, triples=mixed)
    return replace(built, dataset=made), pl.Series(truth)


def _domain(built: Built, index: int) -> JSON:
    dataset, name = built.dataset, built.dataset.domains[index]
    events = built.events.filter(pl.col("domain") == index)
    splits = {"num_train": dataset.train, "num_valid": dataset.valid, "num_test": built.test}
    return {
        "domain": name,
        "num_users": events["user"].n_unique(),
        "num_items": len(dataset.catalog[name]),
        **{key: len(part.of(index)) for key, part in splits.items()},
    }


def _overlap(built: Built, column: str) -> list[list[int]]:
    pairs = built.events.select("domain", column).unique()
    joined = pairs.join(pairs, on=column).group_by("domain", "domain_right").len()
    counts = np.zeros((len(built.dataset.domains),) * 2, dtype=np.int64)
    counts[joined["domain"].to_numpy(), joined["domain_right"].to_numpy()] = joined["len"].to_numpy()
    return [[int(value) for value in row] for row in counts]


def _notes(dataset: Dataset) -> list[str]:
    notes = []
    if not len(dataset.triples):
        notes.append("no triples: denoising has nothing to do, and the graph holds interactions only")
    if len(dataset.domains) == 1:
        notes.append("one domain: nothing to transfer from; the target is trained on its own")
    return notes
