"""From raw tables to the numbered data set: ids, leaks, behaviour, and what may be missing."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from graphrec.core.errors import DataError
from graphrec.core.ids import IdMap
from graphrec.data import encode
from graphrec.data.build import Rules, build_dataset
from graphrec.data.config import CleanConfig, LeaksConfig, SplitConfig
from graphrec.data.dataset import load_dataset, save_dataset
from graphrec.data.encode import Scopes, number
from graphrec.data.inspect.leaks import leak_report
from graphrec.data.raw import INTERACTIONS, ITEMS, LINKS, TRIPLES, RawTables
from graphrec.data.split import PARTS

RULES = Rules(clean=CleanConfig(), split=SplitConfig(), leaks=LeaksConfig())


def raw(rows=(), triples=(), **changes):
    """Rows are (user, item, domain) or (user, item, domain, part of a given split), in order of time."""
    full = [(*row[:3], place, 1.0, row[3] if len(row) > 3 else None) for place, row in enumerate(rows)]
    schema = dict(INTERACTIONS)
    for name, value in zip(("user", "item"), rows[0][:2] if rows else (), strict=False):
        schema[name] = pl.Int64 if isinstance(value, int) else pl.String
    facts = [(*triple, 1.0, False, None, "t") for triple in triples]
    tables = RawTables(
        interactions=pl.DataFrame(full, schema=schema, orient="row").lazy(),
        items=pl.DataFrame(schema=ITEMS),
        triples=pl.DataFrame(facts, schema=TRIPLES, orient="row"),
        links=pl.DataFrame(schema=LINKS),
        link_by_id=True,
        timed=False,
        about="",
    )
    return replace(tables, **changes)


IDS = [
    [3, 1, 2**53 + 1, 2**53, -(2**63), 2**63 - 1, 0],
    ["007", "7", " 7", "7 ", "a b", "", "Ünïcødé 金", "a\tb", "null"],
]


@pytest.mark.parametrize("ids", IDS, ids=["integers", "text"])
@pytest.mark.parametrize("per_domain", [False, True])
def test_ids_survive_the_round_trip(ids: list, per_domain: bool) -> None:
    rows = [(one, one, domain) for domain in ("a", "b") for one in [*ids, *reversed(ids)]]
    frame = raw(rows).interactions
    scopes = Scopes(("a", "b"), np.array([row[2] == "b" for row in rows]).astype(np.uint16))
    known, codes = number(frame, "item", scopes if per_domain else None)
    assert known.decode(codes).to_list() == [row[1] for row in rows]
    assert len(known) == len(ids) * (2 if per_domain else 1)
    scope = frame.collect()["domain"] if per_domain else None
    slow = IdMap.build("item", frame.collect()["item"], scope)
    assert slow.table.equals(known.table)
    assert slow.encode(frame.collect()["item"], scope).tolist() == codes.tolist()


@pytest.mark.parametrize("write", [str, "user_{:08d}".format, "the-same-long-head-of-all-ids-{}".format])
def test_many_ids_are_numbered_as_few_are(write, monkeypatch: pytest.MonkeyPatch) -> None:
    # Enough for the hash table to double, and for ids to be sorted by eight bytes where those tell them apart.
    monkeypatch.setattr(encode, "_MANY", 1000)
    ids = [write(one) for one in np.random.default_rng(0).integers(0, 10**6, 150_000)]
    frame = pl.DataFrame({"item": ids, "domain": "a"}).lazy()
    known, codes = number(frame, "item")
    assert known.table["id"].to_list() == sorted(set(ids))
    assert known.decode(codes).to_list() == ids


@pytest.mark.parametrize("ids", IDS, ids=["integers", "text"])
def test_ids_survive_on_disk(ids: list, tmp_path) -> None:
    built = build_dataset(raw([(one, one, "a") for one in ids]), RULES)
    save_dataset(built.dataset, built.test, tmp_path)
    loaded = load_dataset(tmp_path)
    assert sorted(loaded.items.table["id"].to_list()) == sorted(ids)
    events = built.events.sort("order")
    assert loaded.users.decode(events["user"].to_numpy()).to_list() == ids


def test_shared_users_and_items_of_their_own() -> None:
    rows = [(17, 5, "a"), (17, 5, "b"), (18, 5, "b")]
    shared = build_dataset(raw(rows), RULES).dataset
    assert (len(shared.users), len(shared.items)) == (2, 1)
    apart = build_dataset(raw(rows), replace(RULES, per_domain=("user", "item"))).dataset
    assert apart.users.table.rows() == [("a", 17), ("b", 17), ("b", 18)]
    assert apart.items.table.rows() == [("a", 5), ("b", 5)]
    assert {name: catalog.tolist() for name, catalog in apart.catalog.items()} == {"a": [0], "b": [1]}


def test_an_entity_is_the_item_of_its_id_in_every_domain_that_has_it() -> None:
    rows = [("u", "x", "a"), ("u", "x", "b"), ("u", "y", "b")]
    facts = [("x", "is", "thing"), ("y", "is", "thing")]
    apart = build_dataset(raw(rows, facts), replace(RULES, per_domain=("item",))).dataset
    linked = [apart.items.table.row(i) for i in apart.link_item]
    assert linked == [("a", "x"), ("b", "x"), ("b", "y")]
    shared = build_dataset(raw(rows, facts), RULES).dataset
    assert [shared.items.table.row(i)[1] for i in shared.link_item] == ["x", "y"]


def test_triples_alone_are_a_data_set(tmp_path) -> None:
    built = build_dataset(raw((), [("a", "r", "b"), ("a", "r", "b"), ("b", "r", "c")]), RULES)
    save_dataset(built.dataset, built.test, tmp_path)
    loaded = load_dataset(tmp_path)
    assert (loaded.domains, len(loaded.triples), len(loaded.entities), len(loaded.users)) == ((), 2, 3, 0)
    with pytest.raises(DataError, match="no interactions and no triples"):
        build_dataset(raw(), RULES)


def test_labels_stay_with_their_triples() -> None:
    tables = raw((), [("b", "r", "c"), ("a", "r", "b"), ("a", "r", "b")])
    labelled = tables.triples.with_columns(label=pl.Series([None, None, False]))
    built = build_dataset(replace(tables, triples=labelled), RULES)
    assert built.labels is not None
    head = built.dataset.entities.decode(built.dataset.triples.head).to_list()
    assert dict(zip(head, built.labels, strict=True)) == {"b": None, "a": False}
    assert build_dataset(tables, RULES).labels is None


def test_relations_made_from_behaviour_can_be_left_out() -> None:
    facts = [("x", "also_bought", "y"), ("x", "made_by", "acme")]
    built = build_dataset(raw([("u", "x", "a"), ("u", "y", "a")], facts), replace(RULES, drop_behaviour=True))
    assert built.dataset.relations == ("made_by",)
    assert built.dropped["triples of behaviour relations"] == 1


def test_a_test_pair_that_is_also_in_train_is_not_tested_and_counted() -> None:
    rows = [(u, i, "a", "train") for u in range(4) for i in (0, 1)] + [(0, 1, "a", "test"), (1, 2, "a", "test")]
    built = build_dataset(raw(rows), replace(RULES, split=SplitConfig(kind="given")))
    assert built.dropped["repeats in another part of a given split"] == 1
    assert (built.test.user.tolist(), built.test.item.tolist()) == ([1], [2])


def twin_world():
    """Product 0 is listed in `a` and in `b` with the same ten buyers; it is the last event of each in `a`."""
    rows = [(user, item, "a") for user in range(10) for item in (1 + user, 2 + user)]
    rows += [(user, 100, "b") for user in range(10)]
    return [*rows, *((user, 0, "a") for user in range(10))]


def test_twins_of_held_out_items_can_be_taken_out() -> None:
    kept = build_dataset(raw(twin_world()), RULES)
    twin = kept.dataset.items.find(pl.Series([100]))[0]
    assert (kept.dataset.train.item == twin).sum() == 10
    dropped = build_dataset(raw(twin_world()), replace(RULES, leaks=LeaksConfig(twins="drop")))
    assert not (dropped.dataset.train.item == twin).any()
    assert dropped.dropped["events that give a held-out one away"] == 10
    assert twin in dropped.dataset.catalog["b"]
    parts = dropped.events.filter(pl.col("item") == int(twin))["split"].unique().to_list()
    assert parts == [PARTS.index("left_out")]


def test_the_very_item_had_elsewhere_gives_a_held_out_one_away() -> None:
    rows = [(user, item, "a") for user in range(5) for item in (user + 1, user + 2, 0)]
    rows += [(user, item, "b") for user in range(5) for item in (0, user + 20)]
    kept = build_dataset(raw(rows), RULES)
    report = leak_report(kept.events, kept.dataset.domains, len(kept.dataset.items), LeaksConfig())
    assert [row["num_repeated"] for row in report["domains"]] == [5, 0]
    dropped = build_dataset(raw(rows), replace(RULES, leaks=LeaksConfig(twins="drop")))
    assert dropped.dropped["events that give a held-out one away"] == 5
    left = leak_report(dropped.events, dropped.dataset.domains, len(dropped.dataset.items), LeaksConfig())
    assert [row["num_repeated"] for row in left["domains"]] == [0, 0]


def test_what_the_tables_say_of_a_split_is_not_passed_over_in_silence() -> None:
    rows = [(0, item, "a", "train" if item else "test") for item in range(4)] + [(0, 1, "a", "test")]
    built = build_dataset(raw(rows), RULES)
    assert built.warnings == (
        "the tables name a split, but ingest.split.kind=leave_last_out makes one of its own; "
        "kind=given would keep theirs",
    )
    assert (built.dropped["repeated events"], built.dropped["repeats in another part of a given split"]) == (1, 0)
    assert not build_dataset(raw(rows), replace(RULES, split=SplitConfig(kind="given"))).warnings
    assert build_dataset(raw(twin_world()), replace(RULES, split=SplitConfig(shots=2))).warnings


@pytest.mark.parametrize(
    ("tables", "rules", "message"),
    [
        (raw([(u, u, f"d{u}") for u in range(65_536)]), {}, "65536 domains, such as .*: is `domain` the right column"),
        (raw(twin_world()), {"leaks": LeaksConfig(twins="drop"), "per_domain": ("user",)}, "set user_ids=shared"),
        (
            raw([("u", "x", "a")], [("e", "is", "f")], links=pl.DataFrame([("x", "A", "e")], LINKS, orient="row")),
            {"per_domain": ("item",)},
            "the 1 links lead to no item that is left .*item 'x' of domain 'A'",
        ),
        (
            raw([(u, i, "a") for u in range(9) for i in (0, 1)]),
            {"split": SplitConfig(kind="cold_items", valid_share=0.4, test_share=0.49)},
            "nothing to train on is left in 'a'",
        ),
    ],
    ids=["domains", "twins of strangers", "links", "nothing to train on"],
)
def test_what_cannot_be_is_one_clear_line(tables: RawTables, rules: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        build_dataset(tables, replace(RULES, **rules))


def test_a_table_that_changes_while_it_is_read_is_one_clear_line(tmp_path) -> None:
    path = tmp_path / "events.parquet"
    tables = raw(twin_world())
    tables.interactions.collect().write_parquet(path)
    lazy = replace(tables, interactions=pl.scan_parquet(path))
    path.unlink()
    with pytest.raises(DataError, match="a table changed while it was read .*run again"):
        build_dataset(lazy, RULES)
