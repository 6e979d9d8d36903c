"""Compiled mining and use of Horn rules with one or two steps in their body.

A rule is a number `(relation * width + first) * width + second`, where `first` and `second` are the
labels of its steps, `width = 2 * num_relations + 1`, and the last label says that there is no second
step. Counts of a rule stand in a slot of an open hash table: `count[slot, num_folds]` over all heads,
`count[slot, k]` what is left of it without the triples of the rule's own relation whose head is in
fold `k`. So a triple of fold `k` has no part in the rules that judge it, neither as what is
concluded nor as a step of the body.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graphrec.core.types import IntArray
from kg_denoise.signals._numba_graph import Graph, drawn, holds, inverse, lower

Counts = NDArray[np.float64]


class Rules(NamedTuple):
    """Hash table of rules: `key[slot]` (-1: free), instances that hold, and instances of the body."""

    key: IntArray
    used: IntArray
    holds: Counts
    body: Counts


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def find(rules: Rules, key: int, insert: bool) -> int:
    """Return the slot of `key`, -1 where it has none (and the table is full or nothing is to be inserted)."""
    mask = len(rules.key) - 1
    slot = ((key * 0x9E3779B97F4A7C1) >> 17) & mask
    while rules.key[slot] != key:
        if rules.key[slot] < 0:
            if not insert or 2 * rules.used[0] > mask:
                return -1
            rules.key[slot] = key
            rules.used[0] += 1
            return slot
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _add(count: Counts, slot: int, one: int, two: int, three: int, gain: float) -> None:
    # The instance counts for every fold but those of its triples (-1: none, or named already).
    count[slot, -1] += gain
    count[slot, one] -= gain
    if two >= 0 and two != one:
        count[slot, two] -= gain
    if three >= 0 and three != one and three != two:
        count[slot, three] -= gain


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _owner(label: int, relation: int, num_relations: int, source: int, target: int) -> int:
    # The head of the triple that a step walks, if it is one of the rule's own relation, else -1.
    if label == relation:
        return source
    return target if label == relation + num_relations else -1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def count_heads(
    graph: Graph, head: IntArray, relation: IntArray, tail: IntArray, fold: IntArray, rules: Rules, cap: int
) -> None:
    """Count into `rules.holds` the rules that hold for the triples of the table, inserting them."""
    width = 2 * graph.num_relations + 1
    for row in range(len(head)):
        h, r, t = head[row], relation[row], tail[row]
        if h == t:
            continue
        first, last = graph.start[h], graph.start[h + 1]
        low = lower(graph.other, first, last, t)
        high = lower(graph.other, low, last, t + 1)
        for place in range(low, high):
            label = graph.label[place]
            if label != r:
                slot = find(rules, (r * width + label) * width + width - 1, True)
                if slot >= 0:
                    owner = _owner(label, r, graph.num_relations, h, t)
                    _add(rules.holds, slot, fold[h], fold[owner] if owner >= 0 else -1, -1, 1.0)
        _count_pairs(graph, h, r, t, fold, rules, cap)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _count_pairs(graph: Graph, h: int, r: int, t: int, fold: IntArray, rules: Rules, cap: int) -> None:
    width = 2 * graph.num_relations + 1
    one, two, first, low, gap, size, taken = common(graph, h, t, cap)
    for index in range(taken):
        place = first + drawn(index, size, taken)
        if place >= low:
            place += gap
        middle = graph.other[place]
        near = lower(graph.other, graph.start[two], graph.start[two + 1], middle)
        while near < graph.start[two + 1] and graph.other[near] == middle:
            out, back = graph.label[place], graph.label[near]
            if one != h:
                out, back = back, out
            back = inverse(back, graph.num_relations)
            slot = find(rules, (r * width + out) * width + back, True)
            if slot >= 0:
                early = _owner(out, r, graph.num_relations, h, middle)
                late = _owner(back, r, graph.num_relations, middle, t)
                first_fold = fold[early] if early >= 0 else -1
                last_fold = fold[late] if late >= 0 else -1
                _add(rules.holds, slot, fold[h], first_fold, last_fold, size / taken)
            near += 1


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def common(graph: Graph, h: int, t: int, cap: int) -> tuple[int, int, int, int, int, int, int]:
    """Return how to look for steps that `h` and `t` have to the same entity, those to one another left out.

    (the end whose steps are listed, the other end, first position, first of the steps between the
    ends, their number, number of the other steps, number of those to take by `drawn`).
    """
    one, two = h, t
    if graph.start[h + 1] - graph.start[h] > graph.start[t + 1] - graph.start[t]:
        one, two = t, h
    first, last = graph.start[one], graph.start[one + 1]
    low = lower(graph.other, first, last, two)
    gap = lower(graph.other, low, last, two + 1) - low
    size = last - first - gap
    return one, two, first, low, gap, size, min(size, cap)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def count_bodies(graph: Graph, fold: IntArray, owners: IntArray, rules: Rules) -> None:
    """Count into `rules.body` how often a body leads anywhere from a head that has the rule's relation.

    That is the denominator of PCA confidence (Galarraga et al. 2013, eq. 6), over paths instead of
    pairs. `owners[s, k]` counts the steps of segment `s` that lead to fold `k`.
    """
    num, width = graph.num_relations, 2 * graph.num_relations + 1
    for x in range(len(graph.start) - 1):
        has = graph.part[x]
        while has < graph.part[x + 1] and graph.part_label[has] < num:
            r = graph.part_label[has]
            has += 1
            for one in range(graph.part[x], graph.part[x + 1]):
                size = graph.part_start[one + 1] - graph.part_start[one]
                label = graph.part_label[one]
                slot = -1 if label == r else find(rules, (r * width + label) * width + width - 1, False)
                if slot >= 0 and label == r + num:
                    _add_each(rules.body, slot, fold[x], -1, owners, one, 1.0)
                elif slot >= 0:
                    _add(rules.body, slot, fold[x], -1, -1, size)
                for place in range(graph.part_start[one], graph.part_start[one + 1]):
                    _count_second(graph, fold, owners, rules, x, r, label, graph.part_other[place])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _count_second(
    graph: Graph, fold: IntArray, owners: IntArray, rules: Rules, x: int, r: int, out: int, middle: int
) -> None:
    num, width = graph.num_relations, 2 * graph.num_relations + 1
    early = _owner(out, r, num, x, middle)
    early_fold = fold[early] if early >= 0 else -1
    for two in range(graph.part[middle], graph.part[middle + 1]):
        back = graph.part_label[two]
        slot = find(rules, (r * width + out) * width + back, False)
        if slot < 0:
            continue
        first, last = graph.part_start[two], graph.part_start[two + 1]
        returns = holds(graph.part_other, first, last, x)
        if back == r + num:
            _add_each(rules.body, slot, fold[x], early_fold, owners, two, 1.0)
            if returns:
                _add(rules.body, slot, fold[x], early_fold, -1, -1.0)
        else:
            late = fold[middle] if back == r else -1
            _add(rules.body, slot, fold[x], early_fold, late, last - first - returns)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_each(count: Counts, slot: int, one: int, two: int, owners: IntArray, part: int, gain: float) -> None:
    for last in range(owners.shape[1]):
        if owners[part, last]:
            _add(count, slot, one, two, last, gain * owners[part, last])
