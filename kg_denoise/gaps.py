"""What nothing else mentions: corruptions are given as much of it as the table has.

A corruption is made of a head that has other triples and, but for the uniform kind, of a tail that its
relation has elsewhere. Many a triple of the table is the only one of its head, or the only one with
its relation and tail, so that structure can say little of it; a classifier would take that very
silence for proof of truth, although a writer who invents an entity leaves the same. So in every
relation as large a part of the corruptions as of the triples is treated as if nothing else mentioned
its ends: it takes over the gaps of such a triple. Being mentioned elsewhere then speaks neither for
nor against; how many of the triples so left alone are wrong is estimated apart from the others.
"""

import numpy as np
from numpy.typing import NDArray

from graphrec.core.types import BoolArray, IntArray
from graphrec.data.corrupt import take
from kg_denoise.rows import Rows

Matrix = NDArray[np.float32]


def lonely(rows: Rows, num_entities: int) -> BoolArray:
    """Return of which rows no other triple of the context has the head, or the relation and tail, `[num_rows]`."""
    triples, known = rows.triples, take(rows.triples, rows.context)
    degree = np.bincount(known.head, minlength=num_entities) + np.bincount(known.tail, minlength=num_entities)
    fact, facts = (t.relation * num_entities + t.tail for t in (triples, known))
    facts = np.sort(facts)
    others = np.searchsorted(facts, fact, side="right") - np.searchsorted(facts, fact) - rows.context
    alone: BoolArray = (degree[triples.head] - rows.context < 1) | (others < 1)
    return alone


def match_gaps(values: Matrix, rows: Rows, alone: BoolArray, rng: np.random.Generator) -> tuple[Matrix, BoolArray]:
    """Return `values` [num_rows, k] with the gaps (NaN) of own rows that are `alone` lent to corruptions.

    And which rows lie apart: those that are alone, and corruptions that borrow from them, `[num_rows]`.
    """
    relation, lenders = rows.triples.relation, alone & rows.own
    size = int(relation.max(initial=0)) + 1
    share = np.bincount(relation[lenders], minlength=size) / np.maximum(
        np.bincount(relation[rows.own], minlength=size), 1
    )
    wrong = np.flatnonzero(~rows.own & ~alone & (rng.random(len(rows)) < share[relation]))
    lender = _drawn(np.flatnonzero(lenders), relation, relation[wrong], rng)
    matched, apart = values.copy(), alone.copy()
    matched[wrong] = np.where(np.isnan(values[lender]), np.float32(np.nan), values[wrong])
    apart[wrong] = True
    return matched, apart


def _drawn(lenders: IntArray, relation: IntArray, wanted: IntArray, rng: np.random.Generator) -> IntArray:
    """Return a random one of `lenders` with each wanted relation; there is one wherever it is wanted."""
    order = lenders[np.argsort(relation[lenders], kind="stable")]
    start, stop = (np.searchsorted(relation[order], wanted, side=side) for side in ("left", "right"))
    return order[rng.integers(start, stop)] if len(wanted) else np.empty(0, dtype=np.int64)
