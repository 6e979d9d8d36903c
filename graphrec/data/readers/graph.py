"""Reader of heterogeneous graphs: `HeteroData` of torch-geometric (.pt) and graphs of dgl (.bin).

Edges from the user's node type become events, one domain for each item type; edges between other
node types become triples. `from_hetero` takes a graph that is in memory already.
"""

from importlib import import_module
from pathlib import Path

from graphrec.core.errors import DataError, MissingExtraError
from graphrec.data.config import GraphConfig
from graphrec.data.files.scan import expand
from graphrec.data.raw import RawTables
from graphrec.data.readers import _pyg
from graphrec.data.readers.hetero import HeteroGraph, to_tables


def files(config: GraphConfig) -> list[Path]:
    """Return the one file that is read; raise `DataError` where there is none."""
    if not config.path:
        raise DataError("ingest.graph.path: none given; name a .pt file (torch-geometric) or a .bin file (dgl)")
    found = expand(config.path, Path())
    if len(found) > 1:
        raise DataError(f"ingest.graph.path: {config.path} names {len(found)} files, expected one")
    return found


def read(config: GraphConfig) -> RawTables:
    """Read the graph; raise one `DataError` with all that does not fit, `MissingExtraError` without dgl."""
    path = files(config)[0]
    return to_tables(_load_dgl(path) if path.suffix == ".bin" else _pyg.load(path), config)


def from_hetero(data: _pyg.HeteroData, config: GraphConfig) -> RawTables:
    """Return the tables of a `HeteroData` in memory; `config.path` is not looked at."""
    return to_tables(_pyg.plain(data, "HeteroData"), config)


def _load_dgl(path: Path) -> HeteroGraph:
    try:
        adapter = import_module("graphrec.data.readers._dgl")
    except ImportError as error:
        raise MissingExtraError(
            f"{path}: needs dgl, which is not installed ({error}); pip install dgl where it has a wheel "
            "(Python 3.11), or save a HeteroData of torch-geometric as .pt"
        ) from None
    found: HeteroGraph = adapter.load(path)
    return found
