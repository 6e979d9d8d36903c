"""Export: the shipped model of the target domain under the user's own ids, in files others read.

    users.parquet, items.parquet   id, [domain,] vector (a fixed-size list of float32): the model that is vectors alone
    vectors.safetensors            the same vectors as `user` and `item`, rows in the same order
    model.safetensors              the shipped model: its vectors, and what goes together; the rows are the same
    items.faiss                    index over `item` by inner product
    neighbours.parquet             item, neighbour, rank, score in external ids
    seen.parquet                   history as row numbers of users.parquet and items.parquet
    export.json                    what each file holds

The `domain` column is there only when one id may mean different things in different domains.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from safetensors.numpy import load_file, save_file

from graphrec.core import files
from graphrec.core.ids import IdMap
from graphrec.core.records import Record
from graphrec.core.stage import StageContext
from graphrec.core.types import JSON, BoolArray, FloatArray, IntArray
from graphrec.data.dataset import Dataset, load_dataset
from graphrec.metrics.scorers import hybrid_rows
from graphrec.stages._faiss import build_index
from graphrec.stages.config import ExportConfig


@dataclass(frozen=True, kw_only=True)
class Export:
    """What leaves the run. Row `r` of `users` has the vector `user[r]`, likewise for items.

    `user` is [num_exported_users, dim], `item` [num_items, dim]; `seen` holds row numbers.
    `kept` are the run's numbers of these users; `num_left_out` users have no event before the test or nothing that
    tells items apart.
    """

    users: pl.DataFrame
    items: pl.DataFrame
    user: FloatArray
    item: FloatArray
    neighbours: pl.DataFrame
    seen: pl.DataFrame
    kept: IntArray
    num_left_out: int


def export(dataset: Dataset, target: str, user: FloatArray, item: FloatArray, neighbours: pl.DataFrame) -> Export:
    """Put external ids on the vectors of `target`.

    `user` is [num_users, dim], `item` [num_items_of_target, dim]; `neighbours` has the columns
    item, neighbour (positions in the catalogue), rank and score.
    """
    catalog = dataset.catalog[target]
    assert user.shape == (len(dataset.users), item.shape[1]) and len(item) == len(catalog)
    # Popularity is 1 for every user, which says nothing where it has no weight.
    speaks = user[:, item.any(axis=0)].any(axis=1)
    kept = np.flatnonzero(_has_history(dataset) & speaks)
    ids = dataset.items.decode(catalog)
    return Export(
        users=_with_vectors(dataset.users, kept, user[kept]),
        items=_with_vectors(dataset.items, catalog, item),
        user=user[kept],
        item=item,
        neighbours=neighbours.with_columns(
            item=ids.gather(neighbours["item"]), neighbour=ids.gather(neighbours["neighbour"])
        ),
        seen=_seen(dataset, target, kept),
        kept=kept,
        num_left_out=len(user) - len(kept),
    )


def run(context: StageContext, config: ExportConfig) -> None:
    """Load the shipped model and the neighbours, write the files and what they weigh."""
    dataset = load_dataset(context.inputs["ingest"].path)
    adapted = load_file(context.inputs["adapt"].file("adapted.safetensors"))
    neighbours = pl.read_parquet(context.inputs["longtail"].file("neighbours.parquet"))
    made = export(dataset, context.target, adapted["vectors.user"], adapted["vectors.item"], neighbours)
    for name in ("users", "items", "neighbours", "seen"):
        getattr(made, name).write_parquet(context.out / f"{name}.parquet")
    save_file({"user": np.ascontiguousarray(made.user), "item": made.item}, context.out / "vectors.safetensors")
    save_file(hybrid_rows(adapted, made.kept), context.out / "model.safetensors")
    index = build_index(
        made.item,
        exact_limit=config.exact_limit,
        hnsw_links=config.hnsw_links,
        hnsw_build=config.hnsw_build,
        hnsw_search=config.hnsw_search,
    )
    index.save(context.out / "items.faiss")
    facts = _facts(context.target, made, exact=len(made.item) <= config.exact_limit)
    files.write_json(context.out / "export.json", {**facts, "files": _FILES})
    context.finish(facts, _records(context, made))


_FILES = {
    "users.parquet": "user ids with their vectors",
    "items.parquet": "item ids with their vectors",
    "vectors.safetensors": "arrays user and item; row r belongs to row r of users.parquet and items.parquet",
    "model.safetensors": "the shipped model: its own user and item, and what goes together in each domain",
    "items.faiss": "FAISS index over item by inner product; its row numbers are those of items.parquet",
    "neighbours.parquet": "similar items: item, neighbour, rank from 1, score (cosine)",
    "seen.parquet": "events before the test: user and item are row numbers of users.parquet and items.parquet",
}


def _has_history(dataset: Dataset) -> BoolArray:
    has = np.zeros(len(dataset.users), dtype=np.bool_)
    has[dataset.train.user] = True
    has[dataset.valid.user] = True
    return has


def _with_vectors(ids: IdMap, rows: IntArray, vectors: FloatArray) -> pl.DataFrame:
    table = pl.DataFrame({"id": ids.decode(rows)})
    if (ids.table["scope"] != "").any():
        table = table.with_columns(domain=ids.table["scope"].gather(rows))
    kind = pl.Array(pl.Float32, vectors.shape[1])
    return table.with_columns(pl.Series("vector", np.ascontiguousarray(vectors), dtype=kind))


def _seen(dataset: Dataset, target: str, kept: IntArray) -> pl.DataFrame:
    history = (dataset.train + dataset.valid).of(dataset.domain_index(target))
    history = history.where(np.isin(history.user, kept))
    columns = {
        "user": np.searchsorted(kept, history.user),
        "item": np.searchsorted(dataset.catalog[target], history.item),
    }
    return pl.DataFrame(columns, schema={"user": pl.Int64, "item": pl.Int64}).unique().sort("user", "item")


def _facts(target: str, made: Export, *, exact: bool) -> JSON:
    return {
        "target": target,
        "num_users": len(made.user),
        "num_users_left_out": made.num_left_out,
        "num_items": len(made.item),
        "num_items_without_vector": int((~made.item.any(axis=1)).sum()),
        "num_neighbours": made.neighbours.height,
        "num_seen": made.seen.height,
        "dim": made.item.shape[1],
        "dtype": "float32",
        "metric": "inner product",
        "index": "exact" if exact else "HNSW",
    }


def _records(context: StageContext, made: Export) -> list[Record]:
    counts = {"num_users": len(made.user), "num_items": len(made.item), "num_users_left_out": made.num_left_out}
    return [
        Record(
            stage="export",
            domain=context.target,
            split="-",
            group="all",
            model="-",
            metric=metric,
            k=0,
            seed=context.seed,
            value=float(value),
        )
        for metric, value in counts.items()
    ]
