"""Wrong triples made on purpose, their truth known: to test denoising and to calibrate it.

A corruption is an existing triple with one end replaced, such that the result is not in the table.
How hard it is to tell from a right triple depends on what stands in for that end:

- `uniform`: any entity, for the head or for the tail. Mostly absurd, hence easy.
- `same_type`: another tail of the same relation, so that both ends keep their usual type. That is
  how a careless writer errs, and it is hard.
"""

from collections.abc import Callable

import numpy as np

from graphrec.core.errors import DataError
from graphrec.core.seeds import generator
from graphrec.core.types import BoolArray, IntArray
from graphrec.data.dataset import Triples

_ROUNDS = 20


def corrupt(
    triples: Triples, num: int, *, num_entities: int, seed: int, kind: str = "same_type", weighted: bool = True
) -> Triples:
    """Return `num` distinct wrong triples, each made from a row of `triples` drawn at random.

    None of them is in `triples`; the confidence is that of the row it was made from. Fewer come
    back where there is no room, as for a relation with a single tail. `weighted` concerns
    `same_type`: a tail is drawn as often as its relation uses it, so that its popularity gives
    nothing away; otherwise every tail of the relation is equally likely. Raises `DataError` on an
    unknown `kind`.
    """
    draw, known = _drawer(kind, weighted), np.sort(triple_keys(triples, num_entities))
    made = take(triples, np.empty(0, dtype=np.int64))
    rows = np.resize(generator(seed, "corrupt", kind).permutation(len(triples)), num if len(triples) else 0)
    for round_ in range(_ROUNDS if len(rows) else 0):
        rng = generator(seed, "corrupt", kind, round_)
        drawn = draw(triples, rows, num_entities, rng)
        keys = triple_keys(drawn, num_entities)
        # Keeping the first of equal draws favours none of them, the rows being in random order.
        fresh = _is_first(keys) & ~_contains(known, keys)
        made, known = join(made, take(drawn, fresh)), np.sort(np.concatenate([known, keys[fresh]]))
        # A refused row tries again, so that each relation keeps its share; one with no way out is given up.
        rows = rows[~fresh] if round_ < _ROUNDS // 2 else rng.integers(len(triples), size=num - len(made))
    return made


def inject(
    triples: Triples, share: float, *, num_entities: int, seed: int, kind: str = "same_type", weighted: bool = True
) -> tuple[Triples, BoolArray]:
    """Return `triples` with corruptions mixed in, in random order, and which rows are true.

    `share` (0 up to, not including, 1) is the part of the returned table that is wrong; the other
    arguments are those of `corrupt`. Raises `DataError` on a share outside that range.
    """
    if not 0 <= share < 1:
        raise DataError(f"share of wrong triples {share:g}: expected at least 0 and less than 1")
    num = round(len(triples) * share / (1 - share))
    wrong = corrupt(triples, num, num_entities=num_entities, seed=seed, kind=kind, weighted=weighted)
    order = generator(seed, "inject").permutation(len(triples) + len(wrong))
    return take(join(triples, wrong), order), order < len(triples)


def join(first: Triples, second: Triples) -> Triples:
    """Return the rows of `first`, then those of `second`."""
    columns = {name: np.concatenate([one, getattr(second, name)]) for name, one in vars(first).items()}
    return Triples(**columns)


def take(triples: Triples, rows: IntArray | BoolArray) -> Triples:
    """Return the rows that a mask keeps, or those at the given positions, in their order."""
    return Triples(**{name: column[rows] for name, column in vars(triples).items()})


def triple_keys(triples: Triples, num_entities: int) -> IntArray:
    """Return one int64 per row, equal for two rows exactly when head, relation and tail are."""
    num_relations = int(triples.relation.max(initial=0)) + 1
    assert num_entities**2 * num_relations < 2**63, "triple keys would overflow 64 bits"
    return (triples.relation * num_entities + triples.head) * num_entities + triples.tail


_Draw = Callable[[Triples, IntArray, int, np.random.Generator], Triples]
"""From (table, source rows, number of entities, generator) to one candidate per source row."""


def _drawer(kind: str, weighted: bool) -> _Draw:
    kinds = {"uniform": _uniform, "same_type": _same_type if weighted else _same_type_flat}
    if kind not in kinds:
        raise DataError(f"corruption kind {kind!r}: expected one of {', '.join(kinds)}")
    return kinds[kind]


def _uniform(triples: Triples, rows: IntArray, num_entities: int, rng: np.random.Generator) -> Triples:
    entity, side = rng.integers(num_entities, size=len(rows)), rng.random(len(rows)) < 0.5
    source = take(triples, rows)
    head, tail = np.where(side, entity, source.head), np.where(side, source.tail, entity)
    return Triples(head=head, relation=source.relation, tail=tail, confidence=source.confidence)


def _same_type(triples: Triples, rows: IntArray, num_entities: int, rng: np.random.Generator) -> Triples:
    # Rows sorted by relation make "another row of the same relation" one draw within a block.
    return _with_tail(triples, rows, triples.relation, triples.tail, rng)


def _same_type_flat(triples: Triples, rows: IntArray, num_entities: int, rng: np.random.Generator) -> Triples:
    pairs = np.unique(triples.relation * num_entities + triples.tail)
    return _with_tail(triples, rows, pairs // num_entities, pairs % num_entities, rng)


def _with_tail(
    triples: Triples, rows: IntArray, pool_relation: IntArray, pool_tail: IntArray, rng: np.random.Generator
) -> Triples:
    order, source = np.argsort(pool_relation, kind="stable"), take(triples, rows)
    grouped = pool_relation[order]
    start, stop = np.searchsorted(grouped, source.relation), np.searchsorted(grouped, source.relation, side="right")
    tail = pool_tail[order[rng.integers(start, stop)]]
    return Triples(head=source.head, relation=source.relation, tail=tail, confidence=source.confidence)


def _contains(ascending: IntArray, keys: IntArray) -> BoolArray:
    place = np.minimum(np.searchsorted(ascending, keys), len(ascending) - 1)
    return np.equal(ascending[place], keys)


def _is_first(keys: IntArray) -> BoolArray:
    first = np.zeros(len(keys), dtype=np.bool_)
    first[np.unique(keys, return_index=True)[1]] = True
    return first
