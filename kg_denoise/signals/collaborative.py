"""The signal collaborative: do the users of a triple's one end also go for the other, in any domain?

An item is described by who met it; items that share users are alike. An attribute has no users, but
the items that have it do: a brand is judged by its other items.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from graphrec.core.seeds import derive_seed, generator
from graphrec.core.types import BoolArray, FloatArray, IntArray
from kg_denoise.evidence import Evidence, Pairs
from kg_denoise.fold import Fold
from kg_denoise.signals._numba_knn import Doubles, Facts, Incidence, Limits, Traits, compare_ends, facts_of
from kg_denoise.signals.schema_config import CollaborativeConfig

_FEWEST_ITEMS = 3
"""Fewer items than this with users leave nothing to compare once two ends are taken out."""

_BLOCK = 1 << 16
"""Rows at a time whose vectors are held."""


class CollaborativeSignal:
    """Scores a triple by shared users; no triple takes part in what describes an item, and its ends are left out."""

    leaves_out: ClassVar[bool] = True

    def __init__(self, config: CollaborativeConfig) -> None:
        self._config = config

    def columns(self, evidence: Evidence) -> Mapping[str, int]:
        """Return likeness of users and of vectors seen from either end, then of the two ends themselves."""
        if len(np.unique(evidence.users.entity)) < _FEWEST_ITEMS:
            return {}
        ends = [f"{end}_{what}" for what in ("users", "vector") for end in ("head", "tail")]
        return dict.fromkeys((*ends, "pair_vector"), 1)

    def score(self, fold: Fold) -> FloatArray:
        """Return `[len(fold.asked), 5]`; NaN where an end has no users, and so have all its companions."""
        facts = facts_of(fold.train, fold.evidence.num_entities, fold.evidence.num_relations)
        seed = derive_seed(fold.seed, "collaborative")
        z = vectors(fold.evidence.users, facts.num_entities, self._config.dim, seed)
        asked, relations = fold.asked, facts.num_relations
        ends = ((asked.head, asked.relation, asked.tail), (asked.tail, relations + asked.relation, asked.head))
        sides = [companions(facts, z, *end, fold.own) for end in ends]
        return np.column_stack([self._users(facts, fold, seed), *sides, direct(facts, z, fold)]).astype(np.float32)

    def _users(self, facts: Facts, fold: Fold, seed: int) -> FloatArray:
        users, num = fold.evidence.users, facts.num_entities
        items = Incidence.of(users.other, users.entity, users.num_others)
        weight = np.log1p(num / np.maximum(items.count, 1))
        of_entity = Incidence.of(users.entity, users.other, num)
        traits = Traits(of_entity=of_entity, holders=items, weight=weight, are_facts=False)
        limits = Limits(rivals=self._config.rivals, members=self._config.members, holders=self._config.holders)
        return compare_ends(facts, traits, fold.asked, fold.own, limits, seed)[:, [1, 3]]


def vectors(users: Pairs, num_entities: int, dim: int, seed: int) -> Doubles:
    """Return `[num_entities, dim]` unit vectors, 0 for who has no users: a truncated SVD of entities by users.

    Rows and columns are divided by the root of their sums (Dhillon 2001), so that neither a busy user
    nor a popular item makes all alike; axes are weighed by the root of their singular values.
    """
    shape = (num_entities, users.num_others)
    of_entity, of_user = np.bincount(users.entity, minlength=shape[0]), np.bincount(users.other, minlength=shape[1])
    value = 1 / np.sqrt(of_entity[users.entity] * of_user[users.other])
    rank = min(dim, len(np.unique(users.entity)) - 1, len(np.unique(users.other)) - 1)
    if rank < 1:
        return np.zeros((num_entities, 1))
    start = generator(seed, "svd").random(min(shape))
    left, size, _ = svds(csr_matrix((value, (users.entity, users.other)), shape=shape), k=rank, v0=start)
    z = left * np.sqrt(np.maximum(size, 0.0)) * (of_entity > 0)[:, None]
    length = np.linalg.norm(z, axis=1, keepdims=True)
    return np.asarray(z / np.maximum(length, 1e-12))


def companions(facts: Facts, z: Doubles, anchor: IntArray, slot: IntArray, other: IntArray, own: BoolArray) -> Doubles:
    """Return per row the mean cosine of `anchor` to the others with fact (`slot`, `other`), less that to all of `slot`.

    The anchor is left out of both means, however often it is in the slot.
    """
    known, found = _known(z), facts.find(slot, other)
    score = np.full(len(anchor), np.nan)
    rows = np.flatnonzero((found >= 0) & known[anchor])
    rows = rows[np.argsort(found[rows], kind="stable")]
    table, described = _members(facts), np.column_stack([z, known])
    for block in np.array_split(rows, len(rows) // _BLOCK + 1):
        fact, place = np.unique(found[block], return_inverse=True)
        total = table[fact] @ described  # [num_facts, dim + 1]
        mine, count = z[anchor[block]], total[place, -1] - own[block]
        inside = np.einsum("ij,ij->i", total[place, :-1], mine) - own[block]
        score[block] = np.where(count > 0, inside / np.maximum(count, 1), np.nan)
    return score - _usual(facts, z, anchor, slot, anchor)


def direct(facts: Facts, z: Doubles, fold: Fold) -> Doubles:
    """Return per row the cosine of head and tail, less the head's mean cosine to the other tails of the relation."""
    asked, known = fold.asked, _known(z)
    cosine = _dot(z, asked.head, asked.tail)
    cosine[~known[asked.head] | ~known[asked.tail]] = np.nan
    inverse = facts.num_relations + asked.relation
    return cosine - _usual(facts, z, asked.head, inverse, asked.tail)


def _usual(facts: Facts, z: Doubles, anchor: IntArray, slot: IntArray, left_out: IntArray) -> Doubles:
    """Return the mean cosine of `anchor` to all that stand in `slot`, `left_out` excepted; NaN where there are none."""
    known, num_slots = _known(z), 2 * facts.num_relations
    entry, member = np.repeat(facts.slot, facts.members.count), facts.members.column
    stands = csr_matrix((np.ones(len(member)), (entry, member)), (num_slots, len(z)))
    total, count = stands @ z, stands @ known
    # Who stands in a slot so many times is the other end of the inverse fact so many times.
    times = facts.size((slot + facts.num_relations) % num_slots, left_out) * known[left_out]
    inside = np.concatenate([np.einsum("ij,ij->i", total[slot[b]], z[anchor[b]]) for b in _blocks(len(anchor))])
    rest = count[slot] - times
    return np.where(rest > 0, (inside - times * _dot(z, anchor, left_out)) / np.maximum(rest, 1), np.nan)


def _known(z: Doubles) -> BoolArray:
    return np.asarray(z.any(axis=1))


def _members(facts: Facts) -> csr_matrix:
    """Return the members of all facts as a 0/1 matrix `[num_facts, num_entities]`."""
    shape = (len(facts.key), facts.num_entities)
    return csr_matrix((np.ones(len(facts.members.column)), facts.members.column, facts.members.start), shape)


def _dot(z: Doubles, one: IntArray, other: IntArray) -> Doubles:
    """Return the inner products of rows `one` and rows `other`, in blocks that bound the memory."""
    return np.concatenate([np.einsum("ij,ij->i", z[one[b]], z[other[b]]) for b in _blocks(len(one))])


def _blocks(num: int) -> list[slice]:
    return [slice(begin, begin + _BLOCK) for begin in range(0, max(num, 1), _BLOCK)]
