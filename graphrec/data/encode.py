"""Number external ids at scale: one streaming pass over the column, one sort of 64-bit keys.

A string is compared by its 64-bit hash, so that a hundred million rows are sorted as integers; a
second, independent hash proves that no two ids were taken for one. Only the distinct ids are ever
held as text. Internal ids follow the order of the external ones, whatever the order of the rows.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graphrec.core.errors import DataError
from graphrec.core.ids import IdMap
from graphrec.core.types import BoolArray, IntArray

Codes = NDArray[np.int32]
"""Internal ids of table rows, half the size of an int64; widened where arrays leave this layer."""

_SEEDS = ((11, 12), (21, 22), (31, 32))


def number(frame: pl.LazyFrame, kind: str, *, per_domain: bool) -> tuple[IdMap, Codes]:
    """Number the distinct ids of column `kind` (`user` or `item`) of `frame`.

    Returns the map and the internal id of each row, `[num_rows]`. With `per_domain` an id counts once for
    each value of the column `domain`. The column is Int64 or String and has no nulls. Peak memory
    is about 45 bytes a row. Raises `DataError` above 2**31 - 1 distinct ids.
    """
    for seeds in _SEEDS:
        keys = _keys(frame, kind, per_domain, seeds)
        codes, first = _dense(keys["key"])
        if _is_exact(keys, codes, first):
            break
    else:
        raise AssertionError("three pairs of hashes collided")
    del keys
    rows = _marked(first, len(codes))
    table = _distinct(frame, kind, per_domain, rows).with_columns(code=pl.Series(codes[rows]))
    if table.height > np.iinfo(np.int32).max:
        raise DataError(f"{kind} ids: {table.height} distinct ids, more than this version numbers ({2**31 - 1})")
    # By two columns and in the streaming engine, text is compared as bytes: several times faster than by one.
    table = table.lazy().sort("scope", "id").collect(engine="streaming")
    place = np.empty(table.height, dtype=np.int32)
    place[table["code"].to_numpy()] = np.arange(table.height, dtype=np.int32)
    return IdMap(kind, table.select("scope", "id")), place[codes]


def _keys(frame: pl.LazyFrame, kind: str, per_domain: bool, seeds: tuple[int, int]) -> pl.DataFrame:
    """One 64-bit key a row, and where it is a hash a second one to check it by."""
    value = pl.struct("domain", kind) if per_domain else pl.col(kind)
    exact = not per_domain and frame.collect_schema()[kind] == pl.Int64
    columns = [pl.col(kind).alias("key")]
    if not exact:
        columns = [value.hash(seed).alias(name) for name, seed in zip(("key", "check"), seeds, strict=True)]
    return frame.select(columns).collect(engine="streaming")


def _dense(keys: pl.Series) -> tuple[Codes, NDArray[np.uint32]]:
    """Return the rank of each row's key among the distinct keys, and a row of each of them."""
    numbered = pl.DataFrame({"key": keys, "row": pl.int_range(len(keys), dtype=pl.UInt32, eager=True)})
    ordered = numbered.sort("key")
    new, row = _is_new(ordered["key"].to_numpy()), ordered["row"].to_numpy()
    codes = np.empty(len(keys), dtype=np.int32)
    codes[row] = np.cumsum(new, dtype=np.int32) - 1
    return codes, row[new]


def _is_new(ordered: NDArray[np.generic]) -> BoolArray:
    new = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return new


def _is_exact(keys: pl.DataFrame, codes: Codes, first: NDArray[np.uint32]) -> bool:
    if "check" not in keys.columns:
        return True
    check = keys["check"].to_numpy()
    return bool((check == check[first][codes]).all())


def _marked(rows: NDArray[np.uint32], num_rows: int) -> IntArray:
    """Sort distinct row numbers, faster than by comparing them."""
    mask = np.zeros(num_rows, dtype=np.bool_)
    mask[rows] = True
    return np.flatnonzero(mask)


def _distinct(frame: pl.LazyFrame, kind: str, per_domain: bool, rows: IntArray) -> pl.DataFrame:
    """Collect `scope` and `id` of the ascending `rows`, batch by batch."""
    scope = pl.col("domain") if per_domain else pl.lit("")
    columns = frame.select(scope.cast(pl.String).alias("scope"), pl.col(kind).alias("id"))
    parts, start = [columns.head(0).collect()], 0
    for batch in columns.collect_batches(maintain_order=True):
        first, last = np.searchsorted(rows, [start, start + batch.height])
        parts.append(batch[rows[first:last] - start])
        start += batch.height
    return pl.concat(parts)
