"""Neighbours: does an entity resemble the others that have a fact, more than those that have a rival fact?

A fact is a triple seen from one of its ends: (relation, tail) of a head, (inverse relation, head) of a
tail. How much two entities resemble each other is a weighted cosine over what they have in common,
which may be their facts or the users who met them. No entity ever vouches for itself: the members of a
fact are those other than the entity asked about, in the table or not, so own triples and corruptions
are treated alike.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray

from graphrec.core.seeds import derive_seed
from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.data.dataset import Triples

Doubles = NDArray[np.float64]

_Table = tuple[IntArray, IntArray]
"""An `Incidence` as compiled code takes it."""
_Tables = tuple[_Table, _Table, _Table, _Table]
_Rows = tuple[IntArray, IntArray, BoolArray]
_Weights = tuple[Doubles, Doubles, bool]
_Numbers = tuple[int, int, int, int]

_NOTHING = 1e-9
"""A squared length below this is a sum of weights that were all taken out again."""


@dataclass(frozen=True, kw_only=True)
class Incidence:
    """A sparse 0/1 matrix by rows: row `i` has its ones at `column[start[i]:start[i + 1]]`."""

    start: IntArray
    column: IntArray

    @classmethod
    def of(cls, row: IntArray, column: IntArray, num_rows: int) -> "Incidence":
        """Sort the pairs by row; within a row they keep their order."""
        start = np.zeros(num_rows + 1, dtype=np.int64)
        np.cumsum(np.bincount(row, minlength=num_rows), out=start[1:])
        return cls(start=start, column=column[np.argsort(row, kind="stable")])

    @property
    def count(self) -> IntArray:
        """Return the number of ones of each row."""
        return np.diff(self.start)

    @property
    def pair(self) -> tuple[IntArray, IntArray]:
        """Return the two arrays, as compiled code takes them."""
        return self.start, self.column


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The facts of a table, numbered by (slot, other end); slot `r` is (r, tail), `num_relations + r` its inverse.

    `of_entity` lists the facts of each entity, `members` the entities of each fact; the facts of slot
    `s` are those from `slot_start[s]` on.
    """

    key: IntArray
    slot: IntArray
    slot_start: IntArray
    of_entity: Incidence
    members: Incidence
    num_entities: int
    num_relations: int

    def find(self, slot: IntArray, other: IntArray) -> IntArray:
        """Return the number of each fact, -1 where the table has none such."""
        key = slot * self.num_entities + other
        place = np.minimum(np.searchsorted(self.key, key), max(len(self.key) - 1, 0))
        return np.where(self.key[place] == key, place, -1) if len(self.key) else np.full(len(key), -1)

    def size(self, slot: IntArray, other: IntArray) -> IntArray:
        """Return how many entities have each fact."""
        found = self.find(slot, other)
        return np.where(found >= 0, self.members.count[found] if len(self.key) else 0, 0)


def facts_of(triples: Triples, num_entities: int, num_relations: int) -> Facts:
    """Number the facts of `triples`, two for each."""
    slot = np.concatenate([triples.relation, num_relations + triples.relation])
    other, owner = np.concatenate([triples.tail, triples.head]), np.concatenate([triples.head, triples.tail])
    key, fact = np.unique(slot * num_entities + other, return_inverse=True)
    fact_slot = key // max(num_entities, 1)
    return Facts(
        key=key,
        slot=fact_slot,
        slot_start=np.searchsorted(fact_slot, np.arange(2 * num_relations + 1)),
        of_entity=Incidence.of(owner, fact, num_entities),
        members=Incidence.of(fact, owner, len(key)),
        num_entities=num_entities,
        num_relations=num_relations,
    )


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What entities are compared by: traits of an entity, entities of a trait, how much a trait counts.

    `are_facts`: the traits are the facts themselves, so the one asked about must not count.
    """

    of_entity: Incidence
    holders: Incidence
    weight: Doubles
    are_facts: bool

    @property
    def norm(self) -> Doubles:
        """Return each entity's squared length."""
        total = np.concatenate([[0.0], np.cumsum(self.weight[self.of_entity.column])])
        return np.asarray(total[self.of_entity.start[1:]] - total[self.of_entity.start[:-1]])


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much is looked at: rivals of a fact, members of a fact, holders of a trait."""

    rivals: int
    members: int
    holders: int


def compare_ends(facts: Facts, traits: Traits, asked: Triples, own: BoolArray, limits: Limits, seed: int) -> FloatArray:
    """Return `[len(asked), 4]`: what `compare` says of each head and its fact, then of each tail and its."""
    inverse = facts.num_relations + asked.relation
    ends = ((asked.head, asked.relation, asked.tail), (asked.tail, inverse, asked.head))
    both = [compare(facts, traits, *end, own, limits, derive_seed(seed, i)) for i, end in enumerate(ends)]
    return np.hstack(both)


def compare(
    facts: Facts, traits: Traits, anchor: IntArray, slot: IntArray, other: IntArray, own: BoolArray,
    limits: Limits, seed: int,
) -> FloatArray:  # fmt: skip
    """Return `[len(anchor), 2]`: likeness of `anchor` to the members of fact (`slot`, `other`), and its excess.

    Likeness is the mean cosine to at most `limits.members` other members, evenly spread; the excess is
    over the mean for rival facts: of the same slot, not had by the anchor, drawn as often as the table
    uses them, as corruptions are drawn. A trait makes at most `limits.holders` of its holders alike. NaN
    where the anchor has no other trait, the fact no other member with one, or no rival has.
    """
    out = np.full((len(anchor), 2), np.nan, dtype=np.float32)
    by_anchor = Incidence.of(anchor, np.arange(len(anchor)), facts.num_entities)
    tables = (facts.of_entity.pair, facts.members.pair, traits.of_entity.pair, traits.holders.pair)
    entry = np.repeat(np.arange(len(facts.key)), facts.members.count)
    rivals = (facts.members.start[facts.slot_start], entry)
    rows = (facts.find(slot, other), slot, own)
    weights = (traits.weight, traits.norm, traits.are_facts)
    numbers = (limits.rivals, limits.members, limits.holders, seed)

    def work(begin: int, end: int) -> None:
        _compare(begin, end, by_anchor.pair, rows, tables, rivals, weights, numbers, out)

    in_blocks(work, by_anchor.start)
    return out


def in_blocks(work: Callable[[int, int], None], start: IntArray) -> None:
    """Call `work` on runs of groups with about equally many rows; the groups are those of `start`."""
    num = numba.get_num_threads()
    bounds = np.searchsorted(start, np.linspace(0, start[-1], 4 * num + 1))
    bounds[0], bounds[-1] = 0, len(start) - 1
    with ThreadPoolExecutor(num) as pool:
        list(pool.map(work, bounds[:-1].tolist(), bounds[1:].tolist()))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _compare(
    begin: int, end: int, by_anchor: _Table, rows: _Rows, tables: _Tables, rivals: _Table, weights: _Weights,
    numbers: _Numbers, out: FloatArray,
) -> None:  # fmt: skip
    facts, members, traits, holders = tables
    like, has = np.zeros(len(traits[0]) - 1), np.full(len(members[0]), -1, dtype=np.int32)
    for one in range(begin, end):
        if by_anchor[0][one] == by_anchor[0][one + 1]:
            continue
        for place in range(facts[0][one], facts[0][one + 1]):
            has[facts[1][place]] = one
        for place in range(traits[0][one], traits[0][one + 1]):
            _spread(like, holders, traits[1][place], weights[0][traits[1][place]], numbers[2])
        for place in range(by_anchor[0][one], by_anchor[0][one + 1]):
            row = by_anchor[1][place]
            _score(one, row, rows, members, holders, rivals, weights, has, like, numbers, out)
        for place in range(traits[0][one], traits[0][one + 1]):
            _clear(like, holders, traits[1][place], numbers[2])


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _spread(like: Doubles, table: _Table, row: int, amount: float, limit: int) -> None:
    num = table[0][row + 1] - table[0][row]
    take = min(num, limit)
    for place in range(take):
        like[table[1][table[0][row] + place * num // take]] += amount


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _clear(like: Doubles, table: _Table, row: int, limit: int) -> None:
    num = table[0][row + 1] - table[0][row]
    take = min(num, limit)
    for place in range(take):
        like[table[1][table[0][row] + place * num // take]] = 0.0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _score(
    one: int, row: int, rows: _Rows, members: _Table, holders: _Table, rivals: _Table, weights: _Weights,
    has: NDArray[np.int32], like: Doubles, numbers: _Numbers, out: FloatArray,
) -> None:  # fmt: skip
    weight, norm, are_facts = weights
    fact, slot, num_rivals = rows[0][row], rows[1][row], numbers[0]
    extra = are_facts and rows[2][row]
    length = norm[one] - (weight[fact] if extra else 0.0)
    if fact < 0 or length <= _NOTHING:
        return
    if extra:
        _spread(like, holders, fact, -weight[fact], numbers[2])
    lost = weight[fact] if are_facts else 0.0
    mine = _likeness(one, length, fact, lost, members, norm, like, numbers[1])
    out[row, 0] = mine
    total, count = 0.0, 0
    begin, size = rivals[0][slot], rivals[0][slot + 1] - rivals[0][slot]
    for draw in range(0 if np.isnan(mine) else num_rivals):
        rival = rivals[1][begin + _mix(numbers[3], row * num_rivals + draw) % size]
        if rival == fact or has[rival] == one:
            continue
        lost = weight[rival] if are_facts else 0.0
        other = _likeness(one, length, rival, lost, members, norm, like, numbers[1])
        if not np.isnan(other):
            total, count = total + other, count + 1
    if count:
        out[row, 1] = mine - total / count
    if extra:
        _spread(like, holders, fact, weight[fact], numbers[2])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _likeness(
    one: int, length: float, fact: int, lost: float, members: _Table, norm: Doubles, like: Doubles, limit: int
) -> float:
    """Mean cosine of `one` to the other members of `fact`; NaN where none has a further trait."""
    num = members[0][fact + 1] - members[0][fact]
    take = min(num, limit + 1)
    total, count = 0.0, 0
    for place in range(take):
        other = members[1][members[0][fact] + place * num // take]
        rest = norm[other] - lost
        if other != one and rest > _NOTHING:
            count += 1
            # Most are not alike at all; taking a weight out of the others may leave a hair for nothing.
            if like[other] > _NOTHING:
                total += like[other] / np.sqrt(rest)
    return total / (count * np.sqrt(length)) if count else np.nan


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _mix(seed: int, number: int) -> np.int64:
    """Return a number below 2**31 that looks random (SplitMix64)."""
    z = np.uint64(seed) + np.uint64(number + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64((z ^ (z >> np.uint64(31))) >> np.uint64(33))
