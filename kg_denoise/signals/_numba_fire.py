"""Compiled use of mined rules: what they say for a triple, and for the best other tail of its head and relation.

A rule that fires adds its weight, -log(1 - confidence), to the evidence for a tail; the sum is the
noisy or. `weight[slot, k]` holds for heads of fold `k`, zero where the rule is not to be used.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graphrec.core.types import BoolArray, IntArray
from kg_denoise.signals._numba_graph import Graph, drawn, inverse, is_drawn, lower
from kg_denoise.signals._numba_rules import Rules, common, find

Weights = NDArray[np.float64]


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _weight(rules: Rules, weight: Weights, key: int, fold: int) -> float:
    slot = find(rules, key, False)
    return weight[slot, fold] if slot >= 0 else 0.0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def fire(
    graph: Graph,
    head: IntArray,
    relation: IntArray,
    tail: IntArray,
    fold: IntArray,
    rules: Rules,
    weight: Weights,
    cap: int,
) -> Weights:
    """Return `[num_rows, 2]`: the sum of the weights of the rules of one step, and of two, that fire for a triple."""
    width = 2 * graph.num_relations + 1
    result = np.zeros((len(head), 2))
    for row in range(len(head)):
        h, r, t = head[row], relation[row], tail[row]
        one, two, first, low, gap, size, taken = common(graph, h, t, cap)
        for place in range(low, low + gap):
            label = graph.label[place]
            label = label if one == h else inverse(label, graph.num_relations)
            if label != r:
                result[row, 0] += _weight(rules, weight, (r * width + label) * width + width - 1, fold[h])
        for index in range(taken):
            place = first + drawn(index, size, taken)
            place += gap if place >= low else 0
            middle = graph.other[place]
            near = lower(graph.other, graph.start[two], graph.start[two + 1], middle)
            while near < graph.start[two + 1] and graph.other[near] == middle:
                out, back = graph.label[place], graph.label[near]
                if one != h:
                    out, back = back, out
                back = inverse(back, graph.num_relations)
                gain = _weight(rules, weight, (r * width + out) * width + back, fold[h])
                result[row, 1] += gain * size / taken
                near += 1
    return result


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def fire_elsewhere(
    graph: Graph,
    head: IntArray,
    relation: IntArray,
    tail: IntArray,
    own: BoolArray,
    order: IntArray,
    fold: IntArray,
    rules: Rules,
    weight: Weights,
    cap: int,
) -> Weights:
    """Return `[num_rows]`: the largest sum of weights for any tail but the asked one.

    `order` sorts the rows by head, then relation. Where the row is the table's own, what the asked
    triple says for others, as the first step of a body, is taken off.
    """
    result, said = np.zeros(len(head)), np.zeros(len(graph.start) - 1)
    room = np.empty(1024, dtype=np.int64)
    at = 0
    while at < len(order):
        h, r, end = head[order[at]], relation[order[at]], at
        while end < len(order) and head[order[end]] == h and relation[order[end]] == r:
            end += 1
        room, num = _say(graph, h, r, fold, rules, weight, cap, said, room)
        ranked = room[:num][np.argsort(-said[room[:num]], kind="mergesort")]
        for place in range(at, end):
            row = order[place]
            t, best = tail[row], 0.0
            for other in ranked:
                if said[other] <= best:
                    break
                if other != t:
                    off = _through(graph, h, r, t, other, fold, rules, weight, cap) if own[row] else 0.0
                    best = max(best, said[other] - off)
            result[row] = best
        said[ranked] = 0.0
        at = end
    return result


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _say(
    graph: Graph,
    h: int,
    r: int,
    fold: IntArray,
    rules: Rules,
    weight: Weights,
    cap: int,
    said: Weights,
    room: IntArray,
) -> tuple[IntArray, int]:
    # The evidence for every tail that a rule reaches from `h`; `room[:num]` lists those tails.
    num, width = 0, 2 * graph.num_relations + 1
    for one in range(graph.part[h], graph.part[h + 1]):
        out, first, last = graph.part_label[one], graph.part_start[one], graph.part_start[one + 1]
        gain = _weight(rules, weight, (r * width + out) * width + width - 1, fold[h]) if out != r else 0.0
        if gain > 0:
            room, num = _tell(graph, one, h, gain, cap, said, room, num)
        taken = min(last - first, cap)
        for index in range(taken):
            middle = graph.part_other[first + drawn(index, last - first, taken)]
            for two in range(graph.part[middle], graph.part[middle + 1]):
                key = (r * width + out) * width + graph.part_label[two]
                gain = _weight(rules, weight, key, fold[h])
                if gain > 0:
                    room, num = _tell(graph, two, h, gain, cap, said, room, num)
    return room, num


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _listed(graph: Graph, part: int, h: int) -> tuple[int, int, int]:
    # (position of `h` in the segment, whether it is there, number of the others).
    first, last = graph.part_start[part], graph.part_start[part + 1]
    skip = lower(graph.part_other, first, last, h)
    there = skip < last and graph.part_other[skip] == h
    return skip, there, last - first - there


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _tell(
    graph: Graph, part: int, h: int, gain: float, cap: int, said: Weights, room: IntArray, num: int
) -> tuple[IntArray, int]:
    skip, there, size = _listed(graph, part, h)
    taken = min(size, cap)
    for index in range(taken):
        place = graph.part_start[part] + drawn(index, size, taken)
        place += there and place >= skip
        other = graph.part_other[place]
        if said[other] == 0.0:
            if num == len(room):
                room = np.concatenate((room, np.empty_like(room)))
            room[num] = other
            num += 1
        said[other] += gain
    return room, num


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _through(
    graph: Graph, h: int, r: int, t: int, other: int, fold: IntArray, rules: Rules, weight: Weights, cap: int
) -> float:
    # What the path h - r - t - other has added to `other`.
    width, total = 2 * graph.num_relations + 1, 0.0
    for two in range(graph.part[t], graph.part[t + 1]):
        gain = _weight(rules, weight, (r * width + r) * width + graph.part_label[two], fold[h])
        if gain <= 0:
            continue
        skip, there, size = _listed(graph, two, h)
        first, last = graph.part_start[two], graph.part_start[two + 1]
        place = lower(graph.part_other, first, last, other)
        if place < last and graph.part_other[place] == other:
            position = place - first - (there and place > skip)
            total += gain if is_drawn(position, size, min(size, cap)) else 0.0
    return total
