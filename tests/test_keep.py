"""What is kept, what the report says of it, what a person is asked, and how the answers come back."""

import codecs

import numpy as np
import polars as pl
import pytest

from graphrec.core.config import parse
from graphrec.core.errors import ConfigError, DataError
from graphrec.core.ids import IdMap
from graphrec.data.dataset import Dataset, Events, Triples
from graphrec.report.facts import Facts
from graphrec.report.sections.denoise import denoise as section
from kg_denoise.dropped import dropped, item_popularity
from kg_denoise.keep import keep
from kg_denoise.keep_config import KeepConfig
from kg_denoise.labels import COLUMNS, protected, read_labels, restored
from kg_denoise.ranks import rank_within
from kg_denoise.review import informative, write_review

NONE = KeepConfig(tail_degree=0)


def ids(values):
    return np.asarray(values, dtype=np.int64)


def real(values):
    return np.asarray(values, dtype=np.float32)


def table(head, relation, tail, confidence=None):
    weight = np.ones(len(head)) if confidence is None else confidence
    return Triples(head=ids(head), relation=ids(relation), tail=ids(tail), confidence=real(weight))


def star(relation):
    """All triples of one head, entity 0, so that nothing but the policy decides."""
    return table(np.zeros(len(relation)), relation, np.arange(1, len(relation) + 1))


def kept_by(p, relation, **options):
    config = KeepConfig(tail_degree=0, **options)
    return keep(real(p), star(relation), len(relation) + 1, config).keep.astype(int).tolist()


def test_rank_within_groups():
    assert rank_within(ids([1, 0, 1, 1]), real([3, 9, 1, 1])).tolist() == [2, 0, 0, 1]
    assert rank_within(ids([0, 0, 0]), ids([1, 0, 1]), ids([5, 9, 4])).tolist() == [2, 0, 1]
    assert len(rank_within(ids([]), ids([]))) == 0


def test_weights_drops_the_hopeless_and_weighs_by_probability_and_confidence():
    triples = table([0, 0, 0], [0, 0, 0], [1, 2, 3], [0.5, 1.0, 1.0])
    kept = keep(real([0.8, 0.05, 0.04]), triples, 4, KeepConfig(policy="weights", tail_degree=0, power=1))
    assert kept.keep.tolist() == [True, True, False] and not kept.guarded.any()
    assert np.allclose(kept.weight, [0.4, 0.05, 0.04], atol=1e-6) and kept.weight.dtype == np.float32
    plain = keep(real([0.8, 0.05, 0.04]), triples, 4, KeepConfig(tail_degree=0, power=0))
    assert plain.weight.tolist() == [0.5, 1.0, 1.0]


def test_by_default_the_likely_ones_weigh_by_the_square():
    triples = table([0, 0], [0, 0], [1, 2], [0.5, 1.0])
    kept = keep(real([0.8, 0.6]), triples, 3, NONE)
    assert kept.keep.tolist() == [True, False] and np.allclose(kept.weight, [0.32, 0.36], atol=1e-6)


def test_threshold():
    assert kept_by([0.3, 0.5, 0.49, 0.9], [0, 0, 1, 1], policy="threshold", threshold=0.5) == [0, 1, 0, 1]


def test_precision_keeps_as_many_as_reach_the_target():
    p = [0.4, 1.0, 0.8, 0.6, 0.9]
    # The means of the best one, two, ... are 1, .95, .9, .825, .74.
    assert kept_by(p, [0] * 5, policy="precision", precision=0.9) == [0, 1, 1, 0, 1]
    assert kept_by(p, [0] * 5, policy="precision", precision=0.82) == [0, 1, 1, 1, 1]
    assert kept_by(p, [0] * 5, policy="precision", precision=0.3) == [1] * 5
    assert kept_by([0.5, 0.4], [0, 0], policy="precision", precision=0.9) == [0, 0]


def test_precision_takes_equals_together():
    # With one of the two .6 the mean would still be .8; with both it is .733.
    assert kept_by([1.0, 0.6, 0.6], [0] * 3, policy="precision", precision=0.8) == [1, 0, 0]
    assert kept_by([1.0, 0.6, 0.6], [0] * 3, policy="precision", precision=0.73) == [1, 1, 1]


def test_precision_of_each_relation():
    p, relation = [1.0, 0.9, 0.5, 0.8, 0.7], [0, 0, 1, 1, 1]
    assert kept_by(p, relation, policy="precision", precision=0.75) == [1] * 5
    each = kept_by(p, relation, policy="precision", precision=0.75, per_relation=True)
    assert each == [1, 1, 0, 1, 1]
    assert kept_by(p, relation, policy="precision", precision=0.9, per_relation=True) == [1, 1, 0, 0, 0]


def test_top_of_each_relation():
    p, relation = np.linspace(0.1, 1, 13), np.repeat([0, 1], [10, 3])
    found = kept_by(p, relation, policy="top", top=0.3)
    assert found == [0] * 7 + [1] * 3 + [0, 0, 1], "three of ten, and one of three"
    triples = table([0] * 4, [0] * 4, [1, 2, 3, 4], [0.1, 0.9, 0.5, 0.9])
    tied = keep(real([0.5] * 4), triples, 5, KeepConfig(policy="top", top=0.5, tail_degree=0))
    assert tied.keep.tolist() == [False, True, False, True], "of equals, those of larger confidence"


def crowd():
    """Entity 0 is common; 1 to 5 hang on it by one triple each; 1 and 2 have another to each other."""
    return table([0, 0, 0, 0, 0, 1], [0] * 6, [1, 2, 3, 4, 5, 2])


def test_a_rare_entity_keeps_its_best_if_not_unlikely():
    p = real([0.35, 0.4, 0.45, 0.2, 0.9, 0.3])
    config = KeepConfig(policy="threshold", threshold=0.8, tail_degree=2, least_per_entity=1, guard_floor=0.3)
    kept = keep(p, crowd(), 6, config)
    # The best of 1 is its triple with 0, that of 2 too; 4 has none that is likely enough; 5 keeps its own anyway.
    assert kept.guarded.astype(int).tolist() == [1, 1, 1, 0, 0, 0]
    assert kept.keep.astype(int).tolist() == [1, 1, 1, 0, 1, 0]
    two = keep(p, crowd(), 6, KeepConfig(**{**vars(config), "least_per_entity": 2}))
    assert two.guarded.astype(int).tolist() == [1, 1, 1, 0, 0, 1]
    off = keep(p, crowd(), 6, KeepConfig(policy="threshold", threshold=0.8, tail_degree=0))
    assert not off.guarded.any()


def test_what_a_rare_entity_keeps_anyway_counts_first():
    # By `top` the first relation keeps its only triple; the guard then owes entity 1 nothing more.
    triples = table([1, 1, 2, 2], [0, 1, 1, 1], [9, 8, 8, 7])
    kept = keep(real([0.4, 0.6, 0.9, 0.1]), triples, 10, KeepConfig(policy="top", top=0.3, guard_floor=0.5))
    assert kept.keep.tolist() == [True, False, True, False]


@pytest.mark.parametrize("policy", ["weights", "precision", "top", "threshold"])
def test_no_triples(policy):
    kept = keep(real([]), table([], [], []), 3, KeepConfig(policy=policy))
    assert len(kept.keep) == len(kept.weight) == len(kept.guarded) == 0
    assert dropped(kept, real([]), table([], [], []), ("a",), 3, KeepConfig())["precision_after"] is None


def test_a_bad_policy_lists_the_others():
    with pytest.raises(ConfigError, match="'best' is not one of weights, precision, top, threshold"):
        parse(KeepConfig, {"policy": "best"}, source="run.yaml")


def test_the_report_of_what_was_dropped():
    config = KeepConfig(policy="threshold", threshold=0.8, tail_degree=2, least_per_entity=1, guard_floor=0.4)
    p = real([0.35, 0.4, 0.45, 0.2, 0.9, 0.3])
    kept = keep(p, crowd(), 6, config)
    found = dropped(kept, p, crowd(), ("has",), 6, config, popularity=ids([100, 0, 1, -1, -1, -1]))
    assert (found["num_triples"], found["num_kept"], found["num_guarded"]) == (6, 3, 2)
    # 1 and 4 keep nothing; without the guard 2 and 3 would not either.
    assert (found["num_entities"], found["num_entities_lost"], found["num_entities_saved"]) == (6, 2, 2)
    assert found["precision_before"] == pytest.approx(2.6 / 6)
    assert found["precision_after"] == pytest.approx(1.75 / 3)
    assert found["relations"][0]["num_kept"] == 3
    tail, mid = found["entities"]
    assert (tail["class"], tail["num_entities"], tail["num_entities_lost"], tail["num_triples"]) == ("tail", 5, 2, 6)
    assert (mid["class"], mid["num_entities"], mid["num_triples"], mid["num_kept"]) == ("mid", 1, 5, 3)
    assert [row["class"] for row in found["items"]] == ["none", "tail", "head"]
    page = section(
        Facts(entries={}, summaries={"denoise": {"num_triples": 6, "kept": found}}, records={}, manifests={})
    )
    assert "3 of 6 triples are kept" in page["kept"]["sentence"] and "58.3 %" in page["kept"]["sentence"]
    assert "2 of 6 entities lost all" in page["kept"]["guard"]
    assert page["kept"]["classes"][1][1] == "mid (3 to 20)" and page["kept"]["classes"][-1][1] == "head (21 or more)"
    without = section(Facts(entries={}, summaries={"denoise": {"num_triples": 6}}, records={}, manifests={}))
    assert without["kept"] == {}


def test_rows_to_label_are_uncertain_and_spread():
    relation = np.repeat([0, 1], [50, 3])
    triples = table(np.arange(53), relation, 100 + np.arange(53) % 20)
    p = real(np.concatenate([np.full(50, 0.5), [0.5, 0.7, 0.99]]))
    rows = informative(p, triples, 200, 8)
    assert len(rows) == 8 and {50, 51} <= set(rows.tolist()), "the small relation has its say"
    assert np.bincount(triples.tail[rows]).max() <= 2
    assert np.array_equal(rows, informative(p, triples, 200, 8))
    skip = np.zeros(53, dtype=np.bool_)
    skip[rows] = True
    assert not set(informative(p, triples, 200, 8, skip=skip).tolist()) & set(rows.tolist())
    assert len(informative(p, triples, 200, 99)) == 53, "the bound on an entity gives way in the end"


def test_equal_triples_are_asked_for_once():
    assert len(informative(real([0.5, 0.5, 0.4]), table([0, 0, 1], [0, 0, 0], [2, 2, 2]), 3, 9)) == 2


NAMES = ["=cmd()", "'quoted", "a,b;c\td", '"x"', "-1", "line\nbreak", "plain", "ünï"]


def dataset(names=NAMES):
    entities = IdMap.build("entity", pl.Series(names))
    num, none = len(names), ids([])
    triples = table(np.arange(num), np.arange(num) % 2, (np.arange(num) + 1) % num)
    return Dataset(
        domains=(),
        relations=("likes", "+has"),
        users=IdMap.build("user", pl.Series(["u"])),
        items=IdMap.build("item", pl.Series(["i", "j"])),
        entities=entities,
        catalog={},
        train=Events(user=ids([0, 0]), item=ids([0, 1]), domain=ids([0, 0])),
        valid=Events(user=none, item=none, domain=none),
        triples=triples,
        link_item=ids([0, 1]),
        link_entity=ids([3, 3]),
        text=("", ""),
    )


def review(path, data):
    num = len(data.triples)
    text = tuple(f"@about\n{name}" for name in data.entities.table["id"])
    write_review(
        path, data, np.arange(num), real(np.linspace(0, 1, num)), text, ("words", "graph"), real([[1.25, -0.5]] * num)
    )


def answer(path, labels, change=lambda line: line):
    frame = pl.read_csv(path, infer_schema=False, encoding="utf8")
    frame = frame.with_columns(label=pl.Series(labels)) if labels else frame
    path.write_text(change(frame.write_csv()), encoding="utf-8")


def test_labels_come_back_to_their_triples(tmp_path):
    data, path = dataset(), tmp_path / "review.csv"
    review(path, data)
    answer(path, ["1", "0", "TRUE", " no ", "yes", "false", "", "1"])
    assert read_labels(path, data).tolist() == [1, 0, 1, 0, 1, 0, -1, 1]
    assert read_labels(path, data).dtype == np.int8


def test_the_review_file_is_safe_and_complete(tmp_path):
    path = tmp_path / "review.csv"
    review(path, dataset())
    assert path.read_bytes().startswith(codecs.BOM_UTF8)
    frame = pl.read_csv(path, infer_schema=False)
    assert tuple(frame.columns) == COLUMNS
    cells = [cell or "" for column in frame.iter_columns() for cell in column]
    assert not [cell for cell in cells if cell[:1] in set("=+-@\t\r\n") and cell]
    assert frame["head"].to_list()[0] == protected(sorted(NAMES)[0])
    assert frame["head_text"][2].startswith("'@about "), "texts keep to one line"
    assert (frame["spoke_for"][0], frame["spoke_against"][0]) == ("words 1.2", "graph 0.5")
    for name in [*NAMES, "", "''"]:
        assert restored(protected(name)) == name


def test_what_spreadsheets_save_is_read(tmp_path):
    data, path = dataset(["a", "b", "c d"]), tmp_path / "review.csv"
    path.write_bytes("\ufeffhead;relation;tail;label\r\na;likes;b;1\r\nb;'+has;c d;0\r\n;;;\r\n".encode())
    assert read_labels(path, data).tolist() == [1, 0, -1]
    path.write_text("label\ttail\trelation\thead\n1\tb\tlikes\ta\n")
    assert read_labels(path, data).tolist() == [1, -1, -1]


def test_whole_numbers_as_ids(tmp_path):
    data, path = dataset([10, 20, 30]), tmp_path / "review.csv"
    path.write_text("head,relation,tail,label\n10,likes,20,1\nx,likes,20,1\n")
    assert read_labels(path, data).tolist() == [1, -1, -1]


def test_labels_of_no_triple_are_counted(tmp_path, caplog):
    data, path = dataset(["a", "b", "c"]), tmp_path / "review.csv"
    path.write_text("head,relation,tail,label\na,likes,b,1\na,likes,c,1\na,hates,b,0\nz,likes,b,\n")
    assert read_labels(path, data).tolist() == [1, -1, -1]
    assert "2 of 3 labels are about triples that the data do not have" in caplog.text
    assert "line 3: a, likes, c; line 4: a, hates, b" in caplog.text
    path.write_text("head,relation,tail,label\na,likes,b,\n")
    assert (read_labels(path, data) == -1).all()
    assert "no line has a label yet" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"head,relation,tail,label\na,likes,b,maybe\n", "line 2: label 'maybe'; a label is 1, true or yes"),
        (b"head,relation,tail,label\na,likes,b,1,2\n", "line 2: 5 cells, expected 4"),
        (b"label,head,relation,tail\n1,a\n", "line 2: 2 cells, expected 4"),
        (b"head,relation,tail,label\na,likes,b,1\na,likes,b,0\n", "lines 2 and 3 label one triple both true and wrong"),
        (b"head,relation,label\n", "line 1: expected the columns head, relation, tail, label"),
        (b"", "line 1: expected the columns"),
        (b"head,relation,tail,label\n\xfc,likes,b,1\n", "not UTF-8 text; save it from the spreadsheet as `CSV UTF-8`"),
        ("head\tlabel".encode("utf-16"), "not UTF-8 text"),
        (b'head,relation,tail,label\n"a"x,likes,b,1\n', "line 2: not valid CSV"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path, content, message):
    path = tmp_path / "review.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_labels(path, dataset(["a", "b", "c"]))
    assert message in str(caught.value) and "\n" not in str(caught.value) and "review.csv" in str(caught.value)
    with pytest.raises(DataError, match="cannot be read"):
        read_labels(tmp_path / "none.csv", dataset(["a"]))


def test_popularity_counts_the_events_of_the_linked_items():
    assert item_popularity(dataset()).tolist() == [-1, -1, -1, 2, -1, -1, -1, -1]
