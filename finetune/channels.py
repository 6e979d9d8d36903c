"""What a score is made of: channels, each the product of a user matrix and an item matrix, each with one weight.

score(u, i) = sum over channels c of weight_c * user_c(u) . item_c(i)

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
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from finetune.cross import Cross
from finetune.maps import SourceMap
from finetune.target import Target
from graphrec.core.types import FloatArray, IntArray
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.metrics.scorers import VectorScorer

OWN, POPULARITY, NEW, ALIKE, KNOWLEDGE = "own", "popularity", "new", "alike", "knowledge"
USERS, CROSS, ENTITIES = "users", "cross", "entities"
BLOCK = 8192
"""Users encoded at a time."""
_OFTEN = 0.2
"""Share of the validation events from which it counts whether an item is new."""


@dataclass(frozen=True)
class Parts:
    """What was fitted of each source, and of the target itself, to make their channels."""

    maps: Mapping[str, SourceMap] = field(default_factory=dict)
    crosses: Mapping[str, Cross] = field(default_factory=dict)
    own: Cross | None = None


@dataclass(frozen=True, kw_only=True)
class Channel:
    """`user` is [num_rows, width], `item` [num_items, width]; `source` is empty where none has a part in it."""

    kind: str
    source: str
    user: FloatArray
    item: FloatArray

    @property
    def name(self) -> str:
        """Return the channel's name, as weights are called."""
        return f"{self.kind}:{self.source}" if self.source else self.kind


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
        made = [
            Channel(kind=OWN, source="", user=self.own, item=self.item),
            Channel(kind=POPULARITY, source="", user=ones, item=prior),
        ]
        target, history, users = self.target, self.history, self.users

        def wanted(kind: str, source: str = "") -> bool:
            return weight is None or bool(weight.get(f"{kind}:{source}" if source else kind))

        def add(kind: str, source: str, user: FloatArray, item: FloatArray) -> None:
            made.append(Channel(kind=kind, source=source, user=user, item=item))

        if wanted(NEW) and target.share_new >= _OFTEN:
            add(NEW, "", ones, (self.count == 0).astype(np.float32)[:, None])
        if wanted(ALIKE) and target.share_new >= _OFTEN and (profile := target.profile) is not None:
            add(ALIKE, "", target.through(profile, history, users), profile)
        if wanted(KNOWLEDGE) and (around := target.described(self.item)) is not None:
            add(KNOWLEDGE, "", target.through(around, history, users), around)
        if wanted(CROSS) and parts.own is not None:
            add(CROSS, "", parts.own.users(target.history(history)[users]), parts.own.item)
        for name in target.sources:
            if wanted(USERS, name) and name in parts.maps:
                add(USERS, name, parts.maps[name](target.views[history][name][users]), self.item)
            if wanted(CROSS, name) and (cross := parts.crosses.get(name)) is not None:
                add(CROSS, name, cross.users(target.elsewhere[history][name][users]), cross.item)
            if wanted(ENTITIES, name) and (bridge := target.bridges[history].get(name)) is not None:
                add(ENTITIES, name, target.through(bridge, history, users), bridge)
        return made


def joined(channels: Sequence[Channel], weight: Mapping[str, float]) -> tuple[FloatArray, FloatArray]:
    """Return user and item vectors whose product is the weighted sum of the channels; popularity comes last.

    Channels over the target's own item vectors are added up, the others stand side by side.
    """
    own, prior = channels[0], channels[1]
    user = np.float32(weight[own.name]) * own.user
    wide: list[tuple[FloatArray, FloatArray]] = []
    for channel in channels[2:]:
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


def scorer_of(channels: Sequence[Channel], weight: Mapping[str, float]) -> VectorScorer:
    """Return the scorer of the channels' rows: user r is row r."""
    return VectorScorer(*joined(channels, weight))


def spread(channels: Sequence[Channel], weight: Mapping[str, float], rows: IntArray, items: IntArray) -> float:
    """Return the usual standard deviation, over `items`, of the scores that `channels` give the users in `rows`."""
    total = np.zeros((len(rows), len(items)), dtype=np.float32)
    for channel in channels:
        total += np.float32(weight.get(channel.name, 0.0)) * (channel.user[rows] @ channel.item[items].T)
    found = total.std(axis=1)
    return float(found[found > 0].mean()) if (found > 0).any() else 0.0


def strength(channels: Sequence[Channel], weight: Mapping[str, float]) -> dict[str, float]:
    """Return how far each source spreads a user's scores, as a share of what all channels together do."""
    rows = np.linspace(0, len(channels[0].user) - 1, min(len(channels[0].user), 512)).astype(np.int64)
    items = np.linspace(0, len(channels[0].item) - 1, min(len(channels[0].item), 512)).astype(np.int64)
    whole = spread(channels, weight, rows, items)
    sources = dict.fromkeys(channel.source for channel in channels if channel.source)
    return {
        name: spread([c for c in channels if c.source == name], weight, rows, items) / whole if whole else 0.0
        for name in sources
    }
