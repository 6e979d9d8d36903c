"""Relations of a knowledge graph that are behaviour in disguise: also_bought, co_click and the like.

They are made from the very events that are predicted, so a gain from them is no gain from knowledge.
They are told by name, and by data: where a relation ties items to items, tied items share far more
users than items of the same popularity taken at random.
"""

import re
from collections.abc import Iterator

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from graphrec.core.seeds import generator
from graphrec.core.types import JSON, IntArray
from graphrec.data.dataset import Dataset

MIN_LIFT = 5.0
"""From this lift on, a relation between items looks like behaviour, whatever its name (amazon5 has 9 to 13)."""

MIN_PAIRS = 50
"""A relation that ties fewer pairs of items has no lift."""

_SAMPLE, _NEAR = 5_000, 25

_ACT = "(buy|bought|view|viewed|viewing|purchased?|click|clicked|liked?|watch|watched|listen|listened|rated)"
_NAMES = re.compile(
    rf"(^|_)(also_{_ACT}|{_ACT}_also|co_?({_ACT}|purchasing|clicking|viewing|occur\w*|interact\w*|rat(ed|ing))"
    rf"|{_ACT}_(together|with|after)|buys?_after_\w+|together_{_ACT}|(same|next)_(session|basket|cart)"
    rf"|(session|basket|cart)_(next|with)|users?_(who|also)_\w+|customers?_(who|also)_\w+)(_|$)"
)


def is_behaviour(name: str) -> bool:
    """Return whether a relation's name says that it was derived from behaviour.

    Case, separators, camel case and a leading path do not matter: `amazon:alsoBought` is one.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return _NAMES.search(re.sub(r"[^a-z0-9]+", "_", words.lower())) is not None


def behaviour_relations(dataset: Dataset, events: pl.DataFrame, *, seed: int = 0) -> list[JSON]:
    """Return each relation that is behaviour by its name or ties items to items, with what the data say.

    A row holds the relation, whether its name says behaviour, how many pairs of items it ties, and the
    lift: users in common of its pairs, over those of pairs with a random item of the same popularity in
    place of the second (None below `MIN_PAIRS` pairs). Measured on at most 5,000 pairs.
    """
    item_of = np.full(len(dataset.entities), -1, dtype=np.int64)
    item_of[dataset.link_entity[::-1]] = dataset.link_item[::-1]
    left, right = item_of[dataset.triples.head], item_of[dataset.triples.tail]
    tied = (left >= 0) & (right >= 0) & (left != right)
    counts = np.bincount(dataset.triples.relation[tied], minlength=len(dataset.relations))
    lifts = dict(_lifts(dataset, events, counts, left, right, seed)) if counts.max(initial=0) >= MIN_PAIRS else {}
    return [
        {
            "relation": name,
            "by_name": is_behaviour(name),
            "by_data": lifts.get(relation, 0.0) >= MIN_LIFT,
            "num_pairs": int(counts[relation]),
            "lift": lifts.get(relation),
        }
        for relation, name in enumerate(dataset.relations)
        if counts[relation] or is_behaviour(name)
    ]


def _lifts(
    dataset: Dataset, events: pl.DataFrame, counts: IntArray, left: IntArray, right: IntArray, seed: int
) -> Iterator[tuple[int, float]]:
    random = generator(seed, "behaviour")
    near, place = _by_popularity(events, len(dataset.items))
    for relation in np.flatnonzero(counts >= MIN_PAIRS).tolist():
        rows = np.flatnonzero((dataset.triples.relation == relation) & (left >= 0) & (right >= 0) & (left != right))
        rows = random.choice(rows, min(_SAMPLE, len(rows)), replace=False)
        one, two = left[rows], right[rows]
        step = random.integers(1, _NEAR + 1, len(rows)) * random.choice([-1, 1], len(rows))
        other = near[(place[two] + step) % len(near)]
        real, chance = _num_shared(events, one, two), _num_shared(events, one, other)
        # Half an event on either side keeps a lift finite where chance pairs share nobody.
        yield relation, (real + 0.5) / (chance + 0.5)


def _by_popularity(events: pl.DataFrame, num_items: int) -> tuple[IntArray, IntArray]:
    """Return all items by domain and number of events, and the place of each item in that list."""
    item = events["item"].to_numpy()
    domain = np.zeros(num_items, dtype=np.int64)
    domain[item] = events["domain"].to_numpy()
    order = np.lexsort((np.bincount(item, minlength=num_items), domain))
    place = np.empty(num_items, dtype=np.int64)
    place[order] = np.arange(num_items)
    return order, place


def _num_shared(events: pl.DataFrame, left: IntArray, right: IntArray) -> int:
    """Return how many users the two items of each pair have in common, summed over the pairs."""
    wanted, column = np.unique(np.concatenate([left, right]), return_inverse=True)
    item, user = events["item"].to_numpy(), events["user"].to_numpy()
    place = np.full(max(int(wanted[-1]), int(item.max(initial=0))) + 1, -1, dtype=np.int64)
    place[wanted] = np.arange(len(wanted))
    row = place[item]
    kept = row >= 0
    shape = (len(wanted), int(user.max(initial=0)) + 1)
    buyers = csr_array((np.ones(int(kept.sum()), dtype=np.int32), (row[kept], user[kept])), shape=shape)
    buyers.data[:] = 1
    return int(buyers[column[: len(left)]].multiply(buyers[column[len(left) :]]).sum())
