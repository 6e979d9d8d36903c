"""From scores to ranks and top lists, in blocks of users so that memory stays bounded."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from graphrec.core.types import BoolArray, FloatArray, IntArray, Scorer
from graphrec.metrics._numba_ranking import count_rank, select_top
from graphrec.metrics._numba_scores import rank_users
from graphrec.metrics.scorers import HybridScorer, VectorScorer

_BLOCK = 1 << 22
"""Scores that stand in memory at a time (16 MiB)."""

_USERS = 256
"""Users of one task of the compiled pass: enough to read every tile of items for, and few enough to share out."""


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """0-based ranks of held-out (user, item) pairs, sorted by user: arrays of shape `[num_pairs]`."""

    user: IntArray
    item: IntArray
    value: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.user)

    def where(self, mask: BoolArray) -> "Ranks":
        """Return the pairs that `mask` keeps; their ranks are still those among all items."""
        return Ranks(user=self.user[mask], item=self.item[mask], value=self.value[mask])

    @property
    def starts(self) -> IntArray:
        """Return where each user's pairs begin, `[num_distinct_users]`."""
        return np.flatnonzero(np.diff(self.user, prepend=-1)).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What one pass over the users gives: ranks of pairs, and `top[num_distinct_users, k]` items (-1 = none left)."""

    ranks: Ranks
    top: IntArray


def rank(scorer: Scorer, user: IntArray, item: IntArray, seen: csr_array, *, top: int = 0) -> Ranking:
    """Rank held-out pairs among all items that their users have not seen.

    `user`, `item`: equal-length pairs in any order, several per user allowed. `seen[num_users,
    num_items]` has the histories; a pair in it is a mistake of the caller. `top` is the length of
    the lists returned beside the ranks, in ascending order of distinct users (0: none).
    """
    order = np.lexsort((item, user))
    user, item = user[order], item[order]
    users, place = np.unique(user, return_inverse=True)
    value, lists = np.empty(len(user)), np.full((len(users), min(top, seen.shape[1])), -1, dtype=np.int64)
    if isinstance(scorer, VectorScorer | HybridScorer) and scorer.is_finite:
        _rank_compiled(scorer, users, np.searchsorted(place, np.arange(len(users) + 1)), item, seen, value, lists)
        return Ranking(ranks=Ranks(user=user, item=item, value=value), top=lists)
    for start, scores in blocks(scorer, users, seen):
        first, last = np.searchsorted(place, (start, start + len(scores)))
        value[first:last] = pair_ranks(scores, place[first:last] - start, item[first:last])
        lists[start : start + len(scores)] = top_k(scores, lists.shape[1])
    return Ranking(ranks=Ranks(user=user, item=item, value=value), top=lists)


def best(scorer: Scorer, users: IntArray, seen: csr_array, k: int) -> IntArray:
    """Return the `k` best items of each of `users` that they have not seen, as `rank` lists them, and no ranks."""
    lists = np.full((len(users), min(k, seen.shape[1])), -1, dtype=np.int64)
    if isinstance(scorer, VectorScorer | HybridScorer) and scorer.is_finite:
        none, start = np.empty(0, dtype=np.int64), np.zeros(len(users) + 1, dtype=np.int64)
        _rank_compiled(scorer, users, start, none, seen, np.empty(0), lists)
        return lists
    for start_at, scores in blocks(scorer, users, seen):
        lists[start_at : start_at + len(scores)] = top_k(scores, lists.shape[1])
    return lists


def _rank_compiled(
    scorer: VectorScorer | HybridScorer,
    users: IntArray,
    start: IntArray,
    item: IntArray,
    seen: csr_array,
    value: NDArray[np.float64],
    lists: IntArray,
) -> None:
    # Fill `value` and `lists`: what the pass over blocks of scores would give, bit for bit.
    vectors = scorer.vectors if isinstance(scorer, HybridScorer) else scorer
    assert len(vectors.item) == seen.shape[1], "a scorer scores the whole catalogue"
    owner = np.repeat(users, np.diff(start))
    assert not len(item) or not seen[owner, item].any(), "a held-out item is in the history"

    # What is told of a user beyond vectors stands in memory, at most all items.
    size = _USERS if isinstance(scorer, VectorScorer) else min(_USERS, max(1, _BLOCK // max(1, seen.shape[1])))

    def work(low: int) -> None:
        part = slice(low, low + size)
        history = seen[users[part]]
        history.sum_duplicates()
        history.eliminate_zeros()
        first, known = history.indptr.astype(np.int64), history.indices.astype(np.int64)
        if isinstance(scorer, HybridScorer):
            told = scorer.more(users[part])
            more = told.indptr.astype(np.int64), told.indices.astype(np.int64), told.data
        else:
            more = np.zeros(len(first), dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        bounds, user = start[low : low + size + 1], vectors.vectors(users[part])
        rank_users(user, vectors.rows, vectors.panels, bounds, item, first, known, *more, value, lists[part])

    vectors.panels  # noqa: B018 - packed once, before the threads ask for it
    # Threads of our own, not numba's: its threading layers clash with torch's OpenMP and with forks.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(work, range(0, len(users), size)))


def blocks(scorer: Scorer, users: IntArray, seen: csr_array) -> Iterator[tuple[int, FloatArray]]:
    """Yield `(start, scores)` for consecutive blocks of `users`, seen items at -inf.

    `scores[b]` belongs to `users[start + b]`. The array may be changed by the receiver.
    """
    num_items = seen.shape[1]
    rows = max(1, _BLOCK // max(1, num_items))
    for start in range(0, len(users), rows):
        block = users[start : start + rows]
        scores = np.array(scorer.score(block), dtype=np.float32)
        assert scores.shape == (len(block), num_items), "a scorer scores the whole catalogue"
        # A NaN compares false with everything and would rank first.
        assert np.isfinite(scores).all(), "a scorer gave NaN or infinity"
        scores[seen[block].nonzero()] = -np.inf
        yield start, scores


def pair_ranks(scores: FloatArray, row: IntArray, item: IntArray) -> NDArray[np.float64]:
    """Return the rank of `item[p]` in `scores[row[p]]` for each pair, `[num_pairs]`."""
    assert np.isfinite(scores[row, item]).all(), "a held-out item is in the history"
    ranks: NDArray[np.float64] = count_rank(scores, row, item)
    return ranks


def top_k(scores: FloatArray, k: int) -> IntArray:
    """Return the positions of the `k` best scores of each row, best first, `[len(scores), k]`.

    Equal scores come in order of position, on every machine. -1 stands where only -inf was left.
    """
    top: IntArray = select_top(scores, k) if k else np.empty((len(scores), 0), dtype=np.int64)
    return top
