"""Number external ids at scale: one streaming pass over the column, one compiled hash table of 64-bit keys.

A string is told by its 64-bit hash and by its place in the table, which a second, independent hash
gives: for a hundred million distinct ids, the chance that two of them are ever taken for one is below
1e-9. Only the distinct ids are held as text. Internal ids follow the order of the external ones,
whatever the order of the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from os.path import commonprefix

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graphrec.core.errors import DataError
from graphrec.core.ids import IdMap
from graphrec.core.seeds import generator
from graphrec.core.types import IntArray
from graphrec.data._numba_table import number_keys

Codes = NDArray[np.int32]
"""Internal ids of table rows, half the size of an int64; widened where arrays leave this layer."""

_SEEDS = (11, 12)
_MANY = 1_000_000


@dataclass(frozen=True)
class Scopes:
    """The domain of each row, as positions in `names`: what an id counts within where it is not shared."""

    names: Sequence[str]
    codes: NDArray[np.uint16]


def number(frame: pl.LazyFrame, kind: str, scopes: Scopes | None = None) -> tuple[IdMap, Codes]:
    """Number the distinct ids of column `kind` (`user` or `item`) of `frame`.

    Returns the map and the internal id of each row, `[num_rows]`. With `scopes` an id counts once for
    each domain. The column is Int64 or String and has no nulls. Peak memory is about 20 bytes a row
    and 60 bytes an id besides its text. Raises `DataError` above 2**31 - 1 distinct ids.
    """
    key, spread = _keys(frame.select(kind), kind, scopes)
    codes, first = number_keys(key, spread)
    del key, spread
    rows = _marked(first, len(codes))
    table = _distinct(frame.select(id=kind), rows).with_columns(
        scope=pl.lit("") if scopes is None else pl.Series(scopes.names, dtype=pl.String).gather(scopes.codes[rows]),
        code=pl.Series(codes[rows]),
    )
    if table.height > np.iinfo(np.int32).max:
        raise DataError(f"{kind} ids: {table.height} distinct ids, more than this version numbers ({2**31 - 1})")
    table = _sorted(table)
    place = np.empty(table.height, dtype=np.int32)
    place[table["code"].to_numpy()] = np.arange(table.height, dtype=np.int32)
    return IdMap(kind, table.select("scope", "id")), place[codes]


def _sorted(table: pl.DataFrame) -> pl.DataFrame:
    """Sort by scope and id; ids that differ in the first eight bytes after what all share are sorted as integers."""
    if table["id"].dtype == pl.String and table.height > _MANY and table["scope"].n_unique() == 1:
        first, last = str(table["id"].min()).encode(), str(table["id"].max()).encode()
        head = pl.col("id").cast(pl.Binary).bin.slice(len(commonprefix([first, last]))) + pl.lit(bytes(8))
        keyed = table.with_columns(key=head.bin.slice(0, 8).bin.reinterpret(dtype=pl.UInt64, endianness="big"))
        ordered = keyed.sort("key")
        if (ordered["key"].to_numpy()[1:] != ordered["key"].to_numpy()[:-1]).all():
            return ordered.drop("key")
    # By two columns and in the streaming engine, text is compared as bytes: several times faster than by one.
    return table.lazy().sort("scope", "id").collect(engine="streaming")


def _keys(column: pl.LazyFrame, kind: str, scopes: Scopes | None) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return two 64-bit keys a row: two hashes, or twice the integer itself, which needs none."""
    if scopes is None and column.collect_schema()[kind] == pl.Int64:
        exact = column.collect(engine="streaming")[kind].to_numpy().view(np.uint64)
        return exact, exact
    hashes = column.select(pl.col(kind).hash(seed).alias(str(seed)) for seed in _SEEDS).collect(engine="streaming")
    first, second = (_apart(hashes[str(seed)].to_numpy(), scopes, seed) for seed in _SEEDS)
    return first, second


def _apart(key: NDArray[np.uint64], scopes: Scopes | None, seed: int) -> NDArray[np.uint64]:
    """Set equal ids of two domains apart by a random word for each domain, without hashing pairs."""
    if scopes is None:
        return key
    return key ^ generator(seed, "scopes").integers(0, 2**64, len(scopes.names), dtype=np.uint64)[scopes.codes]


def _marked(rows: NDArray[np.uint32], num_rows: int) -> IntArray:
    """Sort distinct row numbers, faster than by comparing them."""
    mask = np.zeros(num_rows, dtype=np.bool_)
    mask[rows] = True
    return np.flatnonzero(mask)


def _distinct(column: pl.LazyFrame, rows: IntArray) -> pl.DataFrame:
    """Collect the ascending `rows` of `column`, batch by batch."""
    parts, start = [column.head(0).collect()], 0
    for batch in column.collect_batches(maintain_order=True):
        first, last = np.searchsorted(rows, [start, start + batch.height])
        parts.append(batch[rows[first:last] - start])
        start += batch.height
    return pl.concat(parts)
