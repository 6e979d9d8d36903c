"""Which candidates a validation event is compared with: the items that could have stood at the head of its user's list.

These are the best by the scores without sources, and the best ones were one channel to count as much as all of those;
`source_candidates` is shared out among the channels. Other validation items of the same user are none. An event whose
item is no candidate is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from finetune.channels import OWN, POPULARITY, USERS, Channel, View, scorer_of, spread
from finetune.config import EvidenceConfig
from finetune.logit import Choices
from finetune.maps import calibrate
from finetune.target import Target
from graphrec.core.seeds import generator
from graphrec.core.types import IntArray
from graphrec.metrics.ranking import best

_SAMPLE = 256
"""Users and items over which the size of a channel's scores is taken."""


def some_valid(target: Target, most: int, seed: int) -> tuple[IntArray, IntArray]:
    """Return up to `most` validation events, drawn at random: users and items, sorted by user."""
    user, item = target.valid
    rows = np.sort(generator(seed, "evidence", "valid").permutation(len(user))[:most])
    return user[rows], item[rows]


def choices_of(
    view: View, channels: Sequence[Channel], config: EvidenceConfig, seed: int, known: dict[str, IntArray]
) -> tuple[Choices, IntArray, int]:
    """Return the choices, the row in `view` of each one's user, and how many events were looked at for them."""
    user, item = some_valid(view.target, config.valid_events, seed)
    target_size = view.target.num_items
    sampled = np.searchsorted(view.users, np.unique(user))
    view = replace(view, users=view.users[sampled], own=view.own[sampled])
    channels = [channel.of(sampled) for channel in channels]
    row = np.searchsorted(view.users, user)
    candidates = _candidates(view, channels, row, item, config, seed, known)[row]
    # What else the user had is no alternative to what they had this time.
    key = row.astype(np.int64) * target_size + item
    other = np.isin(row[:, None] * target_size + candidates, key) & (candidates != item[:, None])
    candidates, size = _compact(np.where(other, -1, candidates))
    taken = (candidates == item[:, None]) & (np.arange(candidates.shape[1]) < size[:, None])
    asked = taken.any(axis=1)
    row, candidates, size = row[asked], candidates[asked], size[asked]
    features = np.zeros((len(channels), *candidates.shape), dtype=np.float32)
    for place, channel in enumerate(channels):
        # In blocks: the item vectors of all candidates at once would be the largest array of the stage.
        for start in range(0, len(row), 1024):
            rows = slice(start, start + 1024)
            features[place, rows] = channel.at(row[rows], np.maximum(candidates[rows], 0))
    return Choices.of(features, size, taken[asked].argmax(axis=1).astype(np.int64)), sampled[row], len(user)


def _candidates(
    view: View,
    channels: Sequence[Channel],
    row: IntArray,
    item: IntArray,
    config: EvidenceConfig,
    seed: int,
    known: dict[str, IntArray],
) -> IntArray:
    """Return the candidates of each user of `view`, `[num_users, any number]`, repeated ones and -1 among them.

    `known` keeps those by channels that no ridge changes, from call to call.
    """
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
        return best(scorer_of(channels, weight), np.arange(len(view.users)), seen, count)

    def by(channel: Channel) -> IntArray:
        size = channel.spread(some, offered)
        if not size > 0:
            return np.empty((len(view.users), 0), dtype=np.int64)
        return top({**base, channel.name: usual / size if usual else 1.0}, each)

    lists = {"": known[""] if "" in known else top(base, config.base_candidates)}
    for channel in channels[2:]:
        lists[channel.name] = known[channel.name] if channel.name in known else by(channel)
    known |= {name: found for name, found in lists.items() if not name.startswith(f"{USERS}:")}
    return np.concatenate(list(lists.values()), axis=1)


def _compact(candidates: IntArray) -> tuple[IntArray, IntArray]:
    """Return rows with their distinct items first, ascending, and how many these are; -1 is no item."""
    found = np.sort(candidates, axis=1)
    new = np.diff(found, axis=1, prepend=-1) > 0
    order, size = np.argsort(~new, axis=1, kind="stable"), new.sum(axis=1).astype(np.int64)
    return np.take_along_axis(found, order, axis=1)[:, : max(1, int(size.max(initial=0)))], size
