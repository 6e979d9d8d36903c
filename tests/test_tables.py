"""The `tables` reader: every option on small tables with answers worked out by hand."""

import gzip
import re
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest

from graphrec.core.config import describe
from graphrec.core.errors import DataError
from graphrec.data.config import (
    EntityTable,
    InteractionTable,
    ItemTable,
    LinkTable,
    TableFile,
    TripleTable,
    VoteTable,
)
from graphrec.data.files.scan import expand, scan
from graphrec.data.files.unreadable import why_unreadable
from graphrec.data.raw import INTERACTIONS, RawTables
from graphrec.data.readers.tables import files
from graphrec.stages.ingest import read
from tests.house import HOME
from tests.test_bad_inputs import Content, options, plain, write, zst

HEAD = "user,item,domain\n"
ROWS = "u1,007,shop\nu2,7,food\n"
DAY = 86_400_000_000
"""A day in microseconds."""


def load(folder: Path, given: dict[str, Content], **tables: object) -> RawTables:
    """Write the files and read the tables; `interactions` may be the options of one table."""
    write(folder, given)
    one = tables["interactions"] if "interactions" in tables else {"path": next(iter(given))}
    return read(options(folder, {**tables, "interactions": [one] if isinstance(one, dict) else one}))


def one(folder: Path, content: Content, suffix: str = "csv", **table: object) -> RawTables:
    """Read one interaction table."""
    name = f"events.{suffix}"
    return load(folder, {name: content}, interactions={"path": name, **table})


def column(raw: RawTables, name: str) -> list[object]:
    return raw.interactions.select(name).collect()[name].to_list()


def test_rows_come_in_order_with_declared_types(tmp_path: Path) -> None:
    raw = one(tmp_path, HEAD + ROWS)
    frame = raw.interactions.collect()
    assert dict(frame.schema) == INTERACTIONS
    assert frame.rows() == [("u1", "007", "shop", 0, 1.0, None), ("u2", "7", "food", 1, 1.0, None)]
    assert (raw.timed, raw.warnings) == (False, ())
    assert [(t.kind, Path(t.path).name, t.num_rows, t.num_kept) for t in raw.tables] == [
        ("interactions", "events.csv", 2, 2)
    ]


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("csv", HEAD + ROWS),
        ("csv", "\ufeff" + HEAD + ROWS),
        ("csv", (HEAD + ROWS).replace("\n", "\r\n")),
        ("csv", "\n" + HEAD + "\n" + ROWS.replace("\n", "\n\n")),
        ("csv", ',"user","item","domain"\n0,"u1","007","shop"\n1,"u2","7","food"\n'),
        ("csv.gz", gzip.compress((HEAD + ROWS).encode())),
        ("csv.zst", zst(HEAD + ROWS)),
        ("tsv", (HEAD + ROWS).replace(",", "\t")),
        ("jsonl", '{"user":"u1","item":"007","domain":"shop"}\n\n{"domain":"food","item":"7","user":"u2"}\n'),
        (
            "ndjson.gz",
            gzip.compress(b'{"user":"u1","item":"007","domain":"shop"}\n{"user":"u2","item":"7","domain":"food"}'),
        ),
    ],
    ids=["csv", "bom", "crlf", "blank lines", "index", "gz", "zst", "tsv", "jsonl", "ndjson.gz"],
)
def test_every_format_reads_the_same(tmp_path: Path, suffix: str, content: Content) -> None:
    raw = one(tmp_path, content, suffix)
    rows = raw.interactions.select("user", "item", "domain").collect().rows()
    assert rows == [("u1", "007", "shop"), ("u2", "7", "food")]


def test_parquet_categories_are_text(tmp_path: Path) -> None:
    kinds = {"user": pl.Categorical, "item": pl.Enum(["007", "7"]), "domain": pl.Categorical}
    table = pl.DataFrame({"user": ["u1", "u2"], "item": ["007", "7"], "domain": ["shop", "food"]}, schema=kinds)
    raw = one(tmp_path, table, "parquet")
    assert raw.interactions.collect().rows() == [("u1", "007", "shop", 0, 1.0, None), ("u2", "7", "food", 1, 1.0, None)]


@pytest.mark.parametrize(
    ("ids", "dtype", "expected"),
    [
        ([2**53 + 1, -5], pl.Int64, [2**53 + 1, -5]),
        ([2**63, 1], pl.UInt64, [str(2**63), "1"]),
        ([2**62, 1], pl.UInt64, [2**62, 1]),
        ([7, 255], pl.UInt8, [7, 255]),
        ([2**70, 1], pl.Int128, [str(2**70), "1"]),
        (["007", "日本 語"], pl.String, ["007", "日本 語"]),
        ([12, 13], pl.Decimal(20, 0), [12, 13]),
    ],
    ids=["above 2^53", "above 2^63", "unsigned", "bytes", "128 bits", "text", "decimal"],
)
def test_ids_stay_exact(tmp_path: Path, ids: list[object], dtype: pl.DataType, expected: list[object]) -> None:
    table = pl.DataFrame({"user": pl.Series(ids, dtype=dtype), "item": pl.Series(ids, dtype=dtype)})
    raw = one(tmp_path, table, "parquet", as_domain="d")
    assert column(raw, "user") == column(raw, "item") == expected


def test_numbers_in_json_are_numbers_unless_one_is_text(tmp_path: Path) -> None:
    lines = '{"user":9007199254740993,"item":5}\n{"user":2,"item":"05"}\n{"user":18446744073709551615,"item":6}\n'
    raw = one(tmp_path, lines, "jsonl", as_domain="d")
    assert column(raw, "user") == ["9007199254740993", "2", "18446744073709551615"]
    assert column(raw, "item") == ["5", "05", "6"]
    raw = one(tmp_path, '{"user":9007199254740993,"item":5}\n', "jsonl", as_domain="d")
    assert raw.interactions.collect().rows() == [(9007199254740993, 5, "d", 0, 1.0, None)]


def test_late_text_among_json_numbers_makes_all_text(tmp_path: Path) -> None:
    lines = '{"user":1,"item":5}\n' * 10_000 + '{"user":1,"item":"007"}\n'
    raw = one(tmp_path, lines, "jsonl", as_domain="d")
    assert raw.interactions.collect()["item"][-1] == "007"
    assert raw.interactions.collect_schema()["user"] == pl.Int64


@pytest.mark.parametrize(
    ("times", "orders", "timed"),
    [
        (["2024-01-02", "1970-01-02"], [19724 * DAY, DAY], True),
        (["2024-01-02 00:00:01.5", "1970-01-02 00:00:00"], [19724 * DAY + 1_500_000, DAY], True),
        (["1970-01-02T01:00:00+01:00", "1970-01-02T00:00:00Z"], [DAY, DAY], True),
        (["1970/01/02", "1970/01/03"], [DAY, 2 * DAY], True),
        (["1700000000", "1700000001"], [1_700_000_000_000_000, 1_700_000_001_000_000], True),
        (["1700000000.25", "1700000001"], [1_700_000_000_250_000, 1_700_000_001_000_000], True),
        (["1700000000123"] * 2, [1_700_000_000_123_000] * 2, True),
        (["1700000000123456"] * 2, [1_700_000_000_123_456] * 2, True),
        (["1700000000123456789"] * 2, [1_700_000_000_123_456] * 2, True),
        (["19700102", "19700103"], [DAY, 2 * DAY], True),
        (["02/01/1970", "13/01/1970"], [DAY, 12 * DAY], True),
        (["01/02/1970 00:00", "01/13/1970 00:00"], [DAY, 12 * DAY], True),
        (["02-01-1970", "13-01-1970"], [DAY, 12 * DAY], True),
        (["1970.01.02", "1970.01.03"], [DAY, 2 * DAY], True),
        (["1970-01-02T00:00Z", "1970-01-02T02:00+01:00"], [DAY, DAY + DAY // 24], True),
        (["3", "-1"], [3, -1], False),
        (["0.5", "2"], [500_000, 2_000_000], False),
    ],
    ids=[
        "date",
        "seconds",
        "zone",
        "slashes",
        "unix",
        "unix.25",
        "ms",
        "us",
        "ns",
        "yyyymmdd",
        "dmy",
        "mdy",
        "d-m-y",
        "dots",
        "minutes",
        "position",
        "float",
    ],
)
def test_times_as_text(tmp_path: Path, times: list[str], orders: list[int], timed: bool) -> None:
    rows = "".join(f"u,i,d,{time}\n" for time in times)
    raw = one(tmp_path, "user,item,domain,time\n" + rows, time="time")
    assert (column(raw, "order"), raw.timed, raw.warnings) == (orders, timed, ())


@pytest.mark.parametrize(
    ("times", "dtype", "orders"),
    [
        ([date(1970, 1, 2)], pl.Date, [DAY]),
        ([datetime(1970, 1, 2)], pl.Datetime("ns"), [DAY]),
        ([datetime(1970, 1, 2)], pl.Datetime("ms"), [DAY]),
        ([datetime(1970, 1, 2, tzinfo=timezone(timedelta(hours=0)))], pl.Datetime("us", "Europe/Paris"), [DAY]),
        ([1_700_000_000], pl.Int32, [1_700_000_000_000_000]),
        ([1.5], pl.Float64, [1_500_000]),
    ],
    ids=["date", "ns", "ms", "zone", "int", "float"],
)
def test_times_of_parquet(tmp_path: Path, times: list[object], dtype: pl.DataType, orders: list[int]) -> None:
    table = pl.DataFrame({"user": [1], "item": [2], "time": pl.Series(times, dtype=dtype)})
    assert column(one(tmp_path, table, "parquet", as_domain="d", time="time"), "order") == orders


@pytest.mark.parametrize(
    ("bounds", "kept"),
    [
        ({"since": "2024-01-02"}, [2, 3]),
        ({"until": "2024-01-02"}, [1]),
        ({"since": "2024-01-02", "until": "2024-01-03"}, [2]),
    ],
    ids=["since", "until", "both"],
)
def test_a_window_of_time(tmp_path: Path, bounds: dict[str, object], kept: list[int]) -> None:
    table = pl.DataFrame({"user": [1] * 3, "item": [1, 2, 3], "t": [date(2024, 1, day) for day in (1, 2, 3)]})
    assert column(one(tmp_path, table, "parquet", as_domain="d", time="t", **bounds), "item") == kept
    text = table.with_columns(pl.col("t").cast(pl.Datetime).dt.epoch("s")).write_csv()
    assert column(one(tmp_path, text, as_domain="d", time="t", **bounds), "item") == [str(item) for item in kept]


def test_a_bound_may_be_a_number_of_the_column(tmp_path: Path) -> None:
    table = "user,item,t\na,1,1700000000\na,2,1700000005\n"
    assert column(one(tmp_path, table, as_domain="d", time="t", since=1700000001), "item") == ["2"]
    assert column(one(tmp_path, "user,item,t\na,1,4\na,2,5\n", as_domain="d", time="t", until=5), "item") == ["1"]


def test_a_row_far_down_tells_the_day_from_the_month(tmp_path: Path) -> None:
    table = "user,item,t\n" + "u,i,02/01/1970\n" * 1_500 + "u,i,13/01/1970\n"
    assert column(one(tmp_path, table, as_domain="d", time="t"), "order")[-2:] == [DAY, 12 * DAY]


def test_a_bound_may_be_a_day_in_digits(tmp_path: Path) -> None:
    table = "user,item,t\nu,a,20240104\nu,b,20240105\n"
    for since in (20240105, "20240105", "2024-01-05"):
        assert column(one(tmp_path, table, as_domain="d", time="t", since=since), "item") == ["b"]


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ([{"column": "r", "at_least": 4}], ["b", "c"]),
        ([{"column": "r", "at_most": 4}], ["a", "b"]),
        ([{"column": "r", "at_least": 2, "at_most": 4.5}], ["b"]),
        ([{"column": "r", "one_of": ["1", "5"]}], ["a", "c"]),
        ([{"column": "r", "none_of": ["1"]}], ["b", "c", "d"]),
        ([{"column": "r", "one_of": [1, 5.0]}], ["a", "c"]),
        ([{"column": "r", "at_least": 2}, {"column": "k", "one_of": ["x"]}], ["b"]),
    ],
    ids=["least", "most", "both", "one of", "none of", "numbers", "two"],
)
def test_filters(tmp_path: Path, keep: list[dict[str, object]], kept: list[str]) -> None:
    table = "user,item,r,k\nu,a,1,x\nu,b,4,x\nu,c,5,y\nu,d,,y\n"
    raw = one(tmp_path, table, as_domain="d", keep=keep)
    assert column(raw, "item") == kept
    assert (raw.tables[0].num_rows, raw.tables[0].num_kept) == (4, len(kept))
    typed = pl.DataFrame({"user": ["u"] * 4, "item": list("abcd"), "r": [1.0, 4.0, 5.0, None], "k": list("xxyy")})
    assert column(one(tmp_path, typed, "parquet", as_domain="d", keep=keep), "item") == kept


def test_rows_that_filters_leave_out_may_be_wrong(tmp_path: Path) -> None:
    table = "user,item,w,r\nu,a,1,5\n,b,none,1\n"
    keep = [{"column": "r", "at_least": 4}]
    assert column(one(tmp_path, table, as_domain="d", weight="w", keep=keep), "item") == ["a"]


def test_domains_by_file_and_by_name(tmp_path: Path) -> None:
    given = {"in/food.csv": "user,item\nu1,a\n", "in/shop.csv": "user,item\nu2,b\nu3,c\n", "in/_SUCCESS": ""}
    raw = load(tmp_path, given, interactions={"path": "in", "domain_by_file": True})
    assert raw.interactions.select("user", "domain").collect().rows() == [
        ("u1", "food"),
        ("u2", "shop"),
        ("u3", "shop"),
    ]
    raw = load(tmp_path, given, interactions={"path": "in/*.csv", "domain_by_file": True, "domains": ["shop"]})
    assert column(raw, "item") == ["b", "c"]
    raw = load(tmp_path, given, interactions={"path": "in/food.csv", "as_domain": "meals"})
    assert column(raw, "domain") == ["meals"]


def test_headless_files_and_other_separators(tmp_path: Path) -> None:
    names = ["user", "item", "rating", "time"]
    raw = one(
        tmp_path,
        "1::10::5::978300760\n2::20::3::978300761\n",
        "dat",
        format="csv",
        separator="::",
        columns=names,
        as_domain="d",
    )
    assert raw.interactions.select("user", "item").collect().rows() == [("1", "10"), ("2", "20")]
    raw = one(tmp_path, "1|10|5|978300760\n", columns=names, separator="|", as_domain="d", time="time")
    assert column(raw, "order") == [978_300_760_000_000]
    assert column(one(tmp_path, "user\titem\n1\t2\n", separator="\\t", as_domain="d"), "item") == ["2"]


def test_weights_multiply_and_unlisted_events_go(tmp_path: Path) -> None:
    table = "user,item,e,w\nu,a,buy,2\nu,b,view,3\nu,c,return,1\n"
    raw = one(tmp_path, table, as_domain="d", event="e", event_weights={"buy": 1.0, "view": 0.25}, weight="w")
    assert raw.interactions.select("item", "weight").collect().rows() == [("a", 2.0), ("b", 0.75)]


def test_splits_of_the_table(tmp_path: Path) -> None:
    table = "user,item,s\nu,a,train\nu,b,Val\nu,c,TEST\nu,d,\n"
    assert column(one(tmp_path, table, as_domain="d", split="s"), "split") == ["train", "valid", "test", None]
    assert column(one(tmp_path, table, as_domain="d", as_split="test"), "split") == ["test"] * 4


def test_ids_that_are_text_in_one_table_are_text_in_all(tmp_path: Path) -> None:
    given = {"a.parquet": pl.DataFrame({"user": [1], "item": [2], "domain": ["d"]}), "b.csv": HEAD + "u,2,d\n"}
    raw = load(tmp_path, given, interactions=[{"path": "a.parquet"}, {"path": "b.csv"}])
    assert raw.interactions.select("user", "item").collect().rows() == [("1", "2"), ("u", "2")]
    assert [plain(warning, tmp_path) for warning in raw.warnings] == [
        "a.parquet: user ids are numbers here, but text in b.csv; all are taken as text",
        "a.parquet: item ids are numbers here, but text in b.csv; all are taken as text",
    ]


def test_parts_of_parquet_widen_their_numbers(tmp_path: Path) -> None:
    small = pl.DataFrame(
        {"user": [1], "item": [2], "w": [None]}, schema={"user": pl.Int32, "item": pl.Int64, "w": pl.Null}
    )
    large = pl.DataFrame({"w": [0.5], "item": [3], "user": [2**40]})
    raw = load(
        tmp_path,
        {"p/1.parquet": small.with_columns(w=pl.lit(1.0)), "p/2.parquet": large},
        interactions={"path": "p", "as_domain": "d", "weight": "w"},
    )
    assert raw.interactions.select("user", "item", "weight").collect().rows() == [(1, 2, 1.0), (2**40, 3, 0.5)]


EVENTS = {"events.csv": HEAD + "u1,a,shop\nu2,b,shop\n"}


def test_items_join_their_texts(tmp_path: Path) -> None:
    table = pl.DataFrame({"item": ["a", "b"], "title": ["A", None], "tags": [["x", "y"], []], "year": [1999, 2000]})
    given = {**EVENTS, "items.parquet": table}
    raw = load(
        tmp_path, given, items=[{"path": "items.parquet", "text": ["title", "tags", "year"], "as_domain": "shop"}]
    )
    assert raw.items.rows() == [("a", "shop", "A x y 1999"), ("b", "shop", " 2000")]


def test_triples_of_several_columns(tmp_path: Path) -> None:
    table = "s,k,o,p,ok\na,x,b,0.5,1\nb,y,c,,no\n,,d,1,\n"
    given = {**EVENTS, "t.csv": table}
    triples = {"path": "t.csv", "head": ["s", "k"], "tail": "o", "as_relation": "near", "label": "ok", "heads": "items"}
    keep = [{"column": "s", "none_of": [""]}]
    raw = load(tmp_path, given, triples=[{**triples, "keep": keep}])
    assert raw.triples.rows() == [
        ("a|x", "near", "b", 1.0, True, True, "t.csv"),
        ("b|y", "near", "c", 1.0, True, False, "t.csv"),
    ]


def test_relations_may_be_left_out(tmp_path: Path) -> None:
    table = "head,relation,tail\na,also_bought,b\na,made_by,acme\n"
    raw = load(
        tmp_path,
        {**EVENTS, "t.csv": table},
        triples=[{"path": "t.csv", "drop_relations": ["also_bought"], "as_label": True}],
    )
    assert raw.triples.select("relation", "label", "must_link").rows() == [("made_by", True, False)]


@pytest.mark.parametrize(
    ("given", "tables", "warnings"),
    [
        (
            {"items.csv": "item,domain,text\na,shop,one\na,shop,two\nz,mall,three\ny,shop,four\n"},
            {"items": [{"path": "items.csv"}]},
            [
                "items.csv: 1 row with item and domain given before; the first counts",
                "items: 2 item ids of 3 are not in the interactions",
                "items: domain 'mall' has no interactions; those are of 'shop'",
            ],
        ),
        (
            {"t.csv": "head,relation,tail\na,r,x\na,r,x\nx,r,y\n"},
            {"triples": [{"path": "t.csv"}], "link_by_id": True},
            [
                "t.csv: 1 triple given before; the highest confidence counts",
                "interactions: 1 item of 2 have no entity in the triples",
                "triples: 1 triple of 3 touch no item themselves",
            ],
        ),
        (
            {"l.csv": "item,domain,entity\na,shop,x\na,shop,x\nb,shop,q\n", "t.csv": "head,relation,tail\nx,r,y\n"},
            {"triples": [{"path": "t.csv"}], "links": [{"path": "l.csv"}]},
            ["l.csv: 1 row with item and domain and entity given before; once is enough"],
        ),
        ({"items.csv": "item,domain,text\n"}, {"items": [{"path": "items.csv"}]}, ["items.csv: the table has no rows"]),
        (
            {"t.csv": "head,relation,tail\na,r,x\n"},
            {"triples": [{"path": "t.csv", "keep": [{"column": "relation", "one_of": ["s"]}]}]},
            ["t.csv: none of 1 row is left by the filters; in the first rows, relation has 'r'"],
        ),
    ],
    ids=["items", "triples", "links", "empty", "filtered"],
)
def test_what_may_be_meant_is_a_warning(
    tmp_path: Path, given: dict[str, Content], tables: dict[str, object], warnings: list[str]
) -> None:
    raw = load(tmp_path, {**EVENTS, **given}, **tables)
    assert [plain(warning, tmp_path) for warning in raw.warnings] == warnings


@pytest.mark.parametrize(
    ("content", "table", "warnings"),
    [
        (
            "user,item,domain,r\nu,a,x,5\nu,b,y,1\n",
            {"keep": [{"column": "r", "at_least": 4}]},
            ["domain 'y': the filters leave no rows"],
        ),
        (
            "user,item,domain,t\nu,a,x,0\nu,b,x,1700000000\nu,b,x,1700000000\n",
            {"time": "t"},
            ["column 't': 1 row with the time 0, as if it were missing (row 1)"],
        ),
        (
            "user,item,domain,e\nu,a,x,buy\nu,b,x,view\n",
            {"event": "e", "event_weights": {"buy": 2.0, "veiw": 1.0}},
            ["event_weights: no rows of 'veiw'; the first rows have 'buy', 'view'"],
        ),
        (
            "user,item,domain,time,joinDate,EventTime\nu,a,x,2,1,1\nu,b,x,1,1,1\n",
            {},
            [
                "not used, though called like a time: 'time', 'EventTime'; "
                "rows count in their order, name a column in `time` if it is one"
            ],
        ),
        ("user,item,domain,day\nu,a,x,2\nu,b,x,1\n", {"keep": [{"column": "day", "at_least": 1}]}, []),
        ("user,item,domain,day,t\nu,a,x,2,1\nu,b,x,1,1\n", {"time": "t"}, []),
    ],
    ids=["domain", "zero", "kind", "time", "used", "another time"],
)
def test_warnings_of_one_table(tmp_path: Path, content: str, table: dict[str, object], warnings: list[str]) -> None:
    raw = one(tmp_path, content, **table)
    assert [plain(warning, tmp_path) for warning in raw.warnings] == [f"events.csv: {warning}" for warning in warnings]


def test_positions_beside_times_are_no_common_time(tmp_path: Path) -> None:
    given = {"a.csv": "user,item,t\nu,a,2024-01-01\n", "b.csv": "user,item,t\nu,b,3\n"}
    tables = [{"path": name, "time": "t", "as_domain": "d"} for name in given]
    raw = load(tmp_path, given, interactions=tables)
    assert not raw.timed
    assert raw.warnings == (
        f"{tmp_path}/b.csv: positions here, but real times in other tables; there is no common time",
    )


def test_each_file_is_a_domain(tmp_path: Path) -> None:
    given = {"p/a [1].csv": "user,item\nu,x\n", "p/b.csv.gz": gzip.compress(b"user,item\nu,y\nv,y\n")}
    given |= {"p/empty.csv": "user,item\n", "p/sub/b.csv": "user,item\nw,z\n"}
    raw = load(tmp_path, given, interactions={"path": "p", "domain_by_file": True})
    assert raw.interactions.select("item", "domain").collect().rows() == [
        ("x", "a [1]"),
        ("y", "b"),
        ("y", "b"),
        ("z", "b"),
    ]
    assert [plain(warning, tmp_path) for warning in raw.warnings] == [
        "p: 2 files are one domain, 'b': 'b.csv.gz', 'sub/b.csv'",
        "p: no rows, so no domain, in 'empty.csv'",
    ]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "dat"])
def test_each_file_is_a_domain_in_every_format(tmp_path: Path, suffix: str) -> None:
    for name in ("a [1]", "b"):
        table = pl.DataFrame({"user": [1 if name == "b" else "x"], "item": [2]})
        content = {
            "parquet": table.with_columns(pl.col("user").cast(pl.String)),
            "jsonl": table.write_ndjson(),
            "dat": "user::item\n1::2\n",
        }
        write(tmp_path, {f"p/{name}.{suffix}": content[suffix]})
    more = {"format": "csv", "separator": "::"} if suffix == "dat" else {}
    raw = load(tmp_path, {}, interactions={"path": "p", "domain_by_file": True, **more})
    assert column(raw, "domain") == ["a [1]", "b"]


def test_a_thousand_files_are_one_scan(tmp_path: Path) -> None:
    write(tmp_path, {f"p/{k:04}.csv": f"user,item\nu,{k}\n" for k in range(1000)})
    raw = load(tmp_path, {}, interactions={"path": "p", "domain_by_file": True})
    # A scan of each file, joined, is a plan with a thousand branches.
    assert raw.interactions.explain().count("SCAN") <= 2
    assert column(raw, "domain") == [f"{k:04}" for k in range(1000)]


def test_domains_alike_but_for_case_or_blanks_are_told(tmp_path: Path) -> None:
    raw = one(tmp_path, "user,item,domain\nu,a,Shop\nu,b,shop \nu,c,food\n")
    assert raw.warnings == (
        "interactions: domains 'Shop', 'shop ' differ in letter case or blanks only; if they are one, write them alike",
    )


def test_without_quotes_a_quote_is_a_sign(tmp_path: Path) -> None:
    raw = one(tmp_path, 'user\titem\n"u\t"a" b\n', "tsv", as_domain="d", quotes=False)
    assert raw.interactions.select("user", "item").collect().rows() == [('"u', '"a" b')]
    with pytest.raises(DataError, match="line 3 has 3 fields, expected 2"):
        one(tmp_path, 'user\titem\n"u\t"a" b\nu\ta\t"\n', "tsv", as_domain="d", quotes=False)


def test_files_are_named_in_order(tmp_path: Path) -> None:
    write(tmp_path, {"p/2.csv": HEAD, "p/10.csv": HEAD, "items.csv": ""})
    config = options(tmp_path, {"interactions": [{"path": "p"}], "items": [{"path": "items.csv"}]})
    assert [str(path.relative_to(tmp_path)) for path in files(config.tables)] == ["p/10.csv", "p/2.csv", "items.csv"]


def test_a_folder_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHREC_TEST_TABLES", str(tmp_path))
    write(tmp_path, {"events.csv": HEAD + ROWS})
    raw = read(options(Path("$GRAPHREC_TEST_TABLES"), {"interactions": [{"path": "events.csv"}]}))
    assert column(raw, "user") == ["u1", "u2"]


def test_triples_stand_alone(tmp_path: Path) -> None:
    raw = load(tmp_path, {"t.csv": "head,relation,tail\na,r,b\n"}, interactions=[], triples=[{"path": "t.csv"}])
    assert (raw.interactions.collect().height, raw.triples.height, raw.timed, raw.warnings) == (0, 1, False, ())


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    # Tests may run as root, who may read everything, so the error is made by hand.
    said = why_unreadable([path], "csv", TableFile(path="events.csv"), PermissionError(13, "denied", str(path)))
    assert plain(said, tmp_path) == "events.csv: permission denied; make the file readable"


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(HEAD + ROWS)
    frame = scan(expand("events.csv", tmp_path), TableFile(path="events.csv"), columns=["item"], row="n")
    assert isinstance(frame, pl.LazyFrame)
    assert frame.collect().rows() == [(1, "007"), (2, "7")]
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        expand("events.csv", tmp_path)


def test_lists_of_words_in_json_lines_are_text(tmp_path: Path) -> None:
    lines = '{"item": "a", "title": "A", "tags": ["x", "y"]}\n{"item": "b", "tags": []}\n'
    items = {"path": "items.jsonl", "text": ["title", "tags"], "as_domain": "shop"}
    raw = load(tmp_path, {**EVENTS, "items.jsonl": lines}, items=[items])
    assert raw.items.rows() == [("a", "shop", "A x y"), ("b", "shop", "")]


def test_the_docs_mark_the_columns_that_have_a_name_by_default() -> None:
    text = (HOME / "docs" / "ingest.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| (\*\*.*?) \|", text, re.MULTILINE)
    kinds: dict[str, type[TableFile]] = {
        "interactions": InteractionTable,
        "items": ItemTable,
        "triples": TripleTable,
        "links": LinkTable,
        "entities": EntityTable,
        "votes": VoteTable,
    }
    assert [name for name, _ in rows] == list(kinds)
    for name, told in rows:
        defaults = {doc.path for doc in describe(kinds[name]) if doc.path in doc.default.strip('[]"').split()}
        assert set(re.findall(r"\*\*(\w+)\*\*", told)) == defaults
