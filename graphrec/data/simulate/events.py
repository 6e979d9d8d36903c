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
    topic = rng.permutation(np.arange(num_items) % num_topics)
    weight = (1.0 + rng.permutation(num_items)) ** -skew
    return Catalogue(topic, weight / np.bincount(topic, weight, num_topics)[topic])


def draw_counts(num_users: int, mean: float, least: int, most: int, rng: np.random.Generator) -> IntArray:
    """Return events per user: `least` and a long-tailed rest, so that a few users act often."""
    return np.minimum(least + rng.poisson(rng.gamma(1.0, mean - least, size=num_users)), most)


def draw_items(rows: IntArray, shares: Real, catalogue: Catalogue, rng: np.random.Generator) -> IntArray:
    """Draw one item per row r, with probability shares[r, topic] * share[item]."""
    num_topics = shares.shape[1]
    topic = _draw_columns(np.cumsum(shares, axis=1), rows, rng)
    order = np.argsort(catalogue.topic, kind="stable")
    start = np.searchsorted(catalogue.topic[order], np.arange(num_topics + 1))
    below = np.cumsum(catalogue.share[order])
    # Shares of a topic add up to one, so the running sum up to topic k is k.
    place = np.searchsorted(below, topic + rng.random(len(rows)), side="right")
    return order[np.clip(place, start[topic], start[topic + 1] - 1)]


def draw_events(
    user: IntArray, rows: IntArray, shares: Real, catalogue: Catalogue, rng: np.random.Generator
) -> IntArray:
    """Draw an item per event such that no user meets one twice.

    `rows[e]` is the row of `shares` that event e follows. An event whose user has all but used up
    what the row wants takes any item after many vain draws.
    """
    item, num_items, rounds = draw_items(rows, shares, catalogue, rng), len(catalogue.topic), 0
    while len(again := np.flatnonzero(_is_repeat(user * num_items + item))):
        wanted = rounds < _ROUNDS
        item[again] = (
            draw_items(rows[again], shares, catalogue, rng) if wanted else rng.integers(num_items, size=len(again))
        )
        rounds += 1
    return item


def _draw_columns(below: Real, rows: IntArray, rng: np.random.Generator) -> IntArray:
    """Draw a column per row number from running sums; one search over all rows laid end to end."""
    num_columns = below.shape[1]
    ladder = (np.minimum(below, 1.0) + np.arange(len(below))[:, None]).ravel()
    place = np.searchsorted(ladder, rows + rng.random(len(rows)), side="right")
    column: IntArray = np.clip(place - rows * num_columns, 0, num_columns - 1)
    return column


def _is_repeat(keys: IntArray) -> BoolArray:
    order = np.argsort(keys, kind="stable")
    repeat = np.zeros(len(keys), dtype=np.bool_)
    repeat[order[1:]] = keys[order[1:]] == keys[order[:-1]]
    return repeat
