"""Merge: one heterogeneous graph of users, items of every domain, and entities."""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import polars as pl

from graphrec.core.seeds import derive_seed
from graphrec.core.stage import StageContext
from graphrec.core.types import JSON, BoolArray, FloatArray
from graphrec.data.dataset import Dataset, load_dataset
from graphrec.graph.build import build_graph, of_other_relations
from graphrec.graph.graph import MultiDomainGraph
from graphrec.stages.config import MergeConfig
from graphrec.text.read import text_vectors


@dataclass(frozen=True, kw_only=True)
class Believed:
    """What denoise says of each triple, `[num_triples]`: how likely it is true, whether it is kept, its weight."""

    probability: FloatArray
    keep: BoolArray
    weight: FloatArray

    @classmethod
    def read(cls, path: Path) -> "Believed":
        """Read what denoise wrote."""
        table = pl.read_parquet(path, columns=[field.name for field in fields(cls)])
        return cls(**{name: column.to_numpy(writable=True) for name, column in table.to_dict().items()})


def run(context: StageContext, config: MergeConfig) -> None:
    """Write `graph.safetensors` and `graph.json` from ingest's data set and what denoise says of its triples."""
    dataset = load_dataset(context.inputs["ingest"].path)
    believed = Believed.read(context.inputs["denoise"].file("triples.parquet"))
    graph = merge(dataset, believed, config)
    if config.item_text:
        graph = with_texts(graph, dataset, config, seed=context.seed)
    graph.save(context.out)
    context.finish(summarize(dataset, believed, graph, config))


def merge(dataset: Dataset, believed: Believed, config: MergeConfig) -> MultiDomainGraph:
    """Return the graph of `dataset` with the triples that denoise kept and `config` lets in.

    Raises `ConfigError` when a relation to drop does not exist.
    """
    keep = believed.keep & (believed.probability >= config.threshold)
    return build_graph(dataset, believed.weight, keep=keep, drop_relations=config.drop_relations)


def with_texts(graph: MultiDomainGraph, dataset: Dataset, config: MergeConfig, *, seed: int) -> MultiDomainGraph:
    """Return `graph` with vectors of the items' texts, those of popular items read first.

    Raises `ConfigError` where the folder of the language model holds none.
    """
    uses = np.bincount(dataset.train.item, minlength=len(dataset.text))
    vectors = text_vectors(dataset.text, uses, config.reading, seed=derive_seed(seed, "merge"), section="merge.reading")
    return replace(graph, item_text=vectors)


def summarize(dataset: Dataset, believed: Believed, graph: MultiDomainGraph, config: MergeConfig) -> JSON:
    """Return what the report shows: nodes, edges of each type, what became of the triples."""
    likely = believed.probability >= config.threshold
    entered = believed.keep & likely & of_other_relations(dataset, config.drop_relations)
    events = [
        {"source": "user", "name": d, "target": "item", "num_edges": len(e), "num_valid": int(e.valid.sum())}
        for d, e in graph.events.items()
    ]
    knowledge = [
        {"source": t[0], "name": t[1], "target": t[2], "num_edges": len(e), "mean_weight": float(e.weight.mean())}
        for t, e in graph.knowledge.items()
    ]
    return {
        **{f"num_{kind}_nodes": count for kind, count in graph.num_nodes().items()},
        "num_event_edges": sum(map(len, graph.events.values())),
        "num_knowledge_edges": sum(map(len, graph.knowledge.values())),
        "num_triples_dropped": int((~entered).sum()),
        "num_triples_not_kept": int((~believed.keep).sum()),
        "events": events,
        "knowledge": knowledge,
        "num_triples_below_threshold": int((~likely).sum()),
        "threshold": config.threshold,
        "dropped_relations": list(config.drop_relations),
    }
