"""In place of pretraining: take over the views of a finished run, for a domain that arrived later.

Users and entities are matched by external id; who or what the finished run did not know gets zeros.
"""

from pathlib import Path

import numpy as np
import polars as pl

from graphrec.core.artifacts import RunFolder
from graphrec.core.errors import DataError
from graphrec.core.ids import IdMap
from graphrec.core.stage import StageContext
from graphrec.core.types import FloatArray, IntArray
from graphrec.data.dataset import Dataset, load_dataset
from graphrec.encoders.pretrained import SOURCES, Pretrained
from graphrec.graph.graph import Edges, EventEdges, MultiDomainGraph
from pretrain.config import InheritConfig


def run(context: StageContext, config: InheritConfig) -> None:
    """Write the finished run's pretrained vectors under the new data set's ids."""
    base = RunFolder.open(Path(config.run or ""))
    known = load_dataset(base.current("ingest").path)
    new = load_dataset(context.inputs["ingest"].path)
    pretrained = Pretrained.load(base.current("pretrain").path)
    realign(pretrained, known, new).save(context.out)
    (context.out / SOURCES).mkdir()
    realign_graph(MultiDomainGraph.load(base.current("merge").path), known, new).save(context.out / SOURCES)
    context.finish(
        {
            "domains": pretrained.domains,
            "dim": pretrained.dim,
            "curve": [],
            "inherited": {
                "run": base.entry("name"),
                "users_known": int((known_rows(known.users, new.users) >= 0).sum()),
                "entities_known": int((known_rows(known.entities, new.entities) >= 0).sum()),
            },
        }
    )


def realign(pretrained: Pretrained, known: Dataset, new: Dataset) -> Pretrained:
    """Return `pretrained` with its rows in the order of `new`'s users and entities, zeros for the unknown.

    Raises `DataError` when not one user or entity of `new` is known: nothing would transfer.
    """
    users, entities = known_rows(known.users, new.users), known_rows(known.entities, new.entities)
    if not (users >= 0).any() and not (entities >= 0).any():
        raise DataError(
            "the new domain shares no user and no entity with the finished run, so nothing helps it; are ids written "
            f"the same way? (there: {_samples(known.users)}; here: {_samples(new.users)})"
        )
    views = {
        history: {domain: _gather(array, users) for domain, array in by_domain.items()}
        for history, by_domain in pretrained.user_views.items()
    }
    return Pretrained(
        domains=pretrained.domains,
        dim=pretrained.dim,
        user_views=views,
        item=pretrained.item,
        entity=_gather(pretrained.entity, entities),
    )


def realign_graph(graph: MultiDomainGraph, known: Dataset, new: Dataset) -> MultiDomainGraph:
    """Return `graph` with the user and entity numbers of `new`; events and edges of the unknown are left out."""
    users = _numbers(known_rows(known.users, new.users), graph.num_users)
    entities = _numbers(known_rows(known.entities, new.entities), graph.num_entities)
    number = {"item": np.arange(graph.num_items), "entity": entities}
    events, knowledge = {}, {}
    for domain, edges in graph.events.items():
        kept = np.flatnonzero(users[edges.user] >= 0)
        kept = kept[np.argsort(users[edges.user[kept]], kind="stable")]
        events[domain] = EventEdges(
            user=users[edges.user[kept]], item=edges.item[kept], valid=edges.valid[kept], weight=edges.weight[kept]
        )
    for (source, relation, target), ends in graph.knowledge.items():
        head, tail = number[source][ends.source], number[target][ends.target]
        kept = np.flatnonzero((head >= 0) & (tail >= 0))
        kept = kept[np.lexsort((tail[kept], head[kept]))]
        knowledge[source, relation, target] = Edges(source=head[kept], target=tail[kept], weight=ends.weight[kept])
    return MultiDomainGraph(
        num_users=len(new.users),
        num_items=graph.num_items,
        num_entities=len(new.entities),
        catalog=graph.catalog,
        events=events,
        knowledge=knowledge,
    )


def _numbers(rows: IntArray, size: int) -> IntArray:
    """Turn old numbers by new ones into new numbers by old ones, -1 where there is none."""
    found = np.full(size, -1, dtype=np.int64)
    found[rows[rows >= 0]] = np.flatnonzero(rows >= 0)
    return found


def known_rows(known: IdMap, new: IdMap) -> IntArray:
    """Rows of `known` for each key of `new`, -1 where unknown; ids match as text, 17 and "17" being one."""
    left = new.table.with_columns(pl.col("id").cast(pl.String))
    right = known.table.with_columns(pl.col("id").cast(pl.String)).with_row_index("row")
    joined = left.join(right, on=["scope", "id"], how="left", maintain_order="left")
    return joined["row"].cast(pl.Int64).fill_null(-1).to_numpy().astype(np.int64)


def _gather(array: FloatArray, rows: IntArray) -> FloatArray:
    taken = array[np.maximum(rows, 0)] if len(array) else np.zeros((len(rows), array.shape[1]), dtype=np.float32)
    return np.where(rows[:, None] >= 0, taken, np.float32(0)).astype(np.float32)


def _samples(ids: IdMap) -> str:
    return ", ".join(map(repr, ids.table["id"].cast(pl.String).head(3)))
