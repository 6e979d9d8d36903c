"""What a score is made of: channels, each with one weight, most of them the product of a user and an item matrix.

score(u, i) = sum over channels c of weight_c * score_c(u, i),  score_c(u, i) = user_c(u) . item_c(i) but for `counts`

own          the target's own encoder: the user's view of the target, the item's vector
popularity   1 and log(1 + events of the item)
new          1 and whether the item has no event at all, where validation often asks for such items: how they stand to
             the others, which no vector says
alike        the user's items of the target, and the item, by the entities they are tied to (`bridge.py`), where
             validation often asks for new items: no vector has to be learnt for it
knowledge    the user's items of the target, and the item, as other items of the target around them in the knowledge
             graph describe them: what knowledge says without any source
cross        which of the user's items of the target go together with which (`cross.py`)
users:d      what source d says of the user, mapped into the target's space (`maps.py`), and the item's vector
cross:d      which of the user's items of source d go together with which items of the target (`cross.py`)
entities:d   the user's items of the target as source d would describe them, and the item likewise: what knowledge
             shared with the source, or an item sold in both, carries over; no user has to be shared for it
counts, counts:d   what goes together item by item (`cross.py`): sparse, no vectors, for a model that is more than these
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from finetune.cross import Counts, Cross
from finetune.maps import SourceMap
from finetune.target import Target
from graphrec.core.types import FloatArray, IntArray, Scorer
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.metrics.scorers import HybridScorer, Together, VectorScorer

OWN, POPULARITY, NEW, ALIKE, KNOWLEDGE = "own", "popularity", "new", "alike", "knowledge"
USERS, CROSS, ENTITIES, COUNTS = "users", "cross", "entities", "counts"
BLOCK = 8192
"""Users encoded at a time."""
_OFTEN = 0.2
"""Share of the validation events from which it counts whether an item is new."""


@dataclass(frozen=True)
class Parts:
    """What was fitted of each source, and of the target itself (`""`), to make their channels."""

    maps: Mapping[str, SourceMap] = field(default_factory=dict)
    crosses: Mapping[str, Cross] = field(default_factory=dict)
    counts: Mapping[str, Counts] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Named:
    """A channel's `kind`; `source` is empty where none has a part in it."""

    kind: str
    source: str

    @property
    def name(self) -> str:
        """Return the channel's name, as weights are called."""
        return f"{self.kind}:{self.source}" if self.source else self.kind


@dataclass(frozen=True, kw_only=True)
class Vectors(Named):
    """A channel of vectors: `user` is [num_rows, width], `item` [num_items, width]."""

    user: FloatArray
    item: FloatArray

    def of(self, rows: IntArray) -> "Vectors":
        """Return the channel of some rows, numbered anew."""
        return replace(self, user=self.user[rows])

    def scores(self, rows: IntArray, items: IntArray) -> FloatArray:
        """Return `[len(rows), len(items)]` scores."""
        made: FloatArray = self.user[rows] @ self.item[items].T
        return made

    def at(self, rows: IntArray, items: IntArray) -> FloatArray:
        """Return `[len(rows), n]` scores of `items` [len(rows), n]."""
        made: FloatArray = np.einsum("rd,rjd->rj", self.user[rows], self.item[items], optimize=True)
        return made

    def spread(self, rows: IntArray, items: IntArray) -> float:
        """Return the usual standard deviation of a row's scores over `items`."""
        return spread([self], {self.name: 1.0}, rows, items)


@dataclass(frozen=True, kw_only=True)
class Sparse(Named):
    """A channel of what goes together."""

    together: Together

    def of(self, rows: IntArray) -> "Sparse":
        """Return the channel of some rows, numbered anew."""
        return replace(self, together=self.together.of(rows))

    def scores(self, rows: IntArray, items: IntArray) -> FloatArray:
        """Return `[len(rows), len(items)]` scores."""
        return np.asarray(self.together.told(rows)[:, items].toarray(), dtype=np.float32)

    def at(self, rows: IntArray, items: IntArray) -> FloatArray:
        """Return `[len(rows), n]` scores of `items` [len(rows), n]."""
        told = self.together.told(rows)
        told.sort_indices()
        # Looked up by row and column at once: as a dense table the rows would not fit where items are many.
        size, row = told.shape[1], np.arange(len(rows), dtype=np.int64)
        key = np.repeat(row, np.diff(told.indptr)) * size + told.indices
        asked = row[:, None] * size + items
        place = np.minimum(np.searchsorted(key, asked), max(0, len(key) - 1))
        found = key[place] == asked if len(key) else np.zeros(asked.shape, dtype=np.bool_)
        return np.where(found, told.data[place] if len(key) else 0.0, 0.0).astype(np.float32)

    def spread(self, rows: IntArray, _: IntArray) -> float:
        """Return the usual standard deviation of a row's scores over all items: of a few the most would have none."""
        told, size = self.together.told(rows), self.together.weight.shape[1]
        mean, square = told.sum(axis=1) / size, told.multiply(told).sum(axis=1) / size
        found = np.sqrt(np.maximum(square - mean**2, 0))
        return float(found[found > 0].mean()) if (found > 0).any() else 0.0


Channel = Vectors | Sparse


@dataclass(frozen=True, kw_only=True)
class View:
    """The target-only model as arrays, for some users and one history.

    `own` is [num_rows, dim] of `users`, `item` [num_items, dim], `count` [num_items] the events of each item.
    """

    target: Target
    history: str
    users: IntArray
    own: FloatArray
    item: FloatArray
    count: IntArray

    @classmethod
    @torch.no_grad()
    def of(cls, encoder: MultiDomainEncoder, target: Target, history: str, users: IntArray) -> "View":
        """Encode `users` and all items."""
        histories, nodes = target.histories(history), encoder.nodes()
        own = np.zeros((len(users), encoder.dim), dtype=np.float32)
        for start in range(0, len(users), BLOCK):
            rows = slice(start, start + BLOCK)
            own[rows] = encoder.views(nodes, histories.latest(users[rows], encoder.reach))[:, 0].cpu().numpy()
        items = torch.arange(target.num_items, device=encoder.gate.device)
        item = encoder.offered(nodes, items).cpu().numpy().astype(np.float32)
        count = np.bincount(histories.item, minlength=target.num_items).astype(np.int64)
        return cls(target=target, history=history, users=users, own=own, item=item, count=count)

    @property
    def popularity(self) -> FloatArray:
        """Return log(1 + events) of each item."""
        return np.log1p(self.count).astype(np.float32)

    def channels(self, parts: Parts, weight: Mapping[str, float] | None = None) -> list[Channel]:
        """Return all channels: own and popularity, others of the target where called for, then those of the sources.

        Where `weight` is given, only the first two and those with a weight are made.
        """
        ones, prior = np.ones((len(self.users), 1), dtype=np.float32), self.popularity[:, None]
        made: list[Channel] = [
            Vectors(kind=OWN, source="", user=self.own, item=self.item),
            Vectors(kind=POPULARITY, source="", user=ones, item=prior),
        ]
        target, history, users = self.target, self.history, self.users

        def wanted(kind: str, source: str = "") -> bool:
            return weight is None or bool(weight.get(f"{kind}:{source}" if source else kind))

        def add(kind: str, source: str, user: FloatArray, item: FloatArray) -> None:
            made.append(Vectors(kind=kind, source=source, user=user, item=item))

        def add_together(source: str) -> None:
            cross = parts.crosses.get(source) if wanted(CROSS, source) else None
            counts = parts.counts.get(source) if wanted(COUNTS, source) else None
            if cross is None and counts is None:
                return
            had = target.everywhere(history)[source][users]
            if cross is not None:
                add(CROSS, source, cross.users(had), cross.item)
            if counts is not None:
                made.append(Sparse(kind=COUNTS, source=source, together=counts.together(had)))

        if wanted(NEW) and target.share_new >= _OFTEN:
            add(NEW, "", ones, (self.count == 0).astype(np.float32)[:, None])
        if wanted(ALIKE) and target.share_new >= _OFTEN and (profile := target.profile) is not None:
            add(ALIKE, "", target.through(profile, history, users), profile)
        if wanted(KNOWLEDGE) and (around := target.described(self.item)) is not None:
            add(KNOWLEDGE, "", target.through(around, history, users), around)
        add_together("")
        for name in target.sources:
            if wanted(USERS, name) and name in parts.maps:
                add(USERS, name, parts.maps[name](target.views[history][name][users]), self.item)
            add_together(name)
            if wanted(ENTITIES, name) and (bridge := target.bridges[history].get(name)) is not None:
                add(ENTITIES, name, target.through(bridge, history, users), bridge)
        return made


def joined(channels: Sequence[Channel], weight: Mapping[str, float]) -> tuple[FloatArray, FloatArray]:
    """Return user and item vectors whose product is the weighted sum of the channels of vectors; popularity comes last.

    Channels over the target's own item vectors are added up, the others stand side by side.
    """
    vectors = [channel for channel in channels if isinstance(channel, Vectors)]
    own, prior = vectors[0], vectors[1]
    user = np.float32(weight[own.name]) * own.user
    wide: list[tuple[FloatArray, FloatArray]] = []
    for channel in vectors[2:]:
        share = np.float32(weight.get(channel.name, 0.0))
        if not share:
            continue
        if channel.kind == USERS:
            user = user + share * channel.user
        else:
            wide.append((share * channel.user, channel.item))
    users = np.hstack([user, *(u for u, _ in wide), prior.user])
    items = np.hstack([own.item, *(i for _, i in wide), np.float32(weight[prior.name]) * prior.item])
    return users.astype(np.float32), items.astype(np.float32)


def scorer_of(channels: Sequence[Channel], weight: Mapping[str, float]) -> Scorer:
    """Return the scorer of the channels' rows: user r is row r."""
    vectors = VectorScorer(*joined(channels, weight))
    sparse = [c for c in channels if isinstance(c, Sparse) and weight.get(c.name)]
    if not sparse:
        return vectors
    return HybridScorer(vectors, [c.together for c in sparse], [weight[c.name] for c in sparse])


def spread(channels: Sequence[Channel], weight: Mapping[str, float], rows: IntArray, items: IntArray) -> float:
    """Return the usual standard deviation, over `items`, of the scores that `channels` give the users in `rows`."""
    total = np.zeros((len(rows), len(items)), dtype=np.float32)
    for channel in channels:
        if value := weight.get(channel.name):
            total += np.float32(value) * channel.scores(rows, items)
    found = total.std(axis=1)
    return float(found[found > 0].mean()) if (found > 0).any() else 0.0


def strength(
    channels: Sequence[Channel], weight: Mapping[str, float], num_rows: int, num_items: int
) -> dict[str, float]:
    """Return how far each source spreads a user's scores, as a share of what all channels together do."""
    rows = np.linspace(0, num_rows - 1, min(num_rows, 512)).astype(np.int64)
    items = np.linspace(0, num_items - 1, min(num_items, 512)).astype(np.int64)
    whole = spread(channels, weight, rows, items)
    sources = dict.fromkeys(channel.source for channel in channels if channel.source)
    return {
        name: spread([c for c in channels if c.source == name], weight, rows, items) / whole if whole else 0.0
        for name in sources
    }
