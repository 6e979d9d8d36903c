"""Neighbour sampling for mini-batches: a few edges of each node, layer by layer, from the seeds outwards.

    seeds ── fanouts[-1] ──> their neighbours ── fanouts[-2] ──> theirs ...        (drawn in this order)
    Blocks.layers[-1]        layers[-2]                                            (used from the first on)

A layer of a network then maps vectors of `nodes[:num_source]` to vectors of `nodes[:num_target]`
(Hamilton et al. 2017, algorithm 2). Neighbours are drawn without replacement; a node with no more
than the fan-out keeps all. What a node draws depends on (seed, layer, node) only, not on threads or
on the other nodes of its batch.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_array

from graphrec.core.types import FloatArray, IntArray
from graphrec.samplers._numba_neighbours import forget, remember, row_sums, sample_layer


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Edges into the first `num_target` nodes from the first `num_source`, as CSR over the targets.

    The sources of target t are `source[start[t]:start[t + 1]]`, local ids; `entry` says which stored
    entry of the graph each edge is, `[num_edges]`.
    """

    num_source: int
    num_target: int
    start: IntArray
    source: IntArray
    entry: IntArray

    @property
    def target(self) -> IntArray:
        """Return the local target of each edge, ascending, `[num_edges]`."""
        return np.repeat(np.arange(self.num_target), np.diff(self.start))


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """`nodes[num_nodes]`, distinct, the seeds first; and the layers, the one farthest from the seeds first."""

    nodes: IntArray
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class NeighbourSampler:
    """Sampler of one graph: the square adjacency whose stored entry (i, j) makes j a neighbour of i.

    With `weighted` a node draws its neighbours one after the other, each in proportion to the value of
    its entry among those left (non-negative; an entry of 0 is never drawn); otherwise all entries are
    alike. `fanouts` are at least 1, the layer farthest from the seeds first. May be used by several threads.
    """

    graph: csr_array
    fanouts: tuple[int, ...]
    weighted: bool = False
    indptr: IntArray = field(init=False, repr=False)
    indices: IntArray = field(init=False, repr=False)
    sums: FloatArray = field(init=False, repr=False)
    _places: list[IntArray] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        assert self.graph.shape[0] == self.graph.shape[1], "neighbours need a square adjacency"
        assert min(self.fanouts, default=1) >= 1, "a fan-out is at least 1"
        indptr, indices = (a.astype(np.int64, copy=False) for a in (self.graph.indptr, self.graph.indices))
        weight = self.graph.data.astype(np.float64) if self.weighted else np.empty(0)
        assert not (weight < 0).any(), "weights must not be negative"
        for name, value in (("indptr", indptr), ("indices", indices), ("sums", row_sums(indptr, weight))):
            object.__setattr__(self, name, value)

    def sample(self, seeds: IntArray, *, seed: int) -> Blocks:
        """Return the blocks of distinct `seeds`; give every batch a `seed` of its own."""
        size = len(self.indptr) - 1
        assert len(seeds) == 0 or (seeds.min() >= 0 and seeds.max() < size), "seeds must be nodes"
        place = self._places.pop() if self._places else np.full(size, -1, dtype=np.int64)
        nodes, layers = np.array(seeds, dtype=np.int64), list[Layer]()
        distinct = remember(nodes, place)
        for number, fanout in enumerate(reversed(self.fanouts) if distinct else ()):
            key = np.uint64((seed + number * 0x9E3779B97F4A7C15) & (2**64 - 1))
            num_target = len(nodes)
            start, source, entry, nodes = sample_layer(self.indptr, self.indices, self.sums, nodes, fanout, key, place)
            layers.append(Layer(num_source=len(nodes), num_target=num_target, start=start, source=source, entry=entry))
        forget(nodes, place)
        self._places.append(place)
        assert distinct, "seeds must be distinct"
        return Blocks(nodes=nodes, layers=tuple(reversed(layers)))


def sample_neighbours(
    graph: csr_array, seeds: IntArray, fanouts: tuple[int, ...], *, seed: int, weighted: bool = False
) -> Blocks:
    """Return the blocks of one batch; for many batches of one graph keep a `NeighbourSampler`."""
    return NeighbourSampler(graph, fanouts, weighted).sample(seeds, seed=seed)
