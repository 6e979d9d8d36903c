"""Merge: one heterogeneous graph of users, items of every domain, and entities."""

import numpy as np
import polars as pl

from graphrec.core.stage import StageContext
from graphrec.core.types import JSON, FloatArray
from graphrec.data.dataset import Dataset, load_dataset
from graphrec.graph.build import build_graph, kept_triples
from graphrec.graph.graph import MultiDomainGraph
from graphrec.stages.config import MergeConfig


def run(context: StageContext, config: MergeConfig) -> None:
    """Write `graph.safetensors` and `graph.json` from ingest's data set and denoise's probabilities."""
    dataset = load_dataset(context.inputs["ingest"].path)
    triples = pl.read_parquet(context.inputs["denoise"].file("triples.parquet"))
    probability = triples["probability"].to_numpy().astype(np.float32)
    graph = merge(dataset, probability, config)
    graph.save(context.out)
    context.finish(summarize(dataset, probability, graph, config))


def merge(dataset: Dataset, probability: FloatArray, config: MergeConfig) -> MultiDomainGraph:
    """Return the graph of `dataset`; `probability[num_triples]` becomes the weight of knowledge edges.

    Raises `ConfigError` when a relation to drop does not exist.
    """
    return build_graph(dataset, probability, threshold=config.threshold, drop_relations=config.drop_relations)


def summarize(dataset: Dataset, probability: FloatArray, graph: MultiDomainGraph, config: MergeConfig) -> JSON:
    """Return what the report shows: nodes, edges of each type, what became of the triples."""
    keep = kept_triples(dataset, probability, threshold=config.threshold, drop_relations=config.drop_relations)
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
        "num_triples_dropped": len(keep) - int(keep.sum()),
        "events": events,
        "knowledge": knowledge,
        "num_triples_below_threshold": int((probability < config.threshold).sum()),
        "threshold": config.threshold,
        "dropped_relations": list(config.drop_relations),
    }
