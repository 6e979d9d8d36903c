"""Readers of foreign formats: small files by hand, the tables they give, and what they say of wrong ones."""

import gzip
import importlib.util
import json
import sys
from pathlib import Path

import polars as pl
import pytest
import torch

from graphrec.core.config import parse, parse_yaml
from graphrec.core.errors import DataError, GraphrecError, MissingExtraError
from graphrec.data.config import (
    AmazonConfig,
    AmazonDomain,
    Filter,
    GraphConfig,
    JourneyConfig,
    KgatConfig,
    RecboleConfig,
)
from graphrec.data.raw import INTERACTIONS, ITEMS, LINKS, TRIPLES, RawTables
from graphrec.data.readers import READERS, amazon, graph, journey, kgat, recbole
from graphrec.data.readers._pyg import HeteroData
from graphrec.stages.config import IngestConfig

HAS_DGL = importlib.util.find_spec("dgl") is not None


def write(folder: Path, **files: str | bytes) -> None:
    """Write files named like `train_txt`: the last underscore becomes the dot; .gz is packed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        raw = content.encode() if isinstance(content, str) else content
        path = folder / name.replace("__", ".")
        path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)


def events(raw: RawTables) -> list[tuple[object, ...]]:
    return raw.interactions.select("user", "item", "domain").collect().rows()


def facts(raw: RawTables) -> list[tuple[object, ...]]:
    return raw.triples.select("head", "relation", "tail").rows()


def check_contract(raw: RawTables) -> None:
    """Columns and types that every reader promises."""
    for frame, schema in (
        (raw.interactions.collect(), INTERACTIONS),
        (raw.items, ITEMS),
        (raw.triples, TRIPLES),
        (raw.links, LINKS),
    ):
        assert frame.columns == list(schema)
        for name, kind in schema.items():
            assert frame.schema[name] == kind or (name in ("user", "item") and frame.schema[name] == pl.Int64)
    held = [raw.interactions.collect_schema()["item"], *(t.schema["item"] for t in (raw.items, raw.links) if t.height)]
    assert len(set(held)) == 1


def complaint(reader, config) -> str:
    with pytest.raises(DataError) as caught:
        reader.read(config)
    return str(caught.value)


# kgat


def test_kgat_lines_become_events_and_triples(tmp_path: Path) -> None:
    write(tmp_path, train__txt="0 5 7\n1\n\n2 5\r\n", test__txt="0  9\n", kg_final__txt="5 0 100\n9 1 7\n")
    raw = kgat.read(KgatConfig(folder=str(tmp_path), domain="books"))
    check_contract(raw)
    assert events(raw) == [(0, 5, "books"), (0, 7, "books"), (2, 5, "books"), (0, 9, "books")]
    assert raw.interactions.select("split", "order").collect().rows() == [
        ("train", 0),
        ("train", 1),
        ("train", 2),
        ("test", 3),
    ]
    assert facts(raw) == [("5", "0", "100"), ("9", "1", "7")]
    assert raw.links.rows() == [(5, "books", "5"), (7, "books", "7"), (9, "books", "9")]
    assert [(t.kind, Path(t.path).name, t.num_rows) for t in raw.tables] == [
        ("interactions", "train.txt", 3),
        ("interactions", "test.txt", 1),
        ("triples", "kg_final.txt", 2),
    ]
    assert not raw.timed and not raw.link_by_id


def test_kgat_without_test_and_triples_has_no_split(tmp_path: Path) -> None:
    write(tmp_path, train__txt__gz="0 5 7\n")
    config = KgatConfig(folder=str(tmp_path), train="train.txt.gz", test=None, triples=None)
    raw = kgat.read(config)
    assert raw.interactions.collect()["split"].to_list() == [None, None]
    assert raw.triples.height == 0 and raw.links.height == 0
    assert kgat.files(config) == [tmp_path / "train.txt.gz"]


def test_kgat_lists_give_the_names_back(tmp_path: Path) -> None:
    write(tmp_path, train__txt="0 0 1\n", kg_final__txt="0 0 2\n1 0 2\n")
    write(tmp_path, users__txt="org_id remap_id\nA007 0\n", relations__txt="org_id remap_id\nfilm.actor 0\n")
    write(tmp_path, items__txt="org_id remap_id freebase_id\n0012 0 m.1\n0013 1 m.2\n")
    write(tmp_path, entities__txt="org_id remap_id\nm.1 0\nm.2 1\nm.3 2\n")
    lists = {"users": "users.txt", "items": "items.txt", "entities": "entities.txt", "relations": "relations.txt"}
    raw = kgat.read(KgatConfig(folder=str(tmp_path), domain="d", test=None, **lists))
    check_contract(raw)
    assert events(raw) == [("A007", "0012", "d"), ("A007", "0013", "d")]
    assert facts(raw) == [("m.1", "film.actor", "m.3"), ("m.2", "film.actor", "m.3")]
    assert raw.links.rows() == [("0012", "d", "m.1"), ("0013", "d", "m.2")]


def test_kgat_names_every_wrong_line_at_once(tmp_path: Path) -> None:
    write(tmp_path, train__txt="0 5\n1 07\n2 x\n", kg_final__txt="1 2\n1 0 3\n1 0 3 4\n")
    said = complaint(kgat, KgatConfig(folder=str(tmp_path), test="tset.txt"))
    shape = "write whole numbers of up to 18 digits without leading zeros, blanks between them"
    assert said.splitlines() == [
        f"{tmp_path}/train.txt: 2 rows not of the form `user item item ...` (rows 2: '1 07', 3: '2 x'); {shape}",
        f"{tmp_path}/tset.txt: no such file; {tmp_path.name} has train.txt; relative paths start from {tmp_path}",
        f"{tmp_path}/kg_final.txt: 2 rows not of the form `head relation tail` (rows 1: '1 2', 3: '1 0 3 4'); {shape}",
    ]


def test_kgat_lists_must_name_what_is_used(tmp_path: Path) -> None:
    write(tmp_path, train__txt="0 5\n", kg_final__txt="5 3 6\n", r__txt="org_id remap_id\nis 0\nhas 0\nof a 2\n")
    said = complaint(kgat, KgatConfig(folder=str(tmp_path), test=None, relations="r.txt"))
    assert said.splitlines() == [
        f"{tmp_path}/r.txt: 1 row without 2 fields, remap_id a whole number (row 4: 'of a 2')",
        f"{tmp_path}/r.txt: 2 rows with a remap_id that stands twice (rows 2: 'is 0', 3: 'has 0')",
        "r.txt: no line for 1 relation number (3); add them, or leave the list out",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"0 5\n1 \xff\n", "line 2: byte 3 is not UTF-8; save the file as UTF-8 text"),
        (b"0 5\n1 \x01 7\n", "line 2: holds the control character 0x01; remove it"),
        (b"\n \n", "the file is empty; leave it out or give one with lines"),
        (b"", "the file is empty; leave it out or give one with lines"),
    ],
)
def test_text_that_is_none_is_named_by_line(tmp_path: Path, content: bytes, message: str) -> None:
    write(tmp_path, train__txt=content)
    said = complaint(kgat, KgatConfig(folder=str(tmp_path), test=None, triples=None))
    assert said == f"{tmp_path}/train.txt: {message}"


def test_a_packed_file_that_breaks_off_is_named(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(b"%d %d\n" % (k, k * k) for k in range(5000)))
    (tmp_path / "train.txt.gz").write_bytes(packed[: len(packed) // 2])
    said = complaint(kgat, KgatConfig(folder=str(tmp_path), train="train.txt.gz", test=None, triples=None))
    assert said.endswith("train.txt.gz: the file cannot be opened, or is packed and breaks off; fetch it again")


# recbole


def atomic(folder: Path) -> Path:
    """A data set with everything: folder `films`."""
    films = folder / "films"
    write(
        films,
        films__inter="user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        "007\t1\t5\t978300760\n7\t2\t2\t978302109\n007\t2\t4\t978301968\n",
        films__item="item_id:token\tmovie_title:token_seq\tyear:token\tx:float_seq\n"
        "1\tToy Story\t1995\t0.1 0.2\n2\tHeat\t\t\n",
        films__kg="head_id:token\trelation_id:token\ttail_id:token\nm.1\tfilm.genre\tg.1\nm.2\tfilm.genre\tg.1\n",
        films__link="item_id:token\tentity_id:token\n1\tm.1\n2\tm.2\n",
        films__user="user_id:token\tage:token\n7\t30\n",
    )
    return films


def test_recbole_folders_become_domains(tmp_path: Path) -> None:
    films = atomic(tmp_path)
    write(tmp_path / "books", books__inter__gz="user_id:token\titem_id:token\ttimestamp:float\n7\tb1\t978300000.5\n")
    raw = recbole.read(RecboleConfig(folders=(str(films), str(tmp_path / "books"))))
    check_contract(raw)
    assert events(raw) == [
        ("007", "1", "films"),
        ("7", "2", "films"),
        ("007", "2", "films"),
        ("7", "b1", "books"),
    ]
    assert raw.timed and raw.interactions.collect()["order"].to_list() == [
        978300760000000,
        978302109000000,
        978301968000000,
        978300000500000,
    ]
    assert [(item, domain, text.split()) for item, domain, text in raw.items.rows()] == [
        ("1", "films", ["Toy", "Story", "1995"]),
        ("2", "films", ["Heat"]),
    ]
    assert facts(raw) == [("m.1", "film.genre", "g.1"), ("m.2", "film.genre", "g.1")]
    assert raw.links.rows() == [("1", "films", "m.1"), ("2", "films", "m.2")]
    assert any("films.user: is not read" in warning for warning in raw.warnings)


def test_recbole_titles_may_begin_with_a_quote(tmp_path: Path) -> None:
    folder = tmp_path / "films"
    inter = "user_id:token\titem_id:token\nu1\t7\nu1\t8\n"
    item = 'item_id:token\ttitle:token_seq\n7\t"Heat" (1995)\n8\t"half\n'
    write(folder, **{"films.inter": inter, "films.item": item})
    raw = recbole.read(RecboleConfig(folders=(str(folder),)))
    assert raw.items["text"].to_list() == ['"Heat" (1995)', '"half']


def test_recbole_filters_by_the_bare_name_and_takes_other_fields(tmp_path: Path) -> None:
    keep = (Filter(column="rating", at_least=4),)
    raw = recbole.read(RecboleConfig(folders=(str(atomic(tmp_path)),), keep=keep, time=None, text=("movie_title",)))
    assert events(raw) == [("007", "1", "films"), ("007", "2", "films")]
    assert not raw.timed and raw.items["text"].to_list() == ["Toy Story", "Heat"]
    assert raw.tables[0].num_rows == 3 and raw.tables[0].num_kept == 2


def test_recbole_parts_that_are_split_already_keep_their_split(tmp_path: Path) -> None:
    header = "uid:token\tiid:token\n"
    folder = tmp_path / "ads"
    write(folder, **{"ads__train__inter": f"{header}1\ta\n1\tb\n", "ads__test__inter": f"{header}1\tc\n"})
    raw = recbole.read(RecboleConfig(folders=(str(folder),), user="uid", item="iid"))
    assert raw.interactions.select("item", "split").collect().rows() == [("a", "train"), ("b", "train"), ("c", "test")]


@pytest.mark.parametrize(
    ("inter", "message"),
    [
        (
            "user_id\titem_id:token\n1\t2\n",
            "films.inter: field 'user_id' of line 1 has no type; write each field of the header as name:type, with the "
            "type one of token, float, token_seq, float_seq",
        ),
        (
            "user_id:token\titem_id:tokn\n1\t2\n",
            "films.inter: field 'item_id:tokn' of line 1 has the unknown type 'tokn'; write each field of the header "
            "as name:type, with the type one of token, float, token_seq, float_seq",
        ),
        (
            "user_id:token,item_id:token\n1,2\n",
            "films.inter: line 1 has no tabs: 'user_id:token,item_id:token'; separate fields by tabs",
        ),
        (
            "uid:token\titem_id:token\n1\t2\n",
            "films.inter: no field 'user_id'; it has 'uid:token', 'item_id:token'; rename the fields, or name them in "
            "ingest.recbole",
        ),
        (
            "user_id:token\titem_id:token\n1\t2\n\t2\n",
            "films.inter: column 'user_id:token': 1 row without an id (row 2); fill them or drop the rows",
        ),
    ],
)
def test_recbole_headers_that_are_wrong_are_named(tmp_path: Path, inter: str, message: str) -> None:
    films = atomic(tmp_path)
    write(films, films__inter=inter)
    assert complaint(recbole, RecboleConfig(folders=(str(films),))) == f"{films.parent}/films/{message}"


def test_recbole_needs_its_files(tmp_path: Path) -> None:
    films = atomic(tmp_path)
    (films / "films.link").unlink()
    (films / "films.inter").rename(films / "other.inter")
    said = complaint(recbole, RecboleConfig(folders=(str(films), str(tmp_path / "none"))))
    assert said.splitlines() == [
        f"{films}: no films.inter; it has 'films.item', 'films.kg', 'films.user', 'other.inter'; "
        "the files must bear the folder's name",
        f"{tmp_path}/none: no none.inter; it is empty, or no folder; the files must bear the folder's name",
        f"{films}: has films.kg, but no films.link; say there which item is which entity",
    ]
    assert complaint(recbole, RecboleConfig()).startswith("ingest.recbole.folders: none given")


# amazon

OLD = [
    {"reviewerID": "A1", "asin": "0000031852", "overall": 5.0, "unixReviewTime": 1400000000, "reviewText": "x"},
    {"reviewerID": "007", "asin": "0000031853", "overall": 2.0, "unixReviewTime": 1400000001},
]
OLD_ITEMS = """{'asin': '0000031852', 'title': "It's", 'brand': 'Coxlures', 'categories': [['Sports', 'Tutus'], \
['Toys']], 'related': {'also_bought': ['X1'], 'bought_together': ['0000031853']}, 'price': 3.17}
{'asin': 'unbought', 'brand': 'Other'}
"""
NEW = [{"user_id": "A1", "asin": "B1", "parent_asin": "BP", "rating": 4, "timestamp": 1588615855070}]
NEW_ITEMS = [
    {
        "parent_asin": "BP",
        "title": "Soap",
        "store": "S",
        "main_category": "All Beauty",
        "categories": [],
        "features": ["mild", "soft"],
        "description": ["Washes."],
        "bought_together": None,
    }
]


def json_lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_amazon_reads_both_generations(tmp_path: Path) -> None:
    write(tmp_path, old__json=json_lines(OLD), old_meta__json__gz=OLD_ITEMS)
    write(tmp_path, new__jsonl__gz=json_lines(NEW), new_meta__jsonl=json_lines(NEW_ITEMS))
    domains = (
        AmazonDomain(name="old", reviews="old.json", metadata="old_meta.json.gz"),
        AmazonDomain(name="new", reviews="new.jsonl.gz", metadata="new_meta.jsonl"),
    )
    config = AmazonConfig(folder=str(tmp_path), domains=domains)
    raw = amazon.read(config)
    check_contract(raw)
    assert events(raw) == [("A1", "0000031852", "old"), ("007", "0000031853", "old"), ("A1", "BP", "new")]
    assert raw.interactions.collect()["order"].to_list() == [1400000000000000, 1400000001000000, 1588615855070000]
    assert raw.items.rows() == [
        ("0000031852", "old", "It's Coxlures Sports Tutus Toys"),
        ("BP", "new", "Soap S All Beauty"),
    ]
    assert facts(raw) == [
        ("product:0000031852", "made_by", "brand:Coxlures"),
        ("product:0000031852", "in_category", "category:Sports > Tutus"),
        ("category:Sports > Tutus", "part_of", "category:Sports"),
        ("product:0000031852", "in_category", "category:Toys"),
        ("product:BP", "made_by", "brand:S"),
        ("product:BP", "in_category", "category:All Beauty"),
    ]
    assert ("BP", "new", "product:BP") in raw.links.rows() and raw.links.height == 3
    assert [(t.kind, t.num_rows, t.num_kept) for t in raw.tables] == [
        ("interactions", 2, 2),
        ("items", 2, 1),
        ("interactions", 1, 1),
        ("items", 1, 1),
    ]
    assert raw.timed and len(amazon.files(config)) == 4


def test_amazon_filters_stars_and_gives_behaviour_on_request(tmp_path: Path) -> None:
    write(tmp_path, old__json=json_lines(OLD), meta__json=OLD_ITEMS)
    domains = (AmazonDomain(name="old", reviews="old.json", metadata="meta.json"),)
    raw = amazon.read(AmazonConfig(folder=str(tmp_path), domains=domains, min_rating=3, behaviour=True))
    assert events(raw) == [("A1", "0000031852", "old")]
    assert [(t.num_rows, t.num_kept) for t in raw.tables] == [(2, 1), (2, 1)]
    assert facts(raw)[-2:] == [
        ("product:0000031852", "also_bought", "product:X1"),
        ("product:0000031852", "bought_together", "product:0000031853"),
    ]


def test_amazon_text_is_made_of_the_chosen_fields(tmp_path: Path) -> None:
    write(tmp_path, r__jsonl=json_lines(NEW), m__jsonl=json_lines(NEW_ITEMS))
    domains = (AmazonDomain(name="d", reviews="r.jsonl", metadata="m.jsonl"),)
    config = AmazonConfig(folder=str(tmp_path), domains=domains, text=("features", "description"))
    assert amazon.read(config).items["text"].to_list() == ["mild soft Washes."]


def test_amazon_never_evaluates_a_literal(tmp_path: Path) -> None:
    write(tmp_path, r__json=json_lines(OLD), m__json="{'asin': __import__('os').getcwd()}\n{'asin': '0000031852'}\n")
    domains = (AmazonDomain(name="d", reviews="r.json", metadata="m.json"),)
    said = complaint(amazon, AmazonConfig(folder=str(tmp_path), domains=domains))
    assert said == (
        f"{tmp_path}/m.json: 1 row without an item (row 1); write one JSON object or Python literal a line, with asin "
        "(2014) or parent_asin (2023)"
    )


def test_amazon_names_lines_that_lack_something(tmp_path: Path) -> None:
    rows = [{**OLD[0], "overall": 7}, {**OLD[0], "reviewerID": ""}, {"asin": None}, {**NEW[0], "timestamp": 10**17}]
    write(tmp_path, r__json="\n" + json_lines(rows))
    said = complaint(amazon, AmazonConfig(folder=str(tmp_path), domains=(AmazonDomain(name="d", reviews="r.json"),)))
    assert said.splitlines() == [
        f"{tmp_path}/r.json: 2 rows without reviewerID (2014) or user_id (2023) (rows 3, 4)",
        f"{tmp_path}/r.json: 1 row without asin (2014) or parent_asin (2023) (row 4)",
        f"{tmp_path}/r.json: 2 rows without overall (2014) or rating (2023) from 0 to 5 (rows 2, 4)",
        f"{tmp_path}/r.json: 2 rows without unixReviewTime (2014, seconds) or timestamp (2023, milliseconds) "
        "(rows 4, 5)",
    ]


def test_amazon_names_the_line_that_is_no_object(tmp_path: Path) -> None:
    write(tmp_path, r__json=json_lines(OLD) + '{"reviewerID": "A", ')
    said = complaint(amazon, AmazonConfig(folder=str(tmp_path), domains=(AmazonDomain(name="d", reviews="r.json"),)))
    assert said.startswith(f"{tmp_path}/r.json: line 3 is no valid JSON")
    assert complaint(amazon, AmazonConfig()).startswith("ingest.amazon.domains: none given")


# graph


def bookshop() -> HeteroData:
    data = HeteroData()
    data["user"].num_nodes = 3
    data["book"].id = torch.tensor([100, 200])
    data["book"].title = ["Emma", "Persuasion"]
    data["author"].external_id = ["007"]
    data["user", "buys", "book"].edge_index = torch.tensor([[0, 1, 2], [1, 0, 1]])
    data["user", "buys", "book"].time = torch.tensor([1400000002, 1400000001, 1400000000])
    data["book", "by", "author"].edge_index = torch.tensor([[0, 1], [0, 0]])
    data["author", "rev_by", "book"].edge_index = torch.tensor([[0, 0], [0, 1]])
    data["user", "knows", "user"].edge_index = torch.tensor([[0], [1]])
    return data


def check_bookshop(raw: RawTables) -> None:
    check_contract(raw)
    assert events(raw) == [(0, 200, "book"), (1, 100, "book"), (2, 200, "book")]
    assert raw.interactions.collect()["order"].to_list() == [1400000002000000, 1400000001000000, 1400000000000000]
    assert raw.timed
    assert raw.links.rows() == [(100, "book", "book:100"), (200, "book", "book:200")]


def test_a_hetero_file_gives_its_edges_back(tmp_path: Path) -> None:
    torch.save(bookshop(), tmp_path / "shop.pt")
    config = GraphConfig(path=str(tmp_path / "shop.pt"), time="time")
    raw = graph.read(config)
    check_bookshop(raw)
    assert facts(raw) == [("book:100", "by", "author:007"), ("book:200", "by", "author:007")]
    assert raw.items.rows() == [(100, "book", "Emma"), (200, "book", "Persuasion")]
    assert len(raw.warnings) == 1 and "('user', 'knows', 'user')" in raw.warnings[0]
    assert [(t.kind, t.num_rows) for t in raw.tables] == [("interactions", 3), ("triples", 2)]
    assert graph.files(config) == [tmp_path / "shop.pt"]
    untimed = graph.from_hetero(bookshop(), GraphConfig())
    assert not untimed.timed
    assert any("not used, though called like a time: 'time'" in warning for warning in untimed.warnings)


def test_a_graph_in_memory_needs_no_file() -> None:
    raw = graph.from_hetero(bookshop(), GraphConfig())
    assert events(raw) == [(0, 200, "book"), (1, 100, "book"), (2, 200, "book")]
    assert raw.interactions.collect()["order"].to_list() == [0, 1, 2] and not raw.timed


def test_relations_of_one_name_are_told_apart_and_ids_unified() -> None:
    data = bookshop()
    data["film"].id = ["f1"]
    data["user", "buys", "film"].edge_index = torch.tensor([[0], [0]])
    data["film", "by", "author"].edge_index = torch.tensor([[0], [0]])
    raw = graph.from_hetero(data, GraphConfig())
    check_contract(raw)
    assert events(raw)[-1] == (0, "f1", "film") and events(raw)[0] == (0, "200", "book")
    assert set(raw.triples["relation"]) == {"book.by.author", "film.by.author"}
    only = graph.from_hetero(data, GraphConfig(domains=("film",)))
    assert events(only) == [(0, "f1", "film")]


def test_ids_of_a_graph_stay_exact_to_64_bits() -> None:
    data = bookshop()
    data["book"].id = torch.tensor([2**62 + 1, 2**62 + 2])
    raw = graph.from_hetero(data, GraphConfig())
    assert events(raw)[0] == (0, 2**62 + 2, "book") and raw.links["entity"][0] == f"book:{2**62 + 1}"


def test_a_graph_that_would_run_code_is_refused(tmp_path: Path) -> None:
    data = bookshop()
    data["book"].where = Path("x")
    torch.save(data, tmp_path / "shop.pt")
    said = complaint(graph, GraphConfig(path=str(tmp_path / "shop.pt")))
    assert "which to load could run foreign code" in said and "pathlib" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d["user", "buys", "book"].update({"edge_index": torch.tensor([[0], [9]])}),
            "1 edge without a 'book' node",
        ),
        (lambda d: d["book"].update({"id": torch.tensor([5, 5])}), "ids of more than one node: 5"),
        (lambda d: d["user", "buys", "book"].pop("edge_index"), "no edge_index of shape [2, num_edges]"),
        (lambda d: d["book"].update({"id": torch.tensor([0.5, 1.0])}), "ids are Float32"),
        (lambda d: d["user", "buys", "book"].pop("time"), "no edge attribute 'time'"),
    ],
)
def test_a_graph_with_holes_is_refused(change, message: str) -> None:
    data = bookshop()
    change(data)
    with pytest.raises(DataError, match=r".*") as caught:
        graph.from_hetero(data, GraphConfig(time="time"))
    assert message in str(caught.value)


def test_node_types_that_are_not_there_are_named() -> None:
    with pytest.raises(DataError) as caught:
        graph.from_hetero(bookshop(), GraphConfig(user="customer", domains=("boat",)))
    assert "no node type 'customer'; it has 'author', 'book', 'user'; set ingest.graph.user" in str(caught.value)
    assert "no node type 'boat'" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"nonsense", b"\x80\x02}q\x00."])
def test_files_that_are_no_graph_are_refused(tmp_path: Path, content: bytes) -> None:
    for name in ("x.pt", "x.bin"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(GraphrecError):
            graph.read(GraphConfig(path=str(tmp_path / name)))


@pytest.mark.skipif(not HAS_DGL, reason="dgl has no wheel for this Python")
def test_a_dgl_file_gives_its_edges_back(tmp_path: Path) -> None:
    from graphrec.data.readers._dgl import dgl

    ends = {
        ("user", "buys", "book"): (torch.tensor([0, 1, 2]), torch.tensor([1, 0, 1])),
        ("book", "by", "author"): (torch.tensor([0, 1]), torch.tensor([0, 0])),
    }
    made = dgl.heterograph(ends)
    made.nodes["book"].data["id"] = torch.tensor([100, 200])
    made.edges["buys"].data["time"] = torch.tensor([1400000002, 1400000001, 1400000000])
    path = tmp_path / "shop.bin"
    dgl.save_graphs(str(path), [made])
    raw = graph.read(GraphConfig(path=str(path), time="time"))
    check_bookshop(raw)
    assert facts(raw) == [("book:100", "by", "author:0"), ("book:200", "by", "author:0")]
    whole = path.read_bytes()
    for cut in (10, 30, 100, len(whole) // 2):
        path.write_bytes(whole[:cut])
        assert str(path) in complaint(graph, GraphConfig(path=str(path)))


def test_without_dgl_a_bin_file_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dgl", None)
    monkeypatch.delitem(sys.modules, "graphrec.data.readers._dgl", raising=False)
    (tmp_path / "x.bin").write_bytes(b"x")
    with pytest.raises(MissingExtraError, match="needs dgl, which is not installed"):
        graph.read(GraphConfig(path=str(tmp_path / "x.bin")))


# journey


def journey_folder(folder: Path, **change: pl.Series) -> Path:
    bought = {"household_id": [1, 2, 1], "product_id": [10, 11, 99], "transaction_timestamp": ["2017-01-02"] * 3}
    times = pl.col("transaction_timestamp").str.to_datetime("%Y-%m-%d", time_unit="ns")
    pl.DataFrame(bought).with_columns(times).with_columns(**change).write_parquet(folder / "transactions.parquet")
    products = {"product_id": [10, 11], "department": ["DELI", "PASTRY"], "manufacturer_id": [7, 8]}
    words = {"brand": ["Own", "Own"], "product_category": ["HAM", None], "product_type": ["COOKED", None]}
    pl.DataFrame({**products, **words, "package_size": ["1 LB", None]}).write_parquet(folder / "products.parquet")
    return folder


def test_journey_reads_a_folder_and_all_departments(tmp_path: Path) -> None:
    raw = journey.read(JourneyConfig(folder=str(journey_folder(tmp_path)), departments=()))
    check_contract(raw)
    assert events(raw) == [(1, 10, "DELI"), (2, 11, "PASTRY")]
    assert ("product:10", "has_type", "type:COOKED") in facts(raw) and ("type:COOKED", "part_of", "category:HAM")
    assert [(t.kind, t.num_rows, t.num_kept) for t in raw.tables] == [("interactions", 3, 2), ("items", 2, 2)]
    only = journey.read(JourneyConfig(folder=str(tmp_path), departments=("DELI",)))
    assert events(only) == [(1, 10, "DELI")]


def test_journey_names_what_is_wrong_with_a_folder(tmp_path: Path) -> None:
    folder = journey_folder(tmp_path, household_id=pl.Series([1, None, 2]), product_id=pl.Series(["a", "b", "c"]))
    config = JourneyConfig(folder=str(folder))
    assert complaint(journey, config) == (
        f"{folder}/transactions.parquet: column 'product_id' is String; expected whole numbers; "
        "take the file of the package"
    )
    journey_folder(tmp_path, household_id=pl.Series([1, None, 2]))
    assert "transactions.parquet: column 'household_id': 1 row without a value (row 2)" in complaint(journey, config)
    known = JourneyConfig(folder=str(journey_folder(tmp_path)), departments=("DELLI",))
    assert complaint(journey, known) == "ingest.journey.departments: unknown DELLI; known: DELI, PASTRY"


# docs/readers.md


def snippets() -> dict[str, str]:
    """The YAML under each heading of the page."""
    sections = (Path(__file__).parent.parent / "docs" / "readers.md").read_text(encoding="utf-8").split("\n## ")[1:]
    parts = {section.partition("\n")[0]: section.partition("```yaml\n")[2].partition("```")[0] for section in sections}
    return {name: text for name, text in parts.items() if text}


@pytest.mark.parametrize("name", READERS)
def test_the_page_shows_a_configuration_of_each_reader(name: str) -> None:
    made = parse(IngestConfig, parse_yaml(snippets()[name], source=name)["ingest"], source=name)
    assert made.reader == name
    assert getattr(made, name) != getattr(IngestConfig(), name)


def test_each_reader_has_a_row_in_the_table_of_the_page() -> None:
    text = (Path(__file__).parent.parent / "docs" / "readers.md").read_text(encoding="utf-8")
    assert [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")] == list(READERS)
