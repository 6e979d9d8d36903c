"""External ids to internal ids and back, through one frozen map.

External ids are the user's own strings or integers; internal ids are dense int64, ordered by
external id, so that the same tables give the same ids on every run.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from graphrec.core.errors import DataError
from graphrec.core.types import IntArray


@dataclass(frozen=True)
class IdMap:
    """A bijection between external keys and `0 .. len - 1`.

    A key is an external id, or a pair (scope, id) where one id may mean two things: item 17 of
    the domain "coupons" and item 17 of "shops". `table` has the columns `id` (String or Int64)
    and `scope` (String, empty when ids are shared); the row number is the internal id.
    """

    kind: str
    table: pl.DataFrame

    @classmethod
    def build(cls, kind: str, ids: pl.Series, scope: pl.Series | None = None) -> "IdMap":
        """Collect the distinct keys of `ids` (and `scope`, of equal length) into a new map.

        `kind` ("user", "item", ...) names the map in messages. Raises `DataError` on null ids.
        """
        if ids.null_count():
            raise DataError(f"{kind} ids: {ids.null_count()} nulls; every row needs an id")
        keys = _keys(ids, scope).unique().sort("scope", "id")
        return cls(kind, keys)

    def __len__(self) -> int:
        return self.table.height

    def encode(self, ids: pl.Series, scope: pl.Series | None = None, *, where: str = "") -> IntArray:
        """Return the internal ids of `ids`; raise `DataError` naming the first unknown ids.

        `where` (a file or table name) starts the message.
        """
        found = self.find(ids, scope)
        unknown = np.flatnonzero(found < 0)
        if unknown.size:
            first = ", ".join(f"row {row + 1}: {ids[int(row)]!r}" for row in unknown[:5])
            raise DataError(
                f"{where or self.kind}: {unknown.size} unknown {self.kind} ids ({first}); "
                f"each must be one of the {len(self)} known {self.kind}s{self._cause(ids)}"
            )
        return found

    def find(self, ids: pl.Series, scope: pl.Series | None = None) -> IntArray:
        """Return the internal ids of `ids`, -1 where a key is unknown or of another type."""
        keys = _keys(ids, scope)
        if keys.schema["id"] != self.table.schema["id"]:
            return np.full(len(ids), -1, dtype=np.int64)
        known = self.table.with_row_index("internal").with_columns(pl.col("internal").cast(pl.Int64))
        joined = keys.join(known, on=["scope", "id"], how="left", maintain_order="left")
        return joined["internal"].fill_null(-1).to_numpy().astype(np.int64)

    @property
    def is_scoped(self) -> bool:
        """Return whether an id is one key for each scope, rather than one everywhere."""
        return bool((self.table["scope"] != "").any())

    def find_in(self, table: pl.DataFrame) -> IntArray:
        """Return the internal ids of the column of this kind, within `domain` where ids are scoped; -1: unknown."""
        return self.find(table[self.kind], table["domain"] if self.is_scoped else None)

    def decode(self, internal: IntArray) -> pl.Series:
        """Return the external ids of `internal`."""
        return self.table["id"].gather(internal)

    def save(self, path: Path) -> None:
        """Write the map as one parquet file."""
        self.table.write_parquet(path)

    @classmethod
    def load(cls, kind: str, path: Path) -> "IdMap":
        """Read a map that `save` wrote."""
        return cls(kind, pl.read_parquet(path))

    def _cause(self, ids: pl.Series) -> str:
        if normal_ids(ids).dtype != self.table.schema["id"]:
            return f"; these are {_plain(normal_ids(ids).dtype)}, the known ones {_plain(self.table.schema['id'])}"
        if self.table.schema["id"] != pl.String:
            return ""
        known, tidy = self.table["id"], ids.cast(pl.String)
        if tidy.str.strip_chars().is_in(known.implode()).any():
            return "; some match once surrounding spaces are removed"
        if tidy.str.strip_chars_start("0").is_in(known.str.strip_chars_start("0").implode()).any():
            return "; some match once leading zeros are ignored"
        return ""


def normal_ids(ids: pl.Series) -> pl.Series:
    """Return `ids` as Int64 (any integer column) or String (text, categories); refuse the rest."""
    if ids.dtype.is_integer():
        if ids.dtype == pl.UInt64 and (ids.max() or 0) > np.iinfo(np.int64).max:  # type: ignore[operator]
            raise DataError(f"ids in column {ids.name!r} exceed 64-bit signed integers; store them as text")
        return ids.cast(pl.Int64)
    if ids.dtype in (pl.String, pl.Categorical, pl.Enum):
        return ids.cast(pl.String)
    raise DataError(f"ids in column {ids.name!r} are {ids.dtype}; expected integers or text")


def _keys(ids: pl.Series, scope: pl.Series | None) -> pl.DataFrame:
    scopes = pl.Series("scope", [""], dtype=pl.String).new_from_index(0, len(ids)) if scope is None else scope
    return pl.DataFrame({"scope": scopes.cast(pl.String), "id": normal_ids(ids)})


def _plain(dtype: pl.DataType) -> str:
    return "text" if dtype == pl.String else "integers"
