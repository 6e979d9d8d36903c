"""Whatever the files hold, the `tables` reader ends in clean tables or in one clear error; ids come back exactly."""

import json
import tempfile
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphrec.core.errors import ConfigError, DataError
from graphrec.data.raw import INTERACTIONS, ITEMS, LINKS, TRIPLES
from graphrec.stages.ingest import read
from tests.test_bad_inputs import Content, options, write

repeatable = settings(
    derandomize=True,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

INT64 = st.integers(-(2**63), 2**63 - 1)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
FULL_ROWS = st.tuples(
    st.sampled_from("uv"),
    WORDS,
    st.sampled_from("de"),
    st.dates().map(str),
    st.just("1.5"),
    st.just("a"),
    st.just("test"),
)
FULL_WORDS = WORDS.filter(lambda word: bool(word.strip()))
ODD = st.sampled_from(
    ["", " ", "007", "7", "nan", "1e3", "-", "\x00", '"', "a,b", "日本", "2024-01-01", "1700000000", "{}", "d", "train"]
)


def mostly(usual: st.SearchStrategy, rare: st.SearchStrategy) -> st.SearchStrategy:
    """Nine times in ten `usual`: a union would draw each of its branches equally often."""
    return st.integers(0, 9).flatmap(lambda draw: rare if draw == 9 else usual)


def series(values: st.SearchStrategy[object], dtype: pl.DataType | type[pl.DataType]) -> st.SearchStrategy[pl.Series]:
    """Columns of four rows, some with nulls."""
    full, gaps = (st.lists(value, min_size=4, max_size=4) for value in (values, values | st.none()))
    return mostly(full, gaps).map(lambda rows: pl.Series(rows, dtype=dtype, strict=False))


COLUMNS = st.one_of(
    series(WORDS | ODD, pl.String),
    series(INT64, pl.Int64),
    series(st.integers(0, 2**64 - 1), pl.UInt64),
    series(st.integers(-128, 127), pl.Int8),
    series(st.floats(), pl.Float64),
    series(st.booleans(), pl.Boolean),
    series(st.dates(), pl.Date),
    series(st.datetimes(), pl.Datetime("us")),
    series(st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)), pl.Datetime("ns", "UTC")),
    series(st.times(), pl.Time),
    series(st.binary(max_size=4), pl.Binary),
    series(st.lists(WORDS, max_size=2), pl.List(pl.String)),
    series(st.none(), pl.Null),
    series(st.sampled_from(["a", "b"]), pl.Categorical),
    series(st.fixed_dictionaries({"x": st.integers(0, 3)}), pl.Struct({"x": pl.Int64})),
    series(st.decimals(0, 99, places=2), pl.Decimal(10, 2)),
)


NUMBERS = series(st.integers(0, 2**40), pl.Int64)
SOUND = {
    "user": series(FULL_WORDS, pl.String) | NUMBERS,
    "item": series(FULL_WORDS, pl.String) | NUMBERS,
    "domain": series(st.sampled_from(["d", "e"]), pl.String),
    "time": NUMBERS | series(st.dates(date(1971, 1, 1), date(2099, 1, 1)), pl.Date),
    "weight": series(st.floats(0.5, 9), pl.Float64),
    "event": series(st.sampled_from(["a", "b", "1"]), pl.String),
    "split": series(st.sampled_from(["train", "valid", "test"]), pl.String),
}
"""Columns as they should be, but for nulls; without them a random table is hardly ever right."""
FEW = {
    **{name: series(st.sampled_from("abx"), pl.String) for name in ("item", "head", "relation", "tail", "entity")},
    "number": series(st.sampled_from(["0", "1", "0.5"]), pl.String),
}
NAMES = tuple(SOUND)
JSON_VALUES = st.one_of(WORDS, ODD, st.integers(), st.floats(), st.none(), st.booleans(), st.lists(WORDS, max_size=2))
JSON_ROWS = st.fixed_dictionaries(
    {
        "user": FULL_WORDS | st.integers(),
        "item": INT64,
        "domain": st.sampled_from("de"),
        "time": st.integers(10**9, 2 * 10**9),
        "weight": st.floats(1, 9) | st.integers(1, 9),
        "event": st.sampled_from(["a", "b", 1]),
        "split": st.sampled_from(["train", "test", None]),
    }
)
STARTS = {
    "csv": b"user,item,domain\n",
    "tsv": b"user\titem\tdomain\n",
    "jsonl": b'{"user":1,"item":2,"domain":"d"}\n',
    "parquet": b"PAR1",
    "csv.gz": b"\x1f\x8b\x08\0",
    "jsonl.zst": b"\x28\xb5\x2f\xfd",
}
KEEP = [{"column": "weight", "at_least": 1.0}, {"column": "event", "one_of": ["a", "1"], "none_of": ["b"]}]
OPTIONS: list[dict[str, object]] = [
    {},
    {"time": "time"},
    {"time": "time", "since": "1990-01-01", "until": "2050-01-01"},
    {"time": "time", "since": 5},
    {"weight": "weight"},
    {"event": "event", "event_weights": {"a": 1.0, "1": 2.0}, "weight": "weight"},
    {"split": "split"},
    {"as_domain": "d"},
    {"domains": ["d"], "keep": KEEP},
    {"as_domain": "d", "keep": KEEP[:1], "time": "time", "split": "split"},
]
TABLES = st.sampled_from(OPTIONS)


def outcome(given: Mapping[str, Content], tables: Mapping[str, object]) -> pl.DataFrame | None:
    """Read the files in a folder of their own: the events, checked for their types, or None after one clear error."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, given)
        try:
            raw = read(options(folder, tables))
        except (DataError, ConfigError) as error:
            assert str(error).strip()
            return None
        events = raw.interactions.collect(engine="streaming")
    for frame, schema in ((events, INTERACTIONS), (raw.items, ITEMS), (raw.links, LINKS), (raw.triples, TRIPLES)):
        assert frame.columns == list(schema)
        for column, dtype in schema.items():
            assert frame.schema[column] == dtype or (column in ("user", "item") and frame.schema[column] == pl.Int64)
    assert events.drop("split").null_count().sum_horizontal().item() == 0
    assert events.height == 0 or events["weight"].is_finite().all()
    return events


@repeatable
@given(
    st.fixed_dictionaries({name: mostly(sound, COLUMNS) for name, sound in SOUND.items()}),
    TABLES,
)
def test_random_parquet_tables(columns: dict[str, pl.Series], table: dict[str, object]) -> None:
    outcome({"e.parquet": pl.DataFrame(columns)}, {"interactions": [{"path": "e.parquet", **table}]})


@repeatable
@given(
    st.lists(mostly(JSON_ROWS, st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON_VALUES))), max_size=4),
    TABLES,
)
def test_random_json_lines(rows: list[dict[str, object]], table: dict[str, object]) -> None:
    content = "".join(json.dumps(row) + "\n" for row in rows)
    outcome({"e.jsonl": content}, {"interactions": [{"path": "e.jsonl", **table}]})


@repeatable
@given(
    st.lists(mostly(FULL_ROWS, st.lists(WORDS | ODD, min_size=1, max_size=8)), max_size=4),
    TABLES,
    st.sampled_from([",", ";", "\t", "::"]),
)
def test_random_csv(rows: list[list[str]], table: dict[str, object], separator: str) -> None:
    content = "\n".join([separator.join(NAMES), *(separator.join(row) for row in rows)])
    outcome({"e.csv": content}, {"interactions": [{"path": "e.csv", "separator": separator, **table}]})


@repeatable
@given(st.binary(max_size=80), st.booleans(), st.sampled_from(sorted(STARTS)))
def test_random_bytes(content: bytes, headed: bool, suffix: str) -> None:
    start, name = STARTS[suffix], f"e.{suffix}"
    outcome({name: start * headed + content}, {"interactions": [{"path": name}]})


@repeatable
@given(st.fixed_dictionaries({name: mostly(few, COLUMNS) for name, few in FEW.items()}), st.booleans())
def test_random_tables_beside_good_events(columns: dict[str, pl.Series], link_by_id: bool) -> None:
    files = {"e.csv": "user,item,domain\nu,a,d\nu,b,d\n", "k.parquet": pl.DataFrame(columns)}
    tables: dict[str, list[dict[str, object]]] = {
        "interactions": [{"path": "e.csv"}],
        "items": [{"path": "k.parquet", "as_domain": "d", "text": ["relation", "number"]}],
        "links": [{"path": "k.parquet", "as_domain": "d"}],
        "triples": [{"path": "k.parquet", "confidence": "number"}, {"path": "k.parquet", "label": "number"}],
    }
    outcome(files, {**tables, "link_by_id": link_by_id})
    for kind in ("items", "links", "triples"):
        only = {"interactions": tables["interactions"], kind: tables[kind][-1:]}
        outcome(files, {**only, "link_by_id": link_by_id})


@repeatable
@given(st.lists(st.tuples(FULL_WORDS, FULL_WORDS), min_size=1, max_size=8))
def test_text_ids_come_back_exactly(pairs: list[tuple[str, str]]) -> None:
    table = pl.DataFrame(pairs, schema={"user": pl.String, "item": pl.String}, orient="row")
    lines = "".join(json.dumps({"user": user, "item": item}, ensure_ascii=False) + "\n" for user, item in pairs)
    for name, content in {"e.parquet": table, "e.csv": table.write_csv(quote_style="always"), "e.jsonl": lines}.items():
        events = outcome({name: content}, {"interactions": [{"path": name, "as_domain": "d"}]})
        assert events is not None
        assert events.select("user", "item").rows() == pairs


@repeatable
@given(st.lists(st.tuples(INT64, INT64), min_size=1, max_size=8))
def test_integer_ids_come_back_exactly(pairs: list[tuple[int, int]]) -> None:
    table = pl.DataFrame(pairs, schema={"user": pl.Int64, "item": pl.Int64}, orient="row")
    lines = "".join(json.dumps({"user": user, "item": item}) + "\n" for user, item in pairs)
    for name, content in {"e.parquet": table, "e.jsonl": lines}.items():
        events = outcome({name: content}, {"interactions": [{"path": name, "as_domain": "d"}]})
        assert events is not None
        assert events.select("user", "item").rows() == pairs
