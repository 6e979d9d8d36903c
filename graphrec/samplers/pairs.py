"""Item pairs from random walks item - middle - item, counted as in PinSAGE (Ying et al., KDD 2018).

The middle is whatever ties items together: users (i-u-j) or entities (i-e-j). Visits measure how
close two items are; without correction nearly all of them end at the few popular items.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_array, csr_array

from graphrec.core.seeds import derive_seed, generator
from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.graph.graph import MultiDomainGraph
from graphrec.samplers.config import PairsConfig
from graphrec.samplers.walks import random_walks

_BLOCK = 1 << 22  # walk ends that stand in memory at a time


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Weighted pairs `[num_pairs]`: `neighbour` is near `item`."""

    item: IntArray
    neighbour: IntArray
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.item)

    def __add__(self, other: "Pairs") -> "Pairs":
        return Pairs(
            item=np.concatenate([self.item, other.item]),
            neighbour=np.concatenate([self.neighbour, other.neighbour]),
            weight=np.concatenate([self.weight, other.weight]),
        )

    def scaled(self, factor: float) -> "Pairs":
        """Return the pairs with every weight times `factor`."""
        return Pairs(item=self.item, neighbour=self.neighbour, weight=self.weight * np.float32(factor))


def item_pairs(history: csr_array, links: csr_array, rare: BoolArray, config: PairsConfig, seed: int) -> Pairs:
    """Return pairs of walks over users and over entities; `rare` items [num_items] walk more often.

    `history` is [num_users, num_items], `links` [num_items, num_middle] (see `item_links`), empty
    without a knowledge graph.
    """
    count = np.bincount(history.indices, minlength=len(rare))
    walks = np.where(rare, round(config.walks * config.tail_factor), config.walks).astype(np.int64)
    # Up to the most popular rare item every visit counts; above it, fewer the more popular an item is.
    level = max(1, int(count[rare].max(initial=1)))
    accept = np.minimum(1.0, (np.maximum(count, 1) / level) ** -config.accept_power)
    by_user = walk_pairs(
        csr_array(history.T),
        walks,
        accept=accept,
        top=config.per_item,
        hops=config.hops,
        seed=derive_seed(seed, "user"),
    )
    if links.nnz == 0 or config.entity_weight == 0:
        return by_user
    # A category of a thousand items says less of each than one of five.
    degree = np.bincount(links.indices, minlength=links.shape[1])
    weighted = csr_array(links.multiply((np.maximum(degree, 1) ** -config.hub_power)[None, :]))
    by_entity = walk_pairs(
        weighted, walks, accept=accept, top=config.per_item, weighted=True, seed=derive_seed(seed, "entity")
    )
    return by_user + by_entity.scaled(config.entity_weight)


def item_links(graph: MultiDomainGraph, domain: str) -> csr_array:
    """Return the knowledge edges of the domain's items, [num_items of the domain, num_entities + num_items].

    A column is an entity or, from `num_entities` on, an item; an item that others point to also
    has the edge to its own column, so that a walk gets from one to the other.
    """
    parts = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)), *_item_ends(graph)]
    item, middle, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    catalog = graph.catalog[domain]
    row = np.searchsorted(catalog, item)
    own = catalog[np.minimum(row, len(catalog) - 1)] == item if len(catalog) else np.zeros(len(item), np.bool_)
    shape = (len(catalog), graph.num_entities + graph.num_items)
    return csr_array((weight[own], (row[own], middle[own])), shape=shape)


def _item_ends(graph: MultiDomainGraph) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
    for (source, _, target), edges in graph.knowledge.items():
        if source == "item":
            shift = graph.num_entities if target == "item" else 0
            yield edges.source, edges.target + shift, edges.weight
        if target == "item":
            middle = edges.target + graph.num_entities if source == "item" else edges.source
            yield edges.target, middle, edges.weight


def walk_pairs(
    incidence: csr_array,
    walks: IntArray,
    *,
    accept: NDArray[np.float64],
    top: int,
    hops: int = 1,
    weighted: bool = False,
    seed: int,
) -> Pairs:
    """Walk `walks[i]` times from each item `i` over `incidence` [num_items, num_middle] and count visits.

    A hop is item -> middle -> item, by the values of `incidence` when `weighted`. A visit to `j`
    counts with probability `accept[j]`; each item keeps its `top` most visited others. Weights are shares of the
    visits kept, so those of one item sum to 1.
    """
    num_items = incidence.shape[0]
    assert len(walks) == len(accept) == num_items
    graph = csr_array(block_array([[None, incidence], [incidence.T, None]], format="csr"))
    parts = [Pairs(item=np.empty(0, np.int64), neighbour=np.empty(0, np.int64), weight=np.empty(0, np.float32))]
    # Blocks of items bound the memory; their size is a constant because each has random streams of its own.
    marks = np.arange(0, max(1, int(walks.sum()) * hops), _BLOCK)
    edges = np.searchsorted(np.cumsum(walks) * hops, marks, side="right")
    for low, high in zip(edges, [*edges[1:], num_items], strict=True):
        starts = np.repeat(np.arange(low, high), walks[low:high])
        paths = random_walks(graph, starts, 2 * hops, seed=derive_seed(seed, "walk", int(low)), weighted=weighted)
        item, neighbour, visits = _count(starts, paths[:, 2::2], num_items)
        visits = generator(seed, "accept", int(low)).binomial(visits, accept[neighbour])
        parts.append(_most_visited(item, neighbour, visits, top))
    return sum(parts[1:], parts[0])


def _count(starts: IntArray, ends: IntArray, num_items: int) -> tuple[IntArray, IntArray, IntArray]:
    item = np.broadcast_to(starts[:, None], ends.shape)
    kept = (ends >= 0) & (ends != item)
    key, visits = np.unique(item[kept] * num_items + ends[kept], return_counts=True)
    return key // num_items, key % num_items, visits


def _most_visited(item: IntArray, neighbour: IntArray, visits: IntArray, top: int) -> Pairs:
    order = np.lexsort((neighbour, -visits, item))
    order = order[visits[order] > 0]
    item, neighbour, visits = item[order], neighbour[order], visits[order]
    place = np.arange(len(item)) - np.searchsorted(item, item)
    item, neighbour, visits = item[place < top], neighbour[place < top], visits[place < top]
    total = np.bincount(item, visits)[item] if len(item) else visits
    return Pairs(item=item, neighbour=neighbour, weight=(visits / np.maximum(total, 1)).astype(np.float32))
