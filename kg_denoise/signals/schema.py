"""The signal schema: are the ends of a triple what its relation takes, and as many as it takes?

Types are those the data give; an entity's roles, being head or tail of other relations, stand in for
them where none are given. Cardinality follows functional relations (Hogan et al. 2010): a second
tail speaks against a triple of a relation that has one per head, which is told from the data.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.data.dataset import Triples
from kg_denoise.evidence import Evidence
from kg_denoise.fold import Fold
from kg_denoise.signals._numba_knn import Facts, Incidence, facts_of
from kg_denoise.signals._numba_pairs import pair_lift, slot_lift
from kg_denoise.signals.schema_config import SchemaConfig

_MOST = 16
"""Types or roles of an entity that are looked at; few have more, and pairs grow with the square."""

_FEW = 8
"""Up to this many heads or tails the own triple is taken from their count."""


class SchemaSignal:
    """Scores a triple by types and by counts; the triple itself is left out exactly."""

    leaves_out: ClassVar[bool] = True

    def __init__(self, config: SchemaConfig) -> None:
        self._config = config

    def columns(self, evidence: Evidence) -> Mapping[str, int]:
        """Return three columns for types, then three for counts, which may speak for or against."""
        types = dict.fromkeys(("head_type", "tail_type", "type_pair"), 1)
        return types | dict.fromkeys(("other_tails", "other_heads", "parallel"), 0)

    def score(self, fold: Fold) -> FloatArray:
        """Return `[len(fold.asked), 6]`; NaN where an end has no type or no other role."""
        facts = facts_of(fold.train, fold.evidence.num_entities, fold.evidence.num_relations)
        return np.column_stack([*self._types(facts, fold), *cardinality(facts, fold)]).astype(np.float32)

    def _types(self, facts: Facts, fold: Fold) -> list[FloatArray]:
        asked, types = fold.asked, fold.evidence.types
        if len(types):
            traits, of = Incidence.of(types.entity, types.other, facts.num_entities), np.full(types.num_others, -1)
        else:
            traits, of = _roles(facts), np.arange(2 * facts.num_relations)
        table, prior = (facts, traits, of), self._config.prior
        pair = pair_lift(*table, fold.train, asked, fold.own, prior=prior, most=_MOST)[:, 0]
        head = slot_lift(*table, asked.head, asked.relation, prior=prior, most=_MOST)
        return [
            head,
            slot_lift(*table, asked.tail, facts.num_relations + asked.relation, prior=prior, most=_MOST),
            pair,
        ]


def cardinality(facts: Facts, fold: Fold) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return log ratios to what is usual: other tails of (h, r), other heads of (r, t); then log1p of other (h, ., t).

    Usual is the mean over the triples of the relation, so that 0 is as usual whether that be one or many.
    """
    asked, own, relations = fold.asked, fold.own, facts.num_relations
    tails = _others(facts, relations + asked.relation, asked.head, own)
    heads = _others(facts, asked.relation, asked.tail, own)
    joint = _pair_key(asked, facts.num_entities)
    known = np.sort(_pair_key(fold.train, facts.num_entities))
    between = np.searchsorted(known, joint, side="right") - np.searchsorted(known, joint) - own
    return tails, heads, np.log1p(between).astype(np.float32)


def _others(facts: Facts, slot: IntArray, end: IntArray, own: BoolArray) -> FloatArray:
    """Return log((1 + others) / (1 + usual)), others without the own triple where they are few.

    What is usual is taken from the whole table for every row, and so are others beyond `_FEW`: one
    triple less would hardly move them, yet being odd numbers (a hub's own count less one) they would
    tell each own row from a corruption by rote.
    """
    size, num_slots = facts.members.count, 2 * facts.num_relations
    entries = np.bincount(facts.slot, weights=size, minlength=num_slots)
    usual = np.bincount(facts.slot, weights=size * (size - 1.0), minlength=num_slots) / np.maximum(entries, 1)
    count = facts.size(slot, end)
    others = count - (own & (count <= _FEW))
    ratio = np.log1p(others) - np.log1p(usual[slot])
    # A tail that its relation has nowhere else (as corruptions seldom do) is nothing to go by.
    return np.where((others > 0) | (slot >= facts.num_relations), ratio, np.nan).astype(np.float32)


def _roles(facts: Facts) -> Incidence:
    """Return the roles of each entity: slot `r` as a head of relation `r`, `num_relations + r` as a tail."""
    slots = 2 * facts.num_relations
    entity = np.repeat(np.arange(facts.num_entities), facts.of_entity.count)
    key = np.unique(entity * slots + facts.slot[facts.of_entity.column])
    return Incidence.of(key // slots, key % slots, facts.num_entities)


def _pair_key(triples: Triples, num_entities: int) -> IntArray:
    """Return one number per row, equal for two rows with the same two ends either way round."""
    return np.minimum(triples.head, triples.tail) * num_entities + np.maximum(triples.head, triples.tail)
