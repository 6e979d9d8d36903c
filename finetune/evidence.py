"""What the validation events say of the sources: a conditional logit over channels, among candidates near the top.

Only the head of the list matters to NDCG@10, so an event is compared with what could have stood there
(`candidates.py`); an event whose item is no candidate says nothing here. The likelihood of the rest is far less noisy
than NDCG@10 itself, of which a user has one value that is mostly 0.

    gain of S = log-likelihood with S - log-likelihood without sources - penalty * 1/2 * log(events) * channels that pay

The last term is `penalty` times that of the Bayesian information criterion (Schwarz 1978); three times by default, as
the best of many subsets is looked for, and a smaller gain is none that NDCG@10 could show. A channel that does not pay
for its weight is left out of the gain, so that a useless source gains nothing and loses nothing. Weights of sources are
never negative: a map that points the wrong way on validation is not turned around, it is left out. What popularity and
the own view count for is then chosen by NDCG@10 among the candidates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from finetune.candidates import choices_of
from finetune.channels import CROSS, ENTITIES, NEW, OWN, POPULARITY, USERS, Channel, Parts, View, scorer_of
from finetune.config import EvidenceConfig
from finetune.cross import Counts, Cross
from finetune.left_out import has_view, left_out_views
from finetune.logit import Choices, Logit, Real, fit_logit
from finetune.maps import Residuals, calibrate
from finetune.target import Target
from finetune.task import CUTOFF, user_ndcg
from graphrec.core.seeds import generator
from graphrec.core.types import FloatArray, IntArray, Scorer
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.encoders.pretrained import TRAIN
from graphrec.metrics.measures import Values

Subset = tuple[str, ...]
"""Names of source domains, in the target's order of sources."""

_FOLDS, _FEWEST = 5, 20
_POPULARITY = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0)
"""Weights of log(1 + events) to choose from, in nats."""
_OWN = (0.0, 0.3, 0.6, 1.0, 1.6)
"""Shares of the likelihood's weight of the own view to choose from."""
_USUAL = (0.03, 0.1, 0.3, 1.0)
"""Where that weight is none: shares of what it is by train events."""
_ERRORS = 2.0
"""Standard errors within which validation cannot tell no weight from that by train events."""
_CLEARLY = 1.005
_CALIBRATING = 1000
"""Events of users whom a source knows, from which these tell what own view and popularity usually count for."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The fit of one subset, by channel: the weight that scores use, and the standard error of the likeliest one."""

    value: Mapping[str, float]
    error: Mapping[str, float]

    def of(self, source: str) -> dict[str, float]:
        """Return the weights of `source` in standard errors by kind of channel; 0 where it has none."""
        names = {kind: f"{kind}:{source}" for kind in (USERS, CROSS, ENTITIES)}
        errors = {kind: self.error.get(name, 0.0) for kind, name in names.items()}
        return {kind: self.value.get(name, 0.0) / errors[kind] if errors[kind] else 0.0 for kind, name in names.items()}


@dataclass(frozen=True)
class HeldOut:
    """What validation says of a subset, per validation user: NDCG@10, log-likelihood if it was taken."""

    ndcg: Values
    likelihood: Values | None = None


@dataclass(frozen=True)
class Past:
    """What train events say beyond the target's own model.

    `views` are the sources' of the events' users; `usual` the weights of own view and popularity by these events, none
    of them left out.
    """

    residuals: Residuals
    views: Mapping[str, FloatArray]
    usual: tuple[float, float]


@dataclass(frozen=True)
class Evidence:
    """Validation events as choices among candidates; `channels` have a row per validation user.

    `row` [num_choices] is the user of each choice; `num_asked` counts those too whose item is no candidate. `begin` is
    where fits start, by column; without it at the fit of all channels, which starts at 0.
    """

    target: Target
    view: View
    parts: Parts
    channels: Sequence[Channel]
    choices: Choices
    row: IntArray
    config: EvidenceConfig
    ridge: float
    past: Past
    num_asked: int
    begin: Mapping[int, float] | None = None
    _known: dict[tuple[int, ...], tuple[Logit, tuple[int, ...]]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        encoder: MultiDomainEncoder,
        target: Target,
        config: EvidenceConfig,
        seed: int,
        crosses: Mapping[str, Cross] | None = None,
    ) -> "Evidence":
        """Map the sources by train events, at each ridge of `config`, and keep the maps that validation likes best.

        `crosses` is what goes together, where it was found before.
        """
        view = View.of(encoder, target, TRAIN, np.unique(target.valid[0]))
        past = past_of(encoder, target, TRAIN, config, seed, share_without(view))
        crosses = crosses_of(target, TRAIN, config) if crosses is None else crosses
        known: dict[str, IntArray] = {}
        liked: Evidence | None = None
        for ridge in config.ridges:
            parts = Parts(past.residuals.maps(past.views, ridge), crosses)
            channels = view.channels(parts)
            choices, row, asked = choices_of(view, channels, config, seed, known)
            found = cls(target, view, parts, channels, choices, row, config, ridge, past, asked)
            if liked is None or found.full_value > liked.full_value:
                liked = found
        assert liked is not None
        return liked

    def after(self, encoder: MultiDomainEncoder, parts: Parts, seed: int) -> "Evidence":
        """Return what validation says of an encoder and of parts that came from here."""
        view = View.of(encoder, self.target, TRAIN, self.view.users)
        channels = view.channels(parts)
        choices, row, asked = choices_of(view, channels, self.config, seed, {})
        return replace(
            self, view=view, parts=parts, channels=channels, choices=choices, row=row, num_asked=asked, _known={}
        )

    @cached_property
    def full_value(self) -> float:
        """The log-likelihood per asked event with all sources: what events that left the candidates lose counts."""
        found = self._fit(self.target.sources)[0]
        missed = self.num_asked - len(self.choices)
        most = np.log(self.config.base_candidates + self.config.source_candidates)
        return float(found.value.sum() - missed * most) / max(1, self.num_asked)

    def log_likelihood(self, subset: Subset) -> Values:
        """Return the log-likelihood of each validation user's choices with `subset`; 0 without any choice."""
        value = self._fit(subset)[0].value
        return np.bincount(self.row, weights=value, minlength=len(self.view.users)).astype(np.float64)

    def weights(self, subset: Subset) -> Weights:
        """Return the fit of `subset`."""
        found, columns = self._fit(subset)
        names, settled = [self.channels[c].name for c in columns], self._settled(found, columns)
        none = {channel.name: 0.0 for channel in self.channels if channel.source in subset}
        return Weights(
            value=none | dict(zip(names, map(float, settled), strict=True)),
            error=none | dict(zip(names, map(float, found.error), strict=True)),
        )

    @property
    def price(self) -> float:
        """What a weight must gain in nats."""
        return 0.5 * self.config.penalty * float(np.log(max(2, len(self.choices))))

    def gain(self, subset: Subset) -> float:
        """Return what `subset` is worth, as at the top of this module, in nats over all events."""
        base = tuple(i for i, channel in enumerate(self.channels) if not channel.source)
        kept = tuple(i for i, channel in enumerate(self.channels) if channel.source and channel.source in subset)
        while True:
            # All that belongs to no source is asked for each time: the same channels give the same gain, to the bit.
            found, columns = self._fit_columns(tuple(sorted(base + kept)))
            # By Wald's test, one channel at a time: the next one may stand for what goes.
            worth = {
                column: 0.5 * (weight / error) ** 2
                for column, weight, error in zip(columns, found.weight, found.error, strict=True)
                if column not in base
            }
            weakest = min(worth, key=lambda column: worth[column], default=None)
            if weakest is not None and worth[weakest] >= self.price:
                weakest = None
            if weakest is None and len(worth) == len(kept):
                return float(found.value.sum() - self._fit(())[0].value.sum() - self.price * len(kept))
            kept = tuple(column for column in kept if column in worth and column != weakest)

    def scorer(self, weights: Weights) -> Scorer:
        """Return the scorer of the validation users: row r is `view.users[r]`."""
        return scorer_of(self.channels, weights.value)

    def held_out(self, subset: Subset) -> HeldOut:
        """Judge each validation user by weights that the other users' events gave.

        Weights fitted to all would be judged by what they were fitted to, and the more of them the better they looked.
        """
        fold = generator(0, "evidence", "folds").permutation(len(self.view.users)) % _FOLDS
        values, likelihood = np.zeros(len(fold)), np.zeros(len(fold))
        for number in range(_FOLDS):
            mine, asked = fold[self.row] == number, np.flatnonzero(fold == number)
            # Begun where all of them lead, which saves most steps; a fit ends within a thousandth of a nat of its top.
            others = replace(
                self, choices=self.choices.where(~mine), row=self.row[~mine], begin=self._all_weights, _known={}
            )
            if len(asked):
                part = [channel.of(asked) for channel in self.channels]
                scorer = scorer_of(part, others.weights(subset).value)
                values[asked] = user_ndcg(self.target, scorer, self.view.users[asked])
                found, columns = others._fit(subset)
                weight = dict(zip(columns, found.weight.tolist(), strict=True))
                np.add.at(likelihood, self.row[mine], self.choices.where(mine).log_likelihood(weight))
        return HeldOut(values, likelihood)

    def _fit(self, subset: Subset) -> tuple[Logit, tuple[int, ...]]:
        """Return the fit of `subset` and the columns in use, those without a weight left out."""
        return self._fit_columns(tuple(i for i, c in enumerate(self.channels) if not c.source or c.source in subset))

    def _fit_columns(self, asked: tuple[int, ...]) -> tuple[Logit, tuple[int, ...]]:
        if asked not in self._known:
            # The start must not depend on which subset came first, or a search that goes on would end elsewhere.
            start = self._all_weights if self.begin is None and len(asked) < len(self.channels) else self.begin
            bounded = [i for i in asked if self.channels[i].kind not in (OWN, POPULARITY, NEW)]
            found = fit_logit(self.choices, asked, start, bounded)
            used = [place for place, i in enumerate(asked) if found.weight[place] > 0 or i not in bounded]
            fit = Logit(weight=found.weight[used], error=found.error[used], value=found.value)
            self._known[asked] = fit, tuple(asked[place] for place in used)
        return self._known[asked]

    @property
    def _all_weights(self) -> dict[int, float]:
        found, columns = self._fit_columns(tuple(range(len(self.channels))))
        return dict(zip(columns, found.weight.tolist(), strict=True))

    def _settled(self, found: Logit, columns: tuple[int, ...]) -> Real:
        """Return the weights with those of popularity and of the own view chosen anew, by NDCG@10 among the candidates.

        The best items by these two are candidates of everybody, so that likelihood says too little for them there, or
        too much. Each is tried at a few values, twice in turn, and moved where that is clearly better.
        """
        weight = found.weight.copy()
        for at, column in enumerate(columns):
            # A handful of choices is no reason to put what nobody has had before all else: it pays, or it is left out.
            if self.channels[column].kind == NEW and not 0.5 * (weight[at] / found.error[at]) ** 2 >= self.price:
                weight[at] = 0.0
        place = {self.channels[column].kind: at for at, column in enumerate(columns) if column < 2}
        # Below zero the best items would be some that are no candidates; without any popularity, who has nothing else
        # would be offered items in the order of their numbers.
        weight[place[POPULARITY]] = max(_POPULARITY[0], weight[place[POPULARITY]])
        usual, own = self.past.usual[0], place[OWN]
        few, cold = len(self.choices) < _FEWEST, not self.choices.features[columns[own]].any()
        # Train events say what the own view counts for where validation cannot: it must not be lost by chance.
        silent = few or cold or (weight[own] <= 0 and usual - weight[own] < _ERRORS * found.error[own])
        tried = [share * weight[own] for share in _OWN] if weight[own] > 0 else [share * usual for share in _USUAL]
        weight[own] = usual if silent else max(0.0, weight[own])
        if few:
            weight[place[POPULARITY]] = max(_POPULARITY[0], self.past.usual[1])
            return weight
        best = self.choices.ndcg(self.choices.scores(dict(zip(columns, weight, strict=True))), CUTOFF)
        for kind in (POPULARITY,) if silent else (POPULARITY, OWN) * 2:
            at = place[kind]
            others = self.choices.scores({c: w for c, w in zip(columns, weight, strict=True) if c != columns[at]})
            alone = self.choices.features[columns[at]]
            for value in _POPULARITY if kind == POPULARITY else tried:
                reached = self.choices.ndcg(others + np.float32(value) * alone, CUTOFF)
                if reached > best * _CLEARLY:
                    best, weight[at] = reached, value
        return weight


def past_of(
    encoder: MultiDomainEncoder,
    target: Target,
    history: str,
    config: EvidenceConfig,
    seed: int,
    without: float,
) -> Past:
    """Return what the events of `history` say.

    `without` is the share of events that are looked at as though their users had no other event in the target.
    """
    rng, histories = generator(seed, "evidence", "events"), target.histories(history)
    known = np.flatnonzero(has_view(target, history)[histories.user])
    events = np.sort(rng.permutation(known)[: config.max_events])
    own, item = left_out_views(encoder, histories, events)
    dropped = rng.random(len(own)) < without
    count = np.bincount(histories.item, minlength=target.num_items)
    offered = np.sort(rng.permutation(target.num_items)[: config.num_offered])
    popularity = np.log1p(count).astype(np.float32)
    pos, offered = histories.item_of(events), rng.permutation(offered)
    if len(known) < _CALIBRATING:
        # What the own view counts for any user's event can tell; where no source knows anybody, no other could.
        every = np.sort(rng.permutation(len(histories.user))[: config.max_events])
        alone, _ = left_out_views(encoder, histories, every)
        usual = calibrate(alone, histories.item_of(every), item, popularity, offered)
    else:
        usual = calibrate(own, pos, item, popularity, offered)
    own[dropped] = 0
    residuals = Residuals.of(own, pos, item, popularity, offered)
    users = histories.user[events].astype(np.int64)
    return Past(residuals, {name: view[users] for name, view in target.views[history].items()}, usual)


def crosses_of(target: Target, history: str, config: EvidenceConfig) -> dict[str, Cross]:
    """Return which items of the target itself (`""`), and of each source, go with which of the target, as vectors."""
    every = target.everywhere(history)
    found = {name: Cross.of(theirs, every[""], config.cross_rank) for name, theirs in every.items()}
    return {name: made for name, made in found.items() if made is not None}


def counts_of(target: Target, history: str, config: EvidenceConfig) -> dict[str, Counts]:
    """Return the like item by item."""
    every = target.everywhere(history)
    found = {name: Counts.of(theirs, every[""], config.neighbours) for name, theirs in every.items()}
    return {name: made for name, made in found.items() if made is not None}


def share_without(view: View) -> float:
    """Return the share of the users of `view` who have no event in the target."""
    return float((~view.own.any(axis=1)).mean()) if len(view.users) else 0.0
