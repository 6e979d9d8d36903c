"""Which tails of a relation are alike: by the words of an entity and by the company it keeps.

An entity's vector joins two views, each a TF-IDF matrix cut down by a randomised SVD (Halko, Martinsson
and Tropp 2011, algorithm 4.4, two power iterations):

- words: the tokens of its text and their letter trigrams, so that `shampoo` is near `shampoos`. A token
  with a digit is taken for a code, which says nothing by its letters.
- graph: its facts, each a relation, a direction and the other end.

Half the mean vector of its neighbours is added: two brands share no item, but their items do share
categories. Everything is linear in triples and words, and decided by the seed for an equal number of
threads.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from scipy import sparse

from graphrec.core.seeds import generator
from graphrec.core.types import FloatArray, IntArray
from graphrec.core.vectors import unit_rows
from graphrec.data.dataset import Dataset, Triples

_DIM, _SPARE, _POWER = 64, 8, 2
_WORDS, _BUCKETS, _LETTERS_SHARE = 48, 1 << 16, 0.5
_CELL, _PROBES, _CANDIDATES, _AT_ONCE, _ROUNDS, _SAMPLE = 256, 8, 4096, 1024, 3, 64
_EMPTY = 1e-5
"""What rounding left of an empty row is no direction."""


@dataclass(frozen=True, kw_only=True)
class NearTails:
    """The nearest other tails of each tail, by relation.

    `pair` [num_pairs] holds relation * num_entities + tail, ascending; `other` [num_pairs, k] the entities,
    nearest first, -1 where there are fewer.
    """

    pair: IntArray
    other: IntArray


def entity_text(dataset: Dataset) -> tuple[str, ...]:
    """Return an entity's own text, else that of the item it stands for, else its id, which is often a name."""
    text = [str(name) for name in dataset.entities.table["id"]]
    for item, entity in zip(dataset.link_item.tolist(), dataset.link_entity.tolist(), strict=True):
        text[entity] = dataset.text[item] or text[entity]
    own = dataset.entity_text or ("",) * len(text)
    return tuple(mine or other for mine, other in zip(own, text, strict=True))


def entity_vectors(triples: Triples, num_entities: int, text: Sequence[str] = (), *, seed: int) -> FloatArray:
    """Return one vector per entity, `[num_entities, 128]`: half about words, half about the graph.

    A half has the squared length 1/2, or 0 where nothing is known. `text[e]` describes entity `e` and may
    be left out.
    """
    if not num_entities or not len(triples):
        return np.zeros((num_entities, 2 * _DIM), dtype=np.float32)
    words = _reduced(_words(text), seed, "words") if len(text) else np.zeros((num_entities, _DIM), dtype=np.float32)
    own = np.hstack([words, _reduced(_facts(triples, num_entities), seed, "facts")])  # [num_entities, 128]
    one = np.ones(len(triples), dtype=np.float32)
    ties = sparse.csr_array((one, (triples.head, triples.tail)), shape=(num_entities, num_entities))
    around = (ties @ own + ties.T @ own).reshape(num_entities, 2, _DIM)
    both = own.reshape(num_entities, 2, _DIM) + unit_rows(around, _EMPTY) * np.float32(0.5)
    # Each view has its own length: who lacks one is not the nearer for it.
    return (unit_rows(both, _EMPTY) / np.float32(np.sqrt(2))).reshape(own.shape)


def near_tails(triples: Triples, num_entities: int, text: Sequence[str] = (), *, seed: int, k: int = 10) -> NearTails:
    """Return the `k` nearest other tails of each tail within its relation, by the product of `entity_vectors`.

    A relation of more than 2,048 tails is searched by cells (the 8 nearest of its k-means cells, at most
    4,096 tails), so that some of the nearest may be missed; smaller ones are searched in full.
    """
    vectors = entity_vectors(triples, num_entities, text, seed=seed)
    pair = np.unique(triples.relation * num_entities + triples.tail)
    other = np.full((len(pair), k), -1, dtype=np.int64)
    relation = pair // max(num_entities, 1)
    starts = np.flatnonzero(np.diff(relation, prepend=-1))
    for start, stop in pairwise([*starts.tolist(), len(pair)]):
        tails = pair[start:stop] % num_entities
        told = np.flatnonzero(vectors[tails].any(axis=1))
        rng = generator(seed, "near", int(relation[start]))
        place = _nearest(vectors[tails[told]], k, rng)  # [told, k]
        other[start + told] = np.where(place < 0, -1, tails[told[place]]) if len(told) else -1
    return NearTails(pair=pair, other=other)


def _words(text: Sequence[str]) -> sparse.csr_array:
    """Return words and letter trigrams of each text, `[num_texts, num_words + buckets]`, TF-IDF, rows of length 1."""
    token, letters = pl.col("word"), r"[\p{L}\p{M}\p{N}]+"
    lists = pl.DataFrame({"word": pl.Series(text, dtype=pl.String)}).with_row_index("entity")
    lists = lists.with_columns(token.str.to_lowercase().str.extract_all(letters).list.head(_WORDS))
    table = lists.explode("word").filter((token.str.len_chars() >= 2) & ~token.str.contains(r"\p{N}"))
    names = table.select("word").unique().sort("word").with_row_index("column")
    table = table.join(names, on="word", maintain_order="left")
    shape, one = (len(text), len(names)), np.ones(len(table), dtype=np.float32)
    counts = sparse.csr_array((one, (table["entity"].to_numpy(), table["column"].to_numpy())), shape=shape)
    trigrams = counts @ _trigrams(names["word"])
    return sparse.hstack([_tfidf(counts), _tfidf(trigrams) * np.float32(_LETTERS_SHARE)], format="csr")


def _trigrams(words: pl.Series) -> sparse.csr_array:
    padded = ("<" + words + ">").to_list()
    size = np.array([len(word) for word in padded], dtype=np.int64)
    code = np.frombuffer("".join(padded).encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
    owner = np.repeat(np.arange(len(padded)), size)
    # Multipliers of the FNV family mix three letters into one bucket.
    bucket = ((code[:-2] * 16777619 ^ code[1:-1]) * 16777619 ^ code[2:]) % _BUCKETS
    inside = owner[:-2] == owner[2:]
    one = np.ones(int(inside.sum()), dtype=np.float32)
    return sparse.csr_array((one, (owner[:-2][inside], bucket[inside])), shape=(len(padded), _BUCKETS))


def _facts(triples: Triples, num_entities: int) -> sparse.csr_array:
    """Return entity by (direction, relation, other end), `[num_entities, num_facts]`, TF-IDF, rows of length 1."""
    size = int(triples.relation.max()) + 1
    outward, inward = triples.relation * num_entities + triples.tail, triples.relation * num_entities + triples.head
    _, column = np.unique(np.concatenate([outward, size * num_entities + inward]), return_inverse=True)
    row, one = np.concatenate([triples.head, triples.tail]), np.ones(len(column), dtype=np.float32)
    return _tfidf(sparse.csr_array((one, (row, column)), shape=(num_entities, int(column.max()) + 1)))


def _tfidf(counts: sparse.csr_array) -> sparse.csr_array:
    """Return (1 + log count) * log(rows / rows with the column), rows of length 1; columns of one row say nothing."""
    counts.sum_duplicates()
    rows = np.bincount(counts.indices, minlength=counts.shape[1])
    idf = np.where(rows > 1, np.log((1 + counts.shape[0]) / np.maximum(rows, 1)), 0).astype(np.float32)
    made = counts.copy()
    made.data = (1 + np.log(counts.data)) * idf[counts.indices]
    made.eliminate_zeros()
    length = np.sqrt(made.multiply(made).sum(axis=1))
    made.data /= np.repeat(length, np.diff(made.indptr)).astype(np.float32)
    return made


def _reduced(matrix: sparse.csr_array, seed: int, name: str) -> FloatArray:
    """Return U S of the truncated SVD of `matrix`, rows of length 1, `[rows, 64]`."""
    num = min(_DIM + _SPARE, *matrix.shape)
    flipped = matrix.T.tocsr()
    basis = generator(seed, "vectors", name).standard_normal((matrix.shape[1], num), dtype=np.float32)
    basis = np.linalg.qr(matrix @ basis)[0]
    for _ in range(_POWER):
        basis = np.linalg.qr(matrix @ (flipped @ basis))[0]
    small = flipped @ basis  # [columns, num]
    # The left side of a wide matrix needs only its Gram matrix; eigenvalues come in ascending order.
    value, left = np.linalg.eigh(small.T @ small)
    scale = np.sqrt(np.maximum(value, 0))
    found = unit_rows((basis @ (left * scale))[:, ::-1][:, :_DIM].astype(np.float32), _EMPTY)
    return np.pad(found, ((0, 0), (0, _DIM - found.shape[1])))


def _nearest(rows: FloatArray, k: int, rng: np.random.Generator) -> IntArray:
    """Return the places of the `k` rows nearest to each row, itself left out, `[num_rows, k]`; -1: there are fewer."""
    found = np.full((len(rows), k), -1, dtype=np.int64)
    for members, candidates in _neighbourhoods(rows, rng):
        near = rows[members] @ rows[candidates].T  # [members, candidates]
        near[members[:, None] == candidates] = -np.inf
        width = min(k, len(candidates) - 1)
        best = np.argpartition(-near, max(width - 1, 0), axis=1)[:, :width]
        order = np.argsort(-np.take_along_axis(near, best, axis=1), axis=1, kind="stable")
        found[members, :width] = candidates[np.take_along_axis(best, order, axis=1)]
    return found


def _neighbourhoods(rows: FloatArray, rng: np.random.Generator) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield members, and the candidates they are compared with: all rows where they are few, else nearby cells."""
    if len(rows) <= _CELL * _PROBES:
        yield from ((part, np.arange(len(rows))) for part in _blocks(np.arange(len(rows))))
        return
    centres = _centres(rows, len(rows) // _CELL, rng)
    cell = _assigned(rows, centres)
    # In random order, so that cutting the candidates of a crowded cell favours none.
    order = rng.permutation(len(rows))
    order = order[np.argsort(cell[order], kind="stable")]
    stop = np.cumsum(np.bincount(cell, minlength=len(centres)))
    close = np.argsort(-(centres @ centres.T), axis=1, kind="stable")[:, :_PROBES]
    parts = np.split(order, stop[:-1])
    for index, members in enumerate(parts):
        reached = [members, *(parts[near] for near in close[index] if near != index)]
        candidates = np.concatenate(reached)[:_CANDIDATES]
        yield from ((part, candidates) for part in _blocks(members))


def _blocks(rows: IntArray) -> Iterator[IntArray]:
    return (rows[at : at + _AT_ONCE] for at in range(0, len(rows), _AT_ONCE))


def _centres(rows: FloatArray, num: int, rng: np.random.Generator) -> FloatArray:
    """Return the centres of spherical k-means, a few rounds on a sample, `[num, dim]`."""
    sample = rows[rng.permutation(len(rows))[: num * _SAMPLE]]
    centres = sample[:num]
    for _ in range(_ROUNDS):
        member = sparse.csr_array(
            (np.ones(len(sample), dtype=np.float32), (_assigned(sample, centres), np.arange(len(sample)))),
            shape=(num, len(sample)),
        )
        moved = unit_rows(member @ sample, _EMPTY)
        centres = np.where(moved.any(axis=1, keepdims=True), moved, centres)
    return centres


def _assigned(rows: FloatArray, centres: FloatArray) -> IntArray:
    return np.concatenate([np.argmax(rows[part] @ centres.T, axis=1) for part in _blocks(np.arange(len(rows)))])
