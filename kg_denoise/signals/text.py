"""Plausibility of a triple by the words of its ends, each text read once.

Four columns, on vectors of a frozen sentence encoder (or of words alone, see `words`):

- `text_cosine`: of head and tail.
- `text_match`: how much likelier the two vectors are together than apart, per relation. Head and tail
  are taken for jointly normal, so that log p(h, t) - log p(h) - log p(t) has a closed form in the
  canonical variates (x, y) and correlations c of the two (Bach and Jordan 2005, probabilistic CCA):
  the sum over i of [c x y - c^2 (x^2 + y^2) / 2] / (1 - c^2) - log(1 - c^2) / 2.
- `text_tails`: the tail's product with the mean of the head's other tails in the relation, less that
  with the mean of all other tails of the relation; `text_heads` is its mirror image.

An own triple is left out exactly of the means, as are all others of the same tail (or head): how often
an end is used says nothing of its likeness. The canonical variates are cross-fitted within: an own
triple is matched by those of the four fifths that it is not in, a corruption by any; the tenth of a
relation's triples that matches least is left out of a second fit.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from scipy import sparse

from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.data.dataset import Triples
from graphrec.text.read import text_vectors
from graphrec.text.words import has_words
from kg_denoise.evidence import Evidence
from kg_denoise.fold import Fold
from kg_denoise.signals.canonical import match
from kg_denoise.signals.text_config import TextConfig

COLUMNS: Mapping[str, int] = {"text_cosine": 0, "text_match": 1, "text_tails": 1, "text_heads": 1}

_AT_ONCE = 1 << 16


class TextSignal:
    """Compares the vectors of head and tail, as the module says; needs texts with words in them."""

    leaves_out: ClassVar[bool] = True

    def __init__(self, options: TextConfig) -> None:
        self._options = options

    def columns(self, evidence: Evidence) -> Mapping[str, int]:
        """Return the four columns; none where fewer than two entities have words."""
        return COLUMNS if len(evidence.text) and has_words(evidence.text).sum() > 1 else {}

    def score(self, fold: Fold) -> FloatArray:
        """Return `[len(fold.asked), 4]`; NaN where an end has no words or there is no other triple to compare with.

        Raises `ConfigError` where the folder of the model holds none.
        """
        vectors, told = entity_vectors(fold, self._options)
        return compared(vectors, told, fold.asked, fold.own, self._options, seed=fold.seed)


def compared(
    vectors: FloatArray, told: BoolArray, asked: Triples, own: BoolArray, options: TextConfig, *, seed: int
) -> FloatArray:
    """Return the four columns, `[len(asked), 4]`, given a vector per entity and whether it is `told` (has words).

    The rows that are `own` are the table, of which each is left out in turn.
    """
    score = np.full((len(asked), len(COLUMNS)), np.nan, dtype=np.float32)
    rows = np.flatnonzero(told[asked.head] & told[asked.tail])
    if not len(rows):
        return score
    head, relation, tail, own = asked.head[rows], asked.relation[rows], asked.tail[rows], own[rows]
    score[rows, 0] = _products(vectors, head, vectors, tail)
    score[rows, 1] = match(vectors, head, relation, tail, own, options, seed=seed)
    score[rows, 2] = _company(vectors, head, relation, tail, own)
    score[rows, 3] = _company(vectors, tail, relation, head, own)
    return score


def entity_vectors(fold: Fold, options: TextConfig) -> tuple[FloatArray, BoolArray]:
    """Return `[num_entities, dim]` vectors, about of length 1, and which entities of `fold.asked` have words.

    Equal texts are read once, those of the most triples first.
    """
    evidence = fold.evidence
    used = np.bincount(np.concatenate([fold.asked.head, fold.asked.tail]), minlength=evidence.num_entities)
    told = has_words(evidence.text) & (used > 0)
    vectors = np.zeros((evidence.num_entities, options.dim), dtype=np.float32)
    texts = np.array(evidence.text, dtype=object)[told].tolist()
    vectors[told] = text_vectors(texts, used[told], options, seed=fold.seed, section="denoise.text")
    return vectors, told


def _products(left: FloatArray, one: IntArray, right: FloatArray, other: IntArray) -> FloatArray:
    parts = [slice(start, start + _AT_ONCE) for start in range(0, len(one), _AT_ONCE)]
    products = [np.einsum("nd,nd->n", left[one[part]], right[other[part]]) for part in parts]
    return np.concatenate(products) if products else np.empty(0, dtype=np.float32)


def _company(vectors: FloatArray, end: IntArray, relation: IntArray, other: IntArray, own: BoolArray) -> FloatArray:
    """Return how alike `other` is to what its `end` has besides, less how alike to what the relation has besides."""
    num_relations = int(relation.max()) + 1
    near = _mean_product(vectors, end * num_relations + relation, other, own)
    return np.asarray(near - _mean_product(vectors, relation, other, own), dtype=np.float32)


def _mean_product(vectors: FloatArray, group: IntArray, member: IntArray, own: BoolArray) -> FloatArray:
    """Return the product of each member with the mean of its group's other own members; NaN if there are none.

    All rows of the same member are left out, not only the one asked about: its popularity is no likeness.
    """
    names, place = np.unique(group, return_inverse=True)
    order, product = np.argsort(place, kind="stable"), np.empty(len(group), dtype=np.float32)
    bounds = np.searchsorted(place[order], np.arange(len(names) + 1))
    # Sums of a block of groups at a time: all at once could be a vector per triple.
    for first in range(0, len(names), _AT_ONCE):
        rows = order[bounds[first] : bounds[min(first + _AT_ONCE, len(names))]]
        local, kept = place[rows] - first, own[rows]
        shape = (int(local.max()) + 1, len(vectors))
        ones = np.ones(int(kept.sum()), dtype=np.float32)
        sums = sparse.csr_array((ones, (local[kept], member[rows][kept])), shape=shape) @ vectors
        product[rows] = _products(sums, local, vectors, member[rows])
    same = _counts(place * len(vectors) + member, own)
    count = _counts(place, own) - same
    product -= same * _products(vectors, member, vectors, member)
    mean = np.divide(product, count, out=np.full(len(group), np.nan, dtype=np.float32), where=count > 0)
    return np.asarray(mean, dtype=np.float32)


def _counts(key: IntArray, own: BoolArray) -> IntArray:
    """Return how many own rows share the key of each row."""
    names, place = np.unique(key, return_inverse=True)
    return np.asarray(np.bincount(place[own], minlength=len(names))[place])
