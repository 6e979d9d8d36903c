from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graphrec.core.errors import DataError
from graphrec.core.ids import IdMap

BIG = 2**53 + 1


@pytest.mark.parametrize(
    "ids", [[3, 1, 2], [BIG, BIG + 1, -4], ["007", "7", " 7", "é", "深圳"]], ids=["ints", "beyond 2^53", "text"]
)
def test_ids_survive_the_round_trip(ids: list[int] | list[str], tmp_path: Path) -> None:
    made = IdMap.build("item", pl.Series(ids + ids[:1]))
    made.save(tmp_path / "ids.parquet")
    loaded = IdMap.load("item", tmp_path / "ids.parquet")
    assert len(loaded) == len(ids)
    assert loaded.decode(loaded.encode(pl.Series(ids))).to_list() == ids


def test_numbering_does_not_depend_on_row_order() -> None:
    one, other = (IdMap.build("user", pl.Series(ids)) for ids in (["b", "a", "c"], ["c", "b", "a"]))
    assert one.encode(pl.Series(["a", "b", "c"])).tolist() == other.encode(pl.Series(["a", "b", "c"])).tolist()


def test_one_id_in_two_scopes_is_two_keys() -> None:
    ids, scope = pl.Series([17, 17, 18]), pl.Series(["coupons", "shops", "shops"])
    made = IdMap.build("item", ids, scope)
    assert len(made) == 3
    assert len(set(made.encode(ids, scope).tolist())) == 3
    assert made.find(pl.Series([18]), pl.Series(["coupons"])).tolist() == [-1]


def test_unknown_ids_are_named_with_their_rows() -> None:
    made = IdMap.build("item", pl.Series(["a", "b"]))
    with pytest.raises(DataError, match=r"triples.csv: 1 unknown item ids \(row 2: 'z'\); each must be one of the 2"):
        made.encode(pl.Series(["a", "z"]), where="triples.csv")


@pytest.mark.parametrize(
    ("known", "given", "cause"),
    [
        (["1", "2"], [1], "these are integers, the known ones text"),
        (["a"], [" a"], "surrounding spaces"),
        (["7"], ["007"], "leading zeros"),
    ],
)
def test_the_likeliest_cause_is_offered(known: list[str], given: list[object], cause: str) -> None:
    with pytest.raises(DataError, match=cause):
        IdMap.build("item", pl.Series(known)).encode(pl.Series(given))


def test_nulls_floats_and_huge_integers_are_refused() -> None:
    for bad in (pl.Series(["a", None]), pl.Series([1.5]), pl.Series([2**64 - 1], dtype=pl.UInt64)):
        with pytest.raises(DataError):
            IdMap.build("user", bad)


def test_an_empty_map_knows_nothing() -> None:
    made = IdMap.build("entity", pl.Series([], dtype=pl.String))
    assert len(made) == 0
    assert made.find(pl.Series(["a"])).tolist() == [-1]
    assert made.decode(np.array([], dtype=np.int64)).to_list() == []
