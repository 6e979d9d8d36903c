"""The signal facts: what the other facts of a triple's head and tail say of it, by collaborative filtering.

A fact is (relation, tail) of a head, or (inverse relation, head) of a tail. Two questions are asked:

- neighbours (Sarwar et al. 2001, item-based, turned to entities): are the entities that share facts with
  the head the ones that have this tail, more than those that have a rival tail? And the same of the tail.
- pairs: do facts of the head and facts of the tail meet in this relation, as a player's league and a
  team's league do? The mean is robust, the least finds the one contradiction.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from graphrec.core.seeds import derive_seed
from graphrec.core.types import FloatArray
from kg_denoise.evidence import Evidence
from kg_denoise.fold import Fold
from kg_denoise.signals._numba_knn import Facts, Incidence, Limits, Traits, compare_ends, facts_of
from kg_denoise.signals._numba_pairs import pair_lift
from kg_denoise.signals.schema_config import FactsConfig

_FEWEST = 3
"""A fact that fewer entities have cannot say anything of a pair once two ends are left out."""


class FactsSignal:
    """Scores a triple by what else its head and tail are part of; the triple itself is left out exactly.

    Neighbours weigh a shared fact by its rarity, log(1 + entities / holders), in place of the
    adjusted cosine of the paper, as facts have no ratings.
    """

    leaves_out: ClassVar[bool] = True

    def __init__(self, config: FactsConfig) -> None:
        self._config = config

    def columns(self, evidence: Evidence) -> Mapping[str, int]:
        """Return, per end, likeness and its excess over rivals; then two for pairs."""
        ends = (f"{end}_{what}" for end in ("head", "tail") for what in ("likeness", "excess"))
        return dict.fromkeys((*ends, "pair_mean", "pair_least"), 1)

    def score(self, fold: Fold) -> FloatArray:
        """Return `[len(fold.asked), 6]`; NaN where an end has no other fact or nobody else has the fact."""
        facts = facts_of(fold.train, fold.evidence.num_entities, fold.evidence.num_relations)
        return np.hstack([self._neighbours(facts, fold), self._pairs(facts, fold)])

    def _neighbours(self, facts: Facts, fold: Fold) -> FloatArray:
        limits = Limits(rivals=self._config.rivals, members=self._config.members, holders=self._config.holders)
        seed = derive_seed(fold.seed, "facts")
        return compare_ends(facts, shared_facts(facts), fold.asked, fold.own, limits, seed)

    def _pairs(self, facts: Facts, fold: Fold) -> FloatArray:
        prior, most = self._config.prior, self._config.traits
        table = (facts, _commonest(facts, most), facts.slot)
        return pair_lift(*table, fold.train, fold.asked, fold.own, prior=prior, most=most)


def shared_facts(facts: Facts) -> Traits:
    """Return facts as what entities are compared by, a rare one counting more."""
    weight = np.log1p(facts.num_entities / np.maximum(facts.members.count, 1))
    return Traits(of_entity=facts.of_entity, holders=facts.members, weight=weight, are_facts=True)


def _commonest(facts: Facts, most: int) -> Incidence:
    """Return the facts of each entity, up to `most` of a slot, those that most others have first."""
    fact, holders = facts.of_entity.column, facts.members.count
    entity = np.repeat(np.arange(facts.num_entities), facts.of_entity.count)
    order = np.lexsort((fact, -holders[fact], facts.slot[fact], entity))
    order = order[holders[fact[order]] >= _FEWEST]
    group = entity[order] * 2 * facts.num_relations + facts.slot[fact[order]]
    order = order[np.arange(len(order)) - np.searchsorted(group, group) < most]
    order = order[np.lexsort((fact[order], -holders[fact[order]], entity[order]))]
    return Incidence.of(entity[order], fact[order], facts.num_entities)
