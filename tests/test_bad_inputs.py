"""Bad inputs and the exact message of each: file, rows, column, what was expected, what to do."""

import gzip
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from graphrec.core.config import parse
from graphrec.core.errors import DataError
from graphrec.stages.config import IngestConfig
from graphrec.stages.ingest import read

Content = bytes | str | pl.DataFrame
Given = tuple[Mapping[str, Content], Mapping[str, object]]

GOOD = "user,item,domain,time\nu1,i1,shop,2024-01-01\nu2,i2,shop,2024-01-02\nu1,i2,shop,2024-01-03\n"
EVENTS = {"path": "events.csv"}
TIMED = {**EVENTS, "time": "time"}
ITEMS = "item,domain,text\ni1,shop,one\ni2,shop,two\n"
TRIPLES = "head,relation,tail\ni1,made_by,acme\ni2,made_by,apex\n"


def frame(**columns: object) -> pl.DataFrame:
    """Two good rows, with some columns replaced."""
    return pl.DataFrame({"user": ["u1", "u2"], "item": ["i1", "i2"], "domain": ["shop"] * 2, **columns})


def events(content: Content, suffix: str = "csv", **options: object) -> Given:
    """One interaction table and its options."""
    return {f"events.{suffix}": content}, {"interactions": [{"path": f"events.{suffix}", **options}]}


def beside(name: str, content: Content, **options: object) -> Given:
    """Good interactions and one table of another kind, named for it."""
    kind = name.partition(".")[0]
    more = {key: options.pop(key) for key in ("link_by_id", "links") if key in options}
    return {"events.csv": GOOD, name: content}, {"interactions": [EVENTS], kind: [{"path": name, **options}], **more}


def zst(text: str) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(text.encode())
    return sink.getvalue().to_pybytes()


def case(name: str, given: Given, message: str) -> object:
    return pytest.param(*given, message, id=name)


def parquet(table: pl.DataFrame) -> bytes:
    sink = pa.BufferOutputStream()
    table.write_parquet(sink)
    return sink.getvalue().to_pybytes()


HEAD = "user,item,domain\n"
ROWS = "u1,i1,shop\nu2,i2,shop\n"

CASES = [
    case(
        "no such file",
        ({"event.csv": GOOD}, {"interactions": [EVENTS]}),
        "events.csv: no such file; {folder} has event.csv; relative paths start from {folder}",
    ),
    case(
        "no such folder",
        ({"data/events.csv": GOOD}, {"interactions": [{"path": "dat/events.csv"}]}),
        "dat/events.csv: no such file (no folder 'dat'); {folder} has data; relative paths start from {folder}",
    ),
    case(
        "pattern without files",
        ({"events.csv": GOOD}, {"interactions": [{"path": "part-*.csv"}]}),
        "part-*.csv: no such file; {folder} has events.csv; relative paths start from {folder}",
    ),
    case(
        "folder without files",
        ({"parts/_SUCCESS": ""}, {"interactions": [{"path": "parts"}]}),
        "parts: the folder has no files",
    ),
    case(
        "path through a file",
        ({"events.csv": GOOD}, {"interactions": [{"path": "events.csv/part.csv"}]}),
        "events.csv/part.csv: no such file (events.csv is no folder); relative paths start from {folder}",
    ),
    case(
        "unset variable",
        ({"events.csv": GOOD}, {"interactions": [{"path": "$GRAPHREC_UNSET/events.csv"}]}),
        "folder '$GRAPHREC_UNSET/events.csv': the environment variable GRAPHREC_UNSET is not set; set "
        "it or write the path",
    ),
    case("empty file", events(""), "events.csv: the file is empty"),
    case("blank lines only", events("\n\n  \n"), "events.csv: the file holds blank lines only"),
    case("header only", events(HEAD), "events.csv: the table has no rows"),
    case(
        "unknown suffix",
        events(GOOD, "dat"),
        "events.dat: the suffix tells no format; set format: to one of parquet, csv, tsv, jsonl",
    ),
    case(
        "no table",
        ({}, {"interactions": []}),
        "ingest.tables.interactions: no table given; a run needs interactions or triples",
    ),
    case(
        "parts of different formats",
        ({"parts/a.csv": GOOD, "parts/b.tsv": GOOD}, {"interactions": [{"path": "parts"}]}),
        "parts/a.csv and b.tsv are of different formats; give each format a table of its own",
    ),
    case(
        "parts of different columns",
        ({"parts/a.csv": GOOD, "parts/b.csv": HEAD + ROWS}, {"interactions": [{"path": "parts"}]}),
        "parts/b.csv: its columns 'user', 'item', 'domain' are not those of a.csv, 'user', 'item', "
        "'domain', 'time'; parts of one table must agree",
    ),
    case(
        "parts of different types",
        ({"parts/a.parquet": frame(), "parts/b.parquet": frame(item=[1, 2])}, {"interactions": [{"path": "parts"}]}),
        "parts/b.parquet: column 'item' is Int64, but String in other parts; write all parts with one type",
    ),
    case(
        "row of a part",
        (
            {"parts/a.csv": HEAD + ROWS, "parts/b.csv": HEAD + ROWS + ",i1,shop\n"},
            {"interactions": [{"path": "parts"}]},
        ),
        "parts: column 'user': 1 row without an id (row 3 of b.csv); fill them or drop the rows",
    ),
    case(
        "truncated gzip",
        events(gzip.compress(GOOD.encode() * 50, mtime=0)[:-20], "csv.gz"),
        "events.csv.gz: the packed file breaks off or is damaged; copy or pack it again",
    ),
    case(
        "damaged gzip",
        events(gzip.compress(GOOD.encode(), mtime=0)[:12] + b"\0" * 30, "csv.gz"),
        "events.csv.gz: the packed file breaks off or is damaged; copy or pack it again",
    ),
    case(
        "truncated zstd",
        events(zst(GOOD * 50)[:-9], "csv.zst"),
        "events.csv.zst: the packed file breaks off or is damaged; copy or pack it again",
    ),
    case(
        "truncated parquet",
        events(parquet(frame())[:-10], "parquet"),
        "events.parquet: the parquet file breaks off (its footer is missing); copy or write it again",
    ),
    case(
        "damaged parquet",
        events(parquet(frame())[:4] + b"\xff" * 60 + parquet(frame())[64:], "parquet"),
        "events.parquet: the parquet file is damaged; copy or write it again",
    ),
    case(
        "csv called parquet", events(GOOD, "parquet"), "events.parquet: is no parquet file; set format: to what it is"
    ),
    case("parquet called csv", events(parquet(frame()), "csv"), "events.csv: is a parquet file; set format: parquet"),
    case(
        "excel called csv",
        events(b"PK\x03\x04rest", "csv"),
        "events.csv: is a zip or Excel file; unpack it, or save the sheet as csv",
    ),
    case("bzip2", events(b"BZh91AY&SY", "csv"), "events.csv: is compressed with bzip2; repack it with gzip or zstd"),
    case("utf-16", events(GOOD.encode("utf-16"), "csv"), "events.csv: is UTF-16 text; save it as UTF-8"),
    case(
        "nul bytes in the header",
        events(b"user\0,item\0,domain\n", "csv"),
        "events.csv: line 1 holds NUL bytes; the file is binary or UTF-16, save it as UTF-8 text",
    ),
    case(
        "nul bytes in ids",
        events(b"user,item,domain\nu\x001,i1,shop\nu2,i2,shop\n", "csv"),
        "events.csv: column 'user': 1 row with a NUL byte (row 1); the file is damaged or binary; write "
        "it again as text",
    ),
    case(
        "latin-1 row",
        events((HEAD + ROWS + "u3,caf\xe9,shop\n").encode("latin-1")),
        "events.csv: line 4, byte 7 (0xE9) is not UTF-8, maybe latin-1; convert the file: iconv -f "
        "WINDOWS-1252 -t UTF-8",
    ),
    case(
        "latin-1 header",
        events("user,item,domain,\xe9t\xe9\n".encode("latin-1")),
        "events.csv: line 1, byte 18 (0xE9) is not UTF-8, maybe latin-1; convert the file: iconv -f "
        "WINDOWS-1252 -t UTF-8",
    ),
    case(
        "latin-1 json",
        events('{"user":"u\xe9","item":"i1","domain":"shop"}\n'.encode("latin-1"), "jsonl"),
        "events.jsonl: line 1, byte 11 (0xE9) is not UTF-8, maybe latin-1; convert the file: iconv -f "
        "WINDOWS-1252 -t UTF-8",
    ),
    case(
        "old mac lines",
        events(GOOD.replace("\n", "\r")),
        "events.csv: lines end with a lone carriage return; save it with Unix or Windows line ends",
    ),
    case(
        "too many fields",
        events(HEAD + ROWS + "u3,i1,shop,extra\n"),
        "events.csv: line 4 has 4 fields, expected 3; put quotes around a field that holds the separator",
    ),
    case(
        "too few fields",
        events(HEAD + ROWS + "u3,i1\n"),
        "events.csv: column 'domain': 1 row without a domain (row 3); fill them or drop the rows\n"
        "events.csv: line 4 has 2 fields, expected 3; fill the line up",
    ),
    case(
        "open quote",
        events(HEAD + ROWS + 'u3,"i1,shop\nu4,i2,shop\n'),
        'events.csv: line 4 has a quote that does not enclose a whole field; write "" for a quote '
        "inside a quoted field",
    ),
    case(
        "stray quote",
        events(HEAD + ROWS + 'u3,"i1" x,shop\n'),
        'events.csv: line 4 has a quote that does not enclose a whole field; write "" for a quote '
        "inside a quoted field",
    ),
    case(
        "open quote in the header",
        events('user,"item,domain\nu1,i1,shop\n'),
        "events.csv: its first line has a quote that is not closed",
    ),
    case(
        "doubled column",
        events("user,item,item,domain\nu1,i1,i2,shop\n"),
        "events.csv: column 'item' stands twice in the header; rename one",
    ),
    case(
        "filter on lists",
        events(frame(tags=[["a"], ["b"]]), "parquet", keep=[{"column": "tags", "one_of": ["a"]}]),
        "events.parquet: keep: column 'tags' is List(String), not one value in each row",
    ),
    case(
        "item text in bytes",
        beside("items.parquet", pl.DataFrame({"item": ["i1"], "text": [b"a"]}), as_domain="shop"),
        "items.parquet: column 'text' is Binary, no text",
    ),
    case(
        "lists as domains and truth values as weights",
        events(frame(domain=[["a"], ["b"]], w=[True, False]), "parquet", weight="w"),
        "events.parquet: column 'domain' is List(String); expected words or numbers\n"
        "events.parquet: column 'w' is Boolean; expected numbers",
    ),
    case(
        "wrong separator",
        events(GOOD.replace(",", ";")),
        "events.csv: one column only, 'user;item;domain;time'; set separator: \";\"",
    ),
    case(
        "tabs in csv",
        events(GOOD.replace(",", "\t")),
        "events.csv: one column only, 'user\\titem\\tdomain\\ttime'; set separator: \"\\t\"",
    ),
    case("impossible separator", events(GOOD, separator='"'), "events.csv: separator '\"' cannot separate columns"),
    case(
        "separator that is not ascii", events(GOOD, separator="·"), "events.csv: separator '·': use an ASCII character"
    ),
    case(
        "no header",
        events("196,242,3\n186,302,3\n", domain="d", user="user", item="item"),
        "events.csv: no columns 'user', 'item', 'd'; its first line, '196', '242', '3', looks like "
        "data; if there is no header, name all columns with `columns`",
    ),
    case(
        "header read as data",
        events(
            "UserId,ItemId,Domain\nu1,i1,shop\n", columns=["userid", "itemid", "domain"], user="userid", item="itemid"
        ),
        "events.csv: its first line is a header; leave `columns` out, or cut the line off",
    ),
    case(
        "other header read as data",
        events(
            "visitor,sku,shop,ts\n7,81,a,5\n8,82,a,6\n9,83,a,7\n",
            columns=["user", "item", "domain", "time"],
            time="time",
        ),
        "events.csv: its first line ('visitor', 'sku', 'shop', 'ts') looks like a header; leave "
        "`columns` out and name its columns, or cut the line off",
    ),
    case(
        "columns of another number",
        events("u1,i1,shop,5\n", columns=["user", "item", "domain"]),
        "events.csv: columns: names 3, but the first line has 4 fields ('u1', 'i1', 'shop', '5')",
    ),
    case(
        "columns with a wrong separator",
        events("u1;i1;shop\n", columns=["user", "item", "domain"]),
        "events.csv: one column only, 'u1;i1;shop'; set separator: \";\"",
    ),
    case(
        "columns named twice",
        events("u1,i1,shop\n", columns=["user", "item", "item"]),
        "events.csv: columns: 'item' stands twice",
    ),
    case(
        "broken json",
        events('{"user":"u1","item":"i1","domain":"shop"}\n{"user":"u2",\n', "jsonl"),
        "events.jsonl: line 2 is no valid JSON (Expecting property name enclosed in double quotes)",
    ),
    case(
        "json array",
        events('[\n{"user":"u1","item":"i1","domain":"shop"}\n]\n', "jsonl"),
        "events.jsonl: line 1 is no valid JSON (Expecting value); the file is one JSON array, write one "
        "object per line",
    ),
    case(
        "json array on one line",
        events('[{"user":"u1","item":"i1","domain":"shop"}]\n', "jsonl"),
        "events.jsonl: line 1 holds an array; each line must be one object {...}",
    ),
    case(
        "json scalar",
        events('{"user":"u1","item":"i1","domain":"shop"}\n5\n', "jsonl"),
        "events.jsonl: line 2 holds a number; each line must be one object {...}",
    ),
    case(
        "json byte-order mark",
        events(b'\xef\xbb\xbf{"user":"u1","item":"i1","domain":"shop"}\n', "jsonl"),
        "events.jsonl: starts with a byte-order mark, which JSON lines may not; save it as plain UTF-8",
    ),
    case(
        "nul bytes in json",
        events('{"user":"u1","item":"i1","domain":"shop"}\n{\0user":"u2"}\n', "jsonl"),
        "events.jsonl: line 2 is no valid JSON (Expecting property name enclosed in double quotes)",
    ),
    case(
        "too many fields in the first row",
        events(HEAD + "u1,i1,shop,extra\n"),
        "events.csv: line 2 has 4 fields, expected 3; put quotes around a field that holds the separator",
    ),
    case(
        "json NaN",
        events('{"user":"u1","item":"i1","domain":"shop","w":NaN}\n', "jsonl"),
        "events.jsonl: line 1 is no valid JSON (NaN is no JSON number)",
    ),
    case(
        "json without keys", events("{}\n{}\n", "jsonl"), "events.jsonl: no line of it holds a JSON object with a key"
    ),
    case(
        "json missing id",
        events('{"user":"u1","item":"i1","domain":"shop"}\n\n{"user":"u2","domain":"shop"}\n', "jsonl"),
        "events.jsonl: column 'item': 1 row without an id (row 3); fill them or drop the rows",
    ),
    case(
        "json id a fraction",
        events('{"user":1.5,"item":"i1","domain":"shop"}\n', "jsonl"),
        "events.jsonl: column 'user': ids that are neither text nor whole numbers (row 1: 1.5); write them as "
        "text or whole numbers, or name the column of ids",
    ),
    *(
        case(
            f"late json id {value}",
            events(f'{{"user":1,"item":"i1"}}\n\n{{"user":{value},"item":"i1"}}\n', "jsonl", as_domain="d"),
            f"events.jsonl: column 'user': ids that are neither text nor whole numbers (row 3: {shown}); write them "
            "as text or whole numbers, or name the column of ids",
        )
        for value, shown in (("1.0", 1.0), ("1e3", 1000.0), ("true", True), ('{"a":1}', {"a": 1}), ("[1]", [1]))
    ),
    case(
        "json ids below escaped keys and beside escaped quotes",
        events('{"\\u0075ser":1.5,"item":"i1"}\n{"user":"u","item":"\\"\\udc00"}\n', "jsonl", as_domain="d"),
        "events.jsonl: column 'user': ids that are neither text nor whole numbers (row 1: 1.5); write them as text or "
        "whole numbers, or name the column of ids\n"
        "events.jsonl: column 'item': text with a broken character (half of a surrogate pair) (row 2: '\"\\udc00'); "
        "write the file again as UTF-8",
    ),
    case(
        "json id half a surrogate pair",
        events('{"user":"\\ud800","item":"i1"}\n{"user":"\\ud83d\\ude00","item":"i1"}\n', "jsonl", as_domain="d"),
        "events.jsonl: column 'user': text with a broken character (half of a surrogate pair) (row 1: '\\ud800'); "
        "write the file again as UTF-8",
    ),
    case(
        "weights whose product is none",
        events(
            "user,item,w,e\nu,a,1e30,buy\nu,b,1e-30,view\nu,c,1,buy\n",
            as_domain="d",
            weight="w",
            event="e",
            event_weights={"buy": 1e20, "view": 1e-20},
        ),
        "events.csv: column 'w': 2 rows whose weight times event_weights is too large or too small (rows 1: '1e30 of "
        "buy', 2: '1e-30 of view'); a weight has 32 bits: keep it between 1e-37 and 1e38",
    ),
    case(
        "event weights beyond 32 bits",
        events("user,item,e\nu,a,x\n", as_domain="d", event="e", event_weights={"x": 1e60, "y": 1e-60}),
        "interactions (events.csv): event_weights: 'x', 'y' is too large or too small; a weight has 32 bits: keep it "
        "between 1e-37 and 1e38",
    ),
    case(
        "filter without a condition",
        events(GOOD, keep=[{"column": "time"}]),
        "events.csv: keep: column 'time' has no condition; set at_least, at_most, one_of or none_of",
    ),
    case(
        "user and item in one column",
        events(GOOD, item="user"),
        "interactions (events.csv): user and item are both column 'user'; name two columns",
    ),
    case(
        "blank domain",
        events(GOOD, as_domain="  "),
        "interactions (events.csv): as_domain is empty; name the domain",
    ),
    case(
        "items of a blank domain",
        beside("items.csv", ITEMS, as_domain=" "),
        "items.csv: as_domain is empty; name the domain",
    ),
    case(
        "a bound that is day or month",
        events("user,item,domain,time\nu,a,d,13/06/2024\n", time="time", since="05/06/2024"),
        "events.csv: since: '05/06/2024' is not a date such as 2024-01-31",
    ),
    case(
        "late numbers in parts of json",
        (
            {"p/a.jsonl": '{"user":"u","item":1}\n', "p/b.jsonl": '{"user":"u","item":2}\n{"user":"u","item":2.5}\n'},
            {"interactions": [{"path": "p", "domain_by_file": True}]},
        ),
        "p: column 'item': ids that are neither text nor whole numbers (row 2 of b.jsonl: 2.5); write them as text or "
        "whole numbers, or name the column of ids",
    ),
    case(
        "day or month",
        events("user,item,domain,time\nu,a,d,05/06/2024\nu,b,d,12/12/2024\n", time="time"),
        "events.csv: column 'time': '05/06/2024' may be day/month or month/day, and no row tells which; write dates as "
        "2024-01-31",
    ),
    case(
        "header of names over ids with digits",
        events("uid,iid\nu1,i1\nu2,i2\nu3,i3\n", columns=["user", "item"], as_domain="d"),
        "events.csv: its first line ('uid', 'iid') looks like a header; leave `columns` out and name its columns, or "
        "cut the line off",
    ),
    case(
        "first row of zeros",
        events("0,0\n0,1\n", as_domain="d"),
        "events.csv: column '0' stands twice in the header; if there is no header, name all columns with `columns`",
    ),
    case(
        "misspelt column",
        events("usr,item,domain\nu1,i1,shop\n"),
        "events.csv: no column 'user'; did you mean 'usr'? it has 'usr', 'item', 'domain'; name the "
        "right column in the configuration",
    ),
    case(
        "other letter case",
        events("User_ID,item,domain\nu1,i1,shop\n", user="userId"),
        "events.csv: no column 'userId'; did you mean 'User_ID'? it has 'User_ID', 'item', 'domain'; "
        "name the right column in the configuration",
    ),
    case(
        "no domain",
        events("user,item\nu1,i1\n"),
        "events.csv: no column 'domain'; it has 'user', 'item'; name the right column in the "
        "configuration, or set as_domain if all rows are of one domain",
    ),
    case(
        "no time column",
        events(GOOD, time="timestamp"),
        "events.csv: no column 'timestamp'; did you mean 'time'? it has 'user', 'item', 'domain', "
        "'time'; name the right column in the configuration",
    ),
    case(
        "missing ids",
        events(HEAD + ",i1,shop\nu2,,shop\nu3, ,shop\n"),
        "events.csv: column 'user': 1 row without an id (row 1); fill them or drop the rows\n"
        "events.csv: column 'item': 2 rows without an id (rows 2, 3); fill them or drop the rows",
    ),
    case(
        "nulls in parquet",
        events(frame(user=["u1", None]), "parquet"),
        "events.parquet: column 'user': 1 row without an id (row 2); fill them or drop the rows",
    ),
    case(
        "float ids",
        events(frame(user=[1.0, None]), "parquet"),
        "events.parquet: column 'user' is Float64; ids must be whole numbers or text; the first are "
        "whole: write them as integers (pandas: .astype('Int64'))",
    ),
    case(
        "fractional ids",
        events(frame(user=[1.5, 2.0]), "parquet"),
        "events.parquet: column 'user' is Float64; ids must be whole numbers or text; name the column "
        "that holds the ids",
    ),
    case(
        "truth values as ids",
        events(frame(user=[True, False]), "parquet"),
        "events.parquet: column 'user' is Boolean; ids must be whole numbers or text; name the column "
        "that holds the ids",
    ),
    case(
        "lists as ids",
        events(frame(item=[["a"], ["b"]]), "parquet"),
        "events.parquet: column 'item' is List(String); ids must be whole numbers or text; name the "
        "column that holds the ids",
    ),
    case(
        "dates as ids",
        events(frame(item=[date(2024, 1, 1)] * 2), "parquet"),
        "events.parquet: column 'item' is Date; ids must be whole numbers or text; name the column that holds the ids",
    ),
    case(
        "missing domain",
        events(HEAD + "u1,i1,\nu2,i2,shop\n"),
        "events.csv: column 'domain': 1 row without a domain (row 1); fill them or drop the rows",
    ),
    case(
        "many missing ids",
        events(HEAD + ",i1,shop\n" * 7 + "u,i,shop\n"),
        "events.csv: column 'user': 7 rows without an id (rows 1, 2, 3, 4, 5); fill them or drop the rows",
    ),
    case(
        "missing times",
        events(GOOD.replace("2024-01-02", ""), time="time"),
        "events.csv: column 'time': 1 row without a time (row 2); fill them or drop the rows",
    ),
    case(
        "text for a time",
        events(GOOD.replace("2024-01-02", "soon"), time="time"),
        "events.csv: column 'time': 1 row whose value is no time like the first ones (row 2: 'soon'); "
        "write all times in one way",
    ),
    case(
        "words for times",
        events("user,item,domain,time\nu1,i1,shop,soon\nu2,i2,shop,later\n", time="time"),
        "events.csv: column 'time' holds no times (String, like 'soon'); expected dates such as "
        "2024-01-31, date-times, seconds since 1970, or positions",
    ),
    case(
        "truth values for times",
        events(frame(time=[True, False]), "parquet", time="time"),
        "events.parquet: column 'time' holds no times (Boolean, like True); expected dates such as "
        "2024-01-31, date-times, seconds since 1970, or positions",
    ),
    case(
        "negative time",
        events("user,item,domain,time\nu1,i1,shop,1700000000\nu1,i2,shop,1700000001\nu2,i1,shop,-5\n", time="time"),
        "events.csv: column 'time': 1 row before 1970 (row 3: '-5'); are they not in seconds, like the first ones?",
    ),
    case(
        "mixed seconds and milliseconds",
        events(
            "user,item,domain,time\nu1,i1,shop,1700000000\nu1,i2,shop,1700000001\nu2,i1,shop,1700000002000\n",
            time="time",
        ),
        "events.csv: column 'time': 1 row after 2099 (row 3: '1700000002000'); are they not in seconds, "
        "like the first ones?",
    ),
    case(
        "mixed milliseconds and seconds",
        events(
            "user,item,domain,time\nu1,i1,shop,1700000000000\nu1,i2,shop,1700000001000\nu2,i1,shop,1700000002\n",
            time="time",
        ),
        "events.csv: column 'time': 1 row in the first weeks of 1970 (row 3: '1700000002'); are they "
        "not in milliseconds, like the first ones?",
    ),
    case(
        "time in the far future",
        events(frame(time=[datetime(2024, 1, 1), datetime(9999, 1, 1)]), "parquet", time="time"),
        "events.parquet: column 'time': 1 row after 2099 (row 2: datetime.datetime(9999, 1, 1, 0, 0))",
    ),
    case(
        "time before 1970",
        events(frame(time=[datetime(1900, 1, 1), datetime(2024, 1, 1)]), "parquet", time="time"),
        "events.parquet: column 'time': 1 row before 1970 (row 1: datetime.datetime(1900, 1, 1, 0, 0))",
    ),
    case(
        "infinite time",
        events(frame(time=[1.5e9, float("inf")]), "parquet", time="time"),
        "events.parquet: column 'time': 1 row whose value is no time like the first ones (row 2: inf); "
        "write all times in one way",
    ),
    case(
        "since is no date",
        events(GOOD, time="time", since="last year"),
        "events.csv: since: 'last year' is not a date such as 2024-01-31",
    ),
    case(
        "since is no number",
        events("user,item,domain,time\nu1,i1,shop,1\nu1,i2,shop,2\n", time="time", since="2024-01-01"),
        "events.csv: since: '2024-01-01' is not a number, as the column holds",
    ),
    case(
        "since without time",
        events(GOOD, since="2024-01-01"),
        "interactions (events.csv): since and until need time; name the column with the time",
    ),
    case("nothing since", events(GOOD, time="time", since="2030-01-01"), "events.csv: none of 3 rows is left by since"),
    case(
        "weights",
        events(frame(w=[0.0, float("nan")]), "parquet", weight="w"),
        "events.parquet: column 'w': 2 rows without a finite number above 0 (rows 1: 0.0, 2: nan); mend "
        "them, or leave the rows out with `keep`",
    ),
    case(
        "weight in words",
        events("user,item,domain,w\nu1,i1,shop,much\nu2,i2,shop,1\n", weight="w"),
        "events.csv: column 'w': 1 row without a finite number above 0 (row 1: 'much'); mend them, or "
        "leave the rows out with `keep`",
    ),
    case(
        "negative event weight",
        events("user,item,domain,e\nu1,i1,shop,buy\n", event="e", event_weights={"buy": -1.0}),
        "interactions (events.csv): event_weights: 'buy' must be above 0; leave a kind out to drop its rows",
    ),
    case(
        "event weights without event",
        events(GOOD, event_weights={"buy": 1.0}),
        "interactions (events.csv): event_weights needs event; name the column with the kind of event",
    ),
    case(
        "no event of these kinds",
        events("user,item,domain,e\nu1,i1,shop,buy\nu1,i1,shop,view\n", event="e", event_weights={"click": 1.0}),
        "events.csv: none of 2 rows is left by event_weights; e has 'buy', 'view'",
    ),
    case(
        "unknown parts",
        events("user,item,domain,part\nu1,i1,shop,train\nu1,i2,shop,holdout\n", split="part"),
        "events.csv: column 'part': 1 row with an unknown part (row 2: 'holdout'); expected train, valid or test",
    ),
    case(
        "split twice",
        events("user,item,domain,part\nu1,i1,shop,train\n", split="part", as_split="test"),
        "interactions (events.csv): split and as_split exclude each other",
    ),
    case(
        "filter keeps nothing",
        events("user,item,domain,rating\nu1,i1,shop,3\nu1,i2,shop,2\n", keep=[{"column": "rating", "at_least": 4.0}]),
        "events.csv: none of 2 rows is left by keep; in the first rows, rating has '3', '2'",
    ),
    case(
        "filter on words",
        events(
            "user,item,domain,rating\nu1,i1,shop,good\nu1,i2,shop,2\n", keep=[{"column": "rating", "at_least": 1.0}]
        ),
        "events.csv: column 'rating': 1 row without a number to compare (row 1: 'good'); mend them, or "
        "filter by one_of",
    ),
    case(
        "filter on a date",
        events(frame(day=[date(2024, 1, 1)] * 2), "parquet", keep=[{"column": "day", "at_least": 4.0}]),
        "events.parquet: keep: column 'day' is Date, no number",
    ),
    case(
        "filter on no column",
        events(GOOD, keep=[{"column": "rating", "at_least": 4.0}]),
        "events.csv: no column 'rating'; it has 'user', 'item', 'domain', 'time'; name the right column "
        "in the configuration",
    ),
    case(
        "unknown domain",
        events(GOOD, domains=["shops"]),
        "events.csv: domains: no rows of 'shops'; did you mean 'shop'? the table has 'shop'",
    ),
    case(
        "domain emptied by filters",
        events(
            "user,item,domain,rating\nu1,i1,shop,3\nu1,i2,food,5\n",
            domains=["shop", "food"],
            keep=[{"column": "rating", "at_least": 4.0}],
        ),
        "events.csv: domain 'shop': the filters leave no rows; in the first rows, rating has '3', '5'",
    ),
    case(
        "two ways to name the domain",
        events(GOOD, as_domain="shop", domain_by_file=True),
        "interactions (events.csv): as_domain and domain_by_file exclude each other",
    ),
    case(
        "domain without a name",
        events(GOOD, as_domain=""),
        "interactions (events.csv): as_domain is empty; name the domain",
    ),
    case(
        "item text missing",
        beside("items.csv", "item,domain,title\ni1,shop,one\n"),
        "items.csv: no column 'text'; it has 'item', 'domain', 'title'; name the right column in the configuration",
    ),
    case(
        "items of other ids",
        beside("items.csv", "item,domain,text\n1,shop,one\n2,shop,two\n"),
        "items: none of 2 item ids is in the interactions; the first ids are '1', '2' here and 'i1', 'i2' there",
    ),
    case(
        "items with leading zeros",
        (
            {
                "events.csv": "user,item,domain\nu1,001,shop\nu2,002,shop\n",
                "items.csv": "item,domain,text\n1,shop,one\n",
            },
            {"interactions": [EVENTS], "items": [{"path": "items.csv"}]},
        ),
        "items: none of 1 item id is in the interactions; 1 would be without leading zeros: '1' here, '001' there",
    ),
    case(
        "items in other letter case",
        beside("items.csv", "item,domain,text\nI1,shop,one\nI9,shop,nine\n"),
        "items: none of 2 item ids is in the interactions; 1 would be without letter case: 'I1' here, 'i1' there",
    ),
    case(
        "items with blanks",
        beside("items.csv", "item,domain,text\n i1,shop,one\n i2,shop,two\n"),
        "items: none of 2 item ids is in the interactions; 2 would be without surrounding blanks: ' i1' "
        "here, 'i1' there",
    ),
    case(
        "item without id",
        beside("items.csv", ITEMS + ",shop,three\n"),
        "items.csv: column 'item': 1 row without an id (row 3); fill them or drop the rows",
    ),
    case(
        "triple without tail",
        beside("triples.csv", TRIPLES + "i1,made_by,\n", link_by_id=True),
        "triples.csv: column 'tail': 1 row without an id (row 3); fill them or drop the rows",
    ),
    case(
        "triple without relation",
        beside("triples.csv", TRIPLES + "i1,,acme\n", link_by_id=True),
        "triples.csv: column 'relation': 1 row without a relation (row 3); fill them or drop the rows",
    ),
    case(
        "confidence",
        beside("triples.csv", "head,relation,tail,p\ni1,r,a,0\ni1,r,b,1.5\ni1,r,c,\n", confidence="p", link_by_id=True),
        "triples.csv: column 'p': 3 rows without a number above 0 and at most 1 (rows 1: '0', 2: '1.5', "
        "3: ''); mend them, or leave the rows out with `keep`",
    ),
    case(
        "label",
        beside("triples.csv", "head,relation,tail,ok\ni1,r,a,1\ni1,r,b,maybe\n", label="ok", link_by_id=True),
        "triples.csv: column 'ok': 1 row with neither true nor false (row 2: 'maybe'); expected 1 or 0, "
        "true or false, or nothing",
    ),
    case(
        "label twice",
        beside("triples.csv", TRIPLES, label="relation", as_label=True, link_by_id=True),
        "triples (triples.csv): label and as_label exclude each other",
    ),
    case(
        "triples of other ids",
        beside("triples.csv", "head,relation,tail\nkg:i1,r,kg:a\n", link_by_id=True),
        "triples: none of 2 entity ids is in the interactions; 1 would be without what stands before "
        "the last : / or #: 'kg:i1' here, 'i1' there",
    ),
    case(
        "links of other entities",
        (
            {"events.csv": GOOD, "links.csv": "item,domain,entity\ni1,shop,ACME\n", "triples.csv": TRIPLES},
            {"interactions": [EVENTS], "links": [{"path": "links.csv"}], "triples": [{"path": "triples.csv"}]},
        ),
        "links: none of 1 entity id is in the triples; 1 would be without letter case: 'ACME' here, 'acme' there",
    ),
    case(
        "links of other items",
        (
            {"events.csv": GOOD, "links.csv": "item,domain,entity\nx,shop,acme\n", "triples.csv": TRIPLES},
            {"interactions": [EVENTS], "links": [{"path": "links.csv"}], "triples": [{"path": "triples.csv"}]},
        ),
        "links: none of 1 item id is in the interactions; the first ids are 'x' here and 'i1', 'i2' there",
    ),
    case(
        "several tables at once",
        (
            {"events.csv": GOOD.replace("u2", ""), "items.csv": "item,text\n", "triples.csv": "head,tail\n"},
            {
                "interactions": [TIMED],
                "items": [{"path": "items.csv"}],
                "triples": [{"path": "triples.csv"}],
                "links": [{"path": "links.csv"}],
            },
        ),
        "events.csv: column 'user': 1 row without an id (row 2); fill them or drop the rows\n"
        "items.csv: no column 'domain'; it has 'item', 'text'; name the right column in the "
        "configuration, or set as_domain if all rows are of one domain\n"
        "triples.csv: no column 'relation'; it has 'head', 'tail'; name the right column in the "
        "configuration\n"
        "links.csv: no such file; {folder} has items.csv, events.csv, triples.csv; relative paths start "
        "from {folder}",
    ),
]


@pytest.mark.parametrize(("files", "tables", "message"), CASES)
def test_each_bad_input_has_its_message(
    tmp_path: Path, files: Mapping[str, Content], tables: Mapping[str, object], message: str
) -> None:
    write(tmp_path, files)
    with pytest.raises(DataError) as raised:
        read(options(tmp_path, tables))
    assert plain(str(raised.value), tmp_path) == message


def write(folder: Path, files: Mapping[str, Content]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pl.DataFrame):
            content.write_parquet(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


def options(folder: Path, tables: Mapping[str, object]) -> IngestConfig:
    return parse(IngestConfig, {"tables": {"folder": str(folder), **tables}}, source="test")


def plain(message: str, folder: Path) -> str:
    """The message with the folder left out of its paths."""
    return message.replace(f"{folder}/", "").replace(str(folder), "{folder}").replace(folder.name, "{folder}")
