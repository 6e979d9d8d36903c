"""`graphrec init`: what files are taken for, and whether the configuration that is written works."""

import datetime
import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from graphrec.cli.config import load_config
from graphrec.cli.init import write_config
from graphrec.cli.inspect import inspect_data
from graphrec.core.errors import ConfigError, DataError
from graphrec.data.files.times import clock
from graphrec.data.sniff import Plan, as_yaml, make_plan, read_samples
from graphrec.data.sniff.columns import Column
from graphrec.data.sniff.names import names_role, normal
from graphrec.data.sniff.sample import read_sample
from tests.test_cli import graphrec


def roles(plan: Plan) -> dict[str, dict[str, str]]:
    """File -> the kind of table and the column of each role; text as one joined entry."""
    found = {entry.guess.sample.path.name: ("interactions", entry.guess) for entry in plan.interactions}
    found |= {
        guess.sample.path.name: (kind, guess) for kind in ("items", "triples", "links") for guess in getattr(plan, kind)
    }
    made = {}
    for name, (kind, guess) in found.items():
        text = {"text": " ".join(guess.text)} if guess.text else {}
        own = {role: column for role, column in guess.roles.items() if role != "maybe_domain"}
        made[name] = {"kind": kind, **own, **text}
    return made


USER_ITEM = {"kind": "interactions", "user": "userId", "item": "itemId"}
KG = {"kind": "triples", "head": "c1", "relation": "c2", "tail": "c3"}

REAL = {
    "amazon5/interactions_ordered.parquet amazon5/interactions_timestamped.parquet amazon5/kg_beauty.parquet": {
        "interactions_ordered.parquet": {
            "kind": "interactions",
            "user": "user",
            "item": "item",
            "domain": "domain",
            "time": "pos",
        },
        "interactions_timestamped.parquet": {
            "kind": "interactions",
            "user": "user",
            "item": "item",
            "domain": "domain",
            "time": "ts",
        },
        "kg_beauty.parquet": {"kind": "triples", "head": "head", "relation": "relation", "tail": "tail"},
    },
    "complete_journey/transactions.parquet complete_journey/products.parquet": {
        "transactions.parquet": {
            "kind": "interactions",
            "user": "household_id",
            "item": "product_id",
            "time": "transaction_timestamp",
        },
        "products.parquet": {
            "kind": "items",
            "item": "product_id",
            "text": "department brand product_category product_type package_size",
        },
    },
    "gowalla": {
        "interactions.parquet": {"kind": "interactions", "user": "user", "item": "item", "split": "split"},
    },
    # Friends (trusts.txt) are no interactions.
    "ciaodvd17": {
        "movie-ratings.txt.gz": {
            "kind": "interactions",
            "user": "c1",
            "item": "c2",
            "domain": "c3",
            "rating": "c5",
            "time": "c6",
        },
    },
    "xmrec5/s1/train_5core.tsv.gz xmrec5/t1/train.tsv.gz xmrec5/t1/valid_run.tsv.gz": {
        "train_5core.tsv.gz": USER_ITEM,
        "train.tsv.gz": USER_ITEM | {"rating": "rating"},
    },
    "lastfm_kg/user_artists.dat.gz lastfm_kg/kg.txt.gz lastfm_kg/item_index2entity_id.txt.gz": {
        "user_artists.dat.gz": {"kind": "interactions", "user": "userID", "item": "artistID", "weight": "weight"},
        "kg.txt.gz": KG,
        "item_index2entity_id.txt.gz": {"kind": "links", "item": "c1", "entity": "c2"},
    },
    "lastfm_kg/ratings_final.txt.gz lastfm_kg/kg_final.txt.gz": {
        "ratings_final.txt.gz": {"kind": "interactions", "user": "c1", "item": "c2", "label": "c3"},
        "kg_final.txt.gz": KG,
    },
    "codex_s/train.txt.gz": {"train.txt.gz": KG},
    "cdr_pairs/sport_phone/train.txt.gz cdr_pairs/sport_phone/test.txt.gz": {
        "train.txt.gz": {"kind": "interactions", "user": "c1", "item": "c2"},
        "test.txt.gz": {"kind": "interactions", "user": "c1", "item": "c2"},
    },
    "ctr_samples/douban_sample.csv.gz": {
        "douban_sample.csv.gz": {
            "kind": "interactions",
            "user": "user_id",
            "item": "item_id",
            "domain": "domain",
            "rating": "rating",
        },
    },
    "ctr_samples/kuairand_sample.csv.gz": {
        "kuairand_sample.csv.gz": {
            "kind": "interactions",
            "user": "user_id",
            "item": "video_id",
            "label": "is_click",
        },
    },
    "ctr_samples/mind_sample.csv.gz": {
        "mind_sample.csv.gz": {"kind": "interactions", "user": "User_ID", "item": "News_ID", "label": "label"},
    },
    "nell_sports_kgeval/beliefs.tsv.gz": {
        "beliefs.tsv.gz": {"kind": "triples", "head": "c2", "relation": "c3", "tail": "c4"},
    },
}


@pytest.mark.parametrize("given", REAL, ids=lambda given: given.split()[0].split("/")[-1])
def test_the_roles_of_real_files(given: str, data_dir: Path) -> None:
    assert roles(make_plan(read_samples([data_dir / name for name in given.split()]))) == REAL[given]


def test_ids_of_real_files_say_who_is_who(data_dir: Path) -> None:
    amazon = make_plan(read_samples(sorted((data_dir / "amazon5").glob("*.parquet"))))
    assert (amazon.users.value, amazon.item_ids.value, amazon.link.value) == ("shared", "per_domain", "true")
    assert amazon.target.value == "electronics"
    # Beauty stands in both files under different filters: it is taken from one.
    assert [entry.only for entry in amazon.interactions] == [(), ("electronics", "food", "kitchen")]
    markets = make_plan(read_samples(sorted((data_dir / "xmrec5").glob("*/train_5core.tsv.gz"))))
    assert (markets.users.value, markets.item_ids.value) == ("per_domain", "shared")
    assert markets.domains == ("s1", "s2", "s3", "t1", "t2")
    assert markets.target.value == "t1"


@pytest.mark.parametrize(
    "given",
    [
        "complete_journey/transactions.parquet complete_journey/products.parquet",
        "amazon5/interactions_ordered.parquet amazon5/interactions_timestamped.parquet amazon5/kg_beauty.parquet",
        "xmrec5/t1/train_5core.tsv.gz xmrec5/t1/valid_qrel.tsv.gz xmrec5/t2/train_5core.tsv.gz",
        "lastfm_kg/user_artists.dat.gz lastfm_kg/kg.txt.gz",
        "ctr_samples/kuairand_sample.csv.gz",
        "ifashion_kg_slice",
    ],
    ids=lambda given: given.split()[0].split("/")[0],
)
def test_what_is_written_for_real_files_can_be_inspected(given: str, data_dir: Path, tmp_path: Path) -> None:
    write_config([data_dir / name for name in given.split()], tmp_path / "own.yaml")
    assert inspect_data(tmp_path / "own.yaml", [], tmp_path / "run").exists()


ORDERS = "customer_id,sku\n" + "".join(f"c{n % 7},p{n % 11}\n" for n in range(60))


def test_only_interactions_are_needed(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    done = graphrec("init", "orders.csv", cwd=tmp_path)
    assert done.stdout.splitlines() == [
        "orders.csv: interactions (user = customer_id, item = sku)",
        "wrote own.yaml; next: graphrec inspect own.yaml",
    ]
    config = load_config(tmp_path / "own.yaml", [])
    (table,) = config.ingest.tables.interactions
    assert (table.user, table.item, table.as_domain, table.time) == ("customer_id", "sku", "orders", None)
    assert (config.target, config.ingest.split.kind) == ("orders", "leave_last_out")
    shown = graphrec("inspect", "own.yaml", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "60 events of 7 users on 11 items in one domain, no triples." in shown.stdout
    assert (tmp_path / "runs" / "own" / "inspect.html").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "own.yaml").write_text("mine")
    done = graphrec("init", "orders.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "error: own.yaml: exists already; choose another file with --out\n")
    assert (tmp_path / "own.yaml").read_text() == "mine"
    with pytest.raises(ConfigError, match="exists already"):
        write_config([tmp_path / "orders.csv"], tmp_path / "own.yaml")


def test_files_without_interactions_are_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("customer_id,age\n" + "".join(f"c{n},{n}\n" for n in range(30)))
    (tmp_path / "notes.txt").write_text("nothing to see here\nat all\n")
    with pytest.raises(DataError) as raised:
        make_plan(read_samples([tmp_path]))
    lines = str(raised.value).splitlines()
    assert lines[0].startswith("no table of interactions was recognised")
    assert "notes.txt: has lines that no separator cuts" in lines[1]
    assert "people.csv: has a user column (customer_id) but no column of items; its columns: customer_id (" in lines[2]
    assert lines[3].startswith("write the columns by hand: `graphrec init --example own_tables`")


def test_a_missing_path_is_one_line(tmp_path: Path) -> None:
    done = graphrec("init", "nowhere.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "error: nowhere.csv: no such file or folder\n")
    assert graphrec("init", "a.csv", "--example", "quick", cwd=tmp_path).returncode == 2


def written(folder: Path, **files: str) -> Plan:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return make_plan(read_samples([folder]))


def test_every_separator_is_recognised(tmp_path: Path) -> None:
    for number, separator in enumerate((",", ";", "\t", "|", "::")):
        path = tmp_path / f"f{number}.dat"
        rows = [(str(n % 9 + 1), str(n % 13 + 1), str(n % 5 + 1), str(978_300_000 + n)) for n in range(90)]
        path.write_text("".join(separator.join(row) + "\n" for row in rows))
        sample = read_sample(path)
        assert (sample.separator, sample.header, sample.frame.shape) == (separator, False, (90, 4))


def test_ratings_without_a_header_get_their_roles(tmp_path: Path) -> None:
    rows = "".join(f"{n % 40 + 1}::{(n * 7) % 89 + 1}::{n % 5 + 1}::{978_300_000 + n}\n" for n in range(900))
    plan = written(tmp_path, ratings__dat=rows)
    assert roles(plan)["ratings.dat"] == {
        "kind": "interactions",
        "user": "c1",
        "item": "c2",
        "rating": "c3",
        "time": "c4",
    }
    text = as_yaml(plan, "own")
    assert "columns: [user, item, rating, time]" in text
    assert "# keep: [{column: rating, at_least: 4}]" in text
    (tmp_path / "own.yaml").write_text(text)
    assert inspect_data(tmp_path / "own.yaml", [], tmp_path / "run").exists()


def test_names_in_several_styles_are_known() -> None:
    assert normal("unixReviewTime") == "unix_review_time"
    for role, names in {
        "user": "userId visitor_id reviewerID customer household_id CUSTOMER_ID buyer uid memberId user_idx",
        "item": "asin sku product_id parent_asin itemId movieId News_ID video_id ArticleCode iid",
        "time": "ts unixReviewTime event_time timestamp created_at transaction_date order_date",
        "rating": "rating overall stars score",
        "domain": "domain market department scenario_id",
        "relation": "relation predicate edge_type",
        "entity": "entity entity_id freebase_id",
    }.items():
        assert [name for name in names.split() if not names_role(name, role)] == []
    for name in ("join_time", "play_time_ms", "register_date", "time_bin", "age"):
        assert not names_role(name, "time")


def test_columns_are_told_by_values() -> None:
    assert Column("a", pl.Series(["2024-01-31", "2024-02-01"])).is_time
    assert Column("a", pl.Series([1_357_430_400, 1_373_241_600])).is_time
    assert not Column("a", pl.Series([1, 2, 3])).is_time
    assert Column("a", pl.Series(["1", "0", "1"])).is_binary
    assert Column("a", pl.Series([1.0, 4.5, 5.0])).is_rating
    assert Column("a", pl.Series(["train", "test"])).is_split
    assert Column("a", pl.Series([0, 1, 2, 3])).is_counted
    assert not Column("a", pl.Series([5, 900, 3])).is_counted


def test_events_of_kinds_get_weights_to_fill_in(tmp_path: Path) -> None:
    rows = "".join(
        f"{1_433_221_332_117 + n},{n % 30},{'view' if n % 3 else 'addtocart'},{n % 40}\n" for n in range(300)
    )
    plan = written(tmp_path, log__csv=f"timestamp,visitorid,event,itemid\n{rows}")
    assert roles(plan)["log.csv"] == {
        "kind": "interactions",
        "user": "visitorid",
        "item": "itemid",
        "time": "timestamp",
        "event": "event",
    }
    assert "event_weights: {addtocart: 1.0, view: 1.0}" in as_yaml(plan, "own")


def test_train_and_test_files_are_parts_of_one_domain(tmp_path: Path) -> None:
    rows = "".join(f"u{n % 20},i{n % 30}\n" for n in range(200))
    plan = written(tmp_path, train__csv=f"user,item\n{rows}", test__csv=f"user,item\n{rows[:400]}")
    assert [(e.split, e.domain) for e in plan.interactions] == [("test", tmp_path.name), ("train", tmp_path.name)]
    assert "split: {kind: given}" in as_yaml(plan, "own")


def test_ids_counted_from_zero_in_each_file_are_not_shared(tmp_path: Path) -> None:
    books = "".join(f"{n % 50},{n % 60}\n" for n in range(600))
    films = "".join(f"{n % 80},{n % 90}\n" for n in range(800))
    plan = written(tmp_path, books__csv=f"user_id,item_id\n{books}", films__csv=f"user_id,item_id\n{films}")
    assert plan.domains == ("books", "films")
    assert (plan.users.value, plan.item_ids.value) == ("per_domain", "per_domain")
    assert plan.target.value == "books"


def test_disjoint_ids_of_equally_many_are_not_taken_for_shared(tmp_path: Path) -> None:
    one = "".join(f"u{n % 20},a{n % 30}\n" for n in range(200))
    plan = written(tmp_path, one__csv=f"user,item\n{one}", two__csv=f"user,item\n{one.replace('a', 'b')}")
    assert (plan.users.value, plan.item_ids.value) == ("shared", "per_domain")
    assert plan.item_ids.reason.startswith("hardly any item is in two domains: 0.0%")


def test_items_that_say_their_domain_need_one_entry(tmp_path: Path) -> None:
    rows = "".join(f"u{n % 20},{'ab'[n % 2]}{n % 30},{'ab'[n % 2]}\n" for n in range(200))
    titles = "".join(f"{'ab'[n % 2]}{n},{'ab'[n % 2]},a thing called {n}\n" for n in range(30))
    written(tmp_path, e__csv=f"user,item,domain\n{rows}", t__csv=f"item,domain,title\n{titles}")
    write_config([tmp_path], tmp_path / "own.yaml")
    (table,) = load_config(tmp_path / "own.yaml", []).ingest.tables.items
    assert (table.domain, table.as_domain, table.text) == ("domain", None, ("title",))
    assert inspect_data(tmp_path / "own.yaml", [], tmp_path / "run").exists()


def test_triples_that_nothing_ties_to_items_wait_as_a_comment(tmp_path: Path) -> None:
    rows = "".join(f"u{n % 20},i{n % 30}\n" for n in range(200))
    facts = "".join(f"Q{n},P{n % 3},Q{n % 40 + 500}\n" for n in range(200))
    plan = written(tmp_path, e__csv=f"user,item\n{rows}", kg__csv=f"head,relation,tail\n{facts}")
    text = as_yaml(plan, "own")
    assert "# - path: kg.csv" in text
    assert "give a table of links (item, entity)" in text
    (tmp_path / "own.yaml").write_text(text)
    assert load_config(tmp_path / "own.yaml", []).ingest.tables.triples == ()


def test_a_table_of_links_ties_them(tmp_path: Path) -> None:
    rows = "".join(f"u{n % 20},i{n % 30}\n" for n in range(200))
    facts = "".join(f"Q{n % 30},P{n % 3},Q{n % 40 + 500}\n" for n in range(200))
    ties = "".join(f"i{n},Q{n}\n" for n in range(30))
    plan = written(
        tmp_path,
        e__csv=f"user,item\n{rows}",
        kg__csv=f"head,relation,tail\n{facts}",
        ties__csv=f"item,entity\n{ties}",
    )
    write_config([tmp_path], tmp_path / "own.yaml")
    tables = load_config(tmp_path / "own.yaml", []).ingest.tables
    assert ([t.path for t in tables.links], len(tables.triples), tables.link_by_id) == (["ties.csv"], 1, False)
    assert plan.link.value == "false"
    assert inspect_data(tmp_path / "own.yaml", [], tmp_path / "run").exists()


def test_recbole_kgat_amazon_and_graphs_get_their_readers(tmp_path: Path) -> None:
    inter = "".join(f"u{n % 9}\ti{n % 12}\t{978_300_000 + n}\n" for n in range(90))
    (tmp_path / "ml").mkdir()
    (tmp_path / "ml" / "ml.inter").write_text(f"user_id:token\titem_id:token\ttimestamp:float\n{inter}")
    atomic = make_plan(read_samples([tmp_path / "ml"]))
    assert (atomic.reader, atomic.domains, atomic.target.value) == ("recbole", ("ml",), "ml")
    (tmp_path / "kgat").mkdir()
    (tmp_path / "kgat" / "train.txt").write_text(
        "".join(f"{n} {' '.join(map(str, range(n % 4 + 1)))}\n" for n in range(20))
    )
    (tmp_path / "kgat" / "kg_final.txt").write_text("".join(f"{n % 5} {n % 2} {n + 9}\n" for n in range(40)))
    lists = make_plan(read_samples([tmp_path / "kgat"]))
    assert (lists.reader, lists.domains) == ("kgat", ("kgat",))
    assert "triples: kg_final.txt" in as_yaml(lists, "own")
    (tmp_path / "graph.pt").write_bytes(b"PK\x03\x04")
    assert make_plan(read_samples([tmp_path / "graph.pt"])).reader == "graph"
    for name, key, more in (
        ("Beauty_5.json", "reviewerID", {"asin": "B1", "overall": 5.0, "unixReviewTime": 1_400_000_000}),
        ("Video_Games.jsonl", "user_id", {"parent_asin": "B1", "rating": 5.0, "timestamp": 1_400_000_000_000}),
    ):
        with gzip.open(tmp_path / f"{name}.gz", "wt") as file:
            file.writelines(json.dumps({key: f"u{n}", **more}) + "\n" for n in range(30))
        found = make_plan(read_samples([tmp_path / f"{name}.gz"]))
        assert found.reader == "amazon"
        assert found.domains == (name.split(".")[0].removesuffix("_5"),)


def test_odd_names_survive_the_yaml(tmp_path: Path) -> None:
    rows = "".join(f"u{n % 20},i{n % 30},2024-01-{n % 28 + 1:02}\n" for n in range(200))
    (tmp_path / "my data (1).csv").write_text(f"User ID,Item: No,date\n{rows}".replace("Item: No", "item id"))
    write_config([tmp_path / "my data (1).csv"], tmp_path / "yes.yaml")
    config = load_config(tmp_path / "yes.yaml", [])
    (table,) = config.ingest.tables.interactions
    assert (config.name, table.path, table.user, table.time) == ("yes", "my data (1).csv", "User ID", "date")


def test_empty_ids_are_filtered_where_they_stand(tmp_path: Path) -> None:
    rows = "".join(f"u{n % 20},i{n % 30}\n" for n in range(200)) + ",i3\n"
    (tmp_path / "e.csv").write_text(f"user,item\n{rows}")
    write_config([tmp_path / "e.csv"], tmp_path / "own.yaml")
    (table,) = load_config(tmp_path / "own.yaml", []).ingest.tables.interactions
    assert [(rule.column, rule.none_of) for rule in table.keep] == [("user", ("",))]
    assert inspect_data(tmp_path / "own.yaml", [], tmp_path / "run").exists()


def test_columns_that_no_role_can_use_are_passed_over(tmp_path: Path) -> None:
    num = range(60)
    odd = {
        "user": [f"u{n % 7}" for n in num],
        "item": [n % 11 for n in num],
        "basket": [[n, n + 1] for n in num],
        "place": [{"x": n} for n in num],
        "stay": [datetime.timedelta(n) for n in num],
        "raw": [b"x" for _ in num],
        "nothing": [None for _ in num],
        "share": [float("nan") for _ in num],
    }
    pl.DataFrame(odd).write_parquet(tmp_path / "odd.parquet")
    plan = make_plan(read_samples([tmp_path]))
    assert roles(plan) == {"odd.parquet": {"kind": "interactions", "user": "user", "item": "item"}}
    (tmp_path / "nested.jsonl").write_text('{"user": {"id": 1}, "item": 5}\n{"user": {"id": 2}, "item": 6}\n')
    assert [path.name for path, _ in make_plan(read_samples([tmp_path])).unused] == ["nested.jsonl"]


@pytest.mark.parametrize("text", [b"", b"\n\n", b"user,item\n", bytes(range(256)), "user,item\n1,2\n".encode("utf-16")])
def test_files_that_cannot_be_read_are_named(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes(text)
    with pytest.raises(DataError, match=r"f\.csv: (is empty|has no rows|cannot be read)"):
        make_plan(read_samples([tmp_path]))


def proposed(path: Path) -> str:
    """The configuration for `path`, after its data were read as it says."""
    config = path.parent / f"{path.stem}.yaml"
    write_config([path], config)
    assert inspect_data(config, [], path.parent / "run").exists()
    return config.read_text()


def events(head: str, row: str, num: int = 200) -> str:
    """`num` rows after a header; in `row`, {u}, {i}, {n} and {t} stand for user, item, number and seconds."""
    return head + "".join(row.format(u=n % 20, i=n % 30, n=n, t=1_500_000_000 + n, r=n % 5 + 1) for n in range(num))


def test_a_header_with_an_index_or_a_last_comma_is_a_header(tmp_path: Path) -> None:
    (tmp_path / "pandas.csv").write_text(events(",user_id,item_id,rating,ts\n", "{n},{u},{i},{r},{t}\n"))
    text = proposed(tmp_path / "pandas.csv")
    assert "columns:" not in text
    assert ("user: user_id" in text, "item: item_id" in text, "time: ts" in text) == (True, True, True)
    (tmp_path / "comma.csv").write_text(events("user_id,item_id,\n", "{u},{i},\n"))
    assert "columns:" not in proposed(tmp_path / "comma.csv")


def test_a_column_that_stands_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "twice.csv").write_text(events("user_id,item_id,item_id,ts\n", "{u},{i},{i},{t}\n"))
    with pytest.raises(DataError, match=r"twice\.csv: has the column item_id twice in its header; rename one"):
        make_plan(read_samples([tmp_path]))


def test_blanks_after_commas_are_part_of_the_names(tmp_path: Path) -> None:
    (tmp_path / "blank.csv").write_text(events("user_id, item_id, rating, ts\n", "{u}, {i}, {r}, {t}\n"))
    text = proposed(tmp_path / "blank.csv")
    assert 'item: " item_id"' in text
    assert 'time: " ts"' in text


def test_a_json_array_and_a_byte_order_mark_are_said(tmp_path: Path) -> None:
    rows = [{"user_id": n, "item_id": n % 30, "ts": 1_500_000_000 + n} for n in range(9000)]
    (tmp_path / "array.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match=r"array\.json: is one JSON array; write one object per line"):
        make_plan(read_samples([tmp_path]))
    (tmp_path / "array.json").write_text("x" * 200_000 + "\n")
    with pytest.raises(DataError, match=r"has a line that is no row of a table \(field larger than"):
        make_plan(read_samples([tmp_path]))
    (tmp_path / "array.json").write_text('\ufeff{"user_id": 1, "item_id": 2}\n')
    with pytest.raises(DataError, match="starts with a byte-order mark"):
        make_plan(read_samples([tmp_path]))


def test_brackets_and_dollars_in_names_are_no_patterns(tmp_path: Path) -> None:
    rows = {"user_id": [f"u{n % 20}" for n in range(200)], "item_id": [f"i{n % 30}" for n in range(200)]}
    pl.DataFrame(rows).write_parquet(tmp_path / "events [2].parquet")
    assert 'path: "events [2].parquet"' in as_yaml(make_plan(read_samples([tmp_path])), "own")
    (tmp_path / "a $HOMEX.csv").write_text(events("user_id,item_id\n", "{u},{i}\n"))
    assert 'path: "a [$]HOMEX.csv"' in proposed(tmp_path / "a $HOMEX.csv")


def test_lines_within_quotes_and_line_separators_cut_nothing(tmp_path: Path) -> None:
    (tmp_path / "quotes.csv").write_text(events("user_id,item_id,title,ts\n", '{u},{i},"two\nlines {i}",{t}\n'))
    assert "item: item_id" in proposed(tmp_path / "quotes.csv")
    assert read_sample(tmp_path / "quotes.csv").frame.shape == (200, 4)
    (tmp_path / "u2028.csv").write_text(events("user_id,item_id,title,ts\n", "{u},{i},two\u2028lines,{t}\n"))
    assert "time: ts" in proposed(tmp_path / "u2028.csv")
    assert read_sample(tmp_path / "u2028.csv").frame.shape == (200, 4)


@pytest.mark.parametrize("form", ["{d}/07/2024", "{d}/07/2024 10:00", "2024.07.{d}", "{d}-7-2024", "July {d}, 2024"])
def test_times_are_proposed_only_if_they_are_read(form: str, tmp_path: Path) -> None:
    rows = "".join(f'u{n % 20},i{n % 30},"{form.format(d=n % 18 + 11)}"\n' for n in range(200))
    (tmp_path / "dates.csv").write_text(f"user_id,item_id,date\n{rows}")
    text = proposed(tmp_path / "dates.csv")
    read = clock("date", pl.String(), pl.Series([form.format(d=15)])) is not None
    assert ("\n        time: date\n" in text) == read
    assert ("write all as 2024-07-15 10:42:00 or as seconds since 1970, then add time: date" in text) != read


def test_rows_without_a_time_are_filtered(tmp_path: Path) -> None:
    (tmp_path / "late.csv").write_text(events("user_id,item_id,ts\n", "{u},{i},{t}\n") + "1,2,\n")
    assert 'keep: [{column: ts, none_of: [""]}]' in proposed(tmp_path / "late.csv")
    lines = events("", '{{"user_id": "u{u}", "item_id": "i{i}", "ts": {t}}}\n')
    (tmp_path / "gaps.jsonl").write_text(lines + '{"user_id": "u1", "item_id": "i2", "ts": null}\n')
    assert "keep: [{column: ts, at_least: 0}]" in proposed(tmp_path / "gaps.jsonl")


def test_numbered_parts_are_one_table(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    for part in range(3):
        ids = [(n * 7 + part) % 100 for n in range(200)]
        frame = pl.DataFrame({"user_id": [f"u{n}" for n in ids], "item_id": [f"i{n % 30}" for n in range(200)]})
        frame.write_parquet(folder / f"part-0000{part}.parquet")
    text = proposed(folder)
    assert text.count("- path:") == 1
    assert ('path: "part-*.parquet"' in text, "as_domain: log" in text) == (True, True)
    assert "3 files with equal columns and common ids are taken for the parts of one table" in text
    # Another file that the pattern meets too: each part stays on its own.
    (folder / "part-list.parquet").write_text("part-00000\n")
    assert len(make_plan(read_samples([folder])).interactions) == 3


def test_numbered_domains_are_no_parts(tmp_path: Path) -> None:
    rows = events("user_id,item_id\n", "u{u},i{i}\n")
    plan = written(tmp_path, domain1__csv=rows, domain2__csv=rows)
    assert plan.domains == ("domain1", "domain2")


def test_a_column_of_a_few_shops_is_the_domain(tmp_path: Path) -> None:
    rows = "".join(f"u{n % 20},p{n % 30},{['north', 'south'][n % 2]}\n" for n in range(200))
    plan = written(tmp_path, sales__csv=f"customer_id,product_id,store\n{rows}")
    assert (roles(plan)["sales.csv"]["domain"], plan.domains) == ("store", ("north", "south"))


def test_a_tiny_domain_does_not_part_the_users_of_large_ones(tmp_path: Path) -> None:
    rows = [f"{n % 500},b{n % 40},books\n{n % 500},f{n % 50},films\n" for n in range(2000)]
    tiny = [f"{n % 8},t{n % 9},toys\n" for n in range(40)]
    plan = written(tmp_path, e__csv="user_id,item_id,domain\n" + "".join([*rows, *tiny]))
    assert plan.users.value == "shared"


def test_folds_are_no_parts(tmp_path: Path) -> None:
    rows = [f"u{n % 20},i{n % 30},{1_500_000_000 + n}\n" for n in range(400)]
    folds = {f"u{k}__csv": "user,item,ts\n" + "".join(rows[: 80 * k] + rows[80 * k + 80 :]) for k in range(5)}
    assert len(written(tmp_path, **folds).interactions) == 5


def test_ids_that_pandas_made_floats_are_ids(tmp_path: Path) -> None:
    (tmp_path / "floats.csv").write_text(events("user_id,item_id,rating,ts\n", "{n}.0,{i}.0,{r}.0,{t}.0\n"))
    text = proposed(tmp_path / "floats.csv")
    assert ("user: user_id" in text, "time: ts" in text, "{column: rating, at_least: 4}" in text) == (True, True, True)


def test_null_ids_of_parquet_are_filtered_or_told(tmp_path: Path) -> None:
    num = range(200)
    rows = {"user_id": [None if n == 5 else n % 20 for n in num], "item_id": [n % 30 for n in num]}
    pl.DataFrame(rows).write_parquet(tmp_path / "numbers.parquet")
    assert "keep: [{column: user_id, at_least: 0}]" in proposed(tmp_path / "numbers.parquet")
    pl.DataFrame(rows).cast(pl.String).write_parquet(tmp_path / "text.parquet")
    text = as_yaml(make_plan(read_samples([tmp_path / "text.parquet"])), "own")
    assert "# user_id has nulls, which no filter leaves out: drop these rows from the file." in text
