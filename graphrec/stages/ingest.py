"""Ingest: tables in, everything checked, ids assigned, events split, and the picture of it all."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import polars as pl

from graphrec.core.errors import DataError
from graphrec.core.stage import StageContext
from graphrec.data.build import Built, Rules, build_dataset
from graphrec.data.config import GLOBAL_TIME, CorruptConfig
from graphrec.data.corrupt import inject, needs_near, triple_keys
from graphrec.data.dataset import save_dataset
from graphrec.data.inspect.profile import profile
from graphrec.data.nearness import entity_text, near_tails
from graphrec.data.raw import RawTables
from graphrec.data.readers import READERS
from graphrec.stages.config import IngestConfig


def run(context: StageContext, config: IngestConfig) -> None:
    """Read the tables that `config` names and write the numbered data set."""
    raw = read(config)
    built, truth = ingest(raw, config, seed=context.seed)
    with ThreadPoolExecutor(max_workers=1) as writer:
        # Written while it is being described: at a hundred million events each takes its time.
        writing = writer.submit(save_dataset, built.dataset, built.test, context.out)
        about = profile(built, raw, leaks=config.leaks, seed=context.seed)
        writing.result()
    if truth is not None:
        pl.DataFrame({"true": truth}).write_parquet(context.out / "truth.parquet")
    found = None if truth is None else {"num_wrong": int((~truth).sum()), "num_known": int(truth.count())}
    context.finish({"about": raw.about, "truth": found, "profile": about})


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


def _corrupted(built: Built, config: CorruptConfig, seed: int) -> tuple[Built, pl.Series]:
    dataset = built.dataset
    num, kind = len(dataset.entities), config.kind
    near = near_tails(dataset.triples, num, entity_text(dataset), seed=seed) if needs_near(kind) else None
    mixed, truth = inject(dataset.triples, config.share, num_entities=num, seed=seed, kind=kind, near=near)
    keys = [triple_keys(triples, len(dataset.entities)) for triples in (dataset.triples, mixed)]
    order = np.argsort(keys[1])
    # A triple is in the table once, and no corruption equals one: the key says where its row went.
    place = order[np.searchsorted(keys[1], keys[0], sorter=order)]
    made = replace(dataset, triples=mixed, votes=dataset.votes.moved(place))
    return replace(built, dataset=made), pl.Series(truth)
