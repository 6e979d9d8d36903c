"""The recommender that says what a domain is worth, and the exact expectation of its NDCG@10.

EASE (Steck 2019, arXiv 1905.03375) on the events of the chosen domains laid side by side: for each
item of the target, a ridge regression on all other items,

    B = -P[:, target] / diag(P)[target],   P = (X'X + ridge * I)^-1,   diagonal 0.

It is closed-form, deterministic and naive: it trusts whatever domain it is given. X has one row per
user of the target; the target's columns hold the events before the last two of each user (what a
leave-last-out split trains on), a source's columns all of its events.

The next event is known as a distribution, so no event is sampled to score the ranking: with p the
user's probabilities of the unseen items, the expected NDCG@10 of one next item is the sum over the
ten highest-ranked unseen items of p / log2(rank + 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from graphrec.core.types import IntArray
from graphrec.data.simulate.behaviour import Behaviour
from graphrec.data.simulate.events import SWITCH
from graphrec.data.simulate.latent import Real

RIDGE = 500.0
"""Ridge of the reference recommender: about the best for the target alone and for the true subset."""

TOP = 10


@dataclass(frozen=True)
class Reference:
    """What all subsets share: matrix [target users, items of all domains], its Gram matrix, the next-item truth."""

    matrix: Real
    gram: Real
    columns: tuple[IntArray, ...]
    truth: Real

    @classmethod
    def of(cls, played: Sequence[Behaviour]) -> "Reference":
        """Prepare for the domains of a world, the target first; sources are numbered from 1."""
        target, starts = played[0], np.cumsum([0, *(p.domain.num_items for p in played)])
        matrix = np.zeros((len(target.domain.users), starts[-1]))
        early = target.events.time < SWITCH
        matrix[target.events.user[early], target.events.item[early]] = 1
        for start, source in zip(starts[1:], played[1:], strict=False):
            row = source.domain.users[source.events.user]
            # The target's users are the first persons, so that a person's number is the row.
            inside = row < len(matrix)
            matrix[row[inside], start + source.events.item[inside]] = 1
        columns = tuple(np.arange(a, b) for a, b in zip(starts[:-1], starts[1:], strict=True))
        truth = next_items(target) * (matrix[:, columns[0]] == 0)
        return cls(matrix, matrix.T @ matrix, columns, truth / truth.sum(axis=1, keepdims=True))

    def ndcg(self, sources: Sequence[int], ridge: float = RIDGE) -> Real:
        """Return the expected NDCG@10 of every target user when the target and `sources` are used."""
        chosen = np.concatenate([self.columns[0], *(self.columns[i] for i in sources)])
        num_items, gram = len(self.columns[0]), self.gram[np.ix_(chosen, chosen)]
        unit = np.eye(len(chosen), num_items)
        solved = cho_solve(cho_factor(gram + ridge * np.eye(len(chosen)), lower=True), unit)
        weight = -solved / np.diagonal(solved)
        weight[np.arange(num_items), np.arange(num_items)] = 0
        score = self.matrix[:, chosen] @ weight
        # Seen items are neither recommended nor wanted again.
        score[self.matrix[:, self.columns[0]] > 0] = -np.inf
        top = np.argsort(-score, axis=1, kind="stable")[:, :TOP]
        return np.take_along_axis(self.truth, top, axis=1) @ (1 / np.log2(np.arange(TOP) + 2))


def next_items(target: Behaviour) -> Real:
    """Return `[users, items]`: the probability that each item is the user's next, seen ones included."""
    return target.wanted[:, target.catalogue.topic] * target.catalogue.share
