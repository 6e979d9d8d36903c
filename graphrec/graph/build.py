"""From a data set to the graph: events by domain, triples resolved through links."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from graphrec.core.errors import ConfigError
from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.data.dataset import Dataset
from graphrec.graph.graph import Edges, EdgeType, EventEdges, MultiDomainGraph


def build_graph(
    dataset: Dataset, weight: FloatArray, *, keep: BoolArray | None = None, drop_relations: Sequence[str] = ()
) -> MultiDomainGraph:
    """Merge all domains and the knowledge graph of `dataset` into one typed graph.

    `weight[num_triples]` is that of a triple's edges. Only triples in `keep` enter, all if it is not
    given, and none of a relation in `drop_relations`. An end that is linked to items becomes those
    items. Raises `ConfigError` when a relation to drop does not exist.
    """
    assert len(weight) == len(dataset.triples), "one weight per triple"
    left = of_other_relations(dataset, drop_relations)
    return MultiDomainGraph(
        num_users=len(dataset.users),
        num_items=len(dataset.items),
        num_entities=len(dataset.entities),
        # A copy, because columns read from parquet may be read-only, which torch refuses.
        catalog={domain: catalog.copy() for domain, catalog in dataset.catalog.items()},
        events={domain: _events(dataset, domain) for domain in dataset.domains},
        knowledge=_knowledge(dataset, weight, left if keep is None else left & keep),
    )


def of_other_relations(dataset: Dataset, drop_relations: Sequence[str]) -> BoolArray:
    """Return which triples have a relation that is not dropped, `[num_triples]`.

    Raises `ConfigError` when a relation to drop does not exist.
    """
    unknown = [name for name in drop_relations if name not in dataset.relations]
    if unknown:
        known = ", ".join(dataset.relations) or "none"
        raise ConfigError(f"drop_relations: no relation {', '.join(map(repr, unknown))}; known relations: {known}")
    dropped = [dataset.relations.index(name) for name in drop_relations]
    return ~np.isin(dataset.triples.relation, dropped)


def _events(dataset: Dataset, domain: str) -> EventEdges:
    index = dataset.domain_index(domain)
    train, valid = dataset.train.of(index), dataset.valid.of(index)
    both = train + valid
    # Stable: a user's train events keep their order in time and come before the validation events.
    order = np.argsort(both.user, kind="stable")
    flag = np.arange(len(both)) >= len(train)
    return EventEdges(user=both.user[order], item=both.item[order], valid=flag[order], weight=both.weight[order])


def _knowledge(dataset: Dataset, weight: FloatArray, keep: BoolArray) -> dict[EdgeType, Edges]:
    triples = dataset.triples
    table = pl.DataFrame(
        {
            "source": triples.head[keep],
            "relation": triples.relation[keep],
            "target": triples.tail[keep],
            "weight": weight[keep].astype(np.float32),
        }
    )
    for end in ("source", "target"):
        table = _resolve(table, end, dataset.link_item, dataset.link_entity)
    table = table.filter((pl.col("source") != pl.col("target")) | (pl.col("source_kind") != pl.col("target_kind")))
    # Two triples can become one edge through links; the better one counts.
    keys = ["source_kind", "relation", "target_kind", "source", "target"]
    table = table.group_by(keys).agg(pl.col("weight").max()).sort(keys)
    parts = table.partition_by("source_kind", "relation", "target_kind", as_dict=True)
    return {_edge_type(dataset, key): _edges(part) for key, part in sorted(parts.items())}


def _resolve(table: pl.DataFrame, end: str, link_item: IntArray, link_entity: IntArray) -> pl.DataFrame:
    """Replace entity numbers in column `end` by the linked items, and say in `end`_kind which they are."""
    links = pl.DataFrame({end: link_entity, "_item": link_item})
    joined = table.join(links, on=end, how="left", maintain_order="left")
    linked = pl.col("_item").is_not_null()
    return joined.with_columns(
        pl.when(linked).then(pl.lit("item")).otherwise(pl.lit("entity")).alias(f"{end}_kind"),
        pl.coalesce("_item", end).alias(end),
    ).drop("_item")


def _edge_type(dataset: Dataset, key: tuple[object, ...]) -> EdgeType:
    source, relation, target = key
    assert isinstance(relation, int)
    return str(source), dataset.relations[relation], str(target)


def _edges(part: pl.DataFrame) -> Edges:
    source, target, weight = (part[name].to_numpy(writable=True) for name in ("source", "target", "weight"))
    return Edges(source=source, target=target, weight=weight)
