"""Horn rules mined from the table, after AMIE, and what they say for and against a triple."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from graphrec.core.seeds import generator
from graphrec.core.types import FloatArray, IntArray
from kg_denoise.evidence import Evidence
from kg_denoise.fold import Fold
from kg_denoise.signals._numba_fire import Weights, fire, fire_elsewhere
from kg_denoise.signals._numba_graph import Graph, labelled
from kg_denoise.signals._numba_rules import Rules, count_bodies, count_heads
from kg_denoise.signals.structure import nothing_known
from kg_denoise.signals.structure_config import RulesConfig

_MOST = 1 - 1e-3


class RulesSignal:
    """Rules r(x, y) <= b(x, y) and r(x, y) <= b(x, z), c(z, y), each step in either sense of its relation.

    Every rule of that shape that holds often enough is mined (Galarraga et al., AMIE, WWW 2013), with
    the PCA confidence of its eq. 6: of the instances of the body whose x has the relation, those that
    the rule is right about. Departures: instances are paths, not pairs (x, y), which needs no list of
    them; `unseen` is added to the denominator (AnyBURL, Meilicke et al., IJCAI 2019), against rules
    seen twice and always right; no rule has a constant or three steps.

    The rules that fire for a triple are joined by a noisy or, kept as sum of -log(1 - confidence):
    `direct` over those of one step, `chain` over those of two. `lead` is the sum of both less that for
    the tail that the rules speak for most, the asked one aside: below zero where they contradict it,
    zero where they say nothing.

    Nothing is learnt from the asked triple: heads are dealt into folds by number, and rules that
    judge one fold are counted without any triple of their relation from that fold, so that an own
    triple and a corruption of its head are judged by the same confidences. That is exact but where an
    entity has more than `cap` steps: there a sample stands for them, which one triple more may shift.
    """

    leaves_out: ClassVar[bool] = True

    def __init__(self, options: RulesConfig) -> None:
        self._options = options

    def columns(self, evidence: Evidence) -> Mapping[str, int]:
        """Return the columns: all speak for a triple."""
        return {"direct": 1, "chain": 1, "lead": 1}

    def score(self, fold: Fold) -> FloatArray:
        """Return `[len(fold.asked), 3]`; NaN where an end occurs in no other triple, or both ends are one."""
        asked, cap = fold.asked, self._options.cap
        evidence = fold.evidence
        graph = labelled(fold.train, evidence.num_entities, evidence.num_relations)
        part = generator(fold.seed, "rules").integers(self._options.folds, size=evidence.num_entities)
        rules = self._mine(fold, graph, part)
        weight = self._weights(rules)
        spoken = fire(graph, asked.head, asked.relation, asked.tail, part, rules, weight, cap)
        order = np.lexsort((asked.relation, asked.head))
        other = fire_elsewhere(graph, asked.head, asked.relation, asked.tail, fold.own, order, part, rules, weight, cap)
        found = np.column_stack([spoken, spoken.sum(axis=1) - other])
        found[nothing_known(fold)] = np.nan
        return found.astype(np.float32)

    def _mine(self, fold: Fold, graph: Graph, part: IntArray) -> Rules:
        """Count all rules. Those met after the table is full are not counted; the order of triples decides."""
        num_folds, table = self._options.folds, fold.train
        size = 1 << (2 * self._options.max_rules).bit_length()
        rules = Rules(
            key=np.full(size, -1, dtype=np.int64),
            used=np.zeros(1, dtype=np.int64),
            holds=np.zeros((size, num_folds + 1)),
            body=np.zeros((size, num_folds + 1)),
        )
        rows = generator(fold.seed, "rules", "order").permutation(len(table))
        ends = table.head[rows], table.relation[rows], table.tail[rows]
        count_heads(graph, *ends, part, rules, self._options.cap)
        count_bodies(graph, part, _owners(graph, part, num_folds), rules)
        return rules

    def _weights(self, rules: Rules) -> Weights:
        """Return -log(1 - confidence) of each slot for heads of each fold, `[num_slots, num_folds]`."""
        options = self._options
        # What lies outside a fold: the total, from which the fold's part was taken already.
        holds, body = (count[:, :-1] + count[:, -1:] for count in (rules.holds, rules.body))
        confidence = np.clip(holds / np.maximum(body + options.unseen, 1e-9), 0, _MOST)
        used = (holds >= options.min_support - 1e-6) & (confidence >= options.min_confidence)
        return np.where(used, -np.log1p(-confidence), 0.0)


def _owners(graph: Graph, part: IntArray, num_folds: int) -> IntArray:
    """Return how many steps of each segment lead to each fold, `[num_segments, num_folds]`."""
    segment = np.repeat(np.arange(len(graph.part_label)), np.diff(graph.part_start))
    key = segment * num_folds + part[graph.part_other]
    return np.bincount(key, minlength=len(graph.part_label) * num_folds).reshape(-1, num_folds)
