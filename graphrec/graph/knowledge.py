"""The knowledge of some domains as one list of edges, whatever kinds they tie."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.graph.graph import EdgeType, MultiDomainGraph


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """Edges `[num_edges]` between nodes, which are items first, then entities.

    `relation` counts `types`; `weight` is the trust in the triple.
    """

    types: tuple[EdgeType, ...]
    source: IntArray
    relation: IntArray
    target: IntArray
    weight: FloatArray

    @classmethod
    def of(cls, graph: MultiDomainGraph, domains: Sequence[str]) -> "Knowledge":
        """Collect the edges without an end at an item of another domain."""
        shift = {"item": 0, "entity": graph.num_items}
        sources, relations, targets = ([np.empty(0, dtype=np.int64)] for _ in range(3))
        weights = [np.empty(0, dtype=np.float32)]
        for number, ((source_kind, _, target_kind), edges) in enumerate(graph.knowledge.items()):
            sources.append(edges.source + shift[source_kind])
            relations.append(np.full(len(edges), number, dtype=np.int64))
            targets.append(edges.target + shift[target_kind])
            weights.append(edges.weight)
        source, target = np.concatenate(sources), np.concatenate(targets)
        listed = _listed(graph, domains)
        both = listed[source] & listed[target]
        return cls(
            types=tuple(graph.knowledge),
            source=source[both],
            relation=np.concatenate(relations)[both],
            target=target[both],
            weight=np.concatenate(weights)[both],
        )

    def __len__(self) -> int:
        return len(self.source)

    @cached_property
    def pair(self) -> IntArray:
        """Number the pairs of tied nodes, either way: the same for two edges of one pair, `[num_edges]`."""
        low, high = np.minimum(self.source, self.target), np.maximum(self.source, self.target)
        place = np.unique(low * (int(high.max(initial=0)) + 1) + high, return_inverse=True)[1]
        return place.reshape(-1).astype(np.int64)


def _listed(graph: MultiDomainGraph, domains: Sequence[str]) -> BoolArray:
    listed = np.ones(graph.num_items + graph.num_entities, dtype=np.bool_)
    listed[: graph.num_items] = False
    for domain in domains:
        listed[graph.catalog[domain]] = True
    return listed


def entries(matrix: torch.Tensor, row: IntArray, column: IntArray) -> IntArray:
    """Return where the entries (row, column) stand among the values of a sparse CSR `matrix`, which has them all."""
    count, width = np.diff(matrix.crow_indices().cpu().numpy()), matrix.shape[1]
    key = np.repeat(np.arange(len(count)), count) * width + matrix.col_indices().cpu().numpy()
    order = np.argsort(key, kind="stable")
    return order[np.searchsorted(key[order], row * width + column)].astype(np.int64)


def with_zeros(matrix: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """Return the sparse CSR `matrix` with the values at `place` set to zero."""
    value = matrix.values().clone()
    value[place] = 0
    return torch.sparse_csr_tensor(
        matrix.crow_indices(), matrix.col_indices(), value, size=matrix.shape, check_invariants=False
    )
