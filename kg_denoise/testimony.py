"""What witnesses say of the table's own triples, as a likelihood ratio for each.

Votes, confidences and sources exist for own triples only, so they cannot be a signal, which must score corruptions too.
They are weighed by latent-class analysis (Dawid and Skene, 1979): truth is hidden, each witness has its own habit of
speaking of true and of wrong triples, and expectation and maximisation find both. We leave the paper in this:

- the prior odds of a triple may come from outside (the fused signals); without them each relation has a learnt one;
- a witness has a habit for each relation, drawn to its overall one by `relation_strength` votes (a Dirichlet prior);
- witnesses err together, which the paper's independence denies and unlabelled votes cannot tell: the sum of the log
  ratios of those who speak is divided by what correlation makes of its variance, (1' R 1) / num. The correlations
  assumed by default are those that four language models show on FactBench (about .3, and .46 within one model);
- confidences, sources, and voters who only ever say yes, whose yes may mean either, count only where something else
  tells true from wrong: informative prior odds, labels, or three voters who say yes and no.

With enough labels a ridge regression on what the witnesses say takes the model's place (see `testimony_labels`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from graphrec.core.types import JSON, BoolArray, FloatArray, IntArray
from graphrec.data.dataset import Triples, Votes
from kg_denoise.testimony_columns import MARK, OPINION, Column, Real, mark_column, model_of, vote_columns
from kg_denoise.testimony_config import TestimonyConfig
from kg_denoise.testimony_labels import learn_ratio

REGRESSION = "regression on labels"
"""How a summary says that labels taught what each witness counts for."""

_ENOUGH_VOTERS, _ENOUGH_LABELS = 3, 20
_SETTLED = 1e-4
_BASE_STRENGTH = 20.0
_MOST_LOG_ODDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """One voter: `sensitivity` is its mean vote on true triples, `specificity` 1 less that on wrong ones.

    `by_relation` [num_relations, 2] has both for each relation, drawn to the overall ones where it said little;
    `num` counts the triples it speaks of.
    """

    voter: str
    num: int
    sensitivity: float
    specificity: float
    by_relation: FloatArray


@dataclass(frozen=True, kw_only=True)
class Testimony:
    """`log_ratio` [num_triples] float32 is log P(what was said | true) - log P(what was said | wrong), 0 where nothing
    was. `base_log_odds` [num_relations] is the prior that was learnt where none was given, else 0.
    """

    log_ratio: FloatArray
    base_log_odds: FloatArray
    voters: tuple[Reliability, ...]
    summary: JSON


def weigh(
    votes: Votes,
    triples: Triples,
    config: TestimonyConfig,
    *,
    prior_log_odds: FloatArray | Real | None = None,
    confidence: FloatArray | None = None,
    source: IntArray | None = None,
    labels: IntArray | None = None,
    seed: int = 0,
) -> Testimony:
    """Weigh what was said of `triples` (no triple twice), whose rows `votes` speaks of.

    All other arrays are [num_triples]: `prior_log_odds` from evidence independent of testimony and labels, `confidence`
    (NaN: none), `source` a number of who wrote the row (-1: unknown), `labels` 1 true, 0 wrong, -1 unknown. Labels hold
    the hidden truth where they are known; the ratio of a labelled triple is still that of its testimony alone, but not
    blind to its label, so a fair test leaves a fold's labels out. `seed` draws the folds that choose the ridge.
    """
    num_relations = int(triples.relation.max(initial=-1)) + 1
    columns = _columns(votes, triples, config, confidence, source)
    informative = prior_log_odds is not None and bool(np.std(prior_log_odds) >= config.min_prior_spread)
    labelled = _num_labelled(columns, labels)
    opinions = sum(column.kind == OPINION for column in columns)
    told = informative or labelled >= _ENOUGH_LABELS or opinions >= _ENOUGH_VOTERS
    columns = columns if told else [column for column in columns if column.kind == OPINION]
    if not columns:
        return _silent(len(triples), num_relations)
    model = _Model(columns, triples.relation, num_relations, config, told)
    log_ratio, base, posterior, rounds = model.fit(prior_log_odds, labels)
    how = "latent classes" if told else "assumed reliability"
    if labels is not None and labelled >= config.min_labels:
        log_ratio, base = learn_ratio(
            columns, triples, log_ratio, prior_log_odds, labels, company=config.company, seed=seed
        )
        how = REGRESSION
    voters = tuple(model.reliability(column, posterior) for column in columns if column.kind != MARK)
    return Testimony(
        log_ratio=log_ratio.astype(np.float32),
        base_log_odds=base.astype(np.float32),
        voters=voters,
        summary=_summary(columns, voters, log_ratio, how, rounds, labelled),
    )


class _Model:
    """The latent-class model of some columns; `told`: whether reliabilities are learnt, rather than assumed."""

    def __init__(
        self, columns: Sequence[Column], relation: IntArray, num_relations: int, config: TestimonyConfig, told: bool
    ) -> None:
        self.columns, self.relation, self.num_relations = columns, relation, num_relations
        self.config, self.told = config, told
        self.share = _shares(columns, config)
        self.said = np.any([column.heard for column in columns], axis=0)

    def fit(self, prior: FloatArray | Real | None, labels: IntArray | None) -> tuple[Real, Real, Real, int]:
        """Return log ratios, base log odds of relations, the posterior of being true, and the rounds taken."""
        posterior, rounds, moved = self._start(prior), 0, np.inf
        while rounds < self.config.iterations and moved > _SETTLED:
            posterior = _clamped(posterior, labels)
            ratio, base = self._ratio(posterior), self._base(posterior, prior)
            odds = ratio + (base[self.relation] if prior is None else prior)
            before, posterior = posterior, expit(np.clip(odds, -_MOST_LOG_ODDS, _MOST_LOG_ODDS))
            rounds, moved = rounds + 1, float(np.abs(_clamped(posterior, labels) - before).mean())
        return ratio, base, _clamped(posterior, labels), rounds

    def reliability(self, column: Column, posterior: Real) -> Reliability:
        """Return how a voter speaks of true and of wrong triples, the latter as 1 less its mean vote."""
        rows, strength = ~np.isnan(column.value), self.config.relation_strength
        vote, relation = column.value[rows].astype(np.float64), self.relation[rows]
        overall, by_relation = np.empty(2), np.empty((self.num_relations, 2))
        for side, (weight, right) in enumerate(((posterior[rows], vote), (1 - posterior[rows], 1 - vote))):
            overall[side] = ((weight * right).sum() + 1) / (weight.sum() + 2)
            hit, seen = (np.bincount(relation, part, self.num_relations) for part in (weight * right, weight))
            by_relation[:, side] = (hit + strength * overall[side]) / (seen + strength)
        return Reliability(
            voter=column.name,
            num=int(rows.sum()),
            sensitivity=float(overall[0]),
            specificity=float(overall[1]),
            by_relation=by_relation.astype(np.float32),
        )

    def _start(self, prior: FloatArray | Real | None) -> Real:
        """Start where most voters who say yes and no are, each against its own mean, moved by the prior odds."""
        opinions = [column.value for column in self.columns if column.kind == OPINION]
        total, count = np.zeros(len(self.relation)), np.zeros(len(self.relation))
        for value in opinions:
            heard = ~np.isnan(value)
            total[heard], count[heard] = total[heard] + value[heard], count[heard] + 1
        share = np.where(count > 0, total / np.maximum(count, 1), 0.5)
        moved = logit(np.clip(share, 0.1, 0.9)) + (0 if prior is None else prior)
        return np.asarray(expit(np.clip(moved, -_MOST_LOG_ODDS, _MOST_LOG_ODDS)))

    def _ratio(self, posterior: Real) -> Real:
        total = np.zeros(len(self.relation))
        for column in self.columns:
            rows = column.heard
            table = self._habit(column, posterior[rows], rows)
            total[rows] += table[self.relation[rows], column.category[rows]]
        return total * self.share

    def _habit(self, column: Column, posterior: Real, rows: BoolArray) -> Real:
        """Return `[num_relations, num_categories]` log ratios of one witness."""
        if not self.told:
            certain = np.linspace(1 - self.config.trust, self.config.trust, column.num)
            return np.broadcast_to(logit(certain), (self.num_relations, column.num))
        cell, shape = self.relation[rows] * column.num + column.category[rows], (self.num_relations, column.num)
        chance = []
        for weight in (posterior, 1 - posterior):
            count = np.bincount(cell, weight, self.num_relations * column.num).reshape(shape)
            overall = (count.sum(0) + 1) / (count.sum() + column.num)
            strength = self.config.relation_strength
            chance.append((count + strength * overall) / (count.sum(1, keepdims=True) + strength))
        return np.asarray(np.log(chance[0]) - np.log(chance[1]))

    def _base(self, posterior: Real, prior: FloatArray | Real | None) -> Real:
        """Return the learnt log odds of each relation; 0 where they are given from outside, or nothing tells them."""
        if prior is not None or not self.told:
            return np.zeros(self.num_relations)
        relation, posterior = self.relation[self.said], posterior[self.said]
        right, seen = (
            np.bincount(relation, posterior, self.num_relations),
            np.bincount(relation, minlength=self.num_relations),
        )
        return np.asarray(logit((right + _BASE_STRENGTH * posterior.mean()) / (seen + _BASE_STRENGTH)))


def _columns(
    votes: Votes, triples: Triples, config: TestimonyConfig, confidence: FloatArray | None, source: IntArray | None
) -> list[Column]:
    columns = vote_columns(votes, triples, config.bins)
    for name, value in (("confidence", confidence), ("source", source)):
        found = None if value is None or not len(value) else mark_column(name, value, config.bins)
        columns += [] if found is None else [found]
    return columns


def _shares(columns: Sequence[Column], config: TestimonyConfig) -> Real:
    """Return, per triple, what its sum of log ratios counts: the number who speak over 1'R1 of their correlations."""
    model = np.array([model_of(column.name) for column in columns])
    together = np.where(model[:, None] == model, max(config.same_model_error, config.shared_error), config.shared_error)
    np.fill_diagonal(together, 1.0)
    heard = np.stack([column.heard for column in columns], axis=1).astype(np.float64)
    return np.asarray(heard.sum(1) / np.maximum(((heard @ together) * heard).sum(1), 1.0))


def _clamped(posterior: Real, labels: IntArray | None) -> Real:
    return posterior if labels is None else np.where(labels >= 0, labels, posterior)


def _num_labelled(columns: Sequence[Column], labels: IntArray | None) -> int:
    """Count the labels on triples that somebody speaks of; 0 where they are all of one kind."""
    if labels is None or not columns:
        return 0
    said = labels[np.any([column.heard for column in columns], axis=0)]
    return int((said >= 0).sum()) if (said == 0).any() and (said == 1).any() else 0


def _silent(num_triples: int, num_relations: int) -> Testimony:
    return Testimony(
        log_ratio=np.zeros(num_triples, dtype=np.float32),
        base_log_odds=np.zeros(num_relations, dtype=np.float32),
        voters=(),
        summary={"how": "nothing was said", "num_said": 0, "num_labels": 0, "rounds": 0, "witnesses": []},
    )


def _summary(
    columns: Sequence[Column], voters: Sequence[Reliability], ratio: Real, how: str, rounds: int, labelled: int
) -> JSON:
    known = {voter.voter: {"sensitivity": voter.sensitivity, "specificity": voter.specificity} for voter in voters}
    said = np.any([column.heard for column in columns], axis=0)
    return {
        "how": how,
        "num_said": int(said.sum()),
        "num_labels": labelled,
        "rounds": rounds,
        "mean_abs_log_ratio": float(np.abs(ratio[said]).mean()),
        "witnesses": [
            {"name": column.name, "kind": column.kind, "num": int(column.heard.sum()), **known.get(column.name, {})}
            for column in columns
        ],
    }
