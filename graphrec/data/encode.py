"""Number external ids at scale: one streaming pass over the column, one compiled hash table of 64-bit keys.

A string is told by its 64-bit hash and by its place in the table, which a second, independent hash
gives: for a hundred million distinct ids, the chance that two of them are ever taken for one is below
1e-9. Only the distinct ids are held as text. Internal ids follow the order of the external ones,
whatever the order of the rows.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graphrec.core.errors import DataError
from graphrec.core.ids import IdMap
from graphrec.core.types import IntArray
from graphrec.data._numba_table import number_keys

Codes = NDArray[np.int32]
"""Internal ids of table rows, half the size of an int64; widened where arrays leave this layer."""

_SEEDS = (11, 12)


def number(frame: pl.LazyFrame, kind: str, *, per_domain: bool) -> tuple[IdMap, Codes]:
    """Number the distinct ids of column `kind` (`user` or `item`) of `frame`.

    Returns the map and the internal id of each row, `[num_rows]`. With `per_domain` an id counts once for
    each value of the column `domain`. The column is Int64 or String and has no nulls. Peak memory is
    about 20 bytes a row and 60 bytes an id besides its text. Raises `DataError` above 2**31 - 1 distinct ids.
    """
    key, spread = _keys(frame, kind, per_domain)
    codes, first = number_keys(key, spread)
    del key, spread
    rows = _marked(first, len(codes))
    table = _distinct(frame, kind, per_domain, rows).with_columns(code=pl.Series(codes[rows]))
    if table.height > np.iinfo(np.int32).max:
        raise DataError(f"{kind} ids: {table.height} distinct ids, more than this version numbers ({2**31 - 1})")
    # By two columns and in the streaming engine, text is compared as bytes: several times faster than by one.
    table = table.lazy().sort("scope", "id").collect(engine="streaming")
    place = np.empty(table.height, dtype=np.int32)
    place[table["code"].to_numpy()] = np.arange(table.height, dtype=np.int32)
    return IdMap(kind, table.select("scope", "id")), place[codes]


def _keys(frame: pl.LazyFrame, kind: str, per_domain: bool) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return two 64-bit keys a row: two hashes, or twice the integer itself, which needs none."""
    if not per_domain and frame.collect_schema()[kind] == pl.Int64:
        exact = frame.select(pl.col(kind)).collect(engine="streaming")[kind].to_numpy().view(np.uint64)
        return exact, exact
    value = pl.struct("domain", kind) if per_domain else pl.col(kind)
    hashes = frame.select(value.hash(seed).alias(str(seed)) for seed in _SEEDS).collect(engine="streaming")
    first, second = (hashes[str(seed)].to_numpy() for seed in _SEEDS)
    return first, second


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
