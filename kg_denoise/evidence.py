"""What a signal may look at beside the triples: words, types, users, and what the data say of each triple."""

from dataclasses import dataclass, field

import numpy as np

from graphrec.core.types import FloatArray, IntArray
from graphrec.data.dataset import Dataset, Votes
from graphrec.data.nearness import entity_text

_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """A many-to-many relation as two equal-length arrays, no pair twice, sorted by (`entity`, `other`).

    `num_others` bounds the numbers in `other`.
    """

    entity: IntArray = field(default_factory=_NONE.copy)
    other: IntArray = field(default_factory=_NONE.copy)
    num_others: int = 0

    def __len__(self) -> int:
        return len(self.entity)

    @classmethod
    def of(cls, entity: IntArray, other: IntArray, num_others: int) -> "Pairs":
        """Sort the pairs and drop repeats."""
        key = np.unique(entity * max(num_others, 1) + other)
        return cls(entity=key // max(num_others, 1), other=key % max(num_others, 1), num_others=num_others)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything beside the triples that a signal may look at; empty where the data lack it.

    `relations` are names in id order. `text[e]` describes entity `e`, empty where nothing is known;
    `types` pairs an entity with each type it is known to have; `users` pairs an entity with each
    user who met one of its items in the training events, of any domain.

    `votes` and `confidence` [num_triples] speak of the rows of the data set's own triples, so that they can
    weigh those but never score a corruption; confidence is empty where all triples came with the same.
    """

    num_entities: int
    relations: tuple[str, ...]
    text: tuple[str, ...] = ()
    types: Pairs = field(default_factory=Pairs)
    users: Pairs = field(default_factory=Pairs)
    votes: Votes = field(default_factory=Votes)
    confidence: FloatArray = field(default_factory=lambda: np.empty(0, dtype=np.float32))

    @property
    def num_relations(self) -> int:
        """Return the number of relations."""
        return len(self.relations)


def gather(dataset: Dataset) -> Evidence:
    """Collect from `dataset` what its signals may look at; validation and test events are not among it."""
    confidence = dataset.triples.confidence
    tells = len(confidence) > 0 and bool((confidence != confidence[0]).any())
    return Evidence(
        num_entities=len(dataset.entities),
        relations=dataset.relations,
        text=entity_text(dataset),
        types=Pairs.of(dataset.type_entity, dataset.type_index, len(dataset.types)),
        users=_users(dataset),
        votes=dataset.votes,
        confidence=confidence if tells else np.empty(0, dtype=np.float32),
    )


def _users(dataset: Dataset) -> Pairs:
    """Join training events with links: who met which entity."""
    order = np.argsort(dataset.train.item, kind="stable")
    item, user = dataset.train.item[order], dataset.train.user[order]
    start, stop = (np.searchsorted(item, dataset.link_item, side=side) for side in ("left", "right"))
    count = stop - start
    # Each link takes the block of its item's events.
    place = np.arange(count.sum()) + np.repeat(start - (np.cumsum(count) - count), count)
    return Pairs.of(np.repeat(dataset.link_entity, count), user[place], len(dataset.users))
