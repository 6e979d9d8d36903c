"""Who said what of which triple, as columns of categories: one per voter, and one each for confidence and source."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.data.dataset import Triples, Votes

Real = NDArray[np.float64]
"""What sums and logarithms of many triples are computed in."""

OPINION, MENTION, MARK = "opinion", "mention", "mark"
"""Kinds of column: a voter who says yes and no, one who only ever says yes, and one that says neither."""

_MOST_SAMPLES = 2  # powers of two that the number of samples is told apart by


@dataclass(frozen=True, kw_only=True)
class Column:
    """One witness: `category` [num_triples] below `num`, -1 where it is silent.

    `value` [num_triples] is the probability of being true that it gives, NaN where it is silent or gives none.
    """

    name: str
    kind: str
    category: IntArray
    num: int
    value: FloatArray

    @property
    def heard(self) -> BoolArray:
        """Return where the witness is not silent, `[num_triples]`."""
        return self.category >= 0


def vote_columns(votes: Votes, triples: Triples, bins: int) -> list[Column]:
    """Return one column per voter who votes at all. A voter of nothing but yes is taken to have passed over, of the
    voted triples with a head and relation it speaks of, those that it does not name.
    """
    voted = np.zeros(len(triples), dtype=np.bool_)
    voted[votes.triple] = True
    asked = grouped(triples.head, triples.relation)
    columns = []
    for index, name in enumerate(votes.voters):
        rows = votes.voter == index
        place, vote, num = votes.triple[rows], votes.vote[rows], votes.num[rows]
        if len(place):
            value = np.full(len(triples), np.nan, dtype=np.float32)
            value[place] = vote
            speaks = np.zeros(len(triples), dtype=np.bool_)
            if (vote == 1).all():
                speaks = voted & np.isin(asked, asked[place])
                speaks[place] = False
            columns.append(_mention(name, value, place, num, speaks) if speaks.any() else _opinion(name, value, bins))
    return columns


def mark_column(name: str, value: FloatArray | IntArray, bins: int) -> Column | None:
    """Return a column of `value`: floats are cut into quantile bins, whole numbers are categories (-1: silent).

    None where all values are alike, which tells nothing.
    """
    real = np.issubdtype(value.dtype, np.floating)
    category = _binned(value.astype(np.float32), bins) if real else value.astype(np.int64)
    num = int(category.max(initial=-1)) + 1
    if len(np.unique(category[category >= 0])) < 2:
        return None
    silent = np.full(len(value), np.nan, dtype=np.float32)
    return Column(name=name, kind=MARK, category=category, num=num, value=silent)


def grouped(*ends: IntArray) -> IntArray:
    """Return one number per row, from 0 up, equal where all of one or two `ends` are."""
    key = ends[0] if len(ends) == 1 else ends[0] * (int(ends[1].max(initial=0)) + 1) + ends[1]
    group: IntArray = np.unique(key, return_inverse=True)[1].astype(np.int64)
    return group


def model_of(name: str) -> str:
    """Return what stands before the last `/` of a voter's name: the model, where that is the prompt."""
    return name.rpartition("/")[0] or name


def _opinion(name: str, value: FloatArray, bins: int) -> Column:
    known = value[~np.isnan(value)]
    plain = bool(np.isin(known, (0, 1)).all())
    category = np.where(np.isnan(value), -1, value > 0.5).astype(np.int64) if plain else _binned(value, bins)
    return Column(name=name, kind=OPINION, category=category, num=int(category.max(initial=1)) + 1, value=value)


def _mention(name: str, value: FloatArray, place: IntArray, num: IntArray, passed: BoolArray) -> Column:
    category = np.full(len(value), -1, dtype=np.int64)
    category[passed] = 0
    category[place] = 1 + np.minimum(np.log2(num).astype(np.int64), _MOST_SAMPLES)
    said = np.where(passed, 0, value).astype(np.float32)
    return Column(name=name, kind=MENTION, category=category, num=2 + _MOST_SAMPLES, value=said)


def _binned(value: FloatArray, bins: int) -> IntArray:
    known = ~np.isnan(value)
    # Equal values share a bin, however many there are.
    edges = np.unique(np.quantile(value[known], np.arange(1, bins) / bins)) if known.any() else np.empty(0)
    return np.where(known, np.searchsorted(edges, value, side="right"), -1).astype(np.int64)
