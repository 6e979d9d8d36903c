"""Entities, types and votes: from tables to the numbered data set, on small tables worked out by hand."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graphrec.core.config import parse
from graphrec.core.errors import DataError
from graphrec.data.build import Built
from graphrec.data.dataset import Dataset, Votes, load_dataset, save_dataset
from graphrec.data.raw import RawTables
from graphrec.stages.config import IngestConfig
from graphrec.stages.ingest import ingest, input_files, read
from kg_denoise.evidence import gather
from tests.test_bad_inputs import Content, write

FACTS = "head,relation,tail\na,r,b\nb,r,c\nc,r,d\n"


def config(
    folder: Path, given: dict[str, Content], ingest: dict[str, object], tables: dict[str, object]
) -> IngestConfig:
    write(folder, given)
    return parse(IngestConfig, {**ingest, "tables": {"folder": str(folder), **tables}}, source="test")


def load(folder: Path, given: dict[str, Content], **tables: object) -> RawTables:
    return read(config(folder, given, {}, tables))


def build(
    folder: Path, given: dict[str, Content], ingested: dict[str, object] | None = None, **tables: object
) -> Built:
    options = config(folder, given, ingested or {}, tables)
    return ingest(read(options), options, seed=0)[0]


def said(dataset: Dataset) -> set[tuple[str, str, str, float, int]]:
    """Votes in external ids: head, tail, voter, vote, number of samples."""
    votes, triples = dataset.votes, dataset.triples
    ends = [dataset.entities.decode(end[votes.triple]).to_list() for end in (triples.head, triples.tail)]
    voters = [votes.voters[voter] for voter in votes.voter]
    return set(zip(*ends, voters, votes.vote.tolist(), votes.num.tolist(), strict=True))


def test_entities_have_texts_and_several_types(tmp_path: Path) -> None:
    entities = "id,name,more,kind\na,Ann,of Ely,person\na,Other,,painter\nc,,,place\nzz,Zed,,person\n"
    built = build(
        tmp_path,
        {"t.csv": FACTS, "e.csv": entities},
        triples=[{"path": "t.csv"}],
        entities=[{"path": "e.csv", "entity": "id", "text": ["name", "more"], "type": "kind"}],
    )
    # zz is in no triple; d has no row; c has a row without a name.
    assert built.dataset.entity_text == ("Ann of Ely", "", "", "")
    assert built.dataset.types == ("painter", "person", "place")
    pairs = zip(built.dataset.type_entity.tolist(), built.dataset.type_index.tolist(), strict=True)
    assert list(pairs) == [(0, 0), (0, 1), (2, 2)]
    found = gather(built.dataset)
    assert found.text == ("Ann of Ely", "b", "c", "d")
    assert (found.types.entity.tolist(), found.types.other.tolist(), found.types.num_others) == (
        [0, 0, 2],
        [0, 1, 2],
        3,
    )


def test_types_may_be_a_list(tmp_path: Path) -> None:
    lines = '{"entity": "a", "kinds": ["x", "y"]}\n{"entity": "b", "kinds": []}\n{"entity": "c", "kinds": ["x"]}\n'
    raw = load(
        tmp_path,
        {"t.csv": FACTS, "e.jsonl": lines},
        triples=[{"path": "t.csv"}],
        entities=[{"path": "e.jsonl", "type": "kinds"}],
    )
    assert raw.entities.select("entity", "type").rows() == [("a", "x"), ("a", "y"), ("b", None), ("c", "x")]
    assert raw.entities["text"].null_count() == 4
    assert [(table.kind, table.num_rows) for table in raw.tables] == [("triples", 3), ("entities", 3)]


def test_the_text_of_an_entity_goes_before_that_of_its_item(tmp_path: Path) -> None:
    events = "user,item,domain\n" + "".join(f"u{k},{item},shop\n" for k in range(4) for item in "abx")
    found = gather(
        build(
            tmp_path,
            {
                "i.csv": events,
                "t.csv": FACTS,
                "e.csv": "entity,text\na,entity a\n",
                "n.csv": "item,text\na,item a\nb,item b\n",
            },
            interactions=[{"path": "i.csv"}],
            items=[{"path": "n.csv", "as_domain": "shop"}],
            triples=[{"path": "t.csv"}],
            entities=[{"path": "e.csv", "text": ["text"]}],
            link_by_id=True,
        ).dataset
    )
    assert found.text == ("entity a", "item b", "c", "d")


def test_ids_may_tell_types_and_names(tmp_path: Path) -> None:
    facts = "head,relation,tail\nc:athlete:tim_duncan,r,c:team:spurs\nplain,r,c:team\n"
    dataset = build(
        tmp_path,
        {"t.csv": facts, "e.csv": "entity,text\nc:team:spurs,San Antonio Spurs\n"},
        triples=[{"path": "t.csv", "type_in_id": {"separator": ":", "part": 1}}],
        entities=[{"path": "e.csv", "text": ["text"]}],
    ).dataset
    assert dataset.entities.table["id"].to_list() == ["c:athlete:tim_duncan", "c:team", "c:team:spurs", "plain"]
    assert dataset.entity_text == ("tim duncan", "", "San Antonio Spurs", "")
    assert [dataset.types[k] for k in dataset.type_index] == ["athlete", "team"]
    assert dataset.type_entity.tolist() == [0, 2]


def test_ids_that_tell_no_type_are_a_warning(tmp_path: Path) -> None:
    raw = load(tmp_path, {"t.csv": FACTS}, triples=[{"path": "t.csv", "type_in_id": {"separator": "/", "part": 1}}])
    assert raw.warnings == (f"{tmp_path}/t.csv: type_in_id: no id has a part after part 1, cut by '/'",)


def test_rows_of_several_models_are_votes(tmp_path: Path) -> None:
    facts = (
        "head,relation,tail,llm,p,n\n"
        "a,r,b,gemma,one,1\na,r,b,gemma,two,3\na,r,b,gemma,one,1\na,r,b,llama,one,2\nb,r,c,llama,one,1\n"
    )
    other = "head,relation,tail\nc,r,d\na,r,b\n"
    built = build(
        tmp_path,
        {"t.csv": facts, "o.csv": other, "p.csv": other},
        triples=[
            {"path": "t.csv", "model": "llm", "prompt": "p", "votes": "n"},
            {"path": "o.csv", "as_model": "web"},
            {"path": "p.csv"},
        ],
    )
    assert said(built.dataset) == {
        ("a", "b", "gemma/one", 1.0, 2),
        ("a", "b", "gemma/two", 1.0, 3),
        ("a", "b", "llama/one", 1.0, 2),
        ("b", "c", "llama/one", 1.0, 1),
        ("c", "d", "web", 1.0, 1),
        ("a", "b", "web", 1.0, 1),
    }
    # Votes are no repeats to warn of.
    assert built.warnings == () and len(built.dataset.triples) == 3


@pytest.mark.parametrize("by_id", [False, True])
def test_votes_may_say_no_and_may_be_missing(tmp_path: Path, by_id: bool) -> None:
    facts = "id,head,relation,tail\n1,a,r,b\n2,b,r,c\n"
    ballots = (
        "id,head,relation,tail,who,how,said\n"
        "1,a,r,b,x,p,T\n2,b,r,c,x,p,false\n1,a,r,b,y,p,0.25\n2,b,r,c,y,p,\n1,a,r,b,x,q,1\n3,b,r,d,x,p,0\n1,a,r,b,x,q,0\n"
    )
    key = {"id": "id"} if by_id else {}
    raw = load(
        tmp_path,
        {"t.csv": facts, "v.csv": ballots},
        triples=[{"path": "t.csv", **key}],
        votes=[{"path": "v.csv", "voter": ["who", "how"], "vote": "said", **key}],
    )
    assert raw.warnings == (f"{tmp_path}/v.csv: 1 vote on what is in no table of triples; they are left out",)
    assert raw.votes.height == 5
    options = IngestConfig()
    assert said(ingest(raw, options, seed=0)[0].dataset) == {
        ("a", "b", "x/p", 1.0, 1),
        ("b", "c", "x/p", 0.0, 1),
        ("a", "b", "y/p", 0.25, 1),
        ("a", "b", "x/q", 0.5, 2),
    }


@pytest.mark.parametrize(
    ("files", "tables", "message"),
    [
        (
            {"v.csv": "head,relation,tail,voter,vote\na,r,b,x,maybe\na,r,b,y,1.5\n"},
            {"votes": [{"path": "v.csv"}]},
            r"v\.csv: column 'vote': 2 rows with neither true nor false \(rows 1: 'maybe', 2: 1?'?1\.5'?\); "
            r"expected 1 or 0, true or false, a probability from 0 to 1, or nothing",
        ),
        (
            {"v.csv": "head,relation,tail,voter,vote\na,r,b,,1\n"},
            {"votes": [{"path": "v.csv"}]},
            r"v\.csv: column 'voter': 1 row without a voter \(row 1\)",
        ),
        (
            {"e.csv": "entity,text\nA,Ann\n"},
            {"entities": [{"path": "e.csv", "text": ["text"]}]},
            r"entities: none of 1 entity id is in the triples; 1 would be without letter case: 'A' here, 'a' there",
        ),
        (
            {"u.csv": "head,relation,tail,n\na,r,b,0\na,r,c,1.5\n"},
            {"triples": [{"path": "u.csv", "votes": "n"}]},
            r"column 'n': 2 rows without a whole number of votes from 1 to 1,000,000 \(rows 1: .*0.*, 2: .*1\.5",
        ),
        (
            {"u.csv": "id,head,relation,tail\n1,a,r,b\n1,a,r,c\n"},
            {"triples": [{"path": "u.csv", "id": "id"}]},
            r"triples: ids of two different triples: '1'; an id names one triple",
        ),
        (
            {},
            {"triples": [{"path": "t.csv", "model": "head", "as_model": "x"}]},
            r"triples \(t\.csv\): model and as_model exclude each other",
        ),
    ],
    ids=["vote", "voter", "entities", "number", "id", "model"],
)
def test_bad_tables_are_one_clear_line(
    tmp_path: Path, files: dict[str, Content], tables: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load(tmp_path, {"t.csv": FACTS, **files}, **{"triples": [{"path": "t.csv"}], **tables})


def test_files_of_entities_and_votes_are_among_the_inputs(tmp_path: Path) -> None:
    given: dict[str, Content] = dict.fromkeys(("t.csv", "e.csv", "v.csv"), FACTS)
    tables = {"triples": [{"path": "t.csv"}], "entities": [{"path": "e.csv"}], "votes": [{"path": "v.csv"}]}
    assert [p.name for p in input_files(config(tmp_path, given, {}, tables))] == ["t.csv", "e.csv", "v.csv"]


def ring(num: int) -> dict[str, Content]:
    facts = "".join(f"e{k},r,e{(k + 1) % num},{'p' if k % 2 else 'q'}\n" for k in range(num))
    return {"t.csv": "head,relation,tail,llm\n" + facts}


def test_votes_follow_their_triples_when_wrong_ones_are_mixed_in(tmp_path: Path) -> None:
    tables = {"triples": [{"path": "t.csv", "model": "llm"}]}
    plain = build(tmp_path, ring(40), **tables).dataset
    mixed = build(tmp_path, ring(40), {"corrupt": {"share": 0.2}}, **tables).dataset
    assert len(mixed.triples) == 50
    assert said(mixed) == said(plain) and len(said(plain)) == 40
    assert (np.diff(mixed.votes.triple) > 0).all() and (mixed.votes.triple != np.arange(40)).any()


def test_votes_move_and_are_dropped() -> None:
    votes = Votes(
        triple=np.array([0, 0, 1, 2]),
        voter=np.array([0, 1, 1, 0]),
        vote=np.array([1.0, 0.0, 0.5, 0.25], dtype=np.float32),
        num=np.array([1, 2, 3, 4]),
        voters=("x", "y"),
    )
    moved = votes.moved(np.array([5, -1, 3]))
    assert (moved.triple.tolist(), moved.voter.tolist()) == ([3, 5, 5], [0, 0, 1])
    assert (moved.vote.tolist(), moved.num.tolist(), moved.voters) == ([0.25, 1.0, 0.0], [4, 1, 2], ("x", "y"))


def test_annotations_survive_on_disk(tmp_path: Path) -> None:
    built = build(
        tmp_path,
        {
            "t.csv": FACTS,
            "e.csv": "entity,text,type\na,Ann,person\n",
            "v.csv": "head,relation,tail,voter,vote\na,r,b,x,1\n",
        },
        triples=[{"path": "t.csv"}],
        entities=[{"path": "e.csv", "text": ["text"], "type": "type"}],
        votes=[{"path": "v.csv"}],
    )
    for dataset in (built.dataset, build(tmp_path, {"t.csv": FACTS}, triples=[{"path": "t.csv"}]).dataset):
        save_dataset(dataset, built.test, tmp_path)
        loaded = load_dataset(tmp_path)
        assert (loaded.entity_text, loaded.types) == (dataset.entity_text, dataset.types)
        np.testing.assert_array_equal(loaded.type_entity, dataset.type_entity)
        np.testing.assert_array_equal(loaded.type_index, dataset.type_index)
        assert loaded.votes.voters == dataset.votes.voters
        for name in ("triple", "voter", "vote", "num"):
            column = getattr(dataset.votes, name)
            np.testing.assert_array_equal(getattr(loaded.votes, name), column)
            assert getattr(loaded.votes, name).dtype == column.dtype
    assert len(loaded.votes) == 0 and loaded.votes.voter.dtype == np.int64


def test_confidence_is_evidence_where_it_differs(tmp_path: Path) -> None:
    one = {"t.csv": "head,relation,tail,p\na,r,b,0.5\nb,r,c,0.75\n"}
    tables = {"triples": [{"path": "t.csv", "confidence": "p"}]}
    assert gather(build(tmp_path, one, **tables).dataset).confidence.tolist() == [0.5, 0.75]
    same = {"t.csv": "head,relation,tail,p\na,r,b,0.5\nb,r,c,0.5\n"}
    assert not len(gather(build(tmp_path, same, **tables).dataset).confidence)


def test_votes_in_parquet(tmp_path: Path) -> None:
    ballots = pl.DataFrame({"id": [1, 2], "voter": ["x", "x"], "vote": [True, None]})
    facts = pl.DataFrame({"id": [1, 2], "head": ["a", "b"], "relation": "r", "tail": ["b", "c"]})
    facts.write_parquet(tmp_path / "t.parquet")
    ballots.write_parquet(tmp_path / "v.parquet")
    raw = load(tmp_path, {}, triples=[{"path": "t.parquet", "id": "id"}], votes=[{"path": "v.parquet", "id": "id"}])
    assert raw.votes.rows() == [("a", "r", "b", "x", 1.0, 1)]
