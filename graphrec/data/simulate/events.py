"""Events: how often each user acts, on which item, and when."""

from dataclasses import dataclass

import numpy as np

from graphrec.core.types import BoolArray, IntArray
from graphrec.data.simulate.latent import Real

SWITCH = 0.75
"""Part of the period after which no event of the target follows a passing interest any more."""

LAST = 2
"""Events of each user of the target after the switch: one to validate, one to test."""

_ROUNDS = 60
"""Draws in vain after which an event takes any item that its user has not met."""


@dataclass(frozen=True)
class Catalogue:
    """Items of one domain. topic: [items]; share: [items], the item's probability within its topic."""

    topic: IntArray
    share: Real


@dataclass(frozen=True)
class Events:
    """Rows of one domain: user and item are row numbers within the domain, time runs from 0 to 1."""

    user: IntArray
    item: IntArray
    time: Real


def draw_catalogue(num_items: int, num_topics: int, skew: float, rng: np.random.Generator) -> Catalogue:
    """Spread items evenly over the topics; popularity falls with rank ** -skew, ranks in random order."""
    # Dealt, not drawn: a topic without items would leave its users with nothing to want.
    topic = rng.permutation(np.arange(num_items) % num_topics)
    weight = (1.0 + rng.permutation(num_items)) ** -skew
    return Catalogue(topic, weight / np.bincount(topic, weight, num_topics)[topic])


def draw_counts(num_users: int, mean: float, least: int, most: int, rng: np.random.Generator) -> IntArray:
    """Return events per user: `least` and a long-tailed rest, so that a few users act often."""
    return np.minimum(least + rng.poisson(rng.gamma(1.0, mean - least, size=num_users)), most)


class Wishes:
    """Draws items for rows of shares: row r takes an item with probability shares[r, topic] * share[item].

    Running sums are laid end to end once, so that a draw is one search, however many rows there are.
    """

    def __init__(self, shares: Real, catalogue: Catalogue) -> None:
        self.num_topics = shares.shape[1]
        sums = np.minimum(np.cumsum(shares, axis=1), 1.0)
        self.topics = (sums + np.arange(len(shares))[:, None]).ravel()
        self.order = np.argsort(catalogue.topic, kind="stable")
        self.start = np.searchsorted(catalogue.topic[self.order], np.arange(self.num_topics + 1))
        # Shares of a topic add up to one, so the running sum up to topic k is k.
        self.items = np.cumsum(catalogue.share[self.order])

    def draw(self, rows: IntArray, rng: np.random.Generator) -> IntArray:
        """Return one item per row number."""
        place = np.searchsorted(self.topics, rows + rng.random(len(rows)), side="right")
        topic = np.clip(place - rows * self.num_topics, 0, self.num_topics - 1)
        place = np.searchsorted(self.items, topic + rng.random(len(rows)), side="right")
        item: IntArray = self.order[np.clip(place, self.start[topic], self.start[topic + 1] - 1)]
        return item


def draw_events(user: IntArray, rows: IntArray, wishes: Wishes, rng: np.random.Generator) -> IntArray:
    """Draw an item per event such that no user meets one twice; event e follows row `rows[e]` of `wishes`.

    An event whose user has all but used up what the row wants takes any item after many vain draws.
    """
    item, num_items, rounds = wishes.draw(rows, rng), len(wishes.order), 0
    while len(again := np.flatnonzero(_is_repeat(user * num_items + item))):
        vain = rounds >= _ROUNDS
        item[again] = rng.integers(num_items, size=len(again)) if vain else wishes.draw(rows[again], rng)
        rounds += 1
    return item


def _is_repeat(keys: IntArray) -> BoolArray:
    # Stable, so that of equal keys the earliest event stays.
    order = np.argsort(keys, kind="stable")
    repeat = np.zeros(len(keys), dtype=np.bool_)
    repeat[order[1:]] = keys[order[1:]] == keys[order[:-1]]
    return repeat
