"""What the validation events say of the sources: a conditional logit over channels, among candidates near the top.

Only the head of the list matters to NDCG@10, so an event is compared with what could have stood there: the best items
by the scores without sources, and the best ones were a channel of a source to count as much as all else. An event whose
item is not among them says nothing here. The likelihood of the rest is far less noisy than NDCG@10 itself, of which a
user has one value that is mostly 0: on planted worlds a helpful domain stands ten standard errors above zero by it, two
or three by NDCG@10.

    gain of S = log-likelihood with S - log-likelihood without sources - penalty * 1/2 * log(events) * channels of S

The last term is `penalty` times that of the Bayesian information criterion (Schwarz 1978); twice by default, as the
best of many subsets is looked for. Weights of sources are never negative: a map that points the wrong way on validation
is not turned around, it is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from finetune.channels import ENTITIES, OWN, POPULARITY, USERS, Channel, View, scorer_of, spread
from finetune.config import EvidenceConfig
from finetune.left_out import has_view, left_out_views
from finetune.logit import Choices, Logit, fit_logit
from finetune.maps import Residuals, SourceMap, calibrate
from finetune.target import Target
from finetune.task import user_ndcg
from graphrec.core.seeds import generator
from graphrec.core.types import FloatArray, IntArray
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.encoders.pretrained import TRAIN
from graphrec.metrics.measures import Values
from graphrec.metrics.ranking import rank
from graphrec.metrics.scorers import VectorScorer

Subset = tuple[str, ...]
"""Names of source domains, in the target's order of sources."""

_FOLDS = 5
_SAMPLE = 256
"""Users and items over which the size of a channel's scores is taken."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The fit of one subset: `value` by channel, `gain` as at the top of this module, in nats over all events."""

    subset: Subset
    value: Mapping[str, float]
    error: Mapping[str, float]
    gain: float
    events: Values

    def of(self, source: str) -> tuple[float, float]:
        """Return the weight of `source` in standard errors: through users, through entities; 0 where it has none."""
        found = [self.value.get(f"{kind}:{source}", 0.0) for kind in (USERS, ENTITIES)]
        errors = [self.error.get(f"{kind}:{source}", 0.0) for kind in (USERS, ENTITIES)]
        users, entities = (v / e if e else 0.0 for v, e in zip(found, errors, strict=True))
        return users, entities


@dataclass(frozen=True)
class Evidence:
    """Validation events as choices among candidates; `channels` have a row per validation user.

    `row` [num_choices] is the user of each choice; `num_asked` counts those too whose item is no candidate.
    """

    target: Target
    view: View
    maps: Mapping[str, SourceMap]
    channels: Sequence[Channel]
    choices: Choices
    row: IntArray
    config: EvidenceConfig
    ridge: float
    num_asked: int
    _known: dict[tuple[int, ...], Logit] = field(default_factory=dict)

    @classmethod
    def of(cls, encoder: MultiDomainEncoder, target: Target, config: EvidenceConfig, seed: int) -> "Evidence":
        """Map the sources by train events, at each ridge of `config`, and keep the maps that validation likes best."""
        user, item = some_valid(target, config.valid_events, seed)
        view = View.of(encoder, target, TRAIN, np.unique(target.valid[0]))
        residuals, seen_views = residuals_of(encoder, target, TRAIN, config, seed, share_without(view))
        best: Evidence | None = None
        for ridge in config.ridges:
            maps = residuals.maps(seen_views, ridge)
            channels = view.channels(maps)
            choices, row = _choices(view, channels, user, item, config, seed)
            found = cls(target, view, maps, channels, choices, row, config, ridge, len(user))
            if best is None or found.full_value > best.full_value:
                best = found
        assert best is not None
        return best

    @cached_property
    def full_value(self) -> float:
        """The log-likelihood per asked event with all sources: what events that left the candidates lose counts."""
        found = self._fit(self.target.sources)[0]
        missed = self.num_asked - len(self.choices)
        return float(found.value.sum() - missed * np.log(self.choices.features.shape[1])) / max(1, self.num_asked)

    @cached_property
    def alone(self) -> Logit:
        """The fit without sources."""
        return fit_logit(self.choices, np.arange(self.num_base))

    @property
    def num_base(self) -> int:
        """How many channels, the first ones, belong to no source."""
        return sum(not channel.source for channel in self.channels)

    def weights(self, subset: Subset) -> Weights:
        """Return the fit of `subset`."""
        found, columns = self._fit(subset)
        names = [self.channels[c].name for c in columns]
        none = {channel.name: 0.0 for channel in self.channels if channel.source in subset}
        spent = self.config.penalty * 0.5 * np.log(max(2, len(self.choices))) * len(none)
        return Weights(
            subset=subset,
            value=none | dict(zip(names, map(float, found.weight), strict=True)),
            error=none | dict(zip(names, map(float, found.error), strict=True)),
            gain=float(found.value.sum() - self.alone.value.sum() - spent),
            events=found.value,
        )

    def scorer(self, weights: Weights) -> VectorScorer:
        """Return the scorer of the validation users: row r is `view.users[r]`."""
        return scorer_of(self.channels, weights.value)

    def held_out(self, subset: Subset) -> Values:
        """Return the NDCG@10 of each validation user, with weights that the other users' events gave.

        Weights fitted to all would be judged by what they were fitted to, and the more of them the better they looked.
        """
        fold = generator(0, "evidence", "folds").permutation(len(self.view.users)) % _FOLDS
        values = np.zeros(len(self.view.users))
        for number in range(_FOLDS):
            kept, asked = self.choices.where(fold[self.row] != number), np.flatnonzero(fold == number)
            others = replace(self, choices=kept, row=self.row[fold[self.row] != number], _known={})
            if len(asked):
                part = [replace(channel, user=channel.user[asked]) for channel in self.channels]
                scorer = scorer_of(part, others.weights(subset).value)
                values[asked] = user_ndcg(self.target, scorer, self.view.users[asked])
        return values

    def _fit(self, subset: Subset) -> tuple[Logit, tuple[int, ...]]:
        columns = tuple(i for i, c in enumerate(self.channels) if not c.source or c.source in subset)
        start = dict(enumerate(self.alone.weight))
        while True:
            found = self._fit_columns(columns, start)
            wrong = [
                place for place, column in enumerate(columns) if column >= self.num_base and found.weight[place] < 0
            ]
            if not wrong:
                return found, columns
            # The most negative by its own error goes first: the others may do without it.
            worst = min(wrong, key=lambda place: found.weight[place] / found.error[place])
            start = dict(zip(columns, found.weight, strict=True))
            columns = columns[:worst] + columns[worst + 1 :]

    def _fit_columns(self, columns: tuple[int, ...], start: Mapping[int, float]) -> Logit:
        # Many subsets come down to the same columns once the useless ones are out.
        if columns not in self._known:
            first = np.array([start.get(column, 0.0) for column in columns])
            self._known[columns] = fit_logit(self.choices, np.array(columns), first)
        return self._known[columns]


def some_valid(target: Target, most: int, seed: int) -> tuple[IntArray, IntArray]:
    """Return up to `most` validation events, drawn at random: users and items, sorted by user."""
    user, item = target.valid
    rows = np.sort(generator(seed, "evidence", "valid").permutation(len(user))[:most])
    return user[rows], item[rows]


def residuals_of(
    encoder: MultiDomainEncoder,
    target: Target,
    history: str,
    config: EvidenceConfig,
    seed: int,
    without: float,
) -> tuple[Residuals, dict[str, FloatArray]]:
    """Return what train events say beyond the target's own model, and the sources' views of these events' users.

    `without` is the share of events that are looked at as though their users had no other event in the target.
    """
    rng, histories = generator(seed, "evidence", "events"), target.histories(history)
    known = has_view(target, history)
    events = np.sort(rng.permutation(np.flatnonzero(known[histories.user]))[: config.max_events])
    own, item = left_out_views(encoder, histories, events)
    own[rng.random(len(own)) < without] = 0
    count = np.bincount(histories.item, minlength=target.num_items)
    offered = np.sort(rng.permutation(target.num_items)[: config.num_offered])
    popularity = np.log1p(count).astype(np.float32)
    residuals = Residuals.of(own, histories.item_of(events), item, popularity, rng.permutation(offered))
    users = histories.user[events].astype(np.int64)
    return residuals, {name: view[users] for name, view in target.views[history].items()}


def share_without(view: View) -> float:
    """Return the share of the users of `view` who have no event in the target."""
    return float((~view.own.any(axis=1)).mean()) if len(view.users) else 0.0


def _choices(
    view: View, channels: Sequence[Channel], user: IntArray, item: IntArray, config: EvidenceConfig, seed: int
) -> tuple[Choices, IntArray]:
    sampled = np.searchsorted(view.users, np.unique(user))
    view = replace(view, users=view.users[sampled], own=view.own[sampled])
    channels = [replace(channel, user=channel.user[sampled]) for channel in channels]
    row = np.searchsorted(view.users, user)
    candidates, size = _candidates(view, channels, row, item, config, seed)
    candidates, size = candidates[row], size[row]
    taken = (candidates == item[:, None]) & (np.arange(candidates.shape[1]) < size[:, None])
    asked = taken.any(axis=1)
    row, candidates, size = row[asked], candidates[asked], size[asked]
    features = np.zeros((*candidates.shape, len(channels)), dtype=np.float32)
    for place, channel in enumerate(channels):
        # In blocks: the item vectors of all candidates at once would be the largest array of the stage.
        for start in range(0, len(row), 1024):
            rows = slice(start, start + 1024)
            features[rows, :, place] = np.einsum(
                "rd,rjd->rj", channel.user[row[rows]], channel.item[np.maximum(candidates[rows], 0)], optimize=True
            )
    return Choices(features=features, size=size, pos=taken[asked].argmax(axis=1).astype(np.int64)), sampled[row]


def _candidates(
    view: View, channels: Sequence[Channel], row: IntArray, item: IntArray, config: EvidenceConfig, seed: int
) -> tuple[IntArray, IntArray]:
    """Return distinct items of each user of `view`, ascending, and how many there are."""
    rng = generator(seed, "evidence", "candidates")
    offered = rng.permutation(view.target.num_items)[:_SAMPLE]
    scale, prior = calibrate(view.own[row], item, view.item, view.popularity, offered)
    base = {OWN: scale, POPULARITY: prior}
    own = [channel for channel in channels if not channel.source]
    some = rng.permutation(len(view.users))[:_SAMPLE]
    usual = spread(own[:2], base, some, offered)
    each = max(5, config.source_candidates // max(1, len(channels) - len(own)))
    seen = view.target.seen[view.users]

    def top(weight: Mapping[str, float], count: int) -> IntArray:
        return rank(scorer_of(channels, weight), row, item, seen, top=count).top

    lists = [top(base, config.base_candidates)]
    for channel in channels[2:]:
        size = spread([channel], {channel.name: 1.0}, some, offered)
        if size > 0:
            lists.append(top({**base, channel.name: usual / size if usual else 1.0}, each))
    found = np.sort(np.concatenate(lists, axis=1), axis=1)
    new = np.diff(found, axis=1, prepend=-1) > 0
    # Repeated ones, and places that a short catalogue left empty (-1), go behind.
    order = np.argsort(~new, axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1), new.sum(axis=1).astype(np.int64)
