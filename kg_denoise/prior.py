"""Errors that look right: what no corruption resembles and no signal sees.

A writer that errs still writes something likely: another team of the right league, a near synonym of
the right relation. Such triples score like true ones, so the two-groups model can't count them. What
can be said without labels is where there is room for them:

- Who picks the tail of a relation by how often it is used picks the right one by chance with
  probability p(t | r), so a triple with tail t is wrong in proportion to 1 - p(t | r).
- Relations that hold between the same two ends are mistaken for each other, so each further triple
  between head and tail makes room for one more mistake.
- What is well known is told better: the room shrinks with the logarithm of how many other triples the
  two ends have. That is a rule of thumb, found on the even half of the labels of NELL-sports.

They add up to the option `unseen_share`, less what the signals find in each relation: nothing in the table tells how
many errors look right, but labels do. So the prior speaks where signals find next to nothing, and is silent else.
"""

import numpy as np

from graphrec.core.types import FloatArray
from graphrec.data.dataset import Triples


def unseen_errors(table: Triples, num_entities: int, share: float, probability: FloatArray | None = None) -> FloatArray:
    """Return the probability of an error that looks right, per triple of `table` (none twice), `[n]`; mean `share`.

    `probability` [n] of being true is what the signals say: what they find wrong in a relation counts towards the
    share there, so that errors found in one relation do not vouch for another.
    """
    if not len(table) or not share:
        return np.zeros(len(table), dtype=np.float32)
    used = _others(table.relation * num_entities + table.tail)
    per_relation = np.bincount(table.relation)[table.relation]
    miss = 1 - used / np.maximum(per_relation - 1, 1)
    between = _others(table.head * num_entities + table.tail)
    degree = np.bincount(table.head, minlength=num_entities) + np.bincount(table.tail, minlength=num_entities)
    told = degree[table.head] + degree[table.tail] - 2
    room = miss * (1 + between) / np.log(2 + told)
    unseen: FloatArray = np.minimum(room * (share / max(room.mean(), 1e-12)), 0.5).astype(np.float32)
    if probability is None:
        return unseen
    wrong = np.bincount(table.relation, weights=1 - probability) / np.maximum(np.bincount(table.relation), 1)
    return (unseen * np.clip(1 - wrong / share, 0, 1)[table.relation]).astype(np.float32)


def _others(key: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return how many other rows have the same key."""
    _, inverse, count = np.unique(key, return_inverse=True, return_counts=True)
    return count[inverse] - 1
