"""The walks of dgl 1.1.3, the only file that imports it.

dgl has no wheel beyond Python 3.11, so nothing depends on it: it is here for teams that compare
with it, and as an independent check of the compiled twin.
"""

import os
import warnings

import numpy as np
import torch
from scipy.sparse import csr_array

from graphrec.core.types import IntArray

# Without a named backend dgl prints to both streams and writes into the home folder.
os.environ.setdefault("DGLBACKEND", "pytorch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import dgl


def random_walks(
    graph: csr_array, starts: IntArray, length: int, restart: float, seed: int, weighted: bool
) -> IntArray:
    """Walk as `graphrec.samplers.walks.random_walks` says; arguments are checked there."""
    indptr, indices = (torch.from_numpy(a.astype(np.int64)) for a in (graph.indptr, graph.indices))
    twin = dgl.graph(("csr", (indptr, indices, [])), num_nodes=graph.shape[0])
    if weighted:
        twin.edata["weight"] = torch.from_numpy(graph.data.astype(np.float64))
    dgl.seed(seed & 0x7FFFFFFF)
    nodes, _ = dgl.sampling.random_walk(
        twin,
        torch.from_numpy(starts),
        length=length,
        prob="weight" if weighted else None,
        restart_prob=restart or None,
    )
    return np.asarray(nodes.numpy(), dtype=np.int64)
