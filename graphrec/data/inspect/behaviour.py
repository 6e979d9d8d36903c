"""Relations of a knowledge graph that are behaviour in disguise: also_bought, co_click and the like.

They are made from the very events that are predicted, so a gain from them is no gain from knowledge.
They are told by name, and by data: where a relation ties items to items, tied items share far more
users than items of the same popularity taken at random.
"""

import re

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from graphrec.core.seeds import generator
from graphrec.core.types import JSON, IntArray
from graphrec.data.clean import domain_slices
from graphrec.data.dataset import Dataset

MIN_LIFT = 5.0
"""From this lift on, a relation between items looks like behaviour, whatever its name (amazon5 has 9 to 13)."""

MIN_PAIRS = 50
"""A relation that ties fewer pairs of items has no lift."""

_SAMPLE, _SAMPLED_PAIRS, _NEAR = 5_000, 50_000, 25

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
    lifts = _lifts(dataset, events, counts, left, right, seed) if counts.max(initial=0) >= MIN_PAIRS else {}
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
) -> dict[int, float]:
    """Return the lift of each relation that ties enough pairs of items."""
    random = generator(seed, "behaviour")
    near, place = _by_popularity(events, len(dataset.domains), len(dataset.items))
    measured = np.flatnonzero(counts >= MIN_PAIRS).tolist()
    size = max(min(_SAMPLE, _SAMPLED_PAIRS // len(measured)), MIN_PAIRS)
    pairs = {}
    for relation in measured:
        rows = np.flatnonzero((dataset.triples.relation == relation) & (left >= 0) & (right >= 0) & (left != right))
        rows = random.choice(rows, min(size, len(rows)), replace=False)
        step = random.integers(1, _NEAR + 1, len(rows)) * random.choice([-1, 1], len(rows))
        pairs[relation] = left[rows], right[rows], near[(place[right[rows]] + step) % len(near)]
    wanted = np.unique(np.concatenate([items for triple in pairs.values() for items in triple]))
    buyers = _buyers(events, len(dataset.domains), wanted, len(dataset.items))
    lifts = {}
    for relation, triple in pairs.items():
        one, two, other = (np.searchsorted(wanted, items) for items in triple)
        real, chance = (int(buyers[one].multiply(buyers[second]).sum()) for second in (two, other))
        # Half an event on either side keeps a lift finite where chance pairs share nobody.
        lifts[relation] = (real + 0.5) / (chance + 0.5)
    return lifts


def _by_popularity(events: pl.DataFrame, num_domains: int, num_items: int) -> tuple[IntArray, IntArray]:
    """Return all items by domain and number of events, and the place of each item in that list."""
    item = events["item"].to_numpy()
    domain, count = np.zeros((2, num_items), dtype=np.int64)
    for place, rows in enumerate(domain_slices(events, num_domains)):
        own = np.bincount(item[rows], minlength=num_items)
        domain[own > 0] = place
        count += own
    order = np.lexsort((count, domain))
    back = np.empty(num_items, dtype=np.int64)
    back[order] = np.arange(num_items)
    return order, back


def _buyers(events: pl.DataFrame, num_domains: int, wanted: IntArray, num_items: int) -> csr_array:
    """Return which users have which of the `wanted` items, `[len(wanted), num_users]`, each once."""
    user, item = events["user"].to_numpy(), events["item"].to_numpy()
    place = np.full(num_items, -1, dtype=np.int32)
    place[wanted] = np.arange(len(wanted), dtype=np.int32)
    found = []
    # Domain by domain, since an index of all events would be twice as large as the events.
    for rows in domain_slices(events, num_domains):
        row = place[item[rows]]
        found.append((row[row >= 0], user[rows][row >= 0]))
    row, column = (np.concatenate(part) for part in zip(*found, strict=True))
    shape = (len(wanted), int(user.max(initial=0)) + 1)
    buyers = csr_array((np.ones(len(row), dtype=np.int32), (row, column)), shape=shape)
    buyers.data[:] = 1
    return buyers
