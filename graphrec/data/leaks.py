"""Where the training events give the held-out ones away.

*Twins*: one product listed in two domains. Who buys it there is nearly who buys it here, so a user's
held-out event in one domain stands in the user's history of the other. Twins are told by their buyer
sets: at least `min_buyers` users in common and a Jaccard similarity of at least `min_jaccard`. No pair
of all items is looked at: items that share a min-hash band of two values (Broder 1997) are compared
exactly, which finds a pair of similarity 0.6 with probability 0.995 and of 0.8 with 0.99999.

Two rates are told apart. *Given away*: the twins are told by all events; this is what can be known.
*Visible*: the twins are told by training events only; this is what a model can make use of, and it is
lower, because a held-out event is missing in one of the two buyer sets that are compared.

*Repeated pairs*: a held-out event that also is a training event, which a given split may hold.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graphrec.core.seeds import generator
from graphrec.core.types import JSON, BoolArray, IntArray
from graphrec.data._numba_leaks import repeats, sketch
from graphrec.data.clean import domain_slices, segments
from graphrec.data.config import LeaksConfig
from graphrec.data.dataset import TEST, TRAIN
from graphrec.data.split import PARTS, held_out

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

_BANDS, _ROWS = 12, 2


def find_twins(events: pl.DataFrame, num_items: int, config: LeaksConfig, *, seed: int = 0) -> pl.DataFrame:
    """Return the pairs of items of two domains with nearly the same buyers, with the columns of `TWINS`.

    `events` has user, item and domain as in `clean.EVENTS`, sorted by domain, each triple once. User
    ids must mean the same person in all domains; where they do not, nothing is found.
    """
    listed = _listed(events, num_items, config)
    if listed.height < 2:
        return pl.DataFrame(schema=TWINS)
    pairs = _blocked(listed, _signatures(events, listed, num_items, seed), config)
    exact = pairs.join(_shared(events, listed, pairs), on=["row", "other"])
    union = pl.col("num_users") + pl.col("num_twin_users") - pl.col("num_both")
    alike = (pl.col("num_both") >= config.min_buyers) & (pl.col("num_both") >= config.min_jaccard * union)
    return exact.filter(alike).select(*TWINS).sort("domain", "item", "twin_domain", "twin")


def giveaways(events: pl.DataFrame, twins: pl.DataFrame) -> BoolArray:
    """Return which events are training events on the twin of one of the same user's held-out items."""
    held = events.filter(pl.Series(held_out(events["split"].to_numpy())))
    given = _with_twins(held, twins).select("user", item="twin", domain="twin_domain").unique()
    mask: BoolArray = _among(events, given) & (events["split"].to_numpy() == PARTS.index(TRAIN))
    return mask


def leak_rates(events: pl.DataFrame, twins: pl.DataFrame, num_domains: int) -> list[float]:
    """Return for each domain the share of test events whose twin is among the user's training events elsewhere."""
    test = events.filter(pl.col("split") == PARTS.index(TEST))
    train = events.filter(pl.col("split") == PARTS.index(TRAIN)).select("user", twin="item", twin_domain="domain")
    given = _with_twins(test.with_row_index("row"), twins).join(train, on=["user", "twin", "twin_domain"], how="semi")
    hits = np.bincount(given.unique("row")["domain"].to_numpy(), minlength=num_domains)
    sizes = np.bincount(test["domain"].to_numpy(), minlength=num_domains)
    return [float(rate) for rate in hits / np.maximum(sizes, 1)]


def repeated_pairs(events: pl.DataFrame) -> BoolArray:
    """Return which held-out events are training events too: same user, item and domain. Drop them to be safe.

    `events` is sorted by domain and user.
    """
    parts = events["split"].to_numpy()
    found: BoolArray = repeats(
        events["item"].to_numpy(), parts == PARTS.index(TRAIN), held_out(parts), segments(events)
    )
    return found


def leak_report(
    events: pl.DataFrame, domains: Sequence[str], num_items: int, config: LeaksConfig, *, seed: int = 0
) -> JSON:
    """Return the numbers of twins, of repeated pairs, and of test events given away in each domain."""
    train = events.filter(pl.col("split") == PARTS.index(TRAIN))
    known, visible = (find_twins(part, num_items, config, seed=seed) for part in (events, train))
    repeated = np.bincount(events["domain"].to_numpy()[repeated_pairs(events)], minlength=len(domains)).tolist()
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


def _listed(events: pl.DataFrame, num_items: int, config: LeaksConfig) -> pl.DataFrame:
    """Return the (item, domain) that may have a twin, a row each, and how many buyers they have."""
    user, item = events["user"].to_numpy(), events["item"].to_numpy()
    slices = list(domain_slices(events, int(events["domain"].to_numpy().max(initial=0)) + 1))
    num_domains = np.zeros(int(user.max(initial=-1)) + 1, dtype=np.uint16)
    for rows in slices:
        seen = np.zeros(len(num_domains), dtype=np.bool_)
        seen[user[rows]] = True
        num_domains += seen
    tables = []
    for domain, rows in enumerate(slices):
        size = np.bincount(item[rows], minlength=num_items)
        # A buyer whom no other domain knows is missing in every twin's buyer set.
        shared = np.bincount(item[rows][num_domains[user[rows]] > 1], minlength=num_items)
        kept = np.flatnonzero((shared >= config.min_buyers) & (shared >= config.min_jaccard * size))
        tables.append(
            pl.DataFrame({"item": kept.astype(np.int32), "num_users": size[kept]}).with_columns(_code(domain))
        )
    table = pl.concat(tables) if len(tables) > 1 else pl.DataFrame(schema={"item": pl.Int32})
    return table.with_row_index("row")


def _code(domain: int) -> pl.Expr:
    return pl.lit(domain, dtype=TWINS["domain"]).alias("domain")


def _signatures(events: pl.DataFrame, listed: pl.DataFrame, num_items: int, seed: int) -> NDArray[np.uint64]:
    """Return the smallest hashes of each listed item's buyers, `[num_listed, bands * rows]`."""
    odd = generator(seed, "twins").integers(0, 2**64, _BANDS * _ROWS, dtype=np.uint64) | np.uint64(1)
    smallest = np.full((listed.height, len(odd)), 2**32, dtype=np.uint64)
    user, item = events["user"].to_numpy(), events["item"].to_numpy()
    place = np.empty(num_items, dtype=np.int32)
    for domain, rows in enumerate(domain_slices(events, int(events["domain"].to_numpy().max()) + 1)):
        own = listed.filter(pl.col("domain") == domain)
        place[:] = -1
        place[own["item"].to_numpy()] = own["row"].to_numpy()
        sketch(user[rows], item[rows], place, odd, smallest)
    return smallest


def _blocked(listed: pl.DataFrame, signatures: NDArray[np.uint64], config: LeaksConfig) -> pl.DataFrame:
    """Return the pairs of rows of two domains that agree in a band and are of similar size, from either side."""
    found = []
    sides = listed.rename({"row": "other", "item": "twin", "domain": "twin_domain", "num_users": "num_twin_users"})
    near = pl.min_horizontal("num_users", "num_twin_users") >= config.min_jaccard * pl.max_horizontal(
        "num_users", "num_twin_users"
    )
    for band in range(_BANDS):
        first, second = signatures[:, band * _ROWS], signatures[:, band * _ROWS + 1]
        key = pl.Series("key", (first << np.uint64(32)) ^ second)
        repeated = pl.Series(key.is_duplicated())
        left, right = (side.with_columns(key).filter(repeated) for side in (listed, sides))
        pairs = left.join(right, on="key").filter((pl.col("domain") != pl.col("twin_domain")) & near)
        found.append(pairs.drop("key"))
    return pl.concat(found).unique(["row", "other"])


def _shared(events: pl.DataFrame, listed: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Count the buyers that the two items of each pair have in common: row, other, num_both."""
    needed = listed.join(pairs.select("row").unique(), on="row", how="semi").select("row", "item", "domain")
    buyers = _where_in(events, needed).join(needed, on=["item", "domain"]).select("row", "user")
    met = (
        pairs.select("row", "other")
        .join(buyers, on="row")
        .join(buyers.rename({"row": "other"}), on=["other", "user"], how="semi")
    )
    return met.group_by("row", "other").agg(num_both=pl.len().cast(pl.Int64))


def _with_twins(events: pl.DataFrame, twins: pl.DataFrame) -> pl.DataFrame:
    """Join each event on an item that has twins with each of them."""
    named = twins.select("item", "domain", "twin", "twin_domain")
    return _where_in(events, named).join(named, on=["item", "domain"])


def _among(events: pl.DataFrame, wanted: pl.DataFrame) -> BoolArray:
    """Return which events are among the (user, item, domain) of `wanted`."""
    mask = np.zeros(events.height, dtype=np.bool_)
    rows = _where_in(events.with_row_index("row"), wanted).join(wanted, on=["user", "item", "domain"], how="semi")
    mask[rows["row"].to_numpy()] = True
    return mask


def _where_in(events: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """Keep the events on an item of `wanted`, in whatever domain: a cheap cut before a join."""
    marked: BoolArray = np.zeros(max(_top(events), _top(wanted)) + 1, dtype=np.bool_)
    marked[wanted["item"].to_numpy()] = True
    return events.filter(pl.Series(marked[events["item"].to_numpy()]))


def _top(table: pl.DataFrame) -> int:
    item: IntArray = table["item"].to_numpy()
    return int(item.max(initial=-1))
