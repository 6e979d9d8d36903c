"""With labels: a ridge regression on what the witnesses say, which needs no word on how they err together.

The log odds of a triple are a share of its prior, which left-out labels choose, or else a level learnt per relation,
plus a linear function of what is said: each voter's vote, the same once more for each well-labelled relation with half
the weight (so that a relation's own reliabilities are drawn to the overall ones), how many voters say yes, the bins of
confidence and source, and `company`:
what is believed, by votes alone, of the other triples that share ends with it, as one of them is often the true one.
Where there is no other such triple, company says nothing: that there is one at all is no vote.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from scipy.special import expit, logit

from graphrec.core.seeds import generator
from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.data.dataset import Triples
from kg_denoise.testimony_columns import MARK, Column, Real, grouped

_RIDGES = (1.0, 3.0, 10.0)
"""Penalties to choose from, by likelihood in folds of the labels."""

_SHARES_OF_PRIOR = (1.0, 0.5, 0.0)
"""Shares of the prior log odds to choose from likewise: signals that corruptions taught may not know these errors."""

_FOLDS, _STEPS = 4, 12
_BY_RELATION = 0.5
_MIN_IN_RELATION, _MOST_RELATIONS = 30, 30
_SHARES = 8  # bins of the share of voters who say yes
_SURE = 5.0  # a belief of .993


def learn_ratio(
    columns: Sequence[Column],
    triples: Triples,
    log_ratio: Real,
    prior: FloatArray | Real | None,
    labels: IntArray,
    *,
    company: bool,
    seed: int,
) -> tuple[Real, Real]:
    """Return log ratios `[num_triples]`, and base log odds `[num_relations]` (0 where `prior` log odds are given).

    `log_ratio` is what the latent classes make of each triple, for company; `labels` are 1, 0, or -1.
    """
    said = np.any([column.heard for column in columns], axis=0)
    known, num_relations = said & (labels >= 0), int(triples.relation.max()) + 1
    place, num_main = _main_relations(triples.relation, known, num_relations)
    marks, features = _marks(columns), _votes(columns)
    if company:
        features = np.concatenate([features, _company(triples, said, np.clip(log_ratio, -_SURE, _SURE))], axis=1)
    # The base of each relation is fitted beside, and kept apart where there is no prior: it is no testimony.
    base = place[known][:, None] == np.arange(num_main + 1)
    crossed = [_BY_RELATION * features[known] * (place[known] == k)[:, None] for k in range(num_main)]
    truth = labels[known].astype(np.float64)
    middle, before = logit(np.clip(truth.mean(), 0.01, 0.99)), np.zeros(len(said)) if prior is None else prior
    offset = {
        share: (1 - share) * middle + share * before[known]
        for share in (_SHARES_OF_PRIOR if prior is not None else (0.0,))
    }
    every = np.concatenate([marks[known], features[known], *crossed, base], axis=1)
    weights, share = _chosen(every, truth, offset, seed)
    of_marks, of_votes, of_base = np.split(weights, [marks.shape[1], len(weights) - base.shape[1]])
    table = of_votes.reshape(num_main + 1, -1)
    table = np.concatenate([table, np.zeros((1, table.shape[1]))])
    ratio = marks @ of_marks + (features * (table[0] + _BY_RELATION * table[1:][place])).sum(1)
    level = (1 - share) * middle + of_base
    if prior is not None:
        # What the prior counts too much, and the level of each relation, is made up for where somebody speaks.
        return np.where(said, ratio + level[place] - (1 - share) * prior, 0), np.zeros(num_relations)
    learnt = np.full(num_relations, level[num_main])
    learnt[triples.relation] = level[place]
    return np.where(said, ratio, 0), learnt


def _main_relations(relation: IntArray, known: BoolArray, num: int) -> tuple[IntArray, int]:
    """Return each triple's place among the best-labelled relations; the last place is that of all others."""
    count = np.bincount(relation[known], minlength=num)
    main = np.argsort(-count, kind="stable")[:_MOST_RELATIONS]
    main = main[count[main] >= _MIN_IN_RELATION]
    place = np.full(num, len(main))
    place[main] = np.arange(len(main))
    return place[relation], len(main)


def _votes(columns: Sequence[Column]) -> Real:
    """Return each voter's vote from -1 to 1, 0 where it is silent."""
    votes = [2 * np.nan_to_num(column.value, nan=0.5) - 1 for column in columns if column.kind != MARK]
    return np.stack(votes, axis=1).astype(np.float64) if votes else np.empty((len(columns[0].category), 0))


def _marks(columns: Sequence[Column]) -> Real:
    """Return one-hot codes of the share of voters who say yes and of the other columns' categories."""
    voters = [column.value for column in columns if column.kind != MARK]
    codes = [(column.category, column.num) for column in columns if column.kind == MARK]
    if voters:
        votes = np.stack(voters, axis=1)
        count = (~np.isnan(votes)).sum(1)
        share = np.nansum(votes, axis=1) / np.maximum(count, 1)
        codes.append((np.where(count > 0, np.rint(share * _SHARES), -1).astype(np.int64), _SHARES + 1))
    return np.concatenate([(code[:, None] == np.arange(num)).astype(np.float64) for code, num in codes], axis=1)


def _company(triples: Triples, said: BoolArray, log_ratio: Real) -> Real:
    """Return, per way of sharing ends, the mean belief in the other voted triples, less its mean; 0 without others."""
    head, relation, tail = triples.head, triples.relation, triples.tail
    belief, columns = expit(log_ratio), []
    for ends in ((head, relation), (head,), (tail,), (relation, tail), (head, tail)):
        group = grouped(*ends)
        count = np.bincount(group, said)[group] - 1
        total = np.bincount(group, said * belief)[group] - belief
        there = said & (count > 0)
        mean = np.where(there, total / np.maximum(count, 1), 0)
        columns.append(np.where(there, mean - mean[there].mean() if there.any() else 0, 0))
    return 2 * np.stack(columns, axis=1)


def _chosen(features: Real, truth: Real, offset: Mapping[float, Real], seed: int) -> tuple[Real, float]:
    """Return the weights under the ridge, and the share of the prior, that predict left-out labels best."""
    fold = generator(seed, "testimony", "ridge").permutation(len(truth)) % _FOLDS

    def loss(choice: tuple[float, float]) -> float:
        (share, ridge), odds = choice, np.empty(len(truth))
        for out in (fold == k for k in range(_FOLDS)):
            fitted = _ridge_fit(features[~out], truth[~out], offset[share][~out], ridge)
            odds[out] = offset[share][out] + features[out] @ fitted
        return float(np.logaddexp(0, np.where(truth == 1, -odds, odds)).mean())

    share, ridge = min(product(offset, _RIDGES), key=loss)
    return _ridge_fit(features, truth, offset[share], ridge), share


def _ridge_fit(features: Real, truth: Real, offset: Real, ridge: float) -> Real:
    """Return the weights of a penalised logistic regression, by Newton's method."""
    weights = np.zeros(features.shape[1])
    for _ in range(_STEPS):
        chance = expit(offset + features @ weights)
        slope = features.T @ (truth - chance) - ridge * weights
        curve = (features * (chance * (1 - chance))[:, None]).T @ features
        step = np.linalg.solve(curve + ridge * np.eye(len(weights)), slope)
        weights = weights + step
        if np.abs(step).max() < 1e-4:
            break
    return weights
