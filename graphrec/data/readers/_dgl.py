"""Graphs of dgl as plain columns; the readers' only file that imports it."""

import os
import warnings
from pathlib import Path

import polars as pl
import torch

# Without a named backend dgl prints to both streams and writes into the home folder.
os.environ.setdefault("DGLBACKEND", "pytorch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import dgl

from graphrec.core.errors import DataError
from graphrec.data.readers.hetero import Edges, HeteroGraph, Nodes

_MAGIC = 0xDD2E4FF046B4A13F


def load(path: Path) -> HeteroGraph:
    """Load the one graph that `dgl.save_graphs` wrote to a file; raise `DataError` on anything else."""
    _check_start(path)
    try:
        graphs, _ = dgl.load_graphs(str(path))
    except (dgl.DGLError, OSError, ValueError) as error:
        raise DataError(f"{path}: is damaged, or no file of dgl.save_graphs: {str(error).splitlines()[0]}") from None
    if len(graphs) != 1:
        raise DataError(f"{path}: holds {len(graphs)} graphs, expected one; save them one by one")
    return plain(graphs[0], str(path))


def plain(graph: "dgl.DGLGraph", where: str) -> HeteroGraph:
    """Return the nodes, edges and attributes of `graph`."""
    nodes = {
        kind: Nodes(count=graph.num_nodes(kind), attributes=_columns(graph.nodes[kind].data)) for kind in graph.ntypes
    }
    edges = {}
    for edge_type in graph.canonical_etypes:
        source, target = (pl.Series(end.to(torch.int64).numpy()) for end in graph.edges(etype=edge_type, order="eid"))
        edges[edge_type] = Edges(source=source, target=target, attributes=_columns(graph.edges[edge_type].data))
    return HeteroGraph(where=where, nodes=nodes, edges=edges)


def _check_start(path: Path) -> None:
    """Refuse what is no graph file: on an absurd number of graphs the library would end the process."""
    with path.open("rb") as file:
        head = file.read(32)
    magic, version, _, count = (int.from_bytes(head[k : k + 8], "little") for k in (0, 8, 16, 24))
    if magic != _MAGIC or version not in (1, 2) or len(head) < 32 or count > path.stat().st_size:
        raise DataError(f"{path}: is no file of dgl.save_graphs; write one, or name a HeteroData in a .pt file")


def _columns(data: dict[str, torch.Tensor]) -> dict[str, pl.Series]:
    """Return the attributes that are one number for each node or edge."""
    return {name: pl.Series(name, value.numpy()) for name, value in dict(data).items() if value.dim() == 1}
