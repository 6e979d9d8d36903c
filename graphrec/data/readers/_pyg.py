"""`HeteroData` of torch-geometric as plain columns. Files are loaded without running what is pickled in them."""

import warnings
from pathlib import Path

import polars as pl
import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

with warnings.catch_warnings():
    # The library compiles parts of itself with torch.jit.script, which torch deprecates.
    warnings.filterwarnings("ignore", message=".*torch.jit.script.*", category=DeprecationWarning)
    from torch_geometric.data import HeteroData as HeteroData
    from torch_geometric.data.storage import BaseStorage, EdgeStorage, NodeStorage

from graphrec.core.errors import DataError
from graphrec.data.readers.hetero import IDS, Edges, HeteroGraph, Nodes

_NEEDED = [HeteroData, BaseStorage, NodeStorage, EdgeStorage]


def load(path: Path) -> HeteroGraph:
    """Load a `HeteroData` that `torch.save` wrote; raise `DataError` on anything else.

    Only tensors, plain values and the classes of `HeteroData` are made; a file that asks for more is refused.
    """
    with safe_globals(_NEEDED):
        try:
            foreign = get_unsafe_globals_in_checkpoint(path)
            data = None if foreign else torch.load(path, weights_only=True, map_location="cpu")
        # A damaged archive may break the unpickler anywhere.
        except Exception as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise DataError(f"{path}: is damaged, or no file of torch.save: {first[:120]}") from None
    if foreign:
        raise DataError(
            f"{path}: holds {', '.join(sorted(foreign)[:5])}, which to load could run foreign code; save a HeteroData "
            "with nothing but tensors, numbers, texts and lists of them"
        )
    if not isinstance(data, HeteroData):
        raise DataError(f"{path}: holds {type(data).__name__}, expected HeteroData; name node and edge types in one")
    return plain(data, str(path))


def plain(data: HeteroData, where: str) -> HeteroGraph:
    """Return the nodes, edges and attributes of `data`; raise `DataError` where it is not whole."""
    try:
        edges = {edge_type: _edges(data, edge_type, where) for edge_type in data.edge_types}
        nodes = {kind: _nodes(data, kind) for kind in data.node_types}
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where}: is no whole HeteroData ({error}); check it with data.validate()") from None
    return HeteroGraph(where=where, nodes=nodes, edges=edges)


def _nodes(data: HeteroData, kind: str) -> Nodes:
    count = _count(data, kind)
    return Nodes(count=count, attributes=_columns(data[kind].to_dict(), count))


def _count(data: HeteroData, kind: str) -> int:
    """Return how many nodes there are: what the library says, else as many as have ids, else as edges reach."""
    with warnings.catch_warnings():
        # Where it would have to guess, the library says so and gives None.
        warnings.simplefilter("ignore")
        told = data[kind].num_nodes
    if told is not None:
        return int(told)
    named = [len(data[kind][name]) for name in IDS if name in data[kind]]
    ends = [data[t].edge_index[side] for t in data.edge_types for side in (0, 1) if t[2 * side] == kind]
    return named[0] if named else max((int(end.max()) + 1 for end in ends if len(end)), default=0)


def _edges(data: HeteroData, edge_type: tuple[str, str, str], where: str) -> Edges:
    store = data[edge_type].to_dict()
    index = store.pop("edge_index", None)
    if not isinstance(index, torch.Tensor) or index.dim() != 2 or len(index) != 2 or index.is_floating_point():
        raise DataError(f"{where}: {edge_type}: no edge_index of shape [2, num_edges]; save one (adj_t is not read)")
    source, target = (pl.Series(end.to(torch.int64).cpu().numpy()) for end in index)
    return Edges(source=source, target=target, attributes=_columns(store, len(source)))


def _columns(attributes: dict[str, object], count: int) -> dict[str, pl.Series]:
    """Return the attributes that are one number or text for each of `count` nodes or edges."""
    found = {}
    for name, value in attributes.items():
        if isinstance(value, torch.Tensor) and value.shape in ((count,), (count, 1)):
            found[name] = pl.Series(name, value.detach().reshape(-1).cpu().numpy())
        elif isinstance(value, list | tuple) and len(value) == count:
            kinds = {type(part) for part in value}
            if kinds <= {str} or kinds <= {int}:
                found[name] = pl.Series(name, value)
    return found
