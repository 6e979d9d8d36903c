"""Knowledge as a bridge: the items of the target as a source's items around them describe them.

    entity e in source d    E_d(e) = unit( sum over items j of d tied to e of w(j, e) * item_d(j) )
    item i of the target    b_d(i) = unit( sum over entities e tied to i of w(i, e) * idf_d(e) * E_d(e) )

with w the trust in the edge and idf_d(e) = log(1 + items of d / items of d tied to e), so that what is tied to
everything says little. An item that both domains offer describes itself. Nothing is learned here, and nobody has to use
both domains: items of the target that one entity ties to alike items of the source become alike.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from graphrec.core.types import FloatArray
from graphrec.core.vectors import unit_rows
from graphrec.encoders.pretrained import FULL, TRAIN, Pretrained
from graphrec.graph.graph import MultiDomainGraph

_RANK = 256
"""Dimensions of items by their entities."""

_ITSELF = 2.0
"""How much an item that both domains offer counts beside its entities."""


def bridges(
    graph: MultiDomainGraph, domain: str, beside: MultiDomainGraph, pretrained: Pretrained, sources: Sequence[str]
) -> dict[str, Mapping[str, FloatArray]]:
    """Return, per history and source, the items of `domain` in `graph` as the source, in `beside`, describes them.

    Entities have the same numbers in both; items do where both are one graph, and then an item may be in both domains.
    """
    catalog, theirs, found = graph.catalog[domain], item_ties(beside), dict[str, Mapping[str, FloatArray]]()
    mine = item_ties(graph)[catalog]
    for history in (TRAIN, FULL):
        made = {}
        for name in sources:
            if name in beside.catalog and name in pretrained.item.get(history, {}):
                item, source = pretrained.item[history][name], beside.catalog[name]
                described = bridge(mine, theirs[source], item)
                if graph is beside:
                    _, own, other = np.intersect1d(catalog, source, assume_unique=True, return_indices=True)
                    described[own] += _ITSELF * item[other]
                if described.any():
                    made[name] = unit_rows(described)
        found[history] = made
    return found


def item_ties(graph: MultiDomainGraph) -> csr_array:
    """Return the trust in the edges between items and entities, whatever relation, `[num_items, num_entities]`."""
    rows, columns, weights = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for (source, _, target), edges in graph.knowledge.items():
        if {source, target} == {"item", "entity"}:
            item, entity = (edges.source, edges.target) if source == "item" else (edges.target, edges.source)
            rows, columns, weights = [*rows, item], [*columns, entity], [*weights, edges.weight]
    shape = (graph.num_items, graph.num_entities)
    pairs = (np.concatenate(rows), np.concatenate(columns))
    made = csr_array((np.concatenate(weights).astype(np.float32), pairs), shape=shape)
    made.sum_duplicates()
    return made


def bridge(mine: csr_array, theirs: csr_array, item: FloatArray) -> FloatArray:
    """Return rows as the items of another domain around them describe them, `[num_rows, dim]`, unit rows or zero.

    `mine` and `theirs` are the ties of both sides to the same entities, `item` [num_items of the other, dim].
    """
    entity = unit_rows(np.asarray(theirs.T @ item, dtype=np.float32))
    tied = np.bincount(theirs.indices, minlength=theirs.shape[1])
    entity *= np.log1p(theirs.shape[0] / np.maximum(tied, 1)).astype(np.float32)[:, None]
    return unit_rows(np.asarray(mine @ entity, dtype=np.float32))


def profiles(ties: csr_array) -> FloatArray | None:
    """Return vectors whose products tell how alike items are by entities, `[num_items, rank]`; None if none is shared.

    Latent semantic analysis (Deerwester et al. 1990): the largest singular vectors of `ties` [num_items, num_entities],
    weighed by idf, rows of unit length, without entities of a single item.
    """
    ties = csr_array(ties[:, np.bincount(ties.indices, minlength=ties.shape[1]) > 1])
    rank = min(_RANK, min(ties.shape) - 1)
    if rank < 1:
        return None
    # A start that is given makes the result the same every time.
    left, size, _ = svds(by_idf(ties), k=rank, v0=np.ones(min(ties.shape), dtype=np.float32), rng=0)
    return np.ascontiguousarray(left * size, dtype=np.float32)


def by_idf(ties: csr_array) -> csr_array:
    """Return `ties` [num_items, num_entities] weighed by log(1 + items / items tied), rows of unit length or zero."""
    tied = np.maximum(np.bincount(ties.indices, minlength=ties.shape[1]), 1)
    ties = csr_array(ties.multiply(np.log1p(ties.shape[0] / tied).astype(np.float32)[None, :]))
    length = np.sqrt(np.asarray(ties.multiply(ties).sum(axis=1), dtype=np.float32)).ravel()
    return csr_array(ties.multiply((1 / np.maximum(length, 1e-9))[:, None])).astype(np.float32)
