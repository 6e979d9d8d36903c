"""Pairs of traits: do a head with trait `a` and a tail with trait `b` meet in a relation more often than by chance?

A trait is a type, a role (being head or tail of another relation) or a fact. Evidence for a triple
comes only from triples of its relation that touch neither its head nor its tail, whether or not it is
in the table itself: an own triple and a corruption with the same ends score the same, to the bit. All counts share
one table of hashed cells, so memory does not grow with the number of distinct pairs; a collision adds
another pair's count, which shrinks a score but favours no row. The table grows with the counts, up to a bound.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graphrec.core.progress import logger
from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.data.dataset import Triples
from kg_denoise.signals._numba_knn import Doubles, Facts, Incidence, in_blocks

_Triples = tuple[IntArray, IntArray, IntArray]
_Traits = tuple[IntArray, IntArray, IntArray]
_Counts = tuple[IntArray, IntArray, IntArray, IntArray]
_Cells = NDArray[np.int32]

_PAIR, _LEFT, _RIGHT, _HEAD, _TAIL = range(5)
"""Salts of the five kinds of cells."""

_CELLS, _MOST_CELLS, _LOAD = 1 << 25, 1 << 29, 3
"""128 MiB to 2 GiB, so that a cell is counted into three times or less: beyond that collisions blur the least lift."""


def pair_lift(
    facts: Facts, traits: Incidence, trait_slot: IntArray, train: Triples, asked: Triples, own: BoolArray,
    *, prior: float, most: int,
) -> FloatArray:  # fmt: skip
    """Return per row of `asked` `[2]`: the mean and the least log lift over the pairs of a head's and a tail's traits.

    The lift of a pair is (seen + prior) / (expected + prior). A trait does not count in the relation that
    gave it (`trait_slot` names that slot, -1 where none); of the rest the first `most` of an entity count.
    NaN where an end has no trait or no triple of the relation is left.
    """
    at_head, at_tail = (np.minimum(traits.count[ends], most) for ends in (train.head, train.tail))
    cells = np.zeros(_num_cells(int((2 * at_head + 2 * at_tail + at_head * at_tail).sum())), dtype=np.int32)
    relations = facts.num_relations
    table = (traits.start, traits.column, trait_slot)
    _count((train.head, train.relation, train.tail), table, relations, most, cells)
    of_tail = facts.size(asked.relation, asked.tail)
    of_head = facts.size(relations + asked.relation, asked.head)
    left = np.bincount(train.relation, minlength=relations)[asked.relation] - of_tail - of_head + own
    counts = (of_head, of_tail, left, own.astype(np.int64))
    out = np.full((len(asked), 2), np.nan, dtype=np.float32)

    def work(begin: int, end: int) -> None:
        _score(begin, end, (asked.head, asked.relation, asked.tail), table, relations, most, cells, counts, prior, out)

    in_blocks(work, np.arange(len(asked) + 1))
    return out


def _num_cells(counts: int) -> int:
    size = _CELLS
    while size * _LOAD < counts and size < _MOST_CELLS:
        size *= 2
    if size * 2 * _LOAD < counts:
        logger.info("pairs of traits: %.1f counts share a cell, which blurs what facts and schema tell", counts / size)
    return size


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _cell(kind: int, relation: int, one: int, other: int, size: int) -> np.int64:
    z = np.uint64(one) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(other) * np.uint64(0xC2B2AE3D27D4EB4F)
    z = z + np.uint64(relation * 5 + kind + 1) * np.uint64(0x165667B19E3779F9)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64((z ^ (z >> np.uint64(31))) & np.uint64(size - 1))


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _end(table: _Traits, entity: int, slot: int, most: int) -> np.int64:
    """Return where the first `most` traits of `entity` end, not counting those that `slot` gave it.

    Were those to take places, an own triple would push out a trait that a corruption keeps.
    """
    start, traits, of = table
    place, num = np.int64(start[entity]), 0
    while place < start[entity + 1] and num < most:
        if of[traits[place]] != slot:
            num += 1
        place += 1
    return place


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _count(triples: _Triples, table: _Traits, num_relations: int, most: int, cells: _Cells) -> None:
    start, traits, of = table
    size = len(cells)
    for row in range(len(triples[0])):
        h, r, t = triples[0][row], triples[1][row], triples[2][row]
        left_end, right_end = _end(table, h, r, most), _end(table, t, num_relations + r, most)
        for right in range(start[t], right_end):
            b = traits[right]
            if of[b] != num_relations + r:
                cells[_cell(_RIGHT, r, b, 0, size)] += 1
                cells[_cell(_HEAD, r, h, b, size)] += 1
        for left in range(start[h], left_end):
            a = traits[left]
            if of[a] == r:
                continue
            cells[_cell(_LEFT, r, a, 0, size)] += 1
            cells[_cell(_TAIL, r, t, a, size)] += 1
            for right in range(start[t], right_end):
                b = traits[right]
                if of[b] != num_relations + r:
                    cells[_cell(_PAIR, r, a, b, size)] += 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _score(
    begin: int, end: int, triples: _Triples, table: _Traits, num_relations: int, most: int, cells: _Cells,
    counts: _Counts, prior: float, out: FloatArray,
) -> None:  # fmt: skip
    start, traits, of = table
    size = len(cells)
    for row in range(begin, end):
        h, r, t = triples[0][row], triples[1][row], triples[2][row]
        of_head, of_tail, num_left, own = counts[0][row], counts[1][row], counts[2][row], counts[3][row]
        right_end = _end(table, t, num_relations + r, most)
        total, least, num = 0.0, np.inf, 0
        for left in range(start[h], _end(table, h, r, most if num_left > 0 else 0)):
            a = traits[left]
            if of[a] == r:
                continue
            # The own triple is among its head's and among its tail's: taken out twice, so given back once.
            with_tail = cells[_cell(_TAIL, r, t, a, size)] - own
            num_a = max(cells[_cell(_LEFT, r, a, 0, size)] - of_head - with_tail, 0)
            for right in range(start[t], right_end):
                b = traits[right]
                if of[b] == num_relations + r:
                    continue
                with_head = cells[_cell(_HEAD, r, h, b, size)]
                num_b = max(cells[_cell(_RIGHT, r, b, 0, size)] - of_tail - with_head + own, 0)
                both = max(cells[_cell(_PAIR, r, a, b, size)] - with_tail - with_head, 0)
                lift = np.log((both + prior) / (num_a * num_b / num_left + prior))
                total, least, num = total + lift, min(least, lift), num + 1
        if num:
            out[row, 0], out[row, 1] = total / num, least


def slot_lift(
    facts: Facts, traits: Incidence, trait_slot: IntArray, entity: IntArray, slot: IntArray,
    *, prior: float, most: int,
) -> FloatArray:  # fmt: skip
    """Return `[len(entity)]`: mean log lift, over the traits of `entity`, of being met in `slot`.

    Evidence comes from the other entities only. Slot `r` holds the heads of relation `r`, slot
    `num_relations + r` its tails; the role that is asked about is no trait.
    The first `most` traits of an entity count. NaN without any.
    """
    num_slots, num = 2 * facts.num_relations, max(facts.num_entities, 1)
    # An entity stands in a slot exactly when somebody at the other end has it for a fact.
    place, holder = (facts.slot + facts.num_relations) % num_slots, facts.key % num
    seen = facts.size((slot + facts.num_relations) % num_slots, entity) > 0
    known, cells = traits.count > 0, np.zeros(_CELLS >> 3, dtype=np.int32)
    table = (traits.start, traits.column, trait_slot)
    _count_slots(holder, place, table, most, cells)
    held = np.bincount(place[known[holder]], minlength=num_slots)
    share = (held[slot] - seen) / max(int(known.sum()) - 1, 1)
    holders = np.bincount(traits.column, minlength=len(trait_slot))
    out = np.full(len(entity), np.nan, dtype=np.float32)

    def work(begin: int, end: int) -> None:
        _score_slots(begin, end, (entity, slot, seen.astype(np.int64)), table, most, share, holders, cells, prior, out)

    in_blocks(work, np.arange(len(entity) + 1))
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _count_slots(holder: IntArray, place: IntArray, table: _Traits, most: int, cells: _Cells) -> None:
    start, traits, of = table
    for row in range(len(holder)):
        for left in range(start[holder[row]], _end(table, holder[row], place[row], most)):
            if of[traits[left]] != place[row]:
                cells[_cell(_PAIR, 0, traits[left], place[row], len(cells))] += 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _score_slots(
    begin: int, end: int, rows: _Triples, table: _Traits, most: int, share: Doubles, holders: IntArray, cells: _Cells,
    prior: float, out: FloatArray,
) -> None:  # fmt: skip
    start, traits, of = table
    for row in range(begin, end):
        entity, slot, seen = rows[0][row], rows[1][row], rows[2][row]
        total, num = 0.0, 0
        for left in range(start[entity], _end(table, entity, slot, most)):
            trait = traits[left]
            if of[trait] == slot:
                continue
            both = max(cells[_cell(_PAIR, 0, trait, slot, len(cells))] - seen, 0)
            total += np.log((both + prior) / ((holders[trait] - 1) * share[row] + prior))
            num += 1
        if num:
            out[row] = total / num
