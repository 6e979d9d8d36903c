"""Invented words: every topic has its own, all share some, so that text tells topics apart, with noise."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graphrec.core.seeds import generator
from graphrec.core.types import IntArray
from graphrec.data.simulate.config import TextConfig
from graphrec.data.simulate.latent import Real

Words = NDArray[Any]
"""Unicode strings."""

_SYLLABLES = np.array([c + v for c in "bdfgklmnprstvz" for v in "aeiou"])

TITLE = 3
"""Words of a title."""


@dataclass(frozen=True)
class Vocabulary:
    """topic: [topics, words of each]; common: words of no topic; near: [topics, 3] nearest topics."""

    topic: Words
    common: Words
    near: IntArray


def draw_vocabulary(config: TextConfig, centres: Real, seed: int) -> Vocabulary:
    """Invent distinct words and deal them to the topics."""
    num_topics, rng = len(centres), generator(seed, "simulate", "words")
    num_own = num_topics * config.topic_words
    words = _invent(num_own + config.common_words, rng)
    own = words[:num_own].reshape(num_topics, config.topic_words)
    return Vocabulary(own, words[num_own:], nearest(centres, 3))


def nearest(centres: Real, count: int) -> IntArray:
    """Return `[topics, count]`: the topics closest to each one, itself left out."""
    gram = centres @ centres.T
    np.fill_diagonal(gram, -np.inf)
    return np.argsort(-gram, axis=1, kind="stable")[:, :count]


def describe_items(config: TextConfig, words: Vocabulary, topic: IntArray, rng: np.random.Generator) -> pl.DataFrame:
    """Return title and text of items with the given topics."""
    shape = len(topic), config.length + TITLE
    strange = rng.random(shape) < config.noise
    common = rng.random(shape) < 0.5
    # A strange word is a common one or a neighbouring topic's, so that text hints at the wrong topic, too.
    neighbour = words.near[topic[:, None], rng.integers(words.near.shape[1], size=shape)]
    home = np.where(strange, neighbour, topic[:, None])
    drawn = words.topic[home, rng.integers(words.topic.shape[1], size=shape)]
    drawn = np.where(strange & common, words.common[rng.integers(len(words.common), size=shape)], drawn)
    return pl.DataFrame({"title": _joined(drawn[:, :TITLE]), "text": _joined(drawn[:, TITLE:])})


def name_entities(words: Vocabulary, topic: IntArray, rng: np.random.Generator) -> Words:
    """Return one distinct name per entity: two words of its topic, numbered where the pairs run out."""
    size = words.topic.shape[1]
    order = np.argsort(topic, kind="stable")
    place = np.empty(len(topic), dtype=np.int64)
    place[order] = np.arange(len(topic)) - np.searchsorted(topic[order], topic[order])
    round_, pair = np.divmod(place, size * (size - 1))
    pair = rng.permutation(size * (size - 1))[pair]
    first, step = np.divmod(pair, size - 1)
    names = np.char.add(np.char.add(words.topic[topic, first], " "), words.topic[topic, (first + 1 + step) % size])
    return np.where(round_ > 0, np.char.add(names, np.char.mod(" %d", round_ + 1)), names)


def _invent(count: int, rng: np.random.Generator) -> Words:
    length, num = 3, len(_SYLLABLES)
    while num**length < 3 * count:
        length += 1
    number, word = rng.choice(num**length, size=count, replace=False), np.full(count, "")
    for _ in range(length):
        number, syllable = np.divmod(number, num)
        word = np.char.add(word, _SYLLABLES[syllable])
    return word


def _joined(words: Words) -> pl.Series:
    columns = pl.DataFrame({f"w{i}": column.astype(object) for i, column in enumerate(words.T)})
    return columns.select(pl.concat_str(pl.all().cast(pl.String), separator=" ")).to_series()
