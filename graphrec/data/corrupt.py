"""Wrong triples made on purpose, their truth known: to test denoising and to calibrate it.

A corruption is an existing triple with one end replaced, such that the result is not in the table.
How hard it is to tell from a right triple depends on what stands in for that end:

- `uniform`: any entity, for the head or for the tail. Mostly absurd, hence easy.
- `same_type`: another tail of the same relation, so that both ends keep their usual type. That is
  how a careless writer errs, and it is hard.
- `near`: one of the tails of the same relation that are most like the right one (`near_tails`). That
  is how a writer errs who nearly knows, and it is the hardest; some of them will even be true.

A mapping from kinds to weights mixes them, as `MIXED` does in equal parts: real errors are of all kinds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from graphrec.core.errors import DataError
from graphrec.core.seeds import generator
from graphrec.core.types import BoolArray, IntArray
from graphrec.data.dataset import Triples
from graphrec.data.kinds import KINDS, MIXED
from graphrec.data.nearness import NearTails

TRUE = -1
"""Stands for the kind of a triple that is no corruption."""

Kind = str | Mapping[str, float]
"""One kind, `MIXED`, or kinds with weights."""

_ROUNDS = 20


@dataclass(frozen=True, kw_only=True)
class Corruptions:
    """Wrong triples, and of which kind each is, `[num]`, in places of `KINDS`."""

    triples: Triples
    kind: IntArray


def corrupt(
    triples: Triples,
    num: int,
    *,
    num_entities: int,
    seed: int,
    kind: Kind = "same_type",
    weighted: bool = True,
    near: NearTails | None = None,
) -> Triples:
    """Return the triples of `corruptions`, whose arguments these are."""
    return corruptions(
        triples, num, num_entities=num_entities, seed=seed, kind=kind, weighted=weighted, near=near
    ).triples


def corruptions(
    triples: Triples,
    num: int,
    *,
    num_entities: int,
    seed: int,
    kind: Kind = "same_type",
    weighted: bool = True,
    near: NearTails | None = None,
) -> Corruptions:
    """Return `num` distinct wrong triples, each made from a row of `triples` drawn at random.

    None of them is in `triples`; the confidence is that of the row it was made from. Fewer come
    back where there is no room, as for a relation with a single tail. `weighted` concerns
    `same_type` and `near`: a tail is drawn as often as its relation uses it, so that its popularity
    gives little away; otherwise every tail (of the near ones) is equally likely. `near` are those of
    `triples`, needed for that kind. Raises `DataError` on an unknown kind or a negative weight.
    """
    made, numbers = take(triples, np.empty(0, dtype=np.int64)), [np.empty(0, dtype=np.int64)]
    known = np.sort(triple_keys(triples, num_entities))
    for name, count in _counts(kind, num).items():
        draw = _drawer(triples, name, num_entities, weighted, near)
        fresh = _drawn(triples, count, draw, known, num_entities, (seed, name))
        made, known = join(made, fresh), _merged(known, triple_keys(fresh, num_entities))
        numbers.append(np.full(len(fresh), KINDS.index(name)))
    return Corruptions(triples=made, kind=np.concatenate(numbers))


def inject(
    triples: Triples,
    share: float,
    *,
    num_entities: int,
    seed: int,
    kind: Kind = "same_type",
    weighted: bool = True,
    near: NearTails | None = None,
) -> tuple[Triples, BoolArray]:
    """Return `triples` with corruptions mixed in, in random order, and which rows are true; see `mix`."""
    mixed, order, _ = mix(triples, share, num_entities=num_entities, seed=seed, kind=kind, weighted=weighted, near=near)
    return mixed, order < len(triples)


def mix(
    triples: Triples,
    share: float,
    *,
    num_entities: int,
    seed: int,
    kind: Kind = "same_type",
    weighted: bool = True,
    near: NearTails | None = None,
) -> tuple[Triples, IntArray, IntArray]:
    """Return `triples` with corruptions mixed in, in random order; the row each came from; of which kind it is.

    `share` (0 up to, not including, 1) is the part of the returned table that is wrong; the other
    arguments are those of `corruptions`. Rows from `len(triples)` on are corruptions; the kind of a row
    of the table is `TRUE`. Raises `DataError` on a share outside that range.
    """
    if not 0 <= share < 1:
        raise DataError(f"share of wrong triples {share:g}: expected at least 0 and less than 1")
    num = round(len(triples) * share / (1 - share))
    wrong = corruptions(triples, num, num_entities=num_entities, seed=seed, kind=kind, weighted=weighted, near=near)
    order = generator(seed, "inject").permutation(len(triples) + len(wrong.kind))
    kinds = np.concatenate([np.full(len(triples), TRUE), wrong.kind])
    return take(join(triples, wrong.triples), order), order, kinds[order]


def needs_near(kind: Kind) -> bool:
    """Return whether `corruptions` of `kind` needs near tails; raise `DataError` on an unknown kind."""
    return "near" in _weights(kind)


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


_Draw = Callable[[IntArray, np.random.Generator], Triples]
"""From (source rows, generator) to one candidate per source row, in their order."""


def _weights(kind: Kind) -> dict[str, float]:
    given = dict.fromkeys(KINDS, 1.0) if kind == MIXED else {kind: 1.0} if isinstance(kind, str) else dict(kind)
    unknown = [name for name in given if name not in KINDS]
    if unknown:
        raise DataError(f"corruption kind {unknown[0]!r}: expected one of {', '.join((*KINDS, MIXED))}")
    if any(weight < 0 for weight in given.values()) or not sum(given.values()):
        raise DataError(f"weights of corruption kinds {given}: expected none below 0 and one above")
    return {name: given[name] for name in KINDS if given.get(name)}


def _counts(kind: Kind, num: int) -> dict[str, int]:
    weights = _weights(kind)
    ends = np.rint(np.cumsum(list(weights.values())) / sum(weights.values()) * num).astype(int)
    return dict(zip(weights, np.diff(ends, prepend=0).tolist(), strict=True))


def _drawn(
    triples: Triples, num: int, draw: _Draw, known: IntArray, num_entities: int, stream: tuple[int, str]
) -> Triples:
    """Return up to `num` candidates that are not among the ascending keys `known`, none twice."""
    made, (seed, name) = [take(triples, np.empty(0, dtype=np.int64))], stream
    # With replacement, so that errors come independently of each other: one head may have two.
    rows = generator(seed, "corrupt", name).integers(max(len(triples), 1), size=num if len(triples) else 0)
    for round_ in range(_ROUNDS):
        if not len(rows):
            break
        rng = generator(seed, "corrupt", name, round_)
        drawn = draw(rows, rng)
        keys = triple_keys(drawn, num_entities)
        # Keeping the first of equal draws favours none of them, the rows being in random order.
        fresh = _is_first(keys) & ~_contains(known, keys)
        made.append(take(drawn, fresh))
        known = _merged(known, keys[fresh])
        left = num - sum(map(len, made))
        # A refused row tries again, so that each relation keeps its share; one with no way out is given up.
        rows = rows[~fresh] if round_ < _ROUNDS // 2 else rng.integers(len(triples), size=left)
    return Triples(**{column: np.concatenate([vars(part)[column] for part in made]) for column in vars(triples)})


def _drawer(triples: Triples, kind: str, num_entities: int, weighted: bool, near: NearTails | None) -> _Draw:
    if kind == "uniform":
        return partial(_uniform, triples, num_entities)
    if kind == "near":
        assert near is not None, "the kind near needs near tails"
        return _near(triples, num_entities, near, weighted)
    pairs = triples.relation * num_entities + triples.tail
    by_relation = pairs[np.argsort(triples.relation, kind="stable")]
    return _same_type(triples, num_entities, by_relation if weighted else np.unique(pairs))


def _uniform(triples: Triples, num_entities: int, rows: IntArray, rng: np.random.Generator) -> Triples:
    entity, side = rng.integers(num_entities, size=len(rows)), rng.random(len(rows)) < 0.5
    source = take(triples, rows)
    head, tail = np.where(side, entity, source.head), np.where(side, source.tail, entity)
    return Triples(head=head, relation=source.relation, tail=tail, confidence=source.confidence)


def _same_type(triples: Triples, num_entities: int, pool: IntArray) -> _Draw:
    # Pairs sorted by relation make "another tail of the same relation" one draw within a block.
    bounds = np.append(0, np.cumsum(np.bincount(pool // num_entities)))

    def draw(rows: IntArray, rng: np.random.Generator) -> Triples:
        relation = triples.relation[rows]
        return _with_tail(triples, rows, pool[rng.integers(bounds[relation], bounds[relation + 1])] % num_entities)

    return draw


def _near(triples: Triples, num_entities: int, near: NearTails, weighted: bool) -> _Draw:
    pairs = triples.relation * num_entities + triples.tail
    pair, own, num = np.unique(pairs, return_inverse=True, return_counts=True)
    assert np.array_equal(pair, near.pair), "near tails of another table"
    place = np.searchsorted(pair, pair[:, None] // max(num_entities, 1) * num_entities + near.other)
    weight = np.where(near.other < 0, 0, num[np.minimum(place, len(pair) - 1)] if weighted else 1)
    reach = np.cumsum(weight, axis=1)  # [pairs, k]

    def draw(rows: IntArray, rng: np.random.Generator) -> Triples:
        at = own[rows]
        chosen = (reach[at] <= (rng.random(len(rows)) * reach[at, -1])[:, None]).sum(axis=1)
        tail = near.other[at, np.minimum(chosen, near.other.shape[1] - 1)]
        # Without a near tail the row stays as it is, which is in the table, hence refused.
        return _with_tail(triples, rows, np.where(tail < 0, triples.tail[rows], tail))

    return draw


def _with_tail(triples: Triples, rows: IntArray, tail: IntArray) -> Triples:
    source = take(triples, rows)
    return Triples(head=source.head, relation=source.relation, tail=tail, confidence=source.confidence)


def _merged(ascending: IntArray, keys: IntArray) -> IntArray:
    # Two sorted runs, which a stable sort merges in linear time.
    return np.sort(np.concatenate([ascending, np.sort(keys)]), kind="stable")


def _contains(ascending: IntArray, keys: IntArray) -> BoolArray:
    place = np.minimum(np.searchsorted(ascending, keys), len(ascending) - 1)
    return np.equal(ascending[place], keys)


def _is_first(keys: IntArray) -> BoolArray:
    first = np.zeros(len(keys), dtype=np.bool_)
    first[np.unique(keys, return_index=True)[1]] = True
    return first
