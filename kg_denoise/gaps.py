"""What nothing else mentions: corruptions are given as much of it as the table has.

The ends of a corruption have other triples in the table. Many a triple of the table alone mentions its
head or its tail, so that structure can say little of it; a classifier would take that very silence for
proof of truth, although a writer who invents an entity leaves the same. So in every relation as large a
part of the corruptions as of the triples is treated as if nothing else mentioned its ends: it takes over
the gaps of such a triple. Being mentioned elsewhere then speaks neither for nor against; how many of the
triples so left alone are wrong is estimated apart from the others. A tail that is new to its relation
alone is no such gap: uniform corruptions have that too.
"""

import numpy as np
from numpy.typing import NDArray

from graphrec.core.types import BoolArray, IntArray
from graphrec.data.corrupt import take
from kg_denoise.rows import Rows

Matrix = NDArray[np.float32]


def lonely(rows: Rows, num_entities: int) -> BoolArray:
    """Return of which rows no other triple of the context has one of the ends, `[num_rows]`."""
    triples, known = rows.triples, take(rows.triples, rows.context)
    degree = np.bincount(known.head, minlength=num_entities) + np.bincount(known.tail, minlength=num_entities)
    # A triple from an entity to itself mentions it twice.
    own = rows.context * (1 + (triples.head == triples.tail))
    head, tail = (degree[end] - own < 1 for end in (triples.head, triples.tail))
    alone: BoolArray = head | tail
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
