"""Compiled path confidences of CKRL: resources that flow along paths of two steps, per path and pair."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graphrec.core.types import FloatArray, IntArray
from kg_denoise.signals._numba_graph import Graph, drawn, inverse, lower
from kg_denoise.signals._numba_rules import Rules, common, find

Values = NDArray[np.float64]
_EPSILON = 0.01


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _fan(graph: Graph, entity: int, label: int) -> int:
    # How many steps with `label` lead out of `entity`.
    first, last = graph.part[entity], graph.part[entity + 1]
    place = lower(graph.part_label, first, last, label)
    return int(graph.part_start[place + 1] - graph.part_start[place])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def count_paths(
    graph: Graph, head: IntArray, relation: IntArray, tail: IntArray, rules: Rules, total: Rules, cap: int
) -> None:
    """Count how often a path of two steps joins the ends of a triple: with its relation, and in all."""
    width = 2 * graph.num_relations + 1
    for row in range(len(head)):
        h, r, t = head[row], relation[row], tail[row]
        one, two, first, low, gap, size, taken = common(graph, h, t, cap)
        for index in range(taken):
            place = first + drawn(index, size, taken)
            place += gap if place >= low else 0
            near = lower(graph.other, graph.start[two], graph.start[two + 1], graph.other[place])
            while near < graph.start[two + 1] and graph.other[near] == graph.other[place]:
                out, back = graph.label[place], graph.label[near]
                if one != h:
                    out, back = back, out
                path = out * width + inverse(back, graph.num_relations)
                slot = find(rules, r * width * width + path, True)
                if slot >= 0:
                    rules.holds[slot, 0] += size / taken
                slot = find(total, path, True)
                if slot >= 0:
                    total.holds[slot, 0] += size / taken
                near += 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def path_confidence(
    graph: Graph,
    head: IntArray,
    relation: IntArray,
    tail: IntArray,
    rules: Rules,
    total: Rules,
    vectors: FloatArray,
    cap: int,
) -> Values:
    """Return `[num_rows, 2]`: prior and adaptive path confidence, NaN where no path joins the ends.

    `vectors` [2 * num_relations, dim] translate along a label, either way.
    """
    width = 2 * graph.num_relations + 1
    result = np.full((len(head), 2), np.nan)
    for row in range(len(head)):
        h, r, t = head[row], relation[row], tail[row]
        one, two, first, low, gap, size, taken = common(graph, h, t, cap)
        prior, adaptive, flow = 0.0, 0.0, 0.0
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
                # R(p | h, t): what of a unit at the head arrives, shared out evenly at every step.
                resource = size / taken / _fan(graph, h, out) / _fan(graph, middle, back)
                path = out * width + back
                own, all_ = find(rules, r * width * width + path, False), find(total, path, False)
                share = rules.holds[own, 0] / total.holds[all_, 0] if own >= 0 and all_ >= 0 else 0.0
                prior += resource * (_EPSILON + (1 - _EPSILON) * share)
                distance = np.abs(vectors[r] - vectors[out] - vectors[back]).sum()
                adaptive += resource / max(distance, 1e-6)
                flow += resource
                near += 1
        if flow > 0:
            result[row, 0] = prior
            result[row, 1] = 1 / (1 + np.exp(-adaptive))
    return result
