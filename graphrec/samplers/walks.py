"""Random walks on a CSR graph: one contract, two engines.

A walk starts at a given node and goes to a neighbour, uniformly or in proportion to the edge
weights. Before every step it ends with probability `restart` (to restart, walk the same start
again: rows are independent), and it ends at a node without outgoing edges. What lies beyond the
end of a walk is `ENDED`.

    numba   compiled kernel; row k depends on (seed, k) only, not on threads or on the other rows
    dgl     `dgl.sampling.random_walk`; reproducible for a fixed number of threads only

Both draw from the same distribution (tests compare them), not the same numbers.
"""

from collections.abc import Callable
from importlib import import_module
from typing import cast

import numpy as np
from scipy.sparse import csr_array

from graphrec.core.errors import ConfigError, MissingExtraError
from graphrec.core.types import IntArray

ENGINES = {
    "numba": "graphrec.samplers._numba_walks:random_walks",
    "dgl": "graphrec.samplers._dgl:random_walks",
}
"""Engine name -> "module:function"; a new engine is one file and one row."""

DEFAULT_ENGINE = "numba"
"""What "auto" means: it is measured faster than dgl, and has wheels for every Python."""

ENDED = -1
"""Fills a row after its walk has ended."""

_Engine = Callable[[csr_array, IntArray, int, float, int, bool], IntArray]


def random_walks(
    graph: csr_array,
    starts: IntArray,
    length: int,
    *,
    restart: float = 0.0,
    seed: int,
    weighted: bool = False,
    engine: str = "auto",
) -> IntArray:
    """Return `[len(starts), length + 1]` int64 nodes; column 0 is `starts`, `ENDED` after an end.

    `graph` is a square adjacency; a stored entry (i, j) is an edge i -> j. With `weighted` a step
    takes it with probability proportional to its value (non-negative, each row that has entries with a
    positive sum), otherwise every stored entry of a row is equally likely. `restart` in [0, 1) is
    the chance to end before each step. Raises `ConfigError` on an unknown engine and
    `MissingExtraError` when the engine's library is not installed.
    """
    assert graph.shape[0] == graph.shape[1], "walks need a square adjacency"
    assert 0 <= restart < 1 and length >= 0
    assert len(starts) == 0 or (starts.min() >= 0 and starts.max() < graph.shape[0]), "starts must be nodes"
    walk = _load(DEFAULT_ENGINE if engine == "auto" else engine)
    if len(starts) == 0 or length == 0:  # dgl crashes the process on these
        return np.tile(np.asarray(starts, dtype=np.int64)[:, None], length + 1)
    return walk(graph, np.asarray(starts, dtype=np.int64), length, restart, seed, weighted)


def _load(engine: str) -> _Engine:
    if engine not in ENGINES:
        raise ConfigError(f"walk engine {engine!r}: not one of auto, {', '.join(ENGINES)}")
    module, _, name = ENGINES[engine].partition(":")
    try:
        return cast(_Engine, getattr(import_module(module), name))
    except ImportError as error:
        raise MissingExtraError(
            f"walk engine {engine!r} needs a package that is not installed ({error}); "
            f"pip install {engine} where it has a wheel (dgl: Python 3.11), or use engine 'numba'"
        ) from None
