"""The triples as a graph that compiled loops walk, and how they look things up in it.

A label says in which sense a triple is walked: `r` from head to tail, `r + num_relations` from tail
to head. Triples from an entity to itself are left out: no path of two different ends needs them.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graphrec.core.types import IntArray
from graphrec.data.dataset import Triples

Narrow = NDArray[np.int32]


class Graph(NamedTuple):
    """Labelled adjacency, twice sorted.

    The steps out of entity `e` are `start[e]:start[e + 1]` of `other` and `label`, by neighbour, then
    label. The same steps by label: `part[e]:part[e + 1]` are its segments, and segment `s` leads by
    `part_label[s]` to `part_other[part_start[s]:part_start[s + 1]]`, ascending.
    """

    num_relations: int
    start: IntArray
    other: Narrow
    label: Narrow
    part: IntArray
    part_label: Narrow
    part_start: IntArray
    part_other: Narrow


class Neighbours(NamedTuple):
    """Who stands beside whom by any triple, each once: `other[start[e]:start[e + 1]]`, ascending."""

    start: IntArray
    other: Narrow


def labelled(triples: Triples, num_entities: int, num_relations: int) -> Graph:
    """Return the graph of `triples`; time and memory are linear in their number, but for sorting."""
    kept = triples.head != triples.tail
    head, relation, tail = triples.head[kept], triples.relation[kept], triples.tail[kept]
    entity = np.concatenate([head, tail])
    other = np.concatenate([tail, head])
    label = np.concatenate([relation, relation + num_relations])
    by_other, by_label = np.lexsort((label, other, entity)), np.lexsort((other, label, entity))
    place = np.arange(num_entities + 1)
    cut = np.flatnonzero(np.diff(entity[by_label] * (2 * num_relations) + label[by_label], prepend=-1))
    return Graph(
        num_relations=num_relations,
        start=np.searchsorted(entity[by_other], place).astype(np.int64),
        other=other[by_other].astype(np.int32),
        label=label[by_other].astype(np.int32),
        part=np.searchsorted(entity[by_label][cut], place).astype(np.int64),
        part_label=label[by_label][cut].astype(np.int32),
        part_start=np.append(cut, len(entity)).astype(np.int64),
        part_other=other[by_label].astype(np.int32),
    )


def unlabelled(graph: Graph) -> Neighbours:
    """Return the neighbours of every entity of `graph`."""
    num = len(graph.start) - 1
    entity = np.repeat(np.arange(num), np.diff(graph.start))
    first = np.ones(len(entity), dtype=np.bool_)
    first[1:] = (np.diff(entity) != 0) | (np.diff(graph.other) != 0)
    start = np.searchsorted(entity[first], np.arange(num + 1)).astype(np.int64)
    return Neighbours(start=start, other=graph.other[first])


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def lower(values: Narrow, first: int, last: int, value: int) -> int:
    """Return the first position in `first..last` whose value is not below `value`."""
    while first < last:
        middle = (first + last) >> 1
        if values[middle] < value:
            first = middle + 1
        else:
            last = middle
    return first


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def holds(values: Narrow, first: int, last: int, value: int) -> bool:
    """Return whether `value` stands at `first..last` of the ascending `values`."""
    place = lower(values, first, last, value)
    return bool(place < last and values[place] == value)


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def inverse(label: int, num_relations: int) -> int:
    """Return the label of the same triple walked the other way."""
    return label + num_relations if label < num_relations else label - num_relations


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def drawn(index: int, size: int, taken: int) -> int:
    """Return the `index`-th of `taken` positions spread evenly over `size`."""
    return (2 * index + 1) * size // (2 * taken)


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def is_drawn(position: int, size: int, taken: int) -> bool:
    """Return whether `drawn` gives `position` for some index."""
    index = position * taken // size
    return (index < taken and drawn(index, size, taken) == position) or (
        index > 0 and drawn(index - 1, size, taken) == position
    )
