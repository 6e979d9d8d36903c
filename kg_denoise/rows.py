"""The rows that everything is learnt on: the table's own triples, and wrong ones made to stand beside them."""

from dataclasses import dataclass

import numpy as np

from graphrec.core.seeds import generator
from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.data.corrupt import TRUE, corruptions, join, take, triple_keys
from graphrec.data.dataset import Triples
from graphrec.data.kinds import KINDS
from graphrec.data.nearness import near_tails
from kg_denoise.evidence import Evidence

SORTS = (*KINDS, "uniform_head")
"""Kinds of corruption as they are told apart here: whoever errs at heads need not err at tails."""

_TRUSTED = 0.5
"""Triples below this probability are not learnt from."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Own triples first, then corruptions. `kind` is `TRUE` (-1) for an own triple, else a position in `SORTS`.

    `context` [num_rows] are the own triples that signals may learn from, all or those not in doubt.
    """

    triples: Triples
    kind: IntArray
    context: BoolArray

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def own(self) -> BoolArray:
        """Return which rows are the table's own, `[num_rows]`."""
        return self.kind < 0

    @property
    def table(self) -> Triples:
        """Return the own triples."""
        return take(self.triples, self.own)


def make_rows(
    table: Triples,
    evidence: Evidence,
    kinds: tuple[str, ...],
    share: float,
    *,
    seed: int,
    probability: FloatArray | None = None,
) -> Rows:
    """Return `table` (no triple twice) with `share` corruptions per triple, in equal parts of `kinds`.

    `probability` [len(table)] of being true, as far as it is known: signals learn from the triples that are
    more likely true than not, and corruptions are made from true triples. Where nothing is known yet, all
    are learnt from, and `crowded` stands in.
    """
    num_entities, rng = evidence.num_entities, generator(seed, "rows")
    trusted = np.ones(len(table), dtype=np.bool_) if probability is None else probability >= _TRUSTED
    chance = crowded(table, num_entities) if probability is None else probability
    drawn = rng.random(len(table)) < chance
    source = take(table, drawn) if drawn.any() else table
    near = near_tails(source, num_entities, evidence.text, seed=seed) if "near" in kinds else None
    num = round(len(table) * share)
    made = corruptions(source, num, num_entities=num_entities, seed=seed, kind=dict.fromkeys(kinds, 1.0), near=near)
    # What was made from a part of the table may be in the rest of it.
    fresh = ~np.isin(triple_keys(made.triples, num_entities), triple_keys(table, num_entities))
    wrong, kind = take(made.triples, fresh), made.kind[fresh]
    known = np.isin(wrong.relation * num_entities + wrong.tail, table.relation * num_entities + table.tail)
    # A tail that the relation has elsewhere was kept, but for a few whose tail was drawn such.
    kind = np.where(known & (kind == KINDS.index("uniform")), SORTS.index("uniform_head"), kind)
    return Rows(
        triples=join(table, wrong),
        kind=np.concatenate([np.full(len(table), TRUE, dtype=np.int64), kind]),
        context=np.concatenate([trusted, np.zeros(len(wrong), dtype=np.bool_)]),
    )


def crowded(table: Triples, num_entities: int) -> FloatArray:
    """Return the share of the triples of each head and relation that is not beyond what is usual, `[len(table)]`.

    Where a relation has one tail per head as a rule, of two at least one is wrong. Corruptions made from both
    would crowd such heads more than errors do, and errors would pass for truth.
    """
    _, first, group, sizes = np.unique(
        table.relation * num_entities + table.head, return_index=True, return_inverse=True, return_counts=True
    )
    relation, size = table.relation, sizes[group]
    order = np.lexsort((size, relation))
    # Half the groups (not the triples) of a relation are of this size or smaller.
    count = np.zeros(int(relation.max(initial=0)) + 1)
    weight = np.cumsum((1 / size)[order])
    start = np.searchsorted(relation[order], np.arange(len(count)))
    stop = np.searchsorted(relation[order], np.arange(len(count)), side="right")
    before = np.concatenate([[0.0], weight])
    for index in np.flatnonzero(stop > start):
        middle = (before[start[index]] + before[stop[index]]) / 2
        count[index] = size[order[min(np.searchsorted(weight, middle - 1e-9), stop[index] - 1)]]
    usual = np.minimum(1.0, count[relation] / size)
    return np.where(_regular(relation[first], sizes)[relation], usual, 1.0).astype(np.float32)


def _regular(relation: IntArray, size: IntArray) -> BoolArray:
    """Return of which relations heads have a usual number of tails, `[num_relations]`, given the size of each group.

    Errors that fall on heads at random spread the sizes of equal groups less than their mean (a Poisson variable
    beside a constant); where sizes spread more, heads differ in earnest: some actors have a hundred films.
    """
    num = np.maximum(np.bincount(relation), 1)
    mean, square = (np.bincount(relation, weights=part) / num for part in (size, size.astype(np.float64) ** 2))
    regular: BoolArray = square - mean**2 <= mean
    return regular
