"""Reader of Amazon Reviews as published by McAuley's group: one review file and one item file per category.

    2014, 2018   reviewerID, asin, overall, unixReviewTime (seconds)     asin, title, brand, categories, related
    2023         user_id, parent_asin, rating, timestamp (milliseconds)  parent_asin, title, store, categories

The item files of 2014 hold Python literals rather than JSON; they are parsed, never evaluated.
"""

from pathlib import Path

import polars as pl

from graphrec.core.errors import DataError
from graphrec.data.config import AmazonConfig, AmazonDomain
from graphrec.data.files.checks import Check, Problems, empty, run_checks
from graphrec.data.files.scan import expand, home
from graphrec.data.raw import ITEMS, TRIPLES, RawTables, TableRead
from graphrec.data.readers.amazon_items import read_items
from graphrec.data.readers.columns import as_interactions, as_items, as_links
from graphrec.data.readers.lines import find_file, read_lines

# The year 2100: what lies behind it is milliseconds where seconds belong.
_LATEST = 4_102_444_800_000_000
_FIELDS = ("reviewerID", "user_id", "asin", "parent_asin", "overall", "rating", "unixReviewTime", "timestamp")


def files(config: AmazonConfig) -> list[Path]:
    """Return the files that `config` names, in order; raise `DataError` on a missing one."""
    names = [name for domain in config.domains for name in (domain.reviews, domain.metadata) if name is not None]
    return [path for name in names for path in expand(name, home(config.folder))]


def read(config: AmazonConfig) -> RawTables:
    """Read events, item texts and facts; raise one `DataError` naming file, line and what was expected there."""
    if not config.domains:
        raise DataError("ingest.amazon.domains: none given; name at least one domain and its review file")
    problems, tables = Problems(), list[TableRead]()
    events, items, triples = [], [pl.DataFrame(schema=ITEMS)], [pl.DataFrame(schema=TRIPLES)]
    for domain in config.domains:
        found = _events(config, domain, problems, tables)
        events.append(found.with_columns(domain=pl.lit(domain.name)))
        path = find_file(config.folder, domain.metadata, problems) if domain.metadata is not None else None
        if path is not None:
            known = set(found["item"].unique().to_list())
            texts, facts, table = read_items(path, known, config.text, config.behaviour, problems)
            items.append(as_items(texts.with_columns(domain=pl.lit(domain.name))))
            triples.append(facts)
            tables.append(table)
    problems.raise_any()
    bought = pl.concat(events)
    entity = (pl.lit("product:") + pl.col("item")).alias("entity")
    return RawTables(
        interactions=as_interactions(bought),
        items=pl.concat(items),
        triples=pl.concat(triples),
        links=as_links(bought.select("item", "domain", entity).unique(maintain_order=True)),
        link_by_id=False,
        timed=True,
        about=config.about,
        tables=tuple(tables),
        warnings=tuple(problems.warnings),
    )


def _events(config: AmazonConfig, domain: AmazonDomain, problems: Problems, tables: list[TableRead]) -> pl.DataFrame:
    """One row for each review: user, item, order (microseconds)."""
    path = find_file(config.folder, domain.reviews, problems)
    if path is None:
        return pl.DataFrame(schema={"user": pl.String, "item": pl.String, "order": pl.Int64})
    found = read_lines(path, problems, _FIELDS)
    times = (_microseconds("unixReviewTime", 1_000_000), _microseconds("timestamp", 1_000))
    reviews = found.select(
        "row",
        user=pl.coalesce("reviewerID", "user_id"),
        # Variants of a product share one parent, and only the parent has a line in the item file.
        item=pl.coalesce("parent_asin", "asin"),
        rating=pl.coalesce("overall", "rating").cast(pl.Float64, strict=False),
        order=pl.coalesce(*times),
    )
    checks = [
        Check(bad=empty("user"), text="{} without reviewerID (2014) or user_id (2023)"),
        Check(bad=empty("item"), text="{} without asin (2014) or parent_asin (2023)"),
        Check(bad=~pl.col("rating").is_between(0, 5), text="{} without overall (2014) or rating (2023) from 0 to 5"),
        Check(
            bad=pl.col("order").is_null(),
            text="{} without unixReviewTime (2014, seconds) or timestamp (2023, milliseconds)",
        ),
    ]
    run_checks(reviews.lazy(), checks, str(path), problems)
    kept = reviews.filter(pl.col("rating") >= config.min_rating)
    tables.append(TableRead(kind="interactions", path=str(path), num_rows=found.height, num_kept=kept.height))
    return kept.select("user", "item", "order")


def _microseconds(name: str, unit: int) -> pl.Expr:
    """Return a whole number of units as microseconds, null where it is no time of this century or the last."""
    number = pl.col(name).cast(pl.Int64, strict=False)
    return pl.when(number.is_between(0, _LATEST // unit)).then(number * unit)
