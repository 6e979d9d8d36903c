"""The graph as PyG `HeteroData`, for convolutions and tools of that library."""

import warnings

import numpy as np
import torch

with warnings.catch_warnings():
    # The library compiles parts of itself with torch.jit.script, which torch deprecates.
    warnings.filterwarnings("ignore", message=".*torch.jit.script.*", category=DeprecationWarning)
    from torch_geometric.data import HeteroData

from graphrec.graph.graph import MultiDomainGraph


def to_hetero(graph: MultiDomainGraph) -> HeteroData:
    """Return node types user, item, entity and every edge type, (user, DOMAIN, item) first.

    Events carry `valid` (bool), knowledge edges `edge_weight` (float32); `edge_index` is [2, num_edges].
    """
    data = HeteroData()
    for kind, count in graph.num_nodes().items():
        data[kind].num_nodes = count
    for domain, events in graph.events.items():
        store = data["user", domain, "item"]
        store.edge_index = torch.from_numpy(np.stack([events.user, events.item]))
        store.valid = torch.from_numpy(events.valid)
    for edge_type, edges in graph.knowledge.items():
        store = data[edge_type]
        store.edge_index = torch.from_numpy(np.stack([edges.source, edges.target]))
        store.edge_weight = torch.from_numpy(edges.weight)
    return data
