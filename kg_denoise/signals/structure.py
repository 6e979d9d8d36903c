"""How closely the rest of the graph ties the two ends of a triple together."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.data.dataset import Triples
from kg_denoise.evidence import Evidence
from kg_denoise.fold import Fold
from kg_denoise.signals._numba_graph import labelled, unlabelled
from kg_denoise.signals._numba_paths import shared_neighbours, three_steps
from kg_denoise.signals.structure_config import StructureConfig


class StructureSignal:
    """Shared neighbours, paths of three steps, and other triples between the ends.

    `shared` is the index of Adamic and Adar (2003), sum over shared neighbours z of 1 / log(1 + d(z));
    the 1 + keeps a neighbour of degree one, which only a leaf has, finite. `paths` is L3 (Kovacs et
    al., Nature Communications 2019, eq. 1), sum over paths h - a - b - t of 1 / sqrt(d(a) d(b)).
    `walk` is the probability that a walk of three steps leads from the head to the tail, `lift` the
    same over the number of neighbours of the tail, which a popular tail gains nothing by. `beside`
    counts the other triples between the ends. Directions and relations are not looked at: that is
    for rules. Nor are degrees: a corruption stands beside the triple that it was made from, so that
    it would be told by a degree one too high.
    """

    leaves_out: ClassVar[bool] = True

    def __init__(self, options: StructureConfig) -> None:
        self._options = options

    def columns(self, evidence: Evidence) -> Mapping[str, int]:
        """Return the columns: all speak for a triple."""
        return {"shared": 1, "paths": 1, "walk": 1, "lift": 1, "beside": 1}

    def score(self, fold: Fold) -> FloatArray:
        """Return `[len(fold.asked), 5]`; NaN for an end that occurs in no other triple and for a triple with one end.

        The asked triple is left out exactly: paths cannot use it, counts and degrees subtract it.
        """
        asked, cap = fold.asked, self._options.cap
        near = unlabelled(labelled(fold.train, fold.evidence.num_entities, fold.evidence.num_relations))
        num = np.diff(near.start)
        size = np.maximum(num, 1).astype(np.float64)
        shared = shared_neighbours(near, asked.head, asked.tail, 1 / np.log1p(size), cap)
        order = np.argsort(asked.head, kind="stable")
        paths = three_steps(near, asked.head, asked.tail, order, 1 / np.sqrt(size), cap)
        walk = three_steps(near, asked.head, asked.tail, order, 1 / size, cap)
        beside = _beside(fold.train, asked, fold.evidence.num_entities) - fold.own
        # How many neighbours an end has without the asked triple: one less where that is all there is between.
        lone = fold.own & (beside == 0)
        from_head, from_tail = (np.maximum(num[end] - lone, 1) for end in (asked.head, asked.tail))
        walk /= from_head
        found = np.stack([shared, paths, walk, walk / from_tail, beside], axis=1).astype(np.float32)
        found[nothing_known(fold)] = np.nan
        return found


def degrees(fold: Fold) -> tuple[IntArray, IntArray]:
    """Return in how many triples other than the asked one its head and its tail occur, `[len(fold.asked)]` each.

    A triple from an entity to itself counts once.
    """
    train = fold.train
    loop = train.head == train.tail
    degree = np.bincount(train.head, minlength=fold.evidence.num_entities)
    degree += np.bincount(train.tail[~loop], minlength=fold.evidence.num_entities)
    return degree[fold.asked.head] - fold.own, degree[fold.asked.tail] - fold.own


def nothing_known(fold: Fold) -> BoolArray:
    """Return which asked triples have an end that no other triple has, or are from an entity to itself."""
    head, tail = degrees(fold)
    lone: BoolArray = (head <= 0) | (tail <= 0) | (fold.asked.head == fold.asked.tail)
    return lone


def _beside(train: Triples, asked: Triples, num_entities: int) -> IntArray:
    """Return the number of triples of `train` between the ends of each asked one, in either direction."""
    keys, counts = np.unique(_pair(train, num_entities), return_counts=True)
    wanted = _pair(asked, num_entities)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, counts[place], 0)


def _pair(triples: Triples, num_entities: int) -> IntArray:
    low, high = np.minimum(triples.head, triples.tail), np.maximum(triples.head, triples.tail)
    return low * num_entities + high
