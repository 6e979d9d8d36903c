"""Where known events give the held-out ones away.

*Twins*: one product listed in two domains. Who buys it there is nearly who buys it here, so a user's
held-out event in one domain stands in the user's history of the other. Twins are told by their buyer
sets: at least `min_buyers` users in common and a Jaccard similarity of at least `min_jaccard`. No pair
of all items is looked at: items that share a min-hash band of two values (Broder 1997) are compared
exactly, which finds a pair of similarity 0.6 with probability 0.99 and of 0.8 with 0.9999.

Two rates are told apart. *Given away*: the twins are told by all events; this is what can be known.
*Visible*: of these, the twins that training and validation events alone tell; this is what a model can
make use of. It is lower, because a test event is missing in one of the two buyer sets that are compared.

*Repeated pairs*: where item ids are shared, the very item that a user is held out on may be in the user's
history of another domain.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graphrec.core.seeds import generator
from graphrec.core.types import JSON, BoolArray, IntArray
from graphrec.data.clean import domain_slices
from graphrec.data.config import LeaksConfig
from graphrec.data.dataset import TEST, TRAIN, VALID
from graphrec.data.inspect._numba_leaks import sketch
from graphrec.data.split import PARTS

TWINS = {
    "item": pl.Int32,
    "domain": pl.UInt16,
    "twin": pl.Int32,
    "twin_domain": pl.UInt16,
    "num_users": pl.Int64,
    "num_twin_users": pl.Int64,
    "num_both": pl.Int64,
}
"""Columns of a table of twins; each pair stands twice, once from either side."""

_PAIR = ("item", "domain", "twin", "twin_domain")
_IS_HISTORY = pl.col("split").is_in([PARTS.index(TRAIN), PARTS.index(VALID)])
"""What is known of a user when the test comes."""

_OTHER_SIDE = {"row": "other", "item": "twin", "domain": "twin_domain", "num_users": "num_twin_users"}
_AGREEING = 4
"""Of the twelve hashes of a pass, so many must be equal; of twins by the defaults 1 in 600 has fewer."""

_BUCKET_BITS = 24
_PASSES, _BANDS, _ROWS = 2, 6, 2
"""Twelve bands of two hashes, in two passes over the events, so that the sketches of all items fit in memory."""

_MANY = 50_000_000
"""From so many events on, one pass must do: it finds a pair of similarity 0.6 with probability 0.93, 0.8 with 0.998."""


def find_twins(events: pl.DataFrame, num_items: int, config: LeaksConfig, *, seed: int = 0) -> pl.DataFrame:
    """Return the pairs of items of two domains with nearly the same buyers, with the columns of `TWINS`.

    `events` has the columns of `clean.EVENTS`, sorted by domain, a (user, item, domain) once. User ids
    must mean the same person in all domains; where they do not, nothing is found.
    """
    listed = _listed(events, num_items, config)
    if listed["domain"].n_unique() < 2:
        return pl.DataFrame(schema=TWINS)
    pairs = _blocked(events, listed, num_items, config, seed)
    return _alike(pairs.join(_shared(events, pairs), on=list(_PAIR)), config)


def visible_twins(events: pl.DataFrame, twins: pl.DataFrame, config: LeaksConfig) -> pl.DataFrame:
    """Return those of `twins` that are twins by training and validation events alone, counted in these."""
    known = _where_in(events.lazy(), twins).filter(_IS_HISTORY)
    size = known.group_by("item", "domain").agg(num_users=pl.len().cast(pl.Int64))
    pairs = twins.select(_PAIR).join(size, on=["item", "domain"])
    theirs = size.rename({"item": "twin", "domain": "twin_domain", "num_users": "num_twin_users"})
    pairs = pairs.join(theirs, on=["twin", "twin_domain"])
    return _alike(pairs.join(_shared(known, pairs), on=list(_PAIR)), config)


def giveaways(events: pl.DataFrame, twins: pl.DataFrame) -> BoolArray:
    """Return which events give a later part away: they are on the twin of an item that the same user is held out on.

    These are training events on the twin of a validation or test item, and validation events on the
    twin of a test item.
    """
    mask: BoolArray = np.zeros(events.height, dtype=np.bool_)
    # Twins stand from either side, so that the items of the table are those of both ends.
    near = _where_in(events.lazy().with_row_index("row"), twins).filter(pl.col("split") <= PARTS.index(TEST))
    given = near.join(twins, on=["item", "domain"]).select("user", "split", item="twin", domain="twin_domain")
    told = near.join(given, on=["user", "item", "domain"], suffix="_held").filter(
        pl.col("split_held") > pl.col("split")
    )
    mask[told["row"].to_numpy()] = True
    return mask


def leak_rates(events: pl.DataFrame, twins: pl.DataFrame, num_domains: int) -> list[float]:
    """Return for each domain the share of test events whose twin is in the user's history of another domain."""
    near = _where_in(events.lazy().with_row_index("row"), twins)
    known = near.filter(_IS_HISTORY).select("user", twin="item", twin_domain="domain")
    test = near.filter(pl.col("split") == PARTS.index(TEST)).join(twins, on=["item", "domain"])
    given = test.join(known, on=["user", "twin", "twin_domain"], how="semi").unique("row")
    hits = np.bincount(given["domain"].to_numpy(), minlength=num_domains)
    sizes = np.bincount(events["domain"].to_numpy()[_is(events, TEST)], minlength=num_domains)
    return [float(rate) for rate in hits / np.maximum(sizes, 1)]


def repeated_pairs(events: pl.DataFrame) -> tuple[BoolArray, BoolArray]:
    """Return which held-out events a user's history repeats in another domain, and which events of it do so.

    Both are [num_events]. Where one id is one item in all domains, a user may be tested in one domain on
    what they have in another. Within a domain this cannot be: there each user and item stand once.
    """
    held, known = np.zeros((2, events.height), dtype=np.bool_)
    near = events.lazy().with_row_index("row").filter(pl.Series(_in_two_domains(events)[events["item"].to_numpy()]))
    near = near.filter(pl.col("split") <= PARTS.index(TEST)).select("row", "user", "item", "split")
    told = near.join(near, on=["user", "item"], suffix="_held").filter(pl.col("split_held") > pl.col("split"))
    rows = told.select("row", "row_held").collect(engine="streaming")
    known[rows["row"].to_numpy()], held[rows["row_held"].to_numpy()] = True, True
    return held, known


def _in_two_domains(events: pl.DataFrame) -> BoolArray:
    item = events["item"].to_numpy()
    count = np.zeros(int(item.max(initial=-1)) + 1, dtype=np.uint16)
    for rows in _slices(events):
        seen = np.zeros(len(count), dtype=np.bool_)
        seen[item[rows]] = True
        count += seen
    two: BoolArray = count > 1
    return two


def leak_report(
    events: pl.DataFrame, domains: Sequence[str], num_items: int, config: LeaksConfig, *, seed: int = 0
) -> JSON:
    """Return the numbers of twins, of repeated pairs, and of test events given away in each domain."""
    known = find_twins(events, num_items, config, seed=seed)
    visible = visible_twins(events, known, config)
    held, _ = repeated_pairs(events)
    repeated = np.bincount(events["domain"].to_numpy()[held], minlength=len(domains)).tolist()
    rates = zip(
        domains,
        leak_rates(events, known, len(domains)),
        leak_rates(events, visible, len(domains)),
        repeated,
        strict=True,
    )
    return {
        "min_jaccard": config.min_jaccard,
        "min_buyers": config.min_buyers,
        "num_twins": known.height // 2,
        "num_visible_twins": visible.height // 2,
        "num_giveaways": int(giveaways(events, known).sum()) if known.height else 0,
        "num_repeated": sum(repeated),
        "domains": [
            {"domain": name, "given_away": given, "visible": seen, "num_repeated": again}
            for name, given, seen, again in rates
        ],
    }


def _is(events: pl.DataFrame, part: str) -> BoolArray:
    mask: BoolArray = events["split"].to_numpy() == PARTS.index(part)
    return mask


def _slices(events: pl.DataFrame) -> list[slice]:
    return list(domain_slices(events, int(events["domain"].to_numpy().max(initial=0)) + 1))


def _alike(pairs: pl.DataFrame, config: LeaksConfig) -> pl.DataFrame:
    union = pl.col("num_users") + pl.col("num_twin_users") - pl.col("num_both")
    alike = (pl.col("num_both") >= config.min_buyers) & (pl.col("num_both") >= config.min_jaccard * union)
    return pairs.filter(alike).select(*TWINS).sort(_PAIR)


def _listed(events: pl.DataFrame, num_items: int, config: LeaksConfig) -> pl.DataFrame:
    """Return the (item, domain) that may have a twin, a row each, and how many buyers they have."""
    user, item, slices = events["user"].to_numpy(), events["item"].to_numpy(), _slices(events)
    num_domains = np.zeros(int(user.max(initial=-1)) + 1, dtype=np.uint16)
    for rows in slices:
        seen = np.zeros(len(num_domains), dtype=np.bool_)
        seen[user[rows]] = True
        num_domains += seen
    tables = [pl.DataFrame(schema={name: TWINS[name] for name in ("item", "num_users", "domain")})]
    for domain, rows in enumerate(slices):
        size = np.bincount(item[rows], minlength=num_items)
        # A buyer whom no other domain knows is missing in every twin's buyer set.
        shared = np.bincount(item[rows][num_domains[user[rows]] > 1], minlength=num_items)
        kept = np.flatnonzero((shared >= config.min_buyers) & (shared >= config.min_jaccard * size))
        table = pl.DataFrame({"item": kept.astype(np.int32), "num_users": size[kept]})
        tables.append(table.with_columns(domain=pl.lit(domain, dtype=TWINS["domain"])))
    return pl.concat(tables).with_row_index("row")


def _signatures(
    events: pl.DataFrame, listed: pl.DataFrame, num_items: int, odd: NDArray[np.uint64]
) -> NDArray[np.uint32]:
    """Return the smallest hash of each listed item's buyers under each multiplier, `[num_listed, len(odd)]`."""
    smallest = np.full((listed.height, len(odd)), 2**32 - 1, dtype=np.uint32)
    user, item = events["user"].to_numpy(), events["item"].to_numpy()
    place = np.empty(num_items, dtype=np.int32)
    for domain, rows in enumerate(_slices(events)):
        own = listed.filter(pl.col("domain") == domain)
        place[:] = -1
        place[own["item"].to_numpy()] = own["row"].to_numpy()
        sketch(user[rows], item[rows], place, odd, smallest)
    return smallest


def _blocked(
    events: pl.DataFrame, listed: pl.DataFrame, num_items: int, config: LeaksConfig, seed: int
) -> pl.DataFrame:
    """Return the pairs of two domains that agree in a band and are of similar size, from either side."""
    passes = 1 if events.height >= _MANY else _PASSES
    odd = generator(seed, "twins").integers(0, 2**64, (passes, _BANDS * _ROWS), dtype=np.uint64) | np.uint64(1)
    sizes = ("num_users", "num_twin_users")
    near = pl.min_horizontal(sizes) >= config.min_jaccard * pl.max_horizontal(sizes)
    found = []
    for multipliers in odd:
        signatures = _signatures(events, listed, num_items, multipliers)
        for band in range(0, _BANDS * _ROWS, _ROWS):
            key = (signatures[:, band].astype(np.uint64) << np.uint64(32)) | signatures[:, band + 1]
            rows = _repeated(key)
            left = listed[rows].with_columns(key=key[rows])
            right = left.rename(_OTHER_SIDE)
            pairs = left.join(right, on="key").filter((pl.col("domain") != pl.col("twin_domain")) & near).drop("key")
            equal = signatures[pairs["row"].to_numpy()] == signatures[pairs["other"].to_numpy()]
            found.append(pairs.filter(equal.sum(axis=1) >= _AGREEING).drop("row", "other"))
    return pl.concat(found).unique(_PAIR)


def _repeated(keys: NDArray[np.uint64]) -> IntArray:
    """Return where values stand that occur more than once, and some others: those that fall into a common bucket."""
    # Smallest hashes are small numbers: multiplying spreads them over the buckets.
    bucket = ((keys * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - _BUCKET_BITS)).astype(np.int64)
    return np.flatnonzero(np.bincount(bucket, minlength=2**_BUCKET_BITS)[bucket] > 1)


def _shared(events: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Count the buyers that the two items of each pair have in common: the pair, num_both."""
    needed = pairs.select("item", "domain").unique()
    near = _where_in(events.lazy(), needed)
    buyers = near.select("user", "item", "domain").join(needed, on=["item", "domain"], how="semi")
    met = pairs.select(_PAIR).join(buyers, on=["item", "domain"])
    met = met.join(
        buyers.rename({"item": "twin", "domain": "twin_domain"}), on=["twin", "twin_domain", "user"], how="semi"
    )
    return met.group_by(_PAIR).agg(num_both=pl.len().cast(pl.Int64))


def _where_in(events: pl.LazyFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """Keep the events on an item of `wanted`, in whatever domain: a cheap cut before a join."""
    return events.filter(pl.col("item").is_in(wanted["item"].unique().implode())).collect()
